"""Pooling and instance norm layers: text, options, indices, nan, thread counts, state, errors."""

import copy

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn import functional as F


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.MaxPool1d(3), "kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False"),
        (
            nn.MaxPool2d((2, 3), (1, 2), return_indices=True),
            "kernel_size=(2, 3), stride=(1, 2), padding=0, dilation=1, ceil_mode=False",
        ),
        (nn.AvgPool1d(2), "kernel_size=(2,), stride=(2,), padding=(0,)"),
        (nn.AvgPool2d(2, padding=1), "kernel_size=2, stride=2, padding=1"),
        (nn.LPPool2d(2, 3), "norm_type=2, kernel_size=3, stride=None, ceil_mode=False"),
        (nn.AdaptiveAvgPool2d((None, 3)), "output_size=(None, 3)"),
        (nn.AdaptiveMaxPool1d(3), "output_size=3"),
        (nn.FractionalMaxPool2d(2, 3), ""),
        (nn.MaxUnpool3d((2, 3, 4)), "kernel_size=(2, 3, 4), stride=(2, 3, 4), padding=(0, 0, 0)"),
    ],
)
def test_text(layer, text):
    assert repr(layer) == f"{type(layer).__name__}({text})"


def test_layers_are_their_functions():
    x = rl.randn(2, 3, 6, 8)
    assert rl.equal(nn.MaxPool2d(3, 2, 1, 1, ceil_mode=True)(x), F.max_pool2d(x, 3, 2, 1, 1, True))
    result, indices = nn.MaxPool2d(2, return_indices=True)(x)
    assert rl.equal(nn.MaxUnpool2d(2)(result, indices), F.max_unpool2d(result, indices, 2))
    assert rl.equal(nn.AvgPool2d(2, divisor_override=3)(x), F.avg_pool2d(x, 2) * 4 / 3)
    assert rl.equal(nn.AvgPool3d(2)(x), F.avg_pool3d(x, 2)[:, :])
    assert rl.equal(nn.LPPool2d(2, 3)(x), F.lp_pool2d(x, 2, 3))
    assert nn.AdaptiveAvgPool2d((None, 3))(x).shape == (2, 3, 6, 3)
    assert nn.AdaptiveMaxPool3d((1, None, 2))(x).shape == (2, 1, 6, 2)
    assert nn.FractionalMaxPool2d(2, output_ratio=(0.5, 0.7))(x).shape == (2, 3, 3, 5)
    assert nn.FractionalMaxPool3d(2, 2, _random_samples=rl.rand(1, 2, 3))(x).shape == (2, 2, 2, 2)


def test_nan_wins():
    nan = float("nan")
    x = rl.tensor([[[1.0, nan, 3.0, -1.0], [nan, nan, 5.0, 2.0]]])
    result, indices = F.max_pool2d(x, 2, return_indices=True)
    assert result.isnan().tolist() == [[[True, False]]] and result[0, 0, 1].item() == 5.0
    assert indices.tolist() == [[[5, 6]]]
    result, indices = F.adaptive_max_pool2d(x, 1, return_indices=True)
    assert result.isnan().all() and indices.item() == 5
    wide = rl.zeros(1, 1, 64)
    wide[0, 0, 33] = nan
    assert F.max_pool1d(wide, 2).isnan().nonzero().tolist() == [[0, 0, 16]]


def test_windows_of_nothing_but_the_lowest_value():
    low = rl.full((1, 3, 40), float("-inf"))
    result, indices = F.max_pool2d(low, 3, 1, 1, return_indices=True)
    assert (result == float("-inf")).all()
    assert indices[0, 0, :3].tolist() == [0, 0, 1] and indices[0, 2, 39].item() == 78
    integers = rl.full((1, 4, 4), -(2**63), dtype=rl.int64)
    assert (F.max_pool2d(integers, 2) == -(2**63)).all()


def test_windows_of_more_places_than_a_byte_counts():
    x = rl.randn(2, 30, 31, requires_grad=True)
    result, indices = F.max_pool2d(x, 17, 13, 8, return_indices=True)
    found = x.reshape(2, -1).gather(1, indices.reshape(2, -1))
    assert rl.equal(found.reshape(result.shape), result)
    result.sum().backward()
    expected = rl.zeros(2, 30 * 31).scatter_add(1, indices.reshape(2, -1), rl.ones(2, 9))
    assert rl.equal(x.grad, expected.reshape(x.shape))


def test_window_outside_the_signal():
    x = rl.ones(1, 1, 1, requires_grad=True)
    result, indices = F.max_pool1d(x, 2, 1, 2, 3, return_indices=True)
    assert result.tolist() == [[[float("-inf"), float("-inf")]]] and (indices == -1).all()
    result.sum().backward()
    assert x.grad.item() == 0


def test_transposed_and_channels_last_inputs():
    x = rl.randn(2, 8, 6, 4)
    last = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    for pool in (nn.MaxPool2d(2), nn.AvgPool2d(3, 1, 1), nn.AdaptiveAvgPool2d(3)):
        assert rl.equal(pool(last), pool(x))
    assert rl.allclose(nn.BatchNorm2d(8)(last), nn.BatchNorm2d(8)(x))


