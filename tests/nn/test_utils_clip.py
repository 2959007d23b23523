"""Clipping of gradients: norms of every order, in place, for all dtypes and layouts."""

import math

import pytest

import rushlight as rl
from rushlight.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)


def parameters(dtype=rl.float64, sizes=((3, 4), (5,), (), (0,))):
    rl.manual_seed(0)
    params = [rl.nn.Parameter(rl.zeros(size, dtype=dtype)) for size in sizes]
    for p in params:
        p.grad = rl.randn(p.shape).to(dtype)
    return params


def elements(params):
    return [x for p in params for x in p.grad.reshape(-1).double().tolist()]


def norm(values, order):
    sizes = [abs(x) for x in values]
    if order == math.inf:
        return max(sizes)
    if order == -math.inf:
        return min(sizes)
    return sum(x**order for x in sizes) ** (1 / order)


@pytest.mark.parametrize("order", [2, 2.0, 1, 0.5, 3, -1, math.inf, "inf"])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.float16, rl.bfloat16])
def test_norm(order, dtype):
    params = parameters(dtype)
    before = elements(params)
    total = clip_grad_norm_(params, 0.25, norm_type=order)
    expected = norm(before, float(order))
    tolerance = {rl.float32: 1e-5, rl.float64: 1e-12}.get(dtype, 1e-2)
    assert total.dtype == dtype and total.shape == ()
    assert total.item() == pytest.approx(expected, rel=tolerance)
    scale = min(1.0, 0.25 / (expected + 1e-6))
    assert elements(params) == pytest.approx([x * scale for x in before], rel=max(tolerance, 1e-6))


def test_gradients_that_are_small_enough_stay():
    params = parameters()
    before = elements(params)
    clip_grad_norm_(iter(params), 1e6)
    assert elements(params) == before


def test_extreme_orders():
    params = parameters(sizes=((4,), (3,)))
    params[1].grad.zero_()
    assert get_total_norm([p.grad for p in params], -math.inf).item() == 0
    assert get_total_norm([p.grad for p in params], 0).item() == 1  # tensors that are not 0
    assert get_total_norm([]).item() == 0
    assert get_total_norm(rl.tensor([3.0, 4.0])).item() == 5


def test_large_gradients_are_cut_into_tasks():
    rl.manual_seed(1)
    grads = [rl.randn(200_000), rl.randn(7), rl.randn(65_536)]
    for order in (1, 2, math.inf):
        total = get_total_norm(grads, order).item()
        expected = rl.cat(grads).double().norm(order).item()
        assert total == pytest.approx(expected, rel=1e-6)
    threads = rl.get_num_threads()
    try:
        rl.set_num_threads(3)
        assert get_total_norm(grads, 2).item() == get_total_norm(grads, 2.0).item()
        first = get_total_norm(grads).item()
        rl.set_num_threads(1)
        assert get_total_norm(grads).item() == first
    finally:
        rl.set_num_threads(threads)


def test_layouts_and_repeated_gradients():
    grads = [rl.randn(4, 6).t(), rl.randn(4, 6)[:, ::2]]
    before = [g.clone() for g in grads]
    total = get_total_norm(grads)
    params = [rl.nn.Parameter(rl.zeros(g.shape)) for g in grads]
    for p, g in zip(params, grads, strict=True):
        p.grad = g
    clip_grads_with_norm_(params, 0.5, total)
    for g, b in zip(grads, before, strict=True):
        assert rl.allclose(g, b * (0.5 / total))
    p = params[0]
    p.grad = rl.full((6, 4), 2.0)
    clip_grads_with_norm_([p, p], 1.0, rl.tensor(2.0))  # each occurrence counts, as in PyTorch
    assert p.grad[0, 0].item() == pytest.approx(0.5, rel=1e-5)


def test_complex():
    p = rl.nn.Parameter(rl.zeros(2, dtype=rl.complex64))
    p.grad = rl.tensor([3.0 + 4.0j, 0.0j])
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(5.0)
    assert rl.allclose(p.grad, rl.tensor([0.6 + 0.8j, 0.0j]), rtol=1e-5)
    p.grad = rl.tensor([3.0 + 4.0j, 1.0j])
    assert get_total_norm(p.grad, math.inf).item() == pytest.approx(5.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("order", [1, 2, 3, math.inf])
def test_not_finite(bad, order):
    params = parameters()
    params[1].grad[2] = bad
    with pytest.raises(RuntimeError, match="is non-finite, so it cannot be clipped"):
        clip_grad_norm_(params, 1.0, order, error_if_nonfinite=True)
    total = clip_grad_norm_(params, 1.0, order).item()
    assert math.isnan(total) if math.isnan(bad) else total == math.inf
    rest = params[0].grad.reshape(-1).tolist()
    assert all(math.isnan(x) if math.isnan(bad) else x == 0 for x in rest)


def test_value():
    params = parameters(rl.float32)
    params[0].grad[0, 0] = math.nan
    before = elements(params)
    clip_grad_value_(params, 0.5)
    for x, y in zip(before, elements(params), strict=True):
        assert math.isnan(y) if math.isnan(x) else y == min(max(x, -0.5), 0.5)
    clip_grad_value_(rl.nn.Parameter(rl.ones(1)), 1.0)  # without a gradient


def test_counts_as_a_write():
    p = rl.nn.Parameter(rl.ones(3))
    p.grad = rl.full((3,), 4.0)
    version = p.grad._version
    clip_grad_norm_(p, 1.0)
    clip_grad_value_(p, 0.1)
    assert p.grad._version == version + 2
    later = p.grad * 2  # a pending reader sees the value of before
    clip_grad_value_(p, 0.01)
    assert later[0].item() == pytest.approx(0.2)


def test_warnings():
    with pytest.warns(UserWarning, match="empty generator"):
        clip_grad_norm_((p for p in ()), 1.0)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        rl.nn.utils.clip_grad_norm(parameters(), 1.0)
