"""Collectives in a group of one process: each is a copy from input to output, or nothing at all.

All return None, or a finished `Work` with `async_op=True`; they raise ValueError before
`init_process_group`, and where a rank is named that is not there.
"""

from __future__ import annotations

from typing import Any

from rushlight.autograd import no_grad
from rushlight.distributed.group import ReduceOp, Work, member_of
from rushlight.tensor import Tensor

__all__ = [
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_reduce_coalesced",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "gather",
    "gather_object",
    "irecv",
    "isend",
    "monitored_barrier",
    "recv",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
    "send",
]


def _done(async_op: bool) -> Work | None:
    return Work() if async_op else None


def _here(group: Any, rank: int | None = None, name: str = "rank") -> None:
    """Raises ValueError if there is no group, or the rank is not in it."""
    member_of(group)
    if rank not in (None, 0):
        raise ValueError(f"{name} {rank} is not in a group of one process, whose only rank is 0")


def _copy(output: Tensor, input: Tensor) -> None:
    if output.shape != input.shape and output.numel() == input.numel():
        input = input.reshape(output.shape)
    with no_grad():
        output.copy_(input)


def _only(list_of_one: list | None, name: str) -> Any:
    if list_of_one is None or len(list_of_one) != 1:
        count = None if list_of_one is None else len(list_of_one)
        raise ValueError(f"{name}: one tensor for each rank, which is 1, got {count}")
    return list_of_one[0]


def all_reduce(
    tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Puts the tensors of all processes together, in place: there is one."""
    _here(group)
    return _done(async_op)


def all_reduce_coalesced(
    tensors: Any, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """`all_reduce` of several tensors."""
    _here(group)
    return _done(async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: Any = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Puts the tensors of all processes together at rank `dst`."""
    _here(group, dst, "dst")
    return _done(async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Gives all processes the tensor of rank `src`."""
    _here(group, src, "src")
    return _done(async_op)


def broadcast_object_list(
    object_list: list,
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
    weights_only: bool = False,
) -> None:
    """Gives all processes the objects of rank `src`."""
    _here(group, src, "src")


def all_gather(
    tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copies the tensor of each process into the list."""
    _here(group)
    _copy(_only(tensor_list, "all_gather"), tensor)
    return _done(async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copies the tensors of all processes into one, side by side along the first dimension."""
    _here(group)
    _copy(output_tensor, input_tensor)
    return _done(async_op)


def all_gather_object(object_list: list, obj: Any, group: Any = None) -> None:
    """Copies the object of each process into the list."""
    _here(group)
    _only(object_list, "all_gather_object")
    object_list[0] = _sent(obj)


def _sent(obj: Any) -> Any:
    """An object as another process would see it: a copy."""
    import pickle

    return pickle.loads(pickle.dumps(obj))


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Copies the tensor of each process into the list of rank `dst`."""
    _here(group, dst, "dst")
    _copy(_only(gather_list, "gather"), tensor)
    return _done(async_op)


def gather_object(
    obj: Any,
    object_gather_list: list | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """Copies the object of each process into the list of rank `dst`."""
    _here(group, dst, "dst")
    _only(object_gather_list, "gather_object")
    object_gather_list[0] = _sent(obj)  # type: ignore[index]


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Gives each process its tensor of the list of rank `src`."""
    _here(group, src, "src")
    _copy(tensor, _only(scatter_list, "scatter"))
    return _done(async_op)


def scatter_object_list(
    scatter_object_output_list: list,
    scatter_object_input_list: list | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """Gives each process its object of the list of rank `src`."""
    _here(group, src, "src")
    scatter_object_output_list[0] = _sent(_only(scatter_object_input_list, "scatter_object_list"))


def reduce_scatter(
    output: Tensor,
    input_list: list[Tensor],
    op: Any = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Puts lists of tensors together, and gives each process its entry."""
    _here(group)
    _copy(output, _only(input_list, "reduce_scatter"))
    return _done(async_op)


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: Any = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Puts tensors together, and gives each process its part."""
    _here(group)
    _copy(output, input)
    return _done(async_op)


def all_to_all(
    output_tensor_list: list[Tensor],
    input_tensor_list: list[Tensor],
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Sends entry i of the list to process i."""
    _here(group)
    _copy(_only(output_tensor_list, "all_to_all"), _only(input_tensor_list, "all_to_all"))
    return _done(async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Any = None,
    input_split_sizes: Any = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Sends part i of the tensor to process i."""
    _here(group)
    _copy(output, input)
    return _done(async_op)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Waits for all processes: all are here."""
    _here(group)
    return _done(async_op)


def monitored_barrier(
    group: Any = None, timeout: Any = None, wait_all_ranks: bool = False
) -> None:
    """`barrier` that tells who is late: nobody."""
    _here(group)


def _nobody(kind: str, rank: Any, group: Any) -> None:
    _here(group, rank, kind)
    raise ValueError(
        f"Invalid {kind} rank: {kind} rank should not be the same as the rank of the current "
        "process, and there is no other one"
    )


def send(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: Any = None
) -> None:
    """Raises ValueError: there is no other process."""
    _nobody("destination", dst, group)


def recv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: Any = None
) -> int:
    """Raises ValueError: there is no other process."""
    _nobody("source", src, group)
    return -1


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: Any = None
) -> Work | None:
    """Raises ValueError: there is no other process."""
    _nobody("destination", dst, group)
    return None


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: Any = None
) -> Work | None:
    """Raises ValueError: there is no other process."""
    _nobody("source", src, group)
    return None
