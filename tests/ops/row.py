"""Rows: what tests/test_ops.py has to know of an op. One per public op, in the file of its family.

A row's samples are made anew for every dtype: `samples(make)` returns cases whose arrays come from
`make(*shape, low=..., high=...)`; everything else in a case is passed on as it is. `ref` takes the
same arguments as NumPy values in double precision. To add a row: one line in the family's file.
"""

from __future__ import annotations

import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROWS: dict[str, Row] = {}
KINDS = {
    "b": ("bool",),
    "i": ("int64", "int32", "uint8", "uint16", "uint32", "uint64"),
    "f": ("float32", "float64", "float16", "bfloat16"),
    "c": ("complex64", "complex128"),
}
LARGE = (97, 101)  # above the 8192 elements from which operations are deferred


class Case:
    """One call: arguments with NumPy arrays where tensors go."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __repr__(self) -> str:
        def text(value: Any) -> str:
            return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)

        named = [f"{k}={text(v)}" for k, v in self.kwargs.items()]
        return f"({', '.join([*map(text, self.args), *named])})"


case = Case


class Make:
    """Arrays of one dtype with random values, the same for every run."""

    def __init__(self, dtype: str, name: str) -> None:
        self.dtype = dtype
        self.random = np.random.default_rng(zlib.crc32(f"{name} {dtype}".encode()))

    @property
    def numpy_dtype(self) -> np.dtype:
        return np.dtype("float32" if self.dtype == "bfloat16" else self.dtype)

    def __call__(self, *shape: int, low: float = -3.0, high: float = 3.0) -> np.ndarray:
        dtype = self.numpy_dtype
        if dtype.kind == "b":
            return self.bools(*shape)
        if dtype.kind in "iu":
            low = max(low, 0) if dtype.kind == "u" else low
            return np.asarray(self.random.integers(np.ceil(low), np.floor(high) + 1, shape), dtype)
        values = self.random.uniform(low, high, shape)
        if dtype.kind == "c":
            values = values + 1j * self.random.uniform(low, high, shape)
        return np.asarray(values).astype(dtype)

    def distinct(self, *shape: int) -> np.ndarray:
        """Values that are far enough apart for an order not to hang on rounding."""
        count = int(np.prod(shape))
        signed = self.numpy_dtype.kind != "u"
        values = self.random.permutation(count) - (count // 2 if signed else 0)
        return values.reshape(shape).astype(self.numpy_dtype)

    def index(self, *shape: int, high: int) -> np.ndarray:
        return np.asarray(self.random.integers(0, high, shape))

    def bools(self, *shape: int) -> np.ndarray:
        return np.asarray(self.random.random(shape) < 0.5)


@dataclass(frozen=True)
class Row:
    """One op.

    name: its public path below rushlight, "add" or "nn.functional.relu"; or of an internal op its
        name, and `path` where it is.
    samples: Make -> cases.
    ref: the same in NumPy; arrays come in double precision.
    check: instead of `ref`: (result, args, kwargs) -> asserts, for random and uninitialised values.
    dtypes: letters of KINDS that it takes, or the names.
    result: the dtype of the result: "same" as the first tensor, "promoted" (of all tensors, as
        NumPy has it), "bool", "int64", "float" (integers become float32), "sum" (integers become
        int64), "real" (complex becomes real); None: not checked.
    edges: tuples of numbers, one number per tensor argument: infinities, nan, zeros, domain ends.
    errors: (exception, part of the message, call) that must fail so.
    grad: letters of KINDS in which its gradients are checked; "" for not differentiable.
    grad_samples: where gradients need other samples (away from kinks, few elements).
    grad_of: what is differentiated in place of the op itself, as a function of its arguments: where
        these must be symmetric, or only a part of the result is determined.
    gradgrad: whether second derivatives are checked.
    large: Make -> cases above the size from which operations are deferred.
    covers: private ops that this one stands for.
    view: the result shares memory with the first argument.
    tol: factor on the usual tolerances.
    method: whether the Tensor method of the same name, where there is one, takes the same.
    layouts: whether it takes tensors of any strides.
    in_place: whether its in-place form takes whatever the op does.
    exact: whether the same values in another layout give the same bits. Sums of floats follow the
        order in memory.
    out_cast: whether out= must have a dtype that the result can be cast to.
    """

    name: str
    samples: Callable[[Make], Sequence[Case]]
    ref: Callable[..., Any] | None = None
    check: Callable[..., None] | None = None
    dtypes: str | tuple[str, ...] = "f"
    result: str | None = "same"
    edges: tuple = ()
    errors: tuple = ()
    grad: str = "f"
    grad_samples: Callable[[Make], Sequence[Case]] | None = None
    grad_of: Callable[..., Any] | None = None
    gradgrad: bool = True
    large: Callable[[Make], Sequence[Case]] | None = None
    covers: tuple[str, ...] = ()
    view: bool = False
    tol: float = 1.0
    method: bool = True
    layouts: bool = True
    in_place: bool = True
    exact: bool = True
    out_cast: bool = True
    path: str = ""

    def __post_init__(self) -> None:
        assert self.name not in ROWS, f"two rows named {self.name}"
        ROWS[self.name] = self

    @property
    def dtype_names(self) -> list[str]:
        if isinstance(self.dtypes, tuple):
            return list(self.dtypes)
        return [name for kind in self.dtypes for name in KINDS[kind]]


# ---- rows of one pattern


def unary(name: str, ref: Callable, low: float = -3, high: float = 3, **more: Any) -> Row:
    """A function of one tensor, elementwise."""

    def samples(make: Make) -> list[Case]:
        shapes = (), (5,), (2, 3, 4), (0, 3)
        return [case(make(*shape, low=low, high=high)) for shape in shapes]

    more.setdefault("result", "float")
    more.setdefault("grad_samples", lambda make: [case(make(2, 3, low=low, high=high))])
    more.setdefault("large", lambda make: [case(make(*LARGE, low=low, high=high))])
    return Row(name, samples, ref, **more)


def binary(
    name: str, ref: Callable, low: float = -3, high: float = 3, low2: float | None = None,
    high2: float | None = None, number: float | None = 2, **more: Any,
) -> Row:  # fmt: skip
    """A function of two tensors that broadcast, or of a tensor and a number."""
    low2, high2 = low if low2 is None else low2, high if high2 is None else high2

    def pair(make: Make, one: tuple, two: tuple) -> Case:
        return case(make(*one, low=low, high=high), make(*two, low=low2, high=high2))

    def samples(make: Make) -> list[Case]:
        shapes = ((), ()), ((5,), (5,)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (2, 3))
        found = [pair(make, *both) for both in (*shapes, ((0, 3), (1, 3)))]
        if number is not None and make.dtype != "bool":
            found.append(case(make(2, 3, low=low, high=high), number))
        return found

    more.setdefault("result", "promoted")
    more.setdefault("grad_samples", lambda make: [pair(make, (2, 1), (1, 3)), pair(make, (), (2,))])
    more.setdefault("large", lambda make: [pair(make, LARGE, LARGE), pair(make, LARGE, LARGE[1:])])
    return Row(name, samples, ref, **more)


def reduction(name: str, ref: Callable, low: float = -3, high: float = 3, **more: Any) -> Row:
    """A reduction: ref(x, axis=..., keepdims=...)."""

    def over(x: np.ndarray, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
        axis = tuple(dim) if isinstance(dim, (list, tuple)) else dim
        return ref(x, axis=axis if axis != () else None, keepdims=keepdim, **kwargs)

    several = more.pop("several", True)

    def samples(make: Make) -> list[Case]:
        x = make(2, 3, 4, low=low, high=high)
        found = [case(x), case(x, 0), case(x, -1), case(x, 1, True), case(x, dim=2, keepdim=True)]
        if several:
            found += [case(x, (0, 2)), case(x, (0, 1), True), case(x, (2, 1, 0))]
        return [*found, case(make(low=low, high=high)), case(make(70, 30, low=low, high=high), 0)]

    def grad_samples(make: Make) -> list[Case]:
        x = make(2, 3, low=low, high=high)
        return [case(x), case(x, 1), case(x, 0, True), case(make(low=low, high=high))]

    more.setdefault("large", lambda make: [case(make(*LARGE, low=low, high=high), dim)
                                           for dim in (None, 0, 1)])  # fmt: skip
    more.setdefault("grad_samples", grad_samples)
    return Row(name, samples, over, **more)


def load_rows() -> dict[str, Row]:
    """All rows: reads every family's file."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "row":
            importlib.import_module(f"ops.{path.stem}")
    return ROWS
