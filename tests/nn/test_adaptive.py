"""AdaptiveLogSoftmaxWithLoss: its parts agree with each other and with plain log-probabilities."""

from __future__ import annotations

import pytest

import rushlight as rl
from rushlight import nn


@pytest.fixture
def layer() -> nn.AdaptiveLogSoftmaxWithLoss:
    rl.manual_seed(0)
    return nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 12], div_value=2.0)


def test_probabilities_sum_to_one(layer: nn.AdaptiveLogSoftmaxWithLoss) -> None:
    total = layer.log_prob(rl.randn(4, 8)).exp().sum(1)
    rl.testing.assert_close(total, rl.ones(4))


def test_forward_picks_the_target_of_log_prob(layer: nn.AdaptiveLogSoftmaxWithLoss) -> None:
    x, target = rl.randn(6, 8), rl.tensor([1, 6, 13, 2, 19, 5])
    output, loss = layer(x, target)
    expected = layer.log_prob(x).gather(1, target.unsqueeze(1)).squeeze(1)
    rl.testing.assert_close(output, expected)
    rl.testing.assert_close(loss, -expected.mean())
    single = layer(x[1], target[1])
    rl.testing.assert_close(single.output, expected[1])


def test_gradients_match_those_through_log_prob(layer: nn.AdaptiveLogSoftmaxWithLoss) -> None:
    x, target = rl.randn(6, 8), rl.tensor([1, 6, 13, 2, 19, 5])
    layer(x, target).loss.backward()
    found = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    (-layer.log_prob(x).gather(1, target.unsqueeze(1)).mean()).backward()
    for own, p in zip(found, layer.parameters(), strict=True):
        rl.testing.assert_close(own, p.grad)


def test_predict_is_the_most_probable(layer: nn.AdaptiveLogSoftmaxWithLoss) -> None:
    with rl.no_grad():
        layer.head.weight[5:] *= 4  # clusters win often
        x = rl.randn(50, 8) * 3
        predicted, probabilities = layer.predict(x), layer.log_prob(x)
        head = layer.head(x).argmax(1)
    common = head < 5
    assert (predicted[common] == head[common]).all()
    assert (~common).any() and common.any()
    assert (predicted[~common] == probabilities[~common].argmax(1)).all()


def test_errors(layer: nn.AdaptiveLogSoftmaxWithLoss) -> None:
    for cutoffs in ([12, 5], [5, 5], [0, 5], [5, 20], []):
        with pytest.raises(ValueError, match="cutoffs"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)
    with pytest.raises(RuntimeError, match="batch dimension"):
        layer(rl.ones(4, 8), rl.tensor([1, 2]))
    with pytest.raises(RuntimeError, match=r"\[0, 19\]"):
        layer(rl.ones(2, 8), rl.tensor([1, 20]))
    with pytest.raises(RuntimeError, match="multi-target"):
        layer(rl.ones(2, 8), rl.tensor([[1]]))


def test_cross_map_normalisation_is_the_local_one() -> None:
    x = rl.randn(2, 6, 3, 3)
    rl.testing.assert_close(nn.CrossMapLRN2d(3)(x), nn.LocalResponseNorm(3)(x))
