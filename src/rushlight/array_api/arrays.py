"""class Array: what the functions of this namespace return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


class Size(int):
    """How many elements there are; called, what `Tensor.size` answers."""

    shape: tuple

    def __call__(self, dim: int | None = None) -> Any:
        """The shape, or the size along one dimension."""
        return self.shape if dim is None else self.shape[dim]


class Array(Tensor):
    """A Tensor with the operators, the indexing and the attributes of the array API standard.

    It has all of Tensor's methods and history. What differs: 0-dim operands take part in promotion
    like any other (array_api/operators.py), slices may run backwards, `size` is a number.
    """

    _saved_as_tensor = True  # files hold no class of ours, so PyTorch reads them too

    @property
    def size(self) -> Any:  # type: ignore[override]
        """The number of elements. It can be called too, as `Tensor.size` is."""
        count = Size(self.numel())
        count.shape = self.shape
        return count

    @property
    def T(self) -> Any:  # type: ignore[override]
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ValueError(
                f"T: expected an array of 2 dimensions, got shape {tuple(self.shape)}; use "
                "matrix_transpose or permute_dims"
            )
        return as_array(self.transpose(0, 1))

    @property
    def mT(self) -> Any:  # type: ignore[override]
        """Each matrix of the last two axes transposed."""
        return as_array(self.transpose(-2, -1))

    def detach(self) -> Any:  # type: ignore[override]
        """The same data without history."""
        return as_array(Tensor.detach(self))

    def __float__(self) -> float:
        self._refuse_complex("float")
        return Tensor.__float__(self)

    def __int__(self) -> int:
        self._refuse_complex("int")
        return Tensor.__int__(self)

    def _refuse_complex(self, kind: str) -> None:
        if self.dtype.is_complex:
            raise TypeError(f"{kind}(): not for {self.dtype}; take real, or abs()")

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else Tensor.__format__(self, spec)

    def __iter__(self) -> Any:
        return iter([as_array(part) for part in Tensor.__iter__(self)])


def as_array(result: Any, *given: Any) -> Any:
    """What an op returned, as an Array: in place, unless it is one of the tensors `given` to it."""
    if type(result) is not Tensor:  # an Array already; a value under vmap; not a tensor
        return result
    for tensor in given:
        if tensor is result:
            return result.as_subclass(Array)
    result.__class__ = Array  # type: ignore[assignment]
    return result


def gives_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its tensors, also those in a tuple or list, as Arrays."""

    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, tuple):
            make = getattr(type(result), "_make", type(result))
            return make([as_array(part, *args) for part in result])
        if isinstance(result, list):
            return [as_array(part, *args) for part in result]
        return as_array(result, *args)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__, call.__module__ = function.__doc__, function.__module__
    call.__wrapped__ = function  # type: ignore[attr-defined]  # where the signature is read
    return call
