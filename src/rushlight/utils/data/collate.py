"""Collation: a list of samples becomes one batch of the same structure."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]


def default_collate(batch: Sequence[Any]) -> Any:
    """Make a batch of samples of equal structure.

    Tensors are stacked along a new first dimension. NumPy arrays and numbers become tensors
    (Python floats float64, ints int64). Strings and bytes stay in a list. Dicts, named tuples and
    sequences are collated entry by entry; a tuple becomes a list.

    Args:
        batch: the samples.

    Raises:
        TypeError: for anything else. `default_collate_fn_map[Type] = function` adds a type.
        RuntimeError: if sequences differ in length.

    Example:
        >>> default_collate([{"x": 1}, {"x": 2}])
        {'x': tensor([1, 2])}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(
    batch: Sequence[Any], *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None
) -> Any:
    """Collate with a table from element type to function.

    Args:
        batch: the samples.
        collate_fn_map: a type, or a tuple of types, to a function of the batch and of the keyword
            `collate_fn_map`. An exact match counts first, then the first type of which the
            element is an instance. Containers of what the table has are always understood.
    """
    sample = batch[0]
    kind = type(sample)
    if collate_fn_map is not None:
        if kind.__module__ == "numpy" and collate_fn_map is default_collate_fn_map:
            _learn_numpy()
        function = collate_fn_map.get(kind)
        if function is None:
            function = next((f for t, f in collate_fn_map.items() if isinstance(sample, t)), None)
        if function is not None:
            return function(batch, collate_fn_map=collate_fn_map)

    def along(entries: Sequence[Any]) -> Any:
        return collate(entries, collate_fn_map=collate_fn_map)

    if isinstance(sample, Mapping):
        return _like_mapping(sample, {key: along([d[key] for d in batch]) for key in sample})
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):  # a named tuple
        return kind(*(along(entries) for entries in zip(*batch, strict=False)))
    if isinstance(sample, Sequence):
        if any(len(other) != len(sample) for other in batch):
            raise RuntimeError(
                "each element in list of batch should be of equal size; default_collate got "
                f"sequences of lengths {[len(other) for other in batch]}. Pad them in a "
                "collate_fn of your own"
            )
        return _like_sequence(sample, [along(entries) for entries in zip(*batch, strict=True)])
    raise TypeError(_UNKNOWN.format(kind))


_UNKNOWN = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}. "
    "Give DataLoader a collate_fn"
)


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays and numbers in one sample into tensors; leave the rest as it is.

    This is what a `DataLoader` without batches does to each sample.
    """
    kind = type(data)
    if isinstance(data, Tensor):
        return data
    if kind.__module__ == "numpy" and kind.__name__ not in ("str_", "bytes_"):
        if kind.__name__ == "ndarray" and _is_text(data):
            return data
        return rushlight.as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(default_convert(entry) for entry in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(entry) for entry in data])
    return data


def _like_mapping(sample: Mapping[Any, Any], entries: dict[Any, Any]) -> Any:
    """The entries in a mapping of the type of the sample, with what else the sample carries."""
    try:
        if isinstance(sample, MutableMapping):
            clone = copy.copy(sample)
            clone.update(entries)
            return clone
        return type(sample)(entries)  # type: ignore[call-arg]
    except TypeError:  # a type that cannot be copied or made so
        return entries


def _like_sequence(sample: Sequence[Any], entries: list[Any]) -> Any:
    """The entries in a sequence of the type of the sample; a tuple becomes a list."""
    if isinstance(sample, tuple):
        return entries
    try:
        if isinstance(sample, MutableSequence):
            clone = copy.copy(sample)
            for i, entry in enumerate(entries):
                clone[i] = entry
            return clone
        return type(sample)(entries)  # type: ignore[call-arg]
    except TypeError:  # a range, for example
        return entries


# ------------------------------------------------------------------------------ leaves, by type


def _collate_tensors(batch: Sequence[Tensor], *, collate_fn_map: Any = None) -> Tensor:
    if batch[0]._layout:
        raise RuntimeError(
            "Batches of sparse tensors are not currently supported by the default collate_fn; pass "
            "a collate_fn of your own, torch.stack say"
        )
    return rushlight.stack(batch, 0)


def _collate_floats(batch: Sequence[float], *, collate_fn_map: Any = None) -> Tensor:
    return rushlight.tensor(batch, dtype=rushlight.float64)


def _collate_ints(batch: Sequence[int], *, collate_fn_map: Any = None) -> Tensor:
    return rushlight.tensor(batch)


def _collate_text(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Sequence[Any]:
    return batch


def _collate_arrays(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Any:
    if _is_text(batch[0]):
        raise TypeError(_UNKNOWN.format(batch[0].dtype))
    return collate([rushlight.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def _collate_numpy_scalars(batch: Iterable[Any], *, collate_fn_map: Any = None) -> Tensor:
    return rushlight.as_tensor(batch)


def _is_text(array: Any) -> bool:
    """Whether a NumPy array has strings or objects, which no tensor can hold."""
    return array.dtype.kind in "SUO"


default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: _collate_tensors,
    float: _collate_floats,
    int: _collate_ints,
    str: _collate_text,
    bytes: _collate_text,
}


def _learn_numpy() -> None:
    """Enter NumPy's types in the table; NumPy is loaded only where somebody uses it."""
    import numpy as np

    default_collate_fn_map.setdefault(np.ndarray, _collate_arrays)
    scalars = (np.bool_, np.number, np.object_)
    default_collate_fn_map.setdefault(scalars, _collate_numpy_scalars)


if "numpy" in sys.modules:
    _learn_numpy()


def __getattr__(name: str) -> Any:
    if name == "np_str_obj_array_pattern":  # dtypes of arrays that are not collated to tensors
        import re

        return re.compile(r"[SaUO]")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
