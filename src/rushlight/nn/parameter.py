"""Parameter and Buffer: tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.tensor import Tensor

__all__ = ["Buffer", "Parameter"]


class _ParameterType(type(Tensor)):  # type: ignore[misc]
    """Makes ``isinstance(t, Parameter)`` true for a tensor subclass that was made a parameter."""

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        marked = cls is Parameter and isinstance(instance, Tensor)
        return marked and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterType):
    """A tensor that a module learns: assigned to a Module, it is listed by ``parameters()``.

    Args:
        data: the values; the parameter shares their memory and takes no part in their history.
            ``None`` gives an empty float tensor.
        requires_grad: whether ``backward()`` fills ``grad``.

    Of a Tensor subclass it makes a parameter of that subclass.
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = rushlight.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            # It shares the memory and has no history.
            made: Any = Tensor.__new__(cls, data)  # type: ignore[call-arg]
            made.requires_grad = requires_grad
            return made
        if not isinstance(data, Tensor):
            raise AttributeError(
                f"Parameter: expected a Tensor, got {type(data).__name__}; "
                "make a tensor of it first: Parameter(rushlight.tensor(...))"
            )
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is not type(data):
            raise RuntimeError(
                f"Parameter: detach() of a {type(data).__name__} returned a "
                f"{type(marked).__name__}; a parameter of a Tensor subclass needs a detach() that "
                "keeps the subclass"
            )
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo: dict) -> Parameter:
        copied = memo.get(id(self))
        if copied is None:
            copied = type(self)(self.data.clone(), self.requires_grad)
            memo[id(self)] = copied
        return copied

    def __repr__(self, **kwargs: Any) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__(**kwargs)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # The third argument is PyTorch's place for backward hooks, which are never saved.
        from collections import OrderedDict

        parts: tuple = (self.data, self.requires_grad, OrderedDict())
        state = self.__dict__
        if not state:
            return _rebuild_parameter, parts
        return _rebuild_parameter_with_state, (*parts, state)


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: dict) -> Parameter:
    """A parameter from what ``Parameter.__reduce_ex__`` saved."""
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: dict, state: dict
) -> Parameter:
    """The same for a parameter that had attributes of its own."""
    parameter = Parameter(data, requires_grad)
    parameter.__dict__.update(state)
    return parameter


class _BufferType(type(Tensor)):  # type: ignore[misc]
    """Makes ``isinstance(t, Buffer)`` true for the tensors that ``Buffer(...)`` returns."""

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        marked = cls is Buffer and isinstance(instance, Tensor)
        return marked and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferType):
    """A tensor that is state of a module and not learned: assigned to it, it becomes a buffer.

    Args:
        data: the values, sharing memory; ``None`` gives an empty float tensor.
        persistent: whether ``state_dict()`` holds it.

    Returns a tensor of the type of ``data``, marked as a buffer.
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = rushlight.empty(0)
        marked = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked
