"""Products of bfloat16 and float16: sums in float32, one rounding, whatever the machine offers.

With AVX512_BF16 there are loops of their own for bfloat16; elsewhere the factors become float32.
"""

import numpy as np
import pytest

import rushlight as torch

F = torch.nn.functional
LAYOUTS = ("rows", "columns", "strided")
HALF = (torch.bfloat16, torch.float16)


def matrix(rows, columns, layout, dtype):
    """Normal numbers in memory that is not 0 around them: NaN where a step too far would read."""
    if layout == "columns":
        whole = torch.full((columns + 3, rows + 5), float("nan")).to(dtype)
        whole[:columns, :rows] = torch.randn(columns, rows)
        return whole[:columns, :rows].T
    step = 2 if layout == "strided" else 1
    whole = torch.full((rows * step + 3, columns * step + 5), float("nan")).to(dtype)
    view = whole[: rows * step : step, : columns * step : step]
    view.copy_(torch.randn(rows, columns))
    return view


def check(found, expected):
    """Half an ulp of the dtype for the rounding, and what float32 sums may be apart."""
    exact = expected.double().numpy()
    allowed = np.abs(exact) * (2**-8 if found.dtype == torch.bfloat16 else 2**-11) + 2e-4
    np.testing.assert_array_less(np.abs(found.double().numpy() - exact), allowed + 1e-30)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_products_of_any_size_and_layout(dtype, left, right):
    torch.manual_seed(0)
    for m in (1, 7, 8, 9, 33, 257):
        for k in (1, 2, 15, 17, 32, 33, 255, 256, 259):
            for n in (1, 2, 16, 17, 33):
                a, b = matrix(m, k, left, dtype), matrix(k, n, right, dtype)
                check(a @ b, a.double() @ b.double())


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_empty_products(dtype):
    assert (torch.ones(0, 3).to(dtype) @ torch.ones(3, 2).to(dtype)).shape == (0, 2)
    assert (torch.ones(2, 0).to(dtype) @ torch.ones(0, 3).to(dtype)).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_products_keep_nan_and_infinity(dtype):
    a = torch.tensor([[1.0, float("nan")], [float("inf"), 2.0], [0.0, 1.0]]).to(dtype)
    found = a @ torch.ones(2, 40).to(dtype)
    assert found[0].isnan().all() and found[1].isinf().all() and (found[2] == 1).all()


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_addmm_bmm_and_broadcast_batches(dtype):
    torch.manual_seed(1)
    a, b = torch.randn(3, 20, 30).to(dtype), torch.randn(3, 30, 40).to(dtype)
    start = torch.randn(40).to(dtype)
    check(torch.bmm(a, b), a.double() @ b.double())
    check(torch.matmul(a[:, None], b), a.double()[:, None] @ b.double())
    found = torch.addmm(start, a[0], b[0], beta=0.5, alpha=2)
    check(found, 0.5 * start.double() + 2 * (a[0].double() @ b[0].double()))


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("shape", [(5,), (1, 5), (40, 5), (3, 7, 5)])
def test_linear_and_its_gradients(dtype, shape):
    torch.manual_seed(2)
    x, weight, bias = (torch.randn(*s).to(dtype) for s in (shape, (19, 5), (19,)))
    slope = torch.randn(*shape[:-1], 19).to(dtype)
    narrow = [t.clone().requires_grad_() for t in (x, weight, bias)]
    wide = [t.double().requires_grad_() for t in (x, weight, bias)]
    found, expected = F.linear(*narrow), F.linear(*wide)
    check(found.detach(), expected.detach())
    found.backward(slope)
    expected.backward(slope.double())
    for one, other in zip(narrow, wide, strict=True):
        assert one.grad.dtype == dtype
        check(one.grad, other.grad)


def test_same_bits_for_any_number_of_threads():
    torch.manual_seed(3)
    a, b = torch.randn(300, 700).bfloat16(), torch.randn(700, 500).bfloat16()
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(a @ b)
    torch.set_num_threads(before)
    assert torch.equal(*results)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_numbers_keep_their_digits_as_factors(dtype):
    """2.0315 is no number of a half type; PyTorch multiplies by it as float32, too."""
    x = torch.randn(1000).to(dtype)
    wide = x.float()
    for number in (2.0315, torch.tensor(2.0315)):
        assert torch.equal(x * number, (wide * 2.0315).to(dtype))
        assert torch.equal(x / number, (wide / 2.0315).to(dtype))
        assert torch.equal(x.clone().mul_(number), (wide * 2.0315).to(dtype))
