"""uint16, uint32 and uint64 against PyTorch, where PyTorch computes with them."""

import pytest

import rushlight

torch = pytest.importorskip("torch", reason="PyTorch is what is compared with")

# t: the library, u: the dtype, end: its largest number, a: (1, 2, 3), b: (end, 5), z: 0-dim 2
VALUES = """
t.zeros(2, dtype=u), t.ones(2, dtype=u), t.full((2,), end, dtype=u), t.full((2,), -1, dtype=u)
t.tensor(end, dtype=u).item(), b.tolist(), repr(b), repr(t.full((30,), end, dtype=u)), str(b[:0])
b.float(), b.double(), b.half(), b.bfloat16(), b.long(), b.int(), b.byte(), b.bool(), b.cfloat()
t.tensor([0.0, 1.9, 7.5e4, 3e9], dtype=t.float64).to(t.uint64), t.tensor([2.0**63]).to(t.uint64)
t.tensor([1.5 * 2.0**63], dtype=t.float64).to(t.uint64), t.tensor([-1.0, -1.5]).to(u)
a * a, b * b, a * 2, a * -1, a * 2.5, a * True, b * end, a * t.tensor(3), z * 2, a.clone().mul_(3)
t.tensor([1, 2]) * z, t.tensor([1.0, 2.0, 3.0]) * a, t.arange(6)[z], t.outer(a, a)
t.isin(a, 2), t.special.log_ndtr(a), t.linalg.vander(a), t.iinfo(u).max, repr(t.iinfo(u))
a == 2, a != 2, b == end, b & 3, a | 4, a ^ a, b / 3, b / b, a.exp(), a.isnan(), a.isfinite()
b.sum(), b.prod(), b.any(), b.all(), b.any(0), b.cumsum(0), b.cumprod(0), t.equal(b, b)
b.sort(), b.sort(descending=True), b.argsort(), b.unique(return_inverse=True, return_counts=True)
t.cat([a, b]), t.stack([a, a]), a[t.tensor([1, 0])], a[a == 2], a[::2], a.roll(1), a.repeat(2)
t.where(b == 5, b, end), t.where(b == 5, b, 0), b.view(t.uint8), b.type(), a.nan_to_num()
t.zeros(2, dtype=t.int32).copy_(b), t.zeros(1).type(f"torch.UInt{t.iinfo(u).bits}Tensor")
u.is_signed, u.itemsize, t.result_type(a, 1), t.result_type(a, 1.0)
t.promote_types(u, t.float16), t.promote_types(t.float64, u), t.can_cast(u, t.int8)
t.can_cast(u, t.bool), t.can_cast(t.float32, u), t.tensor(b.numpy()), t.from_dlpack(b)
t.manual_seed(0) and t.randint(0, 2**16, (40,), dtype=u), t.randint(3, 9, (40,), dtype=u)
t.tensor([1]) * 2**63, t.tensor([-1]) == 2**64 - 1, t.tensor([1.0]) + 2**63
"""

ERRORS = [
    "t.promote_types(u, t.int32)",
    "t.promote_types(u, t.bool)",
    "t.promote_types(u, t.complex64)",
    "a * t.tensor([True, False, True])",
    "a * t.tensor([1, 2, 3])",
    "z * t.tensor(3)",
    "t.tensor([True]) * z",
    "t.cat([a, t.tensor([1])])",
    "b / t.tensor([1, 2])",
    "t.result_type(a, t.tensor([1]))",
    "a.mean()",
    "t.zeros(2, dtype=u).requires_grad_()",
    "t.randint(-1, 5, (2,), dtype=u)",
    "t.arange(6)[a]",
    "t.tensor([2**63])",
]


def evaluate(t, dtype, expression):
    u = getattr(t, dtype)
    end = t.iinfo(u).max
    names = {
        "t": t,
        "u": u,
        "end": end,
        "a": t.tensor([1, 2, 3], dtype=u),
        "b": t.tensor([end, 5], dtype=u),
        "z": t.tensor(2, dtype=u),
    }
    return eval(expression, names)


def plain(value):
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return str(value.dtype), tuple(value.shape), value.tolist()
    return str(value)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize("line", VALUES.strip().splitlines())
def test_values(line, dtype):
    mine = plain(evaluate(rushlight, dtype, f"({line},)"))
    assert mine == plain(evaluate(torch, dtype, f"({line},)"))


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression, dtype):
    with pytest.raises(Exception) as theirs:
        evaluate(torch, dtype, expression)
    with pytest.raises(theirs.type):
        evaluate(rushlight, dtype, expression)
