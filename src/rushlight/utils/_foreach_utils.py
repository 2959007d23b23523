"""Lists of tensors by device and dtype, as optimizers over `torch._foreach_*` sort them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__: list[str] = []

_foreach_supported_types: list[type] = [Tensor]


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Tensor | None]], with_indices: bool = False
) -> dict[tuple[Any, Any], tuple[list[list[Tensor | None]], list[int]]]:
    """For each device and dtype of the first list, the lists cut down to it.

    Args:
        tensorlistlist: lists that go together item by item. The first has a tensor everywhere;
            another may be empty or hold None.
        with_indices: also the places that the items had; otherwise that list is empty.
    """
    first = tensorlistlist[0]
    if not first or any(len(given) not in (0, len(first)) for given in tensorlistlist):
        raise RuntimeError(
            "_group_tensors_by_device_and_dtype: the first list must hold tensors, and each other "
            f"one as many or none; got {[len(given) for given in tensorlistlist]}"
        )
    groups: dict[tuple[Any, Any], tuple[list[list[Tensor | None]], list[int]]] = {}
    for place, tensor in enumerate(first):
        if tensor is None:
            raise RuntimeError(
                "_group_tensors_by_device_and_dtype: the first list holds None at place "
                f"{place}; its tensors decide about the groups"
            )
        lists, indices = groups.setdefault(
            (tensor.device, tensor.dtype), ([[] for _ in tensorlistlist], [])
        )
        for mine, given in zip(lists, tensorlistlist, strict=True):
            if len(given):
                mine.append(given[place])
        if with_indices:
            indices.append(place)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """None besides the CPU."""
    return []


def _get_fused_kernels_supported_devices() -> list[str]:
    """The devices for which optimizers take `fused`."""
    return ["cpu"]


def _device_has_foreach_support(device: Any) -> bool:
    """Whether `torch._foreach_*` runs on a device."""
    return device.type == "cpu"


def _has_foreach_support(tensors: Sequence[Tensor | None], device: Any) -> bool:
    """Whether `torch._foreach_*` takes these tensors: plain ones, no subclass."""
    return _device_has_foreach_support(device) and all(
        tensor is None or type(tensor) in _foreach_supported_types for tensor in tensors
    )
