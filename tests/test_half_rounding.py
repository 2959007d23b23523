"""Half types: functions of several steps round once, like one kernel."""

from __future__ import annotations

import pytest

import rushlight as rl

F = rl.nn.functional

FUNCTIONS = {
    "elu": lambda x, y, z: F.elu(x, 0.7),
    "celu": lambda x, y, z: F.celu(x, 0.7),
    "selu": lambda x, y, z: F.selu(x),
    "softplus": lambda x, y, z: F.softplus(x, 1.3, 7.0),
    "logsigmoid": lambda x, y, z: F.logsigmoid(x),
    "mish": lambda x, y, z: F.mish(x),
    "hardsigmoid": lambda x, y, z: F.hardsigmoid(x),
    "hardswish": lambda x, y, z: F.hardswish(x),
    "softshrink": lambda x, y, z: F.softshrink(x, 0.3),
    "glu": lambda x, y, z: F.glu(x),
    "addcmul": lambda x, y, z: rl.addcmul(x, y, z, value=0.1),
    "addcdiv": lambda x, y, z: rl.addcdiv(x, y, z, value=0.1),
    "leaky_relu": lambda x, y, z: F.leaky_relu(x, 0.1),
}


@pytest.mark.parametrize("dtype", [rl.float16, rl.bfloat16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_rounding(name, dtype):
    function = FUNCTIONS[name]
    generator = rl.Generator().manual_seed(1)
    inputs = [rl.randn(20, 50, generator=generator) * scale for scale in (3, 1, 1)]
    inputs[2] += 4
    halves = [x.to(dtype).requires_grad_() for x in inputs]
    exact = [x.detach().double().requires_grad_() for x in halves]
    result, wanted = function(*halves), function(*exact)
    assert result.dtype is dtype
    off = result.ne(wanted.to(dtype)).sum().item()
    assert off <= 2, f"{off} of {result.numel()} values"  # what float32 itself rounds
    result.backward(rl.ones_like(result))
    wanted.backward(rl.ones_like(wanted))
    if name != "glu":  # whose gradient is the sum of two products
        off = halves[0].grad.ne(exact[0].grad.to(dtype)).sum().item()
        assert off <= 2, f"{off} of {result.numel()} gradients"


def test_in_place_and_intermediate_overflow():
    x = rl.tensor([300.0], dtype=rl.float16)
    assert rl.addcmul(x, x, x, value=-0.001).item() == 210.0  # 300 * 300 is no float16
    assert F.elu_(x.neg()).item() == -1.0 and F.hardswish(x).item() == 300.0
    assert x.clone().addcmul_(x, x, value=-0.001).item() == 210.0
