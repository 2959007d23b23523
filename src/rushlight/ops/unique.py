"""Distinct values: unique and unique_consecutive."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor


@op(_core.unique, method=False, public=False, node="Unique2Backward0")
def _unique2(input: Tensor, inverse: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct elements, where each element of input is among them, and how often they occur.

    Without `inverse` the second may be empty.
    """


@op(_core.unique_dim, method=False, public=False)
def _unique_dim(input: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same of slices."""


@op(_core.unique_consecutive, method=False, public=False, node="UniqueConsecutiveBackward0")
def _unique_consecutive(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Elements that differ from the one before."""


@op(_core.unique_consecutive_dim, method=False, public=False, node="UniqueDimConsecutiveBackward0")
def _unique_consecutive_dim(input: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same of slices."""


for _op in (_unique2, _unique_dim, _unique_consecutive, _unique_consecutive_dim):
    _op.vjp_all(("input",), undefined(_op.__name__.strip("_"), error=NotImplementedError))


def _chosen(parts: tuple, return_inverse: bool, return_counts: bool) -> Any:
    values, inverse, counts = parts
    if return_inverse:
        return (values, inverse, counts) if return_counts else (values, inverse)
    return (values, counts) if return_counts else values


@composed(method=True)
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The distinct elements, or slices along `dim`, in rising order (also without `sorted`).

    return_inverse: also which of them each element of input is. return_counts: also how often each
    occurs. Every nan is distinct.

    The indices and counts are int64. Raises IndexError for a `dim` that is not there. Without a
    derivative.
    """
    parts = _unique2(input, return_inverse) if dim is None else _unique_dim(input, dim)
    return _chosen(parts, return_inverse, return_counts)


@composed(method=True)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements, or slices along `dim`, without those that equal the one before.

    With `return_inverse` also where each went, with `return_counts` how many there were of each
    (int64).
    """
    if dim is None:
        parts = _unique_consecutive(input)
    else:
        parts = _unique_consecutive_dim(input, dim)
    return _chosen(parts, return_inverse, return_counts)
