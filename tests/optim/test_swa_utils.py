"""Averages of weights."""

import pytest

import rushlight as rl
from rushlight.optim.swa_utils import (
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)


def model_with(value):
    model = rl.nn.Linear(2, 1, bias=False)
    with rl.no_grad():
        model.weight.fill_(value)
    return model


@pytest.mark.parametrize(
    "options", [{}, {"avg_fn": get_swa_avg_fn()}, {"multi_avg_fn": get_swa_multi_avg_fn()}]
)
def test_mean(options):
    average = AveragedModel(model_with(7.0), **options)
    for value in (1.0, 2.0, 6.0):
        average.update_parameters(model_with(value))
    assert average.n_averaged.item() == 3
    assert average.module.weight.tolist() == [[pytest.approx(3.0)] * 2]
    assert average(rl.ones(2)).item() == pytest.approx(6.0)
    assert "n_averaged" in average.state_dict()


@pytest.mark.parametrize(
    "options", [{"avg_fn": get_ema_avg_fn(0.75)}, {"multi_avg_fn": get_ema_multi_avg_fn(0.75)}]
)
def test_ema(options):
    average = AveragedModel(model_with(7.0), **options)
    for value in (1.0, 2.0, 6.0):
        average.update_parameters(model_with(value))
    assert average.module.weight[0, 0].item() == pytest.approx(0.75 * 1.25 + 0.25 * 6)


def test_the_model_is_copied():
    model = model_with(1.0)
    average = AveragedModel(model)
    average.update_parameters(model_with(2.0))
    assert model.weight[0, 0].item() == 1.0


@pytest.mark.parametrize("use_buffers", [False, True])
def test_buffers(use_buffers):
    model = rl.nn.BatchNorm1d(2)
    average = AveragedModel(model, use_buffers=use_buffers)
    for value in (1.0, 2.0):
        model.running_mean.fill_(value)
        average.update_parameters(model)
    assert average.module.running_mean[0].item() == pytest.approx(1.5 if use_buffers else 2.0)


def test_update_bn():
    rl.manual_seed(0)
    model = rl.nn.BatchNorm1d(3)
    model.eval()
    batches = [rl.randn(8, 3) + 5 for _ in range(4)]
    update_bn([(batch, None) for batch in batches], model)
    expected = rl.stack([batch.mean(0) for batch in batches]).mean(0)
    assert model.running_mean.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert model.momentum == 0.1 and not model.training
    update_bn([rl.ones(1)], rl.nn.Linear(1, 1))  # nothing to do


def test_errors():
    for make in (get_ema_avg_fn, get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match=r"Invalid decay value 1\.5"):
            make(1.5)
    with pytest.raises(AssertionError, match="Only one"):
        AveragedModel(model_with(1.0), avg_fn=get_swa_avg_fn(), multi_avg_fn=print)
