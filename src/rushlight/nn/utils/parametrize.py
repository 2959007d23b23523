"""Parametrizations: parameters that are computed from others whenever they are read.

A parametrized module gets a class of its own, in which the parameter is a property; what it is
computed from is in a `ParametrizationList` under ``module.parametrizations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.nn.modules.container import ModuleDict, ModuleList
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rushlight.nn.modules.module import Module

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_caches_wanted = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside this block, each parametrized tensor is computed once, when it is first read.

    For models that read one several times in a forward pass, such as a recurrent cell.
    """
    global _caches_wanted
    _caches_wanted += 1
    try:
        yield
    finally:
        _caches_wanted -= 1
        if not _caches_wanted:
            _cache.clear()


def _register(module: Module, name: str, value: Tensor) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


def _give(tensor: Tensor, value: Tensor) -> None:
    """Let `tensor`, which an optimizer may hold, have the memory and the shape of `value`."""
    tensor.data = value.detach()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in the order in which they are applied.

    What the first one is applied to is the parameter ``original``, or ``original0``,
    ``original1``, ... where its ``right_inverse`` gives several. Made by
    `register_parametrization`.

    Args:
        modules: the parametrizations, at least one.
        original: the tensor that is parametrized.
        unsafe: whether they may change its shape or dtype.
    """

    original: Tensor
    unsafe: bool

    def __init__(
        self, modules: Sequence[Module], original: Tensor | Parameter, unsafe: bool = False
    ) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype

        new: Any = original
        with rushlight.no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # then it is the identity
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)

        if isinstance(new, Tensor):
            if new.dtype != dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            _give(original, new)
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                        f"tuple...). Got element {i} of the sequence with type "
                        f"{type(part).__name__}."
                    )
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", part)

        if not unsafe:
            _check_kind("Registering a parametrization", self(), shape, dtype)

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor becomes `value`.

        Raises:
            RuntimeError: if a parametrization has no ``right_inverse``.
        """
        new: Any = value
        with rushlight.no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
        if self.is_tensor:
            if not isinstance(new, Tensor):
                raise ValueError(
                    f"`right_inverse` should return a tensor. Got {type(new).__name__}"
                )
            if new.dtype != self.original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {new.dtype} while "
                    f"`original` has dtype {self.original.dtype}"
                )
            _give(self.original, new)
            return
        if not isinstance(new, Sequence):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(new).__name__}."
            )
        if len(new) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(new)}."
            )
        for i, part in enumerate(new):
            own = getattr(self, f"original{i}")
            if not isinstance(part, Tensor):
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors. Got element "
                    f"{i} of type {type(part).__name__}"
                )
            if part.dtype != own.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {part.dtype} while "
                    f"`original{i}` has dtype {own.dtype}"
                )
            _give(own, part)

    def forward(self) -> Tensor:
        """The parametrized tensor: the originals, sent through all parametrizations."""
        first, *rest = self
        if self.is_tensor:
            value = first(self.original)
        else:
            value = first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in rest:
            value = module(value)
        return value


def _check_kind(what: str, value: Any, shape: Any, dtype: Any) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(value).__name__}.")
    for word, before, after in (("dtype", dtype, value.dtype), ("shape", shape, value.shape)):
        if before != after:
            raise ValueError(
                f"{what} may not change the {word} of the tensor, unless the `unsafe` flag is "
                f"enabled.\nunparametrized {word}: {before}\nparametrized {word}: {after}"
            )


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or a buffer of a module be computed by another module from now on.

    ``module.<tensor_name>`` becomes ``parametrization(original)``, where ``original`` is the
    parameter that was there; a second parametrization is applied to the result of the first. If
    `parametrization` has a method ``right_inverse``, it gives the original, or a tuple of them,
    for the value at registration and for every value that is assigned later.

    Args:
        module: the module.
        tensor_name: the name of the parameter or buffer.
        parametrization: the module to register.
        unsafe: allow it to change shape or dtype; nothing is checked then.

    Returns:
        `module`, whose class is now a subclass of the one it had.

    Raises:
        ValueError: if there is no such tensor, or a check fails.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        several: Any = module.parametrizations
        if not unsafe:
            _check_addition(module, tensor_name, parametrization)
        several[tensor_name].append(parametrization)
        several[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        module.parametrizations[tensor_name] = made  # type: ignore[index, operator]
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def _check_addition(module: Module, name: str, parametrization: Any) -> None:
    """A further parametrization must map tensors of this kind to tensors of this kind."""
    before = getattr(module, name)
    after = parametrization(before)
    _check_kind("Registering a parametrization", after, before.shape, before.dtype)
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(
            f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}"
        )
    for word, own, got in (
        ("dtype", before.dtype, back.dtype),
        ("shape", before.shape, back.shape),
    ):
        if own != got:
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {word} "
                f"as module.{name}, unless the `unsafe` flag is enabled.\nmodule.{name}.{word}: "
                f"{own}\nreturned {word}: {got}"
            )


def _give_own_class(module: Module) -> None:
    """Make the module the only instance of a new class, for properties of its own."""
    cls = type(module)

    def no_state(self: Module) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(): its "
            "class exists in this process alone. Save module.state_dict(), and parametrize a new "
            "module before loading it"
        )

    def copied(self: Module, memo: dict) -> Module:
        replica = memo.get(id(self))
        if replica is None:
            replica = memo[id(self)] = type(self).__new__(type(self))
            replica.__setstate__(deepcopy(self.__dict__, memo))
        return replica

    members: dict[str, Any] = {"__getstate__": no_state}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = copied
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _add_property(module: Module, name: str) -> None:
    if hasattr(module, name):
        raise AssertionError(f"Module already has an attribute named '{name}'")

    def get(self: Module) -> Tensor:
        parametrization = self.parametrizations[name]  # type: ignore[index, operator]
        if not _caches_wanted:
            return parametrization()
        key = (id(self), name)
        value = _cache.get(key)
        if value is None:
            value = _cache[key] = parametrization()
        return value

    def set_(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)  # type: ignore[index, operator]

    setattr(type(module), name, property(get, set_))


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrization, on the tensor of this name or on any."""
    several = getattr(module, "parametrizations", None)
    if not isinstance(several, ModuleDict):
        return False
    return len(several) > 0 if tensor_name is None else tensor_name in several


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a tensor an ordinary parameter or buffer again.

    Args:
        module: the module.
        tensor_name: the name of the tensor.
        leave_parametrized: keep the computed value, as it is now; else that of the original,
            which must be one tensor. Either way the original parameter stays the same object.

    Returns:
        `module`, with its own class again if nothing is parametrized any more.

    Raises:
        ValueError: if it is not parametrized, or there are several originals to go back to.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    several: Any = module.parametrizations
    own = several[tensor_name]
    if own.is_tensor:
        tensor = own.original
        if leave_parametrized:
            with rushlight.no_grad():
                _give(tensor, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        tensor = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del several[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before it was parametrized; its class if it is not."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Parametrize a module as another one is, with the same original tensors.

    Args:
        from_module: the example; nothing happens if it is not parametrized.
        to_module: the module to change; a parameter that it lacks is made.
        tensor_name: the one parameter to transfer; None means all.

    Returns:
        `to_module`.
    """
    if not is_parametrized(from_module):
        return to_module
    theirs: Any = from_module.parametrizations
    for name in theirs if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in theirs[name]:
            register_parametrization(to_module, name, parametrization)
        ours: Any = to_module.parametrizations
        for key in theirs[name]._parameters.keys() | theirs[name]._buffers.keys():
            setattr(ours[name], key, getattr(theirs[name], key))
    return to_module