@pytest.mark.parametrize(
    "layer",
    [
        nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(3), nn.AdaptiveMaxPool2d(3),
        nn.BatchNorm2d(24), nn.InstanceNorm2d(24, affine=True),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_same_bits_for_any_thread_count(layer):
    x = rl.randn(5, 24, 33, 35)
    before, found = rl.get_num_threads(), []
    for threads in (1, 2, 3):
        rl.set_num_threads(threads)
        leaf = x.clone().requires_grad_()
        result = copy.deepcopy(layer)(leaf)
        (result * result).sum().backward()
        found.append((result.detach(), leaf.grad))
    rl.set_num_threads(before)
    for result, grad in found[1:]:
        assert rl.equal(result, found[0][0]) and rl.equal(grad, found[0][1])


def test_errors():
    for options in ({}, {"output_size": 2, "output_ratio": 0.5}, {"output_ratio": 1.5}):
        with pytest.raises(ValueError, match="output_ratio"):
            nn.FractionalMaxPool2d(2, **options)
    with pytest.raises(ValueError, match="at least 3"):
        nn.AdaptiveAvgPool2d((2, 2))(rl.ones(2, 2))
    with pytest.raises(TypeError):
        nn.AdaptiveAvgPool2d(None)(rl.ones(1, 2, 2))
    with pytest.raises(TypeError):
        F.max_pool2d(rl.ones(1, 4, 4), 2.5)
    with pytest.raises(RuntimeError, match="kernel_size must be one int or 2"):
        F.max_pool2d(rl.ones(1, 4, 4), (2, 2, 2))
    with pytest.raises(RuntimeError, match="shape of the input"):
        F.max_unpool1d(rl.ones(1, 2, 4), rl.ones(1, 2, 3).long(), 2)


# ---- instance norm


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.InstanceNorm1d, (3, 2, 6)), (nn.InstanceNorm2d, (3, 2, 4, 5)),
     (nn.InstanceNorm3d, (3, 2, 2, 3, 4))],
)  # fmt: skip
def test_instance_norm(kind, shape):
    m = kind(2, affine=True, track_running_stats=True, momentum=0.25, dtype=rl.float64)
    x = rl.randn(shape, dtype=rl.float64) * 2 + 3
    with rl.no_grad():
        m.weight.uniform_(0.5, 2)
        m.bias.uniform_(0.5, 2)
    rows = x.reshape(3, 2, -1)
    mean, variance = rows.mean(2, keepdim=True), rows.var(2, keepdim=True, unbiased=False)
    scaled = (rows - mean) / (variance + 1e-5).sqrt()
    expected = (scaled * m.weight[:, None] + m.bias[:, None]).reshape(shape)
    assert rl.allclose(m(x), expected)
    assert rl.allclose(m.running_mean, 0.25 * mean[:, :, 0].mean(0))
    unbiased = rows.var(2).mean(0)
    assert rl.allclose(m.running_var, 0.75 + 0.25 * unbiased)
    assert m.num_batches_tracked.item() == 0
    m.eval()
    center, spread = m.running_mean[:, None], m.running_var[:, None]
    scaled = (rows - center) / (spread + 1e-5).sqrt()
    expected = (scaled * m.weight[:, None] + m.bias[:, None]).reshape(shape)
    assert rl.allclose(m(x), expected) and rl.allclose(m(x[0]), expected[0])


def test_instance_norm_errors_and_state():
    with pytest.raises(ValueError, match="expected 3D or 4D input"):
        nn.InstanceNorm2d(2)(rl.ones(2, 2))
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        nn.InstanceNorm1d(2)(rl.ones(2, 2, 1))
    with pytest.raises(ValueError, match="num_features"):
        nn.InstanceNorm1d(3, affine=True)(rl.ones(2, 2, 4))
    with pytest.warns(UserWarning, match="num_features"):
        nn.InstanceNorm1d(3)(rl.ones(2, 2, 4))
    assert list(nn.InstanceNorm1d(3).state_dict()) == []
    state = nn.InstanceNorm1d(3, track_running_stats=True).state_dict()
    assert list(state) == ["running_mean", "running_var", "num_batches_tracked"]
    del state["num_batches_tracked"]
    del state._metadata
    with pytest.raises(RuntimeError, match="track_running_stats=True"):
        nn.InstanceNorm1d(3).load_state_dict(state)


def test_sync_batch_norm_of_one_process():
    plain = nn.Sequential(nn.BatchNorm1d(3), nn.ReLU())
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(plain))
    assert type(synced[0]) is nn.SyncBatchNorm
    x = rl.randn(4, 3)
    assert rl.equal(synced(x), plain(x))
    assert rl.equal(synced[0].running_var, plain[0].running_var)
    with pytest.raises(ValueError, match="at least 2D"):
        synced[0](rl.ones(3))
    with pytest.raises(NotImplementedError, match="process_group"):
        nn.SyncBatchNorm(3, process_group=1)
