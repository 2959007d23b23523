"""Other forms of the views: copies (view_copy and its family) and in place (t_, squeeze_, ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed
from rushlight.ops.complex import view_as_complex, view_as_real
from rushlight.ops.index import alias
from rushlight.ops.shape import (
    as_strided, diagonal, expand, narrow, permute, select, slice, split, split_with_sizes, squeeze,
    t, transpose, unbind, unfold, unsqueeze,
)  # fmt: skip
from rushlight.tensor import Tensor

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
        return tuple(p.clone() for p in result) if isinstance(result, tuple) else result.clone()

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"A copy of what :func:`{name.removesuffix('_copy')}` shows."
    globals()[name] = composed(method=name == "narrow_copy", out=True)(call)


for _view in (
    as_strided, detach, diagonal, expand, narrow, permute, select, slice, split, split_with_sizes,
    squeeze, t, transpose, unbind, unfold, unsqueeze, view_as_complex, view_as_real, alias,
):  # fmt: skip
    _copied(_view, f"{_view.__name__}_copy")
_copied(lambda input, *size, dtype=None: input.view(*size or (dtype,)), "view_copy")


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
