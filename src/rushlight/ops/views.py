"""Other forms of the views: copies (view_copy, ...), in place (t_, ...), attributes (T, ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.dtypes import contiguous_format
from rushlight.ops.complex import view_as_complex, view_as_real
from rushlight.ops.index import alias
from rushlight.ops.shape import (
    adjoint, as_strided, diagonal, expand, narrow, permute, reshape, select, slice, split,
    split_with_sizes, squeeze, t, transpose, unbind, unfold, unsqueeze,
)  # fmt: skip
from rushlight.tensor import Tensor
from rushlight.warned import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable


@composed()
def detach(input: Tensor) -> Tensor:
    """The same data without history: gradients do not pass. Writes to one show in the other."""
    return input.detach()


@composed()
def detach_(input: Tensor) -> Tensor:
    """In-place form of :func:`detach`."""
    return input.detach_()


def _copied(view: Callable[..., Any], name: str) -> None:
    """Declares the function that returns a copy of what `view` shows."""

    def call(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("implicit", None)  # of expand_copy: says something to tracers
        result = view(*args, **kwargs)
        if isinstance(result, tuple):
            return tuple(part.clone(memory_format=contiguous_format) for part in result)
        return result.clone(memory_format=contiguous_format)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"A copy of what :func:`{name.removesuffix('_copy')}` shows."
    globals()[name] = composed(method=name == "narrow_copy", out="exact")(call)


for _view in (
    as_strided, detach, diagonal, expand, narrow, permute, select, slice, split, split_with_sizes,
    squeeze, t, transpose, unbind, unfold, unsqueeze, view_as_complex, view_as_real, alias,
):  # fmt: skip
    _copied(_view, f"{_view.__name__}_copy")
_copied(
    lambda input, *size, dtype=None: reshape(input, *size) if size else input.view(dtype),
    "view_copy",
)


def _in_place(view: Callable[..., Tensor], name: str) -> None:
    """Declares the method that makes a tensor the view of itself."""

    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.is_leaf and self.requires_grad and _core.is_grad_enabled():
            raise RuntimeError(
                f"{name}: a leaf Variable that requires grad is being used in an in-place "
                f"operation; use {name[:-1]}() instead"
            )
        self._bump_version()  # what was saved of it before has another geometry
        made = view(alias(self), *args, **kwargs)
        self._set_array(made)
        if made.grad_fn is not None:
            self._grad_fn = (made.grad_fn, made.output_nr)
        return self

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"In-place form of :func:`{name[:-1]}`."
    setattr(Tensor, name, call)


for _view in (as_strided, squeeze, t, transpose, unsqueeze):
    _in_place(_view, f"{_view.__name__}_")
Tensor.swapaxes_ = Tensor.swapdims_ = Tensor.transpose_


@composed()
def as_strided_(
    input: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """In-place form of :func:`as_strided`."""
    return Tensor.as_strided_(input, size, stride, storage_offset)


# ---- attributes


def _T(self: Tensor) -> Tensor:
    """A view with the dimensions in reverse order."""
    if self.ndim != 2:
        warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Use `x.mT` for batches of "
            "matrices, `x.permute(...)` to reverse all dimensions."
        )
    return permute(self, tuple(range(self.ndim - 1, -1, -1)))


def _mT(self: Tensor) -> Tensor:
    """A view with the last two dimensions exchanged: each matrix transposed.

    Raises RuntimeError for a vector.
    """
    if self.ndim == 1:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(self, -2, -1) if self.ndim else self


def _mH(self: Tensor) -> Tensor:
    """A view with the last two dimensions exchanged and conjugated: each matrix's adjoint.

    Raises RuntimeError for a vector.
    """
    if self.ndim == 1:
        raise RuntimeError(
            "tensor.mH is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    if not self.ndim:
        warn_once("Tensor.mH and Tensor.H are deprecated on 0-D tensors: use x.conj()")
        return self.conj()
    return adjoint(self)


def _H(self: Tensor) -> Tensor:
    """The adjoint of one matrix. Raises RuntimeError for other dimensions than 2 or 0."""
    if self.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor; use "
            "mH for batches"
        )
    return _mH(self)


Tensor.T = property(_T)  # type: ignore[assignment]
Tensor.mT = property(_mT)  # type: ignore[assignment]
Tensor.H = property(_H)  # type: ignore[assignment]
Tensor.mH = property(_mH)  # type: ignore[assignment]
