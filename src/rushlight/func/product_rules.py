"""Batching rules of products of matrices and vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.autograd.op import OPS
from rushlight.func.batched import is_batched, item_of, lifted, lower
from rushlight.func.rules import rule, unsqueeze

if TYPE_CHECKING:
    from rushlight.func.batched import Frame
    from rushlight.tensor import Tensor

matmul = OPS["matmul"]


def _front(inner: Tensor, missing: int) -> Tensor:
    for _ in range(missing):
        inner = unsqueeze(inner, 1)
    return inner


def _product(a: Tensor, b: Tensor, frame: Frame) -> Tensor:
    """The inner tensor of the product of two items."""
    if not a.ndim or not b.ndim:
        raise RuntimeError("matmul: both arguments need to be at least 1-D, but they are "
                           f"{a.ndim}-D and {b.ndim}-D")  # fmt: skip
    a_rank, b_rank = a.ndim, b.ndim
    a_batched, b_batched = is_batched(a, frame), is_batched(b, frame)
    x, y = lower(a, frame), lower(b, frame)
    if a_batched and not b_batched and b_rank <= 2:
        return matmul(x, y)  # the batch is one more dimension of rows
    if b_batched and not a_batched and b_rank == 1 and a_rank <= 2:
        return matmul(y, x.t() if a_rank == 2 else x)
    if b_batched and not a_batched and b_rank == 2 and a_rank <= 2:
        return matmul(x, y)
    x, y = lifted(a, frame), lifted(b, frame)
    if a_rank == 1:
        x = unsqueeze(x, 1)
    if b_rank == 1:
        y = unsqueeze(y, 2)
    rank = max(a_rank, b_rank, 2)
    result = matmul(_front(x, rank - max(a_rank, 2)), _front(y, rank - max(b_rank, 2)))
    if b_rank == 1:
        result = result.squeeze(-1)
    if a_rank == 1:
        result = result.squeeze(-1 if b_rank == 1 else -2)
    return result


@rule("matmul")
def _matmul(op: Any, arguments: tuple, frame: Frame) -> Any:
    a, b = arguments
    return item_of(_product(a, b, frame), frame.level)


_RANKS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}


@rule("mm", "bmm", "mv", "dot")
def _ranked(op: Any, arguments: tuple, frame: Frame) -> Any:
    a, b = arguments
    name = op.__name__
    if (a.ndim, b.ndim) != _RANKS[name]:
        raise RuntimeError(
            f"{name}: expected tensors of {_RANKS[name]} dimensions, got shapes {list(a.shape)} "
            f"and {list(b.shape)}"
        )
    return item_of(_product(a, b, frame), frame.level)


@rule("addmm", "baddbmm")
def _addmm(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, a, b, beta, alpha = arguments
    result = matmul(a, b)  # in terms of ops on items, whose own derivatives are used
    if alpha != 1:
        result = result * alpha
    return result if beta == 0 else (input if beta == 1 else input * beta) + result


@rule("linear")
def _linear(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, weight, bias = arguments
    if not is_batched(weight, frame):
        if bias is None or not is_batched(bias, frame):
            return item_of(
                op(lower(input, frame), lower(weight, frame), lower(bias, frame)), frame.level
            )
        return op(input, weight, None) + bias
    w = lower(weight, frame)  # (B, out, in), or (B, in)
    if weight.ndim == 1:
        product = matmul(input, weight)
        return product if bias is None else product + bias
    x = lifted(input, frame)
    lead = x.shape[1:-1]
    rows = x.reshape(frame.size, -1, x.shape[-1])
    if bias is None:
        result = OPS["bmm"](rows, w.transpose(1, 2))
    else:
        b = lifted(bias, frame)
        result = OPS["baddbmm"](unsqueeze(b, 1), rows, w.transpose(1, 2))
    return item_of(result.reshape(frame.size, *lead, w.shape[1]), frame.level)
