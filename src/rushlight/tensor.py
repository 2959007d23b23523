"""class Tensor: the Python face of an array with autograd.

What every operation touches (shape, dtype, grad, requires_grad, grad_fn, item, ...) is in the C++
base. Methods that are ops are attached where the ops are declared (rushlight/ops).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import (
    CPU,
    LAYOUTS,
    META,
    Size,
    dtype_of_type,
    is_meta_device,
    type_name,
)
from rushlight.warned import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rushlight.autograd.graph import RemovableHandle


class Tensor(_core.TensorBase):
    """A multi-dimensional array of one dtype that remembers how it was made.

    Made by `tensor`, `zeros`, `randn` and the like, or by operations on other tensors. With
    `requires_grad=True`, operations on it are recorded, and `backward()` on a result fills `grad`.
    """

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        if keywords:
            from rushlight.tensor_types import without_keywords

            args = without_keywords(args, keywords)
        return _core.TensorBase.__new__(cls, *args)

    is_quantized = False
    is_mkldnn = False
    is_cuda = False
    is_cpu = property(lambda self: not self.is_meta, doc="Whether it lies in the CPU's memory.")
    is_mps = is_xpu = is_xla = is_ipu = is_mtia = is_vulkan = is_maia = False
    is_nested = False
    volatile = False  # of Variables before PyTorch 0.4
    names = property(lambda self: (None,) * self.ndim, doc="None for each dimension: no names.")
    name: str | None = None
    layout = property(lambda self: LAYOUTS[self._layout], doc="How its elements are kept.")
    __array_priority__ = 1000

    _asks = True  # whether a subclass takes over functions; parameters do not

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Somebody's own class: torch's functions give results of it (overrides.py).
        if not cls.__module__.startswith("rushlight.") and (
            cls._asks or "__torch_function__" in vars(cls)
        ):
            from rushlight.overrides import prepare

            prepare(cls)

    @property
    def device(self) -> Any:
        """The CPU; or meta, of a tensor that has a shape and a dtype but no memory."""
        return META if self.is_meta else CPU

    if TYPE_CHECKING:  # Python's operators are attached where the ops are

        def __add__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__
        __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __add__
        __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __add__
        __lt__ = __le__ = __gt__ = __ge__ = __add__
        __ne__ = __eq__
        __abs__ = __invert__ = __pos__ = __neg__

    # ---- autograd

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Adds the derivative of this tensor to `grad` of the leaves that it was computed from.

        Args:
            gradient: what to multiply with, of this tensor's shape; may be left out for a tensor
                of one element.
            retain_graph: keep what the graph saved, for another backward.
            create_graph: record the computation of the gradients, for higher derivatives.
            inputs: only these leaves receive gradients.
        """
        plain = gradient is None and inputs is None and not create_graph and not retain_graph
        if plain and _core.backward_of_loss(self):
            return
        from rushlight.autograd.backward import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` in place and returns the tensor.

        Raises RuntimeError for integers, or to switch it off for a tensor that is no leaf.
        """
        self.requires_grad = requires_grad
        return self

    @property
    def data(self) -> Tensor:
        """The same data without history; writes to it are not seen by autograd."""
        return self._data()

    @data.setter
    def data(self, other: Tensor) -> None:
        if other.is_meta is not self.is_meta:
            raise RuntimeError(
                "Attempted to call `variable.set_data(tensor)`, but `variable` and `tensor` have "
                f"incompatible tensor type: one is on {self.device}, the other on {other.device}"
            )
        self._set_array(other)

    def _is_view(self) -> bool:
        """Whether it shows the memory of another tensor."""
        return self._base is not None

    def detach_(self) -> Tensor:
        """Forgets how the tensor was made, in place. Raises RuntimeError for a view."""
        if self._base is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel, ..., detach the base."
            )
        self._grad_fn = None
        self.requires_grad = False
        return self

    def retain_grad(self) -> None:
        """Makes backward fill `grad` of this non-leaf tensor too.

        Raises RuntimeError for a tensor that does not require grad; on a leaf it changes nothing.
        """
        from rushlight.autograd.graph import retain_grad

        retain_grad(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls `hook(grad)` when the gradient of this tensor is known; it may return another."""
        from rushlight.autograd.graph import register_tensor_hook

        return register_tensor_hook(self, hook)

    def register_post_accumulate_grad_hook(
        self, hook: Callable[[Tensor], None]
    ) -> RemovableHandle:
        """Calls `hook(tensor)` after backward has added to `grad` of this leaf.

        Raises RuntimeError for a tensor that is no leaf or does not require grad.
        """
        from rushlight.autograd.graph import register_post_accumulate_hook

        return register_post_accumulate_hook(self, hook)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a real float."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype has negative values."""
        return self.dtype.is_signed

    def chalf(self, memory_format: Any = None) -> Tensor:
        """Raises: there is no complex dtype of two halves."""
        raise NotImplementedError("chalf: rushlight has no dtype torch.complex32; use .cfloat()")

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether elements follow each other in row-major order, or in that of a format."""
        if memory_format is None:
            return self._is_contiguous()
        from rushlight.ops.memory import lies_in

        return lies_in(self, memory_format)

    def is_pinned(self, device: Any = None) -> bool:
        """False: there is no other device to pin memory for."""
        return False

    def get_device(self) -> int:
        """-1, as for every tensor on the CPU."""
        return -1

    def pin_memory(self, device: Any = None) -> Tensor:
        """Raises: there is no other device to pin memory for."""
        raise RuntimeError(
            "Cannot access accelerator device when none is available: memory is pinned for copies "
            "to another device, and there is only the CPU"
        )

    def is_nonzero(self) -> bool:
        """Whether a tensor of one element is not 0. Raises RuntimeError for more or none."""
        return bool(self)

    def is_set_to(self, tensor: Tensor) -> bool:
        """Whether both show the same memory with the same shape and strides."""
        return (
            _core.storage_id(self) == _core.storage_id(tensor)
            and self.storage_offset() == tensor.storage_offset()
            and self.shape == tensor.shape
            and self.stride() == tensor.stride()
        )

    def dim_order(self, *, ambiguity_check: Any = False) -> tuple[int, ...]:
        """The axes from the one with the largest steps in memory to the one with the smallest.

        Args:
            ambiguity_check: True, or a list of memory formats: raise where sizes of 1 or equal
                strides leave several orders, or where not exactly one of the formats fits.
        """
        from rushlight.ops.memory import dim_order

        return dim_order(self, ambiguity_check)

    def new(self, *args: Any, device: Any = None) -> Tensor:
        """The old constructor, with this tensor's dtype: of sizes, values or a tensor.

        Of a sparse tensor: of indices, values and, unless they say it, the size.
        """
        from rushlight.tensor_types import construct

        if self.is_meta or is_meta_device(device):
            return construct(self.dtype, args).to(META)
        if self.is_sparse and len(args) in (2, 3) and isinstance(args[1], Tensor):
            from rushlight.sparse.construct import sparse_coo_tensor

            return sparse_coo_tensor(*args, dtype=self.dtype)
        return construct(self.dtype, args)

    def is_shared(self) -> bool:
        """Whether the memory is shared with other processes."""
        import sys

        sharing = sys.modules.get("rushlight.multiprocessing.sharing")
        return sharing is not None and sharing.is_shared(self)

    def untyped_storage(self) -> Any:
        """The memory that the tensor lies in, with all views of it."""
        from rushlight.storage import UntypedStorage

        return UntypedStorage(self)

    def storage(self) -> Any:
        """The same memory as elements of the tensor's dtype."""
        from rushlight.storage import TypedStorage

        warn_once(
            "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will "
            "be the only storage class: use tensor.untyped_storage() instead of tensor.storage()"
        )
        return TypedStorage(self)

    const_data_ptr = _core.TensorBase.data_ptr

    def share_memory_(self) -> Tensor:
        """Moves the memory, in place, to where it can be shared with other processes."""
        from rushlight.multiprocessing.sharing import share_memory

        return share_memory(self)

    def as_subclass(self, cls: Any) -> Any:
        """The same data and history as an instance of a subclass of Tensor.

        Raises TypeError for another class.
        """
        if not (isinstance(cls, type) and issubclass(cls, Tensor)):
            raise TypeError(f"as_subclass: cls must be a subclass of Tensor, got {cls!r}")
        made: Any = Tensor.__new__(cls, self)  # type: ignore[call-arg]
        if self.requires_grad and _core.is_grad_enabled():
            from rushlight.ops.index import alias

            aliased = alias(self)
            made._grad_fn = (aliased.grad_fn, aliased.output_nr)
        return made

    def type(self, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
        """The old name of the tensor's type, as 'torch.FloatTensor'; or the tensor in `dtype`.

        Args:
            dtype: a dtype, or such a name or type; None to ask for the name.
            non_blocking: without effect.
        """
        if dtype is None:
            name = type_name(self.dtype)
            if self.is_meta:
                return name.replace("torch.", "torch.meta.")
            if self._layout:  # PyTorch's, which tells no other layout by its name
                kind = str(self.layout).partition(".")[2]
                return name.replace("torch.", f"torch.{'sparse' if self.is_sparse else kind}.")
            return name
        if isinstance(dtype, str):
            dtype = dtype_of_type(dtype)
        elif type(dtype).__name__ == "tensortype":  # torch.FloatTensor
            dtype = dtype.dtype
        elif dtype is Tensor:
            dtype = _core.get_default_dtype()
        elif not isinstance(dtype, _core.dtype):
            raise TypeError(f"type(): dtype must be a type, str, or dtype object, not {dtype!r}")
        return self.to(dtype)

    # ---- Python's protocols

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from rushlight.printing import tensor_repr

        return tensor_repr(self, tensor_contents=tensor_contents)

    def __format__(self, spec: str) -> str:
        from rushlight.printing import tensor_format

        return tensor_format(self, spec)

    def __bool__(self) -> bool:
        if self.numel() != 1:
            if self.numel() == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError(
                "Boolean value of Tensor with more than one value is ambiguous; "
                f"the shape is {list(self.shape)}. Use .any() or .all()"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(_only_number(self, "float"))

    def __int__(self) -> int:
        return int(_only_number(self, "int"))

    def __complex__(self) -> complex:
        return complex(_only_number(self, "complex"))

    def __index__(self) -> int:
        if self.numel() != 1 or self.dtype.is_floating_point or self.dtype.is_complex:
            raise TypeError(
                "only integer tensors of a single element can be converted to an index, "
                f"got {self.dtype} of shape {list(self.shape)}"
            )
        return int(self.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, (Tensor, int, float, complex)):
            return bool((self == element).any().item())
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )

    __hash__ = object.__hash__

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Tensor does not support deleting items")

    def __reversed__(self) -> Tensor:
        return self if self.ndim == 0 else self.flip(0)

    def __copy__(self) -> Tensor:
        from rushlight.io.copying import copy_tensor

        return copy_tensor(self)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment: detach() it first."
            )
        if id(self) in memo:
            return memo[id(self)]
        from rushlight.io.copying import deepcopy_tensor

        return deepcopy_tensor(self, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        from rushlight.io.copying import reduce_tensor

        return reduce_tensor(self)

    # ---- other libraries

    def numpy(self, *, force: bool = False) -> Any:
        """A NumPy array on the same memory; writes to one show in the other.

        Raises RuntimeError for a tensor that requires grad, unless `force`, which detaches first,
        or under `no_grad`, and TypeError for bfloat16, which NumPy does not have.
        """
        if self._layout:
            raise TypeError(
                f"can't convert a tensor of layout {self.layout} to numpy. Use to_dense() first."
            )
        if self.requires_grad and not force and _core.is_grad_enabled():
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        if self.dtype is _core.bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16: NumPy has no such dtype; use "
                            ".float() first")
        return _core.to_numpy(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None:
            return array.astype(dtype, copy=bool(copy))
        return array.copy() if copy else array

    def __array_wrap__(
        self, array: Any, context: Any = None, return_scalar: bool = False
    ) -> Tensor:
        """What a NumPy function over a tensor gives: a tensor, uint8 where it is truth values."""
        from rushlight.ops.create import from_numpy

        return from_numpy(array.astype("uint8") if array.dtype == bool else array)

    def __dlpack__(
        self,
        *,
        stream: Any = -1,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule on this memory, or on a copy, for another library's `from_dlpack`.

        From `max_version` (1, 0) on it says that it may be written to, for the dtypes of NumPy.
        """
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        if stream is not None and type(stream) is not int:
            raise TypeError(f"__dlpack__: stream must be an int or None, not {stream!r}")
        if stream is not None and stream != -1:
            raise AssertionError(f"__dlpack__: stream should be None on cpu, not {stream}")
        if dl_device is not None and tuple(dl_device) != (1, 0):
            raise BufferError(
                f"__dlpack__: the tensor is on the CPU, (1, 0), and cannot go to {dl_device}"
            )
        source = _core.clone(self) if copy else self.detach()
        if max_version is not None and max_version[0] >= 1 and source.dtype is not _core.bfloat16:
            try:
                return source.numpy().__dlpack__(max_version=max_version)
            except TypeError:  # NumPy before 2.1; a capsule without a version serves any consumer
                pass
        return _core.to_dlpack(source)

    def __dlpack_device__(self) -> tuple[Any, int]:
        """(kind of device, its number): the CPU."""
        from rushlight.utils.dlpack import DLDeviceType

        return (DLDeviceType.kDLCPU, 0)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The array API standard over tensors: rushlight.array_api."""
        from rushlight import array_api

        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(
                f"__array_namespace__: version {api_version!r} of the array API standard is not "
                f"there; this is {array_api.__array_api_version__}"
            )
        return array_api

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """`to(device)`, as the array API names it; no device has streams."""
        if stream is not None:
            raise ValueError(f"to_device: the CPU has no streams, got {stream!r}")
        return self.to(device)


def _only_number(tensor: Tensor, kind: str) -> Any:
    """The only element; of complex tensors the real part, if that is all and a real is wanted."""
    if tensor.numel() != 1:
        raise ValueError(
            "only one element tensors can be converted to Python scalars; "
            f"{kind}() got the shape {list(tensor.shape)}"
        )
    if kind != "int" and tensor.requires_grad and _core.is_grad_enabled():
        _warn_of_scalar()
    number = tensor.item()
    if type(number) is complex and kind != "complex":
        if number.imag != 0:
            raise RuntimeError(
                f"{kind}(): value cannot be converted without overflow: {number} is complex; take "
                ".real, or abs()"
            )
        return number.real
    return number


def _warn_of_scalar() -> None:
    """Says, once in a process, that a number has no history."""
    warn_once(
        "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior: "
        "no gradient flows through a number. Consider using tensor.detach() first, or item()."
    )


def _rebuild_from_type_v2(func: Any, new_type: type, args: tuple, state: Any) -> Tensor:
    """A tensor of a subclass, or with attributes, as PyTorch's plain pickles make it."""
    from rushlight._utils import _set_obj_state

    made = func(*args)
    if type(made) is not new_type:
        made = made.as_subclass(new_type)
    return _set_obj_state(made, state)


def _construct(args: tuple) -> Tensor:
    """What Tensor(...) makes of sizes or values."""
    from rushlight.tensor_types import construct

    return construct(_core.get_default_dtype(), args)


_core.set_tensor_class(Tensor)
_core.set_callbacks(size_class=Size, construct=_construct)
