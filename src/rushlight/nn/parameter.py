"""Parameter and Buffer: tensors that a Module registers when they are assigned to it.

Their uninitialized forms have a shape that is not known yet.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.tensor import Tensor

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]


class _MarkedType(type(Tensor)):  # type: ignore[misc]
    """Makes ``isinstance(t, Parameter)`` true for a tensor subclass that was made a parameter.

    Such tensors have an attribute whose name is `_mark` of the class itself, not of its bases.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        if not isinstance(instance, Tensor) or "_mark" not in cls.__dict__:
            return False
        return getattr(instance, cls._mark, False)


class Parameter(Tensor, metaclass=_MarkedType):
    """A tensor that a module learns: assigned to a Module, it is listed by ``parameters()``.

    Args:
        data: the values; the parameter shares their memory and takes no part in their history.
            ``None`` gives an empty float tensor.
        requires_grad: whether ``backward()`` fills ``grad``.

    Of a Tensor subclass it makes a parameter of that subclass.
    """

    _asks = False
    _mark = "_is_param"

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


class Buffer(Tensor, metaclass=_MarkedType):
    """A tensor that is state of a module and not learned: assigned to it, it becomes a buffer.

    Args:
        data: the values, sharing memory; ``None`` gives an empty float tensor.
        persistent: whether ``state_dict()`` holds it.

    Returns a tensor of the type of ``data``, marked as a buffer.
    """

    _mark = "_is_buffer"

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = rushlight.empty(0)
        marked: Any = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked


# --------------------------------------------------------------------------------- uninitialized

_CONVERSIONS = ("half", "float", "double", "char", "short", "int", "long", "cuda", "cpu", "to")
_ALLOWED = frozenset(
    {"size", "copy_", "is_complex", "is_floating_point", "get_device", *_CONVERSIONS}
)


class UninitializedTensorMixin:
    """A tensor with a dtype and without a shape, until `materialize` gives it one.

    Its shape and the methods of a Tensor raise; of those, conversions to another dtype work.
    """

    cls_to_become: type[Tensor]
    data: Any

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary tensor of this shape, with any values.

        Args:
            shape: the shape.
            device: the CPU.
            dtype: None means the one it has.
        """
        dtype = self.data.dtype if dtype is None else dtype
        self.data = rushlight.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        if name in ("shape", "share_memory_"):
            raise RuntimeError(
                f"Can't access .{name} of an uninitialized parameter or buffer. This usually "
                "happens in load_state_dict, when the state of a module that was never called is "
                "loaded into one that was. Call the module once, on a batch of any values, before."
            )
        if name[:1] != "_" and name not in _ALLOWED and callable(getattr(Tensor, name, None)):
            _refuse(self, name)
        return super().__getattribute__(name)

    def __repr__(self, **kwargs: Any) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad,)  # type: ignore[attr-defined]

    def __copy__(self) -> Any:
        return type(self)(self.requires_grad)  # type: ignore[attr-defined,call-arg]


def _refuse(tensor: Any, name: str) -> Any:
    raise ValueError(
        f"Attempted to use an uninitialized parameter in Tensor.{name}: a {type(tensor).__name__} "
        "has no shape and no values yet. Call its lazy module once, on a batch of any values, to "
        "initialize it"
    )


def _converting(name: str) -> Any:
    def convert(self: Any, *args: Any, **kwargs: Any) -> Any:
        converted = getattr(Tensor, name)(self, *args, **kwargs)
        return self if converted is self else type(self)(self.requires_grad, dtype=converted.dtype)

    convert.__doc__ = f"Tensor.{name} of a tensor without a shape: only the dtype changes."
    return convert


def _refusing(name: str) -> Any:
    def refuse(self: Any, *args: Any) -> Any:
        return _refuse(self, name)

    return refuse


for _name in _CONVERSIONS:
    setattr(UninitializedTensorMixin, _name, _converting(_name))
for _sign in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "or"):
    for _name in (f"__{_sign}__", f"__r{_sign}__", f"__i{_sign}__"):
        setattr(UninitializedTensorMixin, _name, _refusing(_name))
for _sign in ("lt", "le", "gt", "ge", "neg", "abs", "getitem", "setitem", "len", "iter", "bool"):
    setattr(UninitializedTensorMixin, f"__{_sign}__", _refusing(f"__{_sign}__"))


def is_lazy(param: Any) -> bool:
    """Whether this is a parameter or buffer without a shape yet."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc, metaclass]
    """A parameter whose shape is not known yet.

    Args:
        requires_grad: whether ``backward()`` will fill ``grad``.
        device: the CPU.
        dtype: the dtype that it will have.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        data = rushlight.empty(0, device=device, dtype=dtype)
        made: Any = Tensor.__new__(cls, data)  # type: ignore[call-arg]
        made.requires_grad = requires_grad
        return made

    def __deepcopy__(self, memo: dict) -> Any:
        copied = memo.get(id(self))
        if copied is None:
            copied = type(self)(self.requires_grad, dtype=self.dtype)
            memo[id(self)] = copied
        return copied


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """A buffer whose shape is not known yet.

    Args:
        requires_grad: seldom True.
        device: the CPU.
        dtype: the dtype that it will have.
        persistent: whether ``state_dict()`` will hold it.
    """

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> Any:
        data = rushlight.empty(0, device=device, dtype=dtype)
        made: Any = Tensor.__new__(cls, data)  # type: ignore[call-arg]
        made.requires_grad = requires_grad
        made.persistent = persistent
        made._is_buffer = True
        return made

    def __deepcopy__(self, memo: dict) -> Any:
        copied = memo.get(id(self))
        if copied is None:
            copied = type(self)(self.requires_grad, dtype=self.dtype, persistent=self.persistent)
            memo[id(self)] = copied
        return copied
