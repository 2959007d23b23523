"""Comparing results in tests, and tensors to test with; PyTorch's ``torch.testing``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rushlight
from rushlight.tensor import Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# (relative, absolute), for the less precise of the two dtypes.
_TOLERANCES = {
    rushlight.float16: (1e-3, 1e-5),
    rushlight.bfloat16: (1.6e-2, 1e-5),
    rushlight.float32: (1.3e-6, 1e-5),
    rushlight.float64: (1e-7, 1e-7),
    rushlight.complex64: (1.3e-6, 1e-5),
    rushlight.complex128: (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raises AssertionError unless ``|actual - expected| <= atol + rtol * |expected|`` everywhere.

    Args:
        actual, expected: tensors, arrays or numbers, or sequences and mappings of them, nested.
        allow_subclasses: whether a subclass may stand for its base class.
        rtol, atol: both or neither; the default follows the dtype: 1.3e-6 and 1e-5 for float32,
            1e-7 for float64, 0 for whole numbers.
        equal_nan: whether NaN is equal to NaN.
        check_device, check_layout: nothing can differ here.
        check_dtype: whether dtypes must be equal; otherwise both are promoted.
        check_stride: whether strides must be equal.
        msg: another message, or a function that makes it of this one.

    Raises:
        ValueError: only one of rtol and atol is given.
        TypeError: the values cannot be compared.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"rtol and atol must both be specified or both be unspecified, got rtol={rtol} and "
            f"atol={atol}"
        )
    options = (rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses)
    difference = _difference(actual, expected, "", *options)
    if difference is not None:
        if callable(msg):
            difference = msg(difference)
        raise AssertionError(msg if isinstance(msg, str) else difference)


def _difference(actual: Any, expected: Any, place: str, *options: Any) -> str | None:
    """What is not close, or None."""
    where = f"\n\nThe failure occurred for item {place}" if place else ""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            missing = sorted(map(repr, expected.keys() - actual.keys()))
            more = sorted(map(repr, actual.keys() - expected.keys()))
            return (
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {more}{where}"
            )
        items: Any = [(key, actual[key], expected[key]) for key in expected]
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return (
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{where}"
            )
        items = [(i, a, e) for i, (a, e) in enumerate(zip(actual, expected))]
    else:
        found = _compared(actual, expected, *options)
        return None if found is None else found + where
    for key, a, e in items:
        if (found := _difference(a, e, f"{place}[{key!r}]", *options)) is not None:
            return found
    return None


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _compared(
    actual: Any,
    expected: Any,
    rtol: float | None,
    atol: float | None,
    equal_nan: bool,
    check_dtype: bool,
    check_stride: bool,
    allow_subclasses: bool,
) -> str | None:
    """What is not close of two values that are no containers, or None."""
    if actual is None and expected is None:
        return None
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    numbers = isinstance(actual, (int, float, complex)) and isinstance(
        expected, (int, float, complex)
    )
    if not (related or numbers) or (not allow_subclasses and type(actual) is not type(expected)):
        raise TypeError(
            "No comparison pair was able to handle inputs of type "
            f"{type(actual)} and {type(expected)}."
        )
    try:
        a, e = _as_tensor(actual), _as_tensor(expected)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and "
            f"{type(expected)}."
        ) from error
    if a.shape != e.shape:
        return f"The values for attribute 'shape' do not match: {a.shape} != {e.shape}."
    if check_dtype and not numbers and a.dtype is not e.dtype:
        return f"The values for attribute 'dtype' do not match: {a.dtype} != {e.dtype}."
    if check_stride and a.stride() != e.stride():
        return f"The values for attribute 'stride()' do not match: {a.stride()} != {e.stride()}."
    if rtol is None or atol is None:
        pairs = [_TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (a, e)]
        rtol, atol = max(p[0] for p in pairs), max(p[1] for p in pairs)
    dtype = rushlight.promote_types(a.dtype, e.dtype)
    wide = rushlight.complex128 if dtype.is_complex else (
        rushlight.float64 if dtype.is_floating_point else rushlight.int64
    )  # fmt: skip
    a, e = a.detach().to(wide), e.detach().to(wide)
    close = rushlight.isclose(a, e, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if close.all():
        return None
    return _report("Scalars" if numbers else "Tensor-likes", a, e, close, rtol, atol)


def _report(what: str, a: Tensor, e: Tensor, close: Tensor, rtol: float, atol: float) -> str:
    """How far apart `a` and the expected `e` are where they are not close."""
    apart = (a - e).abs().double().masked_fill(close, 0)
    relative = apart / e.abs()
    count = int((~close).sum())
    if a.ndim == 0:
        return (
            f"{what} are not {'close' if rtol or atol else 'equal'}!\n\n"
            f"Expected {e.item()} but got {a.item()}.\n"
            f"Absolute difference: {apart.item()} (up to {atol} allowed)\n"
            f"Relative difference: {relative.item()} (up to {rtol} allowed)"
        )
    lines = [
        f"{what} are not {'close' if rtol or atol else 'equal'}!",
        "",
        f"Mismatched elements: {count} / {a.numel()} ({count / a.numel():.1%})",
    ]
    for name, values, limit in (("absolute", apart, atol), ("relative", relative, rtol)):
        values = values.masked_fill(close, -1).flatten()
        place = int(values.nan_to_num(nan=float("inf")).argmax())
        index = tuple(int(i) for i in rushlight.unravel_index(rushlight.tensor(place), a.shape))
        allowed = f" (up to {limit} allowed)" if rtol or atol else ""
        lines.append(
            f"Greatest {name} difference: {values[place].item()} at index {index}{allowed}"
        )
    return "\n".join(lines)


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else rushlight.as_tensor(value)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The old form of :func:`assert_close`: dtypes may differ, and anything becomes a tensor."""
    assert_close(
        _as_tensor(actual), _as_tensor(expected), rtol=rtol, atol=atol, equal_nan=equal_nan,
        check_dtype=False, msg=msg or None,
    )  # fmt: skip


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of uniform random numbers in [low, high).

    Args:
        shape: sizes one by one, or a sequence of them.
        dtype: of any kind.
        device: the CPU.
        low, high: by default -9 to 9; whole numbers from -9 to 9, unsigned ones and bool from 0.
        requires_grad: for floating dtypes.
        noncontiguous: give it gaps, where it has two elements or more.
        exclude_zero: replace 0 by the smallest number above it.
        memory_format: a layout; not together with noncontiguous.
    """
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"{noncontiguous=} and {memory_format=}"
        )
    floating = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not floating:
        raise ValueError(f"`requires_grad=True` is not supported for integral dtypes, got {dtype}")
    if dtype is rushlight.bool:
        lowest, highest = 0, 2
    elif not dtype.is_signed:
        lowest, highest = 0, 10
    else:
        lowest, highest = (-9, 9) if floating else (-9, 10)
    low = lowest if low is None else low
    high = highest if high is None else high
    if low > high or (low == high and not floating):
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    sizes = (*shape[:-1], shape[-1] * 2) if noncontiguous and shape else shape
    if dtype.is_complex:
        part = rushlight.float32 if dtype is rushlight.complex64 else rushlight.float64
        halves = [rushlight.empty(sizes, dtype=part).uniform_(low, high) for _ in range(2)]
        result = rushlight.complex(*halves)
    elif floating:
        result = rushlight.empty(sizes, dtype=rushlight.float64).uniform_(low, high).to(dtype)
    else:
        result = rushlight.randint(int(low), int(high), sizes, dtype=dtype)
    if noncontiguous and shape:
        result = result[..., ::2]
    if memory_format is not None:
        result = result.contiguous(memory_format=memory_format)
    if exclude_zero:
        least = rushlight.finfo(dtype).tiny if floating else 1
        result = result.masked_fill(result == 0, least)
    return result.requires_grad_(requires_grad)
