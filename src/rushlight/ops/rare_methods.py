"""What libraries, rather than scripts, use of tensors: PyTorch's inner and old names."""

from __future__ import annotations

from typing import Any

from rushlight.dtypes import check_device
from rushlight.tensor import Tensor

__all__: list[str] = []  # methods alone


def _make_subclass(cls: Any, data: Tensor, require_grad: bool = False, **options: Any) -> Any:
    """The data of a tensor as an instance of a subclass of Tensor: a leaf on the same memory."""
    if options:
        raise NotImplementedError(f"_make_subclass: {', '.join(options)} is not there")
    made = Tensor.__new__(cls, data.detach())  # type: ignore[call-arg]
    made.requires_grad = require_grad
    return made


Tensor._make_subclass = staticmethod(_make_subclass)

# ---- what autograd keeps


def _get_backward_hooks(self: Tensor) -> Any:
    return self._leaf_hooks or None


def _set_backward_hooks(self: Tensor, hooks: Any) -> None:
    self._leaf_hooks = hooks


def _get_post_accumulate_hooks(self: Tensor) -> Any:
    return self._post_accumulate_hooks or None


def _get_grad_dtype(self: Tensor) -> Any:
    """The dtype of a leaf's grad."""
    if not self.is_leaf:
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    return self.dtype


Tensor._backward_hooks = property(
    _get_backward_hooks, _set_backward_hooks, doc="Hooks of a leaf by their number, or None."
)
Tensor._post_accumulate_grad_hooks = property(
    _get_post_accumulate_hooks, doc="Hooks that run when a leaf's grad has grown, or None."
)
Tensor.grad_dtype = property(_get_grad_dtype)  # type: ignore[assignment]

# ---- memory

Tensor._cdata = property(id, doc="A number that tells the tensor from all others.")
Tensor._typed_storage = Tensor.storage
Tensor._has_symbolic_sizes_strides = False  # type: ignore[attr-defined]


def storage_type(self: Tensor) -> Any:
    """The class of what :meth:`Tensor.storage` returns."""
    return type(self.storage())


def _is_zerotensor(self: Tensor) -> bool:
    """False: zeros have memory here."""
    return False


def is_distributed(self: Tensor) -> bool:
    """False: all of it is in this process."""
    return False


def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """What :meth:`Module.load_state_dict` puts in place of this tensor.

    `assign`: `other` itself; else this tensor, with the values of `other`.
    """
    return other.detach() if assign else self.copy_(other).detach()


Tensor.storage_type = storage_type
Tensor._is_zerotensor = _is_zerotensor
Tensor.is_distributed = is_distributed
Tensor.module_load = module_load

# ---- other names

Tensor._lazy_clone = Tensor.clone
Tensor._conj = Tensor.conj
Tensor._conj_physical = Tensor.conj_physical
Tensor._neg_view = Tensor.neg
Tensor._is_all_true = Tensor.all
Tensor._is_any_true = Tensor.any
Tensor._reduce_ex_internal = Tensor.__reduce_ex__
Tensor.__nonzero__ = Tensor.__bool__
Tensor.__long__ = Tensor.__int__


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """The elements in another shape; deprecated, as in PyTorch: use `reshape`."""
    import warnings

    warnings.warn("non-inplace resize is deprecated: use reshape()", stacklevel=2)
    return self.contiguous().view(*sizes)


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """The elements in the shape of another tensor; deprecated, as in PyTorch: use `reshape_as`."""
    import warnings

    warnings.warn("non-inplace resize_as is deprecated: use reshape_as()", stacklevel=2)
    return self.contiguous().view(tensor.shape)


def dequantize(self: Tensor) -> Tensor:
    """The values in float32; no tensor is quantized."""
    return self.float()


Tensor.resize = resize
Tensor.resize_as = resize_as
Tensor.dequantize = dequantize

# ---- what is gone, or is not there


def _gone(name: str, instead: str) -> None:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"{name}() was removed from PyTorch; use {instead}")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Raises: use {instead}."
    setattr(Tensor, name, call)


_gone("reinforce", "torch.distributions")
_gone("eig", "torch.linalg.eig")
_gone("symeig", "torch.linalg.eigh")
_gone("lstsq", "torch.linalg.lstsq")
_gone("solve", "torch.linalg.solve")


def _elsewhere(name: str) -> None:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_device(name)
        return self

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Raises: there is no device of the type {name}."
    setattr(Tensor, name, call)


for _name in ("xpu", "ipu", "mtia"):
    _elsewhere(_name)


def _unquantized(name: str) -> None:
    def call(self: Tensor) -> Any:
        raise NotImplementedError(f"{name}: there are no quantized tensors, this is {self.dtype}")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Raises: there are no quantized tensors."
    setattr(Tensor, name, call)


for _name in (
    "int_repr", "q_per_channel_axis", "q_per_channel_scales", "q_per_channel_zero_points",
    "q_scale", "q_zero_point", "qscheme",
):  # fmt: skip
    _unquantized(_name)


def to_mkldnn(self: Tensor, dtype: Any = None) -> Tensor:
    """Raises: there is one layout in memory, that of `torch.strided`."""
    raise RuntimeError("to_mkldnn: there are no tensors in the layout torch._mkldnn; leave it out")


def record_stream(self: Tensor, s: Any) -> None:
    """Raises: there are no streams."""
    raise RuntimeError("record_stream: there is no device with streams")


Tensor.to_mkldnn = to_mkldnn
Tensor.record_stream = record_stream
