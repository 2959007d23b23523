"""The part of Module that converts its tensors: dtype, device, memory format."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

from .tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


class Conversion(Tree):
    """The part of Module that converts its tensors, in place.

    The Parameter objects stay, unless they go to another device.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Put ``fn(t)`` in the place of each parameter, its gradient and each buffer ``t``."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, param in self._parameters.items():
            if param is None:
                continue
            with rushlight.no_grad():
                applied = fn(param)
            grad = param.grad
            if applied.is_meta is not param.is_meta:  # a parameter stays where it is
                made = Parameter(applied, param.requires_grad)
                self._parameters[name] = made
                if grad is not None:
                    with rushlight.no_grad():
                        made.grad = fn(grad).requires_grad_(grad.requires_grad)
                continue
            param.data = applied
            if grad is not None:
                with rushlight.no_grad():
                    applied = fn(grad)
                grad.data = applied
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating point and complex parameters and buffers, in place.

        Called as ``to(device=None, dtype=None, non_blocking=False)``, ``to(dtype)``,
        ``to(tensor)`` (to its dtype and device) or ``to(memory_format=...)`` (4-d and 5-d
        tensors only). Integer tensors keep their dtype.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                    f"dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "complex modules: not every module works with complex parameters or buffers",
                    stacklevel=2,
                )

        def convert(tensor: Tensor) -> Tensor:
            if tensor.is_meta and device is not None and device.type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! This module has no values that could "
                    "go to another device: torch.nn.Module.to_empty(device=\"cpu\") gives it "
                    "memory without values, load_state_dict(..., assign=True) those of a file"
                )
            numeric = tensor.is_floating_point() or tensor.is_complex()
            wanted = dtype if numeric else None
            if memory_format is not None and tensor.dim() in (4, 5):
                return tensor.to(device, wanted, non_blocking, memory_format=memory_format)
            return tensor.to(device, wanted, non_blocking)

        return self._apply(convert)

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers, integer ones too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Self:
        """Convert floating point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Self:
        """Convert floating point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Self:
        """Convert floating point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Self:
        """Convert floating point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def cpu(self) -> Self:
        """Everything is there already; for programs written for several devices.

        Raises NotImplementedError for a module on the meta device.
        """
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Raises AssertionError: rushlight computes on the CPU only. So do the other devices."""
        raise _no_such_device("cuda")

    def ipu(self, device: Any = None) -> Self:
        """Raises AssertionError."""
        raise _no_such_device("ipu")

    def xpu(self, device: Any = None) -> Self:
        """Raises AssertionError."""
        raise _no_such_device("xpu")

    def mtia(self, device: Any = None) -> Self:
        """Raises AssertionError."""
        raise _no_such_device("mtia")

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Replace parameters and buffers by uninitialized ones of the same shape and dtype."""
        _check_device(device)
        return self._apply(lambda t: rushlight.empty_like(t, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Move parameters and buffers to memory that other processes can map."""
        return self._apply(lambda t: t.share_memory_())


def _no_such_device(kind: str) -> AssertionError:
    # PyTorch's CPU build raises this type.
    return AssertionError(
        f"Torch not compiled with {kind.upper()} enabled: rushlight computes on the CPU only; "
        "leave the call out or use .to('cpu')"
    )


def _check_device(device: Any) -> Any:
    """The device as rushlight.device; AssertionError if it is not one of this library's."""
    if device is None:
        return None
    device = rushlight.device(device)
    if device.type not in ("cpu", "meta"):
        raise _no_such_device(device.type)
    return device


_FORMS = (
    "to(device=None, dtype=None, non_blocking=False, *, memory_format=None)",
    "to(dtype, non_blocking=False, *, memory_format=None)",
    "to(tensor, non_blocking=False, *, memory_format=None)",
)


def _parse_to(*args: Any, **kwargs: Any) -> tuple:
    """(device, dtype, non_blocking, memory_format) of a call of ``to`` in any of its forms."""
    memory_format = kwargs.pop("memory_format", None)
    names: tuple[str, ...]
    if "tensor" in kwargs or (args and isinstance(args[0], Tensor)):
        names = ("tensor", "non_blocking", "copy")
    elif args and isinstance(args[0], rushlight.dtype):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    given = dict(zip(names, args))
    given_by_name = {**given, **kwargs}
    dtype = given_by_name.get("dtype")
    if (
        len(args) > len(names)
        or not kwargs.keys() <= set(names)
        or given.keys() & kwargs.keys()
        or not (dtype is None or isinstance(dtype, rushlight.dtype))
        or not isinstance(given_by_name.get("non_blocking", False), bool)
    ):
        kinds = [type(arg).__name__ for arg in args]
        kinds += [f"{name}={type(value).__name__}" for name, value in kwargs.items()]
        forms = "".join(f"\n * {form}" for form in _FORMS)
        raise TypeError(
            "to() received an invalid combination of arguments - got "
            f"({', '.join(kinds)}), but expected one of:{forms}"
        )
    given |= kwargs
    if given.get("copy"):
        raise RuntimeError(".to() does not accept copy argument")
    like = given.get("tensor")
    if like is not None:
        return like.device, like.dtype, given.get("non_blocking", False), memory_format
    device = _check_device(given.get("device"))
    return device, dtype, given.get("non_blocking", False), memory_format
