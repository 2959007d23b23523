"""Names of PyTorch's compiled core that libraries in plain Python call; the rest is not there."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.tensor import Tensor


def _log_api_usage_once(name: str) -> None:
    """Nothing is logged."""


def _get_privateuse1_backend_name() -> str:
    """The name that PyTorch gives a device of somebody else's."""
    return "privateuseone"


def _get_default_device() -> str:
    """The type of device that tensors are made on."""
    return "cpu"


def _are_functorch_transforms_active() -> bool:
    """Whether this runs inside a vmap."""
    return bool(_core.vmap_levels())


def _is_torch_function_mode_enabled() -> bool:
    """Whether a TorchFunctionMode is on, which is asked before functions run."""
    from rushlight.overrides import _LOCAL

    return bool(_LOCAL.modes)


def _get_tracing_state() -> None:
    """None: nothing is traced."""


# What is found elsewhere here, and where.
_ELSEWHERE = {
    "DisableTorchFunction": "rushlight.overrides",
    "DisableTorchFunctionSubclass": "rushlight.overrides",
    "_disabled_torch_function_impl": "rushlight.overrides",
    "Generator": "rushlight",
    "_AutoDispatchBelowAutograd": "rushlight._ops",
    "Size": "rushlight",
    "default_generator": "rushlight",
    "device": "rushlight",
    "dtype": "rushlight",
    "_VariableFunctions": "rushlight",
    "_functorch": "rushlight._C._functorch",
    "_nn": "rushlight._C._nn",
    "_TensorBase": "rushlight.tensor",
    "_has_torch_function": "rushlight.overrides",
    "_has_torch_function_unary": "rushlight.overrides",
    "_has_torch_function_variadic": "rushlight.overrides",
}
_OWN_NAMES = {
    "_AutoDispatchBelowAutograd": "BelowAutograd",
    "_TensorBase": "Tensor",
    "_has_torch_function": "has_torch_function",
    "_has_torch_function_unary": "has_torch_function_unary",
    "_has_torch_function_variadic": "has_torch_function_variadic",
}


class PyTorchFileReader:
    """Reads one record of a checkpoint after another; raises NotImplementedError when made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "torch._C.PyTorchFileReader is not in rushlight: torch.load(path, mmap=True) reads "
            "what is used of a checkpoint only"
        )


class _DispatchKeys(type):
    """Gives every name a key of its own."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        key = cls(name)
        setattr(cls, name, key)
        return key


class DispatchKey(metaclass=_DispatchKeys):
    """A key by which PyTorch finds kernels; here a name, since there is nothing to find by it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"DispatchKey.{self.name}"


class DispatchKeySet:
    """Several keys; joined with `|`."""

    def __init__(self, *keys: Any) -> None:
        self.keys = frozenset(keys)

    def __or__(self, other: DispatchKeySet) -> DispatchKeySet:
        return DispatchKeySet(*self.keys, *other.keys)

    def has(self, key: Any) -> bool:
        """Whether the key is among them."""
        return key in self.keys


class _ExcludeDispatchKeyGuard:
    """A block without the kernels of some keys: nothing is found by keys."""

    def __init__(self, keys: DispatchKeySet) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: Any) -> None:
        pass


class _Program:
    """A part of a program as a graph; nothing is one. For annotations and `isinstance`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"torch._C.{type(self).__name__} is not in rushlight, which makes no graphs of programs"
        )


class Graph(_Program):
    """A program."""


class Node(_Program):
    """A step of a program."""


class Value(_Program):
    """A value of a program."""


class TensorType(_Program):
    """The type of a value of a program."""


_TensorMeta = type(Tensor)
FloatTensorBase = Tensor


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        from importlib import import_module

        module = import_module(_ELSEWHERE[name])
        if name in ("_VariableFunctions", "_functorch", "_nn"):
            return module
        return getattr(module, _OWN_NAMES.get(name, name))
    raise AttributeError(
        f"torch._C.{name} is of PyTorch's compiled core, and not in rushlight: use its public names"
    )
