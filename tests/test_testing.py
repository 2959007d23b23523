"""rushlight.testing: what counts as close, and what the message says when it is not."""

from __future__ import annotations

import pytest

import rushlight as rl
from rushlight.testing import assert_allclose, assert_close, make_tensor


def test_close_by_dtype() -> None:
    x = rl.ones(3)
    assert_close(x * (1 + 1e-6), x)
    with pytest.raises(AssertionError, match=r"Mismatched elements: 3 / 3 \(100.0%\)"):
        assert_close(x.double() * (1 + 1e-6), x.double())
    assert_close(x.double() * (1 + 1e-6), x.double(), rtol=1e-5, atol=0)
    assert_close(rl.tensor([1, 2]), rl.tensor([1, 2]))
    with pytest.raises(AssertionError, match="not equal"):
        assert_close(rl.tensor([1, 2]), rl.tensor([1, 3]))


def test_message_names_the_place() -> None:
    actual, expected = rl.zeros(2, 3), rl.zeros(2, 3)
    actual[1, 2] = 0.5
    with pytest.raises(AssertionError, match=r"difference: 0.5 at index \(1, 2\)"):
        assert_close(actual, expected)
    with pytest.raises(AssertionError, match="own words"):
        assert_close(actual, expected, msg="own words")
    with pytest.raises(AssertionError, match="^more: Tensor-likes"):
        assert_close(actual, expected, msg=lambda text: "more: " + text)


def test_attributes_and_containers() -> None:
    with pytest.raises(AssertionError, match="dtype"):
        assert_close(rl.ones(2), rl.ones(2).double())
    assert_close(rl.ones(2), rl.ones(2).double(), check_dtype=False)
    assert_allclose(rl.ones(2), [1.0, 1.0])
    with pytest.raises(AssertionError, match="shape"):
        assert_close(rl.ones(2), rl.ones(3))
    with pytest.raises(AssertionError, match="stride"):
        assert_close(rl.ones(2, 3), rl.ones(3, 2).T, check_stride=True)
    assert_close({"a": [rl.ones(2), 1.0]}, {"a": [rl.ones(2), 1.0]})
    with pytest.raises(AssertionError, match=r"\['a'\]\[1\]"):
        assert_close({"a": [rl.ones(2), 1.0]}, {"a": [rl.ones(2), 2.0]})
    with pytest.raises(AssertionError, match="length"):
        assert_close([1.0], [1.0, 2.0])
    with pytest.raises(AssertionError, match="Missing keys"):
        assert_close({"a": 1.0}, {"b": 1.0})


def test_nan_and_infinity() -> None:
    nan, inf = float("nan"), float("inf")
    with pytest.raises(AssertionError):
        assert_close(rl.tensor([nan]), rl.tensor([nan]))
    assert_close(rl.tensor([nan, inf]), rl.tensor([nan, inf]), equal_nan=True)
    with pytest.raises(AssertionError):
        assert_close(rl.tensor([inf]), rl.tensor([-inf]))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="both"):
        assert_close(1.0, 1.0, rtol=1e-3)
    with pytest.raises(TypeError, match="comparison"):
        assert_close(1.0, "1.0")


@pytest.mark.parametrize(
    "dtype", [rl.float32, rl.bfloat16, rl.int64, rl.uint8, rl.bool, rl.complex64]
)
def test_make_tensor(dtype: rl.dtype) -> None:
    rl.manual_seed(0)
    made = make_tensor(3, 4, dtype=dtype)
    assert made.shape == (3, 4) and made.dtype is dtype and made.is_contiguous()
    assert not make_tensor((3, 4), dtype=dtype, noncontiguous=True).is_contiguous()
    if dtype is not rl.bool and not dtype.is_complex:
        between = make_tensor(100, dtype=dtype, low=2, high=5)
        assert between.min() >= 2 and between.max() <= 5
    assert make_tensor(200, dtype=dtype, exclude_zero=True).ne(0).all()


def test_make_tensor_errors() -> None:
    with pytest.raises(ValueError, match="requires_grad"):
        make_tensor(2, dtype=rl.int64, requires_grad=True)
    with pytest.raises(ValueError, match="low"):
        make_tensor(2, dtype=rl.int64, low=3, high=3)
