"""What a loaded file may refer to, and the functions that make it, which trust no argument."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.io import _get_layout
from rushlight.io.storages import (
    STORAGE_NAMES,
    UNTYPED,
    UNTYPED_STORAGE,
    StorageType,
    of_dtype,
    storage_types,
    view_of_storage,
)
from rushlight.io.unpickler import check_key
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Rebuilder"]

_MAX_DIMENSIONS = 64
_MAX_INDEX = 2**63 - 1


def _integers(values: Any, what: str) -> tuple[int, ...]:
    """Sizes or strides: a tuple of integers that are not negative and fit 64 bits."""
    if not isinstance(values, (tuple, list)) or len(values) > _MAX_DIMENSIONS:
        raise UnpicklingError(f"the {what} of a tensor is not a tuple of at most 64 numbers")
    for value in values:
        if type(value) is not int or not 0 <= value <= _MAX_INDEX:
            shown = value if type(value) is int else type(value).__name__  # the rest may be endless
            raise UnpicklingError(f"the {what} of a tensor has a wrong number: {shown}")
    return tuple(values)


def check_geometry(
    numel: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: Any
) -> None:
    """Refuse a tensor that does not lie inside a storage of ``numel`` elements."""
    about = f"a tensor of shape {shape} with strides {strides} at offset {offset}"
    if type(offset) is not int or not 0 <= offset <= _MAX_INDEX:
        raise UnpicklingError(f"{about}: the offset is not a number that can be one")
    if len(shape) != len(strides):
        raise UnpicklingError(f"{about}: there must be as many strides as dimensions")
    if math.prod(shape) > _MAX_INDEX:
        raise UnpicklingError(f"{about}: it has more elements than can be counted")
    if 0 in shape:
        return
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if last >= numel:
        raise UnpicklingError(
            f"{about} reaches element {last} of a storage that has {numel}: the file is damaged "
            "or malicious"
        )


# ---- plain Python objects ------------------------------------------------------------------------


def _only(kinds: tuple[type, ...], value: Any, what: str) -> Any:
    if type(value) not in kinds:
        raise UnpicklingError(f"{what} is made from {type(value).__name__}")
    return value


def _set(items: Any = ()) -> set[Any]:
    for item in _only((list, tuple), items, "a set"):
        check_key(item)
    return set(items)


def _frozenset(items: Any = ()) -> frozenset[Any]:
    return frozenset(_set(items))


def _ordered_dict(items: Any = ()) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    for key, value in _only((list, tuple), items, "an OrderedDict"):
        check_key(key)
        made[key] = value
    return made


def _counter(counts: Any = None) -> Counter[Any]:
    return Counter(_only((dict,), {} if counts is None else counts, "a Counter"))


def _complex(real: Any, imag: Any) -> complex:
    return complex(_only((float, int), real, "a complex"), _only((float, int), imag, "a complex"))


def _bytes(data: Any = b"") -> bytes:
    return _only((bytes,), data, "bytes")


def _bytearray(data: Any = b"", encoding: Any = None) -> bytearray:
    if encoding is None:
        return bytearray(_only((bytes,), data, "a bytearray"))
    return bytearray(_encode(data, encoding))


def _encode(text: Any, encoding: Any) -> bytes:
    """How protocol 2 writes bytes: as text in latin-1."""
    if encoding not in ("latin1", "latin-1"):
        raise UnpicklingError("bytes are encoded in something else than latin1")
    return _only((str,), text, "bytes").encode("latin1")


def _size(items: Any = ()) -> Any:
    return rushlight.Size(_integers(items, "size"))


def _device(*arguments: Any) -> Any:
    for argument in arguments:
        _only((str, int), argument, "a device")
    return rushlight.device(*arguments)


def _layout(name: Any) -> Any:
    try:
        return _get_layout(_only((str,), name, "a layout"))
    except KeyError:
        raise UnpicklingError(f"a tensor has the layout {name!r}, which is not there") from None


def _checked_flag(requires_grad: Any, tensor: Tensor) -> bool:
    """``requires_grad``, refused for a tensor that cannot have a gradient."""
    inexact = tensor.dtype.is_floating_point or tensor.dtype.is_complex
    if requires_grad and not inexact:
        raise UnpicklingError(f"a tensor of {tensor.dtype} requires grad")
    return bool(requires_grad)


# ---- tensors -------------------------------------------------------------------------------------


class Rebuilder:
    """Makes tensors on storages.

    Args:
        read_storage: makes the flat tensor of a storage from (key, type, number of elements,
            location).
    """

    def __init__(self, read_storage: Callable[[str, StorageType, int, str], Tensor]) -> None:
        self._read_storage = read_storage
        # key: (flat tensor, type, number of elements)
        self._storages: dict[str, tuple[Tensor, StorageType, int]] = {}
        self._numels: dict[int, int] = {}  # id of the flat tensor: number of elements
        self._untyped: set[int] = set()  # ids of the flat tensors of storages of bytes
        self._typed: dict[tuple[int, Any], Tensor] = {}  # (such an id, dtype): its elements
        # (id of the flat tensor, conjugated, negated): its values so
        self._made: dict[tuple[int, bool, bool], Tensor] = {}

    def names(self) -> dict[str, tuple[Any, Callable[..., Any] | None]]:
        """Full name -> (value, constructor): the table for ``RestrictedUnpickler``."""
        parameter = rushlight.nn.Parameter
        table: dict[str, tuple[Any, Callable[..., Any] | None]] = {
            "builtins.set": (set, _set),
            "builtins.frozenset": (frozenset, _frozenset),
            "builtins.complex": (complex, _complex),
            "builtins.bytes": (bytes, _bytes),
            "builtins.bytearray": (bytearray, _bytearray),
            "_codecs.encode": (_encode, _encode),
            "collections.OrderedDict": (OrderedDict, _ordered_dict),
            "collections.Counter": (Counter, _counter),
            "torch.Size": (rushlight.Size, _size),
            "torch.device": (rushlight.device, _device),
            "torch.Tensor": (Tensor, None),
            "torch.nn.parameter.Parameter": (parameter, self._parameter_from_class),
        }
        made: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor_v2,
            "torch._utils._rebuild_tensor_v3": self.tensor_v3,
            "torch._utils._rebuild_sparse_tensor": self.sparse_tensor,
            "torch._utils._rebuild_meta_tensor_no_storage": self.meta_tensor,
            "torch.serialization._get_layout": _layout,
            "torch._utils._rebuild_parameter": self.parameter,
            "torch._utils._rebuild_parameter_with_state": self.parameter_with_state,
            "torch._tensor._rebuild_from_type_v2": self.from_type_v2,
        }
        table.update((name, (function, function)) for name, function in made.items())
        table.update((name, (kind, None)) for name, kind in storage_types().items())
        table.update(
            (f"torch.{dtype}", (getattr(rushlight, dtype), None))
            for dtype in (*STORAGE_NAMES, *UNTYPED)
        )
        return table

    def storage(self, identity: Any) -> Tensor:
        """The flat tensor of a storage from its persistent identity in the pickle."""
        if (
            not isinstance(identity, tuple)
            or len(identity) != 5
            or identity[0] != "storage"
            or not isinstance(identity[1], StorageType)
            or type(identity[2]) is not str
            or type(identity[3]) is not str
            or type(identity[4]) is not int
            or identity[4] < 0
        ):
            raise UnpicklingError("a persistent id is not ('storage', type, key, location, size)")
        _, kind, key, location, numel = identity
        if key not in self._storages:
            flat = self._read_storage(key, kind, numel, location)
            self._storages[key] = (flat, kind, numel)
            self._numels[id(flat)] = numel
            if kind.name == UNTYPED_STORAGE:
                self._untyped.add(id(flat))
        flat, known_kind, known_numel = self._storages[key]
        if (known_kind, known_numel) != (kind, numel):
            raise UnpicklingError(
                f"storage {key!r} is {numel} elements of {kind.dtype} here and {known_numel} of "
                f"{known_kind.dtype} elsewhere in the file"
            )
        return flat

    def tensor(self, storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
        """A tensor on a storage, if it lies inside."""
        numel = self._numels.get(id(storage))
        if numel is None:
            raise UnpicklingError(f"a tensor is built on {type(storage).__name__}, no storage")
        shape, strides = _integers(shape, "shape"), _integers(strides, "strides")
        check_geometry(numel, shape, strides, offset)
        if 0 in shape:
            offset = min(offset, numel)  # there is no element that the offset could move
        return view_of_storage(storage, shape, strides, offset)

    def tensor_v2(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: Any,
        hooks: Any,
        metadata: Any = None,
    ) -> Tensor:
        """A tensor on a storage, with PyTorch's conjugate and negative bits made real."""
        tensor = self.tensor(storage, offset, shape, strides)
        flags = metadata if isinstance(metadata, dict) else {}
        if flags.get("conj") or flags.get("neg"):
            tensor = view_of_storage(
                self._flagged(storage, bool(flags.get("conj")), bool(flags.get("neg"))),
                tuple(tensor.shape),
                tensor.stride(),
                tensor.storage_offset(),
            )
        return tensor.requires_grad_(_checked_flag(requires_grad, tensor))

    def tensor_v3(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: Any,
        hooks: Any,
        dtype: Any,
        metadata: Any = None,
    ) -> Tensor:
        """A tensor of a dtype on a storage of bytes."""
        if not isinstance(dtype, rushlight.dtype):
            raise UnpicklingError(f"the dtype of a tensor is {type(dtype).__name__}")
        if id(storage) not in self._untyped:
            raise UnpicklingError("a tensor that names its dtype lies in no storage of bytes")
        key = (id(storage), dtype)
        if key not in self._typed:
            self._typed[key] = flat = of_dtype(storage, dtype)
            self._numels[id(flat)] = flat.numel()
        tensor = self.tensor(self._typed[key], offset, shape, strides)
        return tensor.requires_grad_(_checked_flag(requires_grad, tensor))

    def sparse_tensor(self, layout: Any = None, data: Any = None) -> Tensor:
        """A sparse tensor of its parts, which are checked."""
        compressed = (rushlight.sparse_csr, rushlight.sparse_csc)
        if type(data) is not tuple or not 3 <= len(data) <= 4:
            raise UnpicklingError("a sparse tensor is not made of three or four parts")
        *parts, size, coalesced = (*data, None) if layout in compressed or len(data) == 3 else data
        if any(not isinstance(part, Tensor) or part._layout for part in parts):
            raise UnpicklingError("the parts of a sparse tensor are not all tensors")
        shape = _integers(tuple(size), "size")
        try:
            if layout is rushlight.sparse_coo and len(parts) == 2:
                return rushlight.sparse_coo_tensor(
                    parts[0], parts[1], shape, check_invariants=True, is_coalesced=coalesced
                )
            if layout in compressed and len(parts) == 3:
                return rushlight.sparse_compressed_tensor(
                    parts[0], parts[1], parts[2], shape, layout=layout
                )
        except (IndexError, RuntimeError) as error:
            raise UnpicklingError(f"the parts of a sparse tensor do not fit: {error}") from error
        raise UnpicklingError(f"a tensor has the layout {layout}, with {len(parts)} parts")

    def meta_tensor(self, dtype: Any, shape: Any, strides: Any, requires_grad: Any) -> Tensor:
        """A tensor of the meta device, of which a file has no values."""
        if not isinstance(dtype, rushlight.dtype):
            raise UnpicklingError(f"the dtype of a tensor is {type(dtype).__name__}")
        shape, strides = _integers(shape, "shape"), _integers(strides, "strides")
        check_geometry(_MAX_INDEX, shape, strides, 0)
        tensor = rushlight.empty_strided(shape, strides, dtype=dtype, device="meta")
        return tensor.requires_grad_(_checked_flag(requires_grad, tensor))

    def _flagged(self, storage: Tensor, conj: bool, neg: bool) -> Tensor:
        """A storage with its values conjugated or negated; made once.

        Of the storage, not of the tensor, which can show a few bytes as more than memory holds.
        """
        key = (id(storage), conj, neg)
        if key not in self._made:
            with rushlight.no_grad():
                values = storage.conj().resolve_conj() if conj else storage
                self._made[key] = values.neg() if neg else values
        return self._made[key]

    def parameter(self, data: Any, requires_grad: Any, hooks: Any) -> Tensor:
        """A Parameter with the storage of a tensor."""
        if not isinstance(data, Tensor):
            raise UnpicklingError(f"a Parameter is made from {type(data).__name__}")
        return rushlight.nn.Parameter(data.detach(), _checked_flag(requires_grad, data))

    def _parameter_from_class(self, data: Any = None, requires_grad: Any = True) -> Tensor:
        return self.parameter(data, requires_grad, None)

    def parameter_with_state(self, data: Any, requires_grad: Any, hooks: Any, state: Any) -> Tensor:
        """A Parameter that the caller had set attributes on."""
        return self._with_attributes(self.parameter(data, requires_grad, hooks), state)

    def from_type_v2(self, rebuild: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
        """A tensor of a subclass, or one that the caller had set attributes on."""
        makers = (
            self.tensor,
            self.tensor_v2,
            self.tensor_v3,
            self.sparse_tensor,
            self.meta_tensor,
            self.parameter,
            self.parameter_with_state,
        )
        if rebuild not in makers or type(arguments) is not tuple:
            raise UnpicklingError("a tensor is rebuilt by something that does not rebuild tensors")
        tensor = rebuild(*arguments)
        if not isinstance(kind, type) or not issubclass(kind, Tensor):
            raise UnpicklingError(f"a tensor is made an instance of {type(kind).__name__}")
        if type(tensor) is not kind:
            tensor = tensor.as_subclass(kind)
        return self._with_attributes(tensor, state)

    @staticmethod
    def _with_attributes(tensor: Tensor, state: Any) -> Tensor:
        """Set what is no part of the class; nothing of the file may shadow a method."""
        if isinstance(state, tuple) and len(state) == 2:
            state = {**(state[0] or {}), **(state[1] or {})}
        for name, value in dict(state or {}).items():
            if type(name) is not str or hasattr(type(tensor), name) or name.startswith("__"):
                raise UnpicklingError(f"it sets attribute {name!r} of a tensor")
            setattr(tensor, name, value)
        return tensor
