"""Collectives that gradients pass through; `torch.distributed.nn`, for a group of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.distributed.collectives import _here, _only
from rushlight.distributed.group import ReduceOp

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = [
    "all_gather",
    "all_reduce",
    "all_to_all_single",
    "broadcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "scatter",
]


def all_reduce(tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The tensors of all processes put together."""
    _here(group)
    return tensor.clone()


def all_gather(tensor: Tensor, group: Any = None) -> tuple[Tensor, ...]:
    """The tensor of each process."""
    _here(group)
    return (tensor.clone(),)


def broadcast(tensor: Tensor, src: int, group: Any = None) -> Tensor:
    """The tensor of rank `src`."""
    _here(group, src, "src")
    return tensor.clone()


def reduce(tensor: Tensor, dst: int, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The tensors of all processes put together, at rank `dst`."""
    _here(group, dst, "dst")
    return tensor.clone()


def gather(tensor: Tensor, dst: int = 0, group: Any = None) -> tuple[Tensor, ...]:
    """The tensor of each process, at rank `dst`."""
    _here(group, dst, "dst")
    return (tensor.clone(),)


def scatter(tensors: list[Tensor], src: int = 0, group: Any = None) -> Tensor:
    """The own one of the tensors of rank `src`."""
    _here(group, src, "src")
    return _only(tensors, "scatter").clone()


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: Any = ReduceOp.SUM, group: Any = None
) -> Tensor:
    """The own one of the lists of all processes put together."""
    _here(group)
    return _only(input_list, "reduce_scatter").clone()


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Any = None,
    input_split_sizes: Any = None,
    group: Any = None,
) -> Tensor:
    """The own parts of the tensors of all processes."""
    _here(group)
    return input.clone()
