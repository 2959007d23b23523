"""Batching rules of convolution, pooling and other ops on planes, of attention and of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.autograd.op import OPS, call_all
from rushlight.func.batched import is_batched, item_of, lifted, lower, wrapped
from rushlight.func.calls import RULES, each
from rushlight.func.rules import rule, unsqueeze
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.func.batched import Frame

# ---- convolution: items become channels of their own groups, or more rows


def _side_by_side(inner: Tensor) -> Tensor:
    """(B, N, C, ...) as (N, B * C, ...)."""
    size, rows, channels, *rest = inner.shape
    return inner.transpose(0, 1).reshape(rows, size * channels, *rest)


def _apart(result: Tensor, size: int) -> Tensor:
    """(N, B * C, ...) as (B, N, C, ...)."""
    rows, channels, *rest = result.shape
    return result.reshape(rows, size, channels // size, *rest).transpose(0, 1)


def _rows(inner: Tensor) -> Tensor:
    """(B, N, ...) as (B * N, ...)."""
    return inner.reshape(inner.shape[0] * inner.shape[1], *inner.shape[2:])


@rule("convolution")
def _convolution(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, weight, bias, stride, padding, dilation, transposed, extra, groups = arguments
    size = frame.size
    if input.ndim == weight.ndim - 1:
        return op(input.unsqueeze(0), *arguments[1:]).squeeze(0)
    if bias is not None and (is_batched(bias, frame) or is_batched(weight, frame)):
        without = op(input, weight, None, *arguments[3:])
        return without + bias.reshape((-1,) + (1,) * (weight.ndim - 2))
    options = (stride, padding, dilation, transposed, extra)
    if not is_batched(weight, frame):
        inner = lifted(input, frame)
        result = op(_rows(inner), lower(weight, frame), lower(bias, frame), *options, groups)
        return item_of(result.reshape(*inner.shape[:2], *result.shape[1:]), frame.level)
    kernels = lower(weight, frame)
    if not is_batched(input, frame) and groups == 1 and not transposed:
        result = op(lower(input, frame), _rows(kernels), None, *options, 1)
    else:
        together = _side_by_side(lifted(input, frame))
        result = op(together, _rows(kernels), None, *options, groups * size)
    return item_of(_apart(result, size), frame.level)


@rule("_convolution_weight")
def _convolution_weight(op: Any, arguments: tuple, frame: Frame) -> Any:
    upstream, input, shape, stride, padding, dilation, transposed, groups = arguments
    size = frame.size
    result = op(
        _side_by_side(lifted(upstream, frame)), _side_by_side(lifted(input, frame)),
        (size * shape[0], *shape[1:]), stride, padding, dilation, transposed, groups * size,
    )  # fmt: skip
    return item_of(result.reshape(size, *shape), frame.level)


# ---- planes: what stands before them is folded into one dimension


def _planes(rank_of: Callable[[dict[str, Any]], int]) -> Any:
    def rule_of_planes(op: Any, arguments: tuple, frame: Frame) -> Any:
        named = dict(zip(op.arguments, arguments, strict=True))
        rank = rank_of(named)
        lead = None
        for name, value in named.items():
            if isinstance(value, Tensor):
                inner = lifted(value, frame)
                lead = tuple(inner.shape[: inner.ndim - rank])
                if len(lead) == 3:
                    inner = _rows(inner)
                named[name] = inner
        assert lead is not None
        if len(named.get("size") or ()) > rank:  # the shape of an input, not only of its planes
            whole = (*lead, *named["size"][-rank:])
            named["size"] = whole if len(lead) < 3 else (lead[0] * lead[1], *whole[2:])
        result = op(*named.values())

        def unfolded(value: Tensor) -> Tensor:
            return value if len(lead) != 3 else value.reshape(*lead[:2], *value.shape[1:])

        if isinstance(result, Tensor):
            return item_of(unfolded(result), frame.level)
        return wrapped(type(result)([unfolded(part) for part in result]), frame)

    return rule_of_planes


for _names, _rank_of in (
    (("_max_pool", "_max_pool_backward", "_max_pool_select", "_avg_pool", "_avg_pool_backward",
      "_take_at_places"), lambda named: named["rank"]),
    (("_adaptive_avg_pool", "_adaptive_avg_pool_backward", "_adaptive_max_pool"),
     lambda named: len(named["output_size"])),
    (("_add_at_places", "_max_unpool"), lambda named: len(named["size"])),
    (("im2col",), lambda named: 2),
    (("col2im",), lambda named: 1),
):  # fmt: skip
    for _name in _names:
        RULES[_name] = _planes(_rank_of)


@rule("_grid_sample", "_grid_sample_backward")
def _more_images(op: Any, arguments: tuple, frame: Frame) -> Any:
    rows = [_rows(lifted(value, frame)) if isinstance(value, Tensor) else value
            for value in arguments]  # fmt: skip
    result = op(*rows)

    def unfolded(value: Tensor) -> Tensor:
        return value.reshape(frame.size, value.shape[0] // frame.size, *value.shape[1:])

    if isinstance(result, Tensor):
        return item_of(unfolded(result), frame.level)
    parts = [None if part is None else unfolded(part) for part in result]
    return wrapped(type(result)(parts), frame)


@rule("_resample", "_resample_adjoint", "_edge_pad", "_edge_pad_adjoint", "_overlap_add")
def _on_last_axes(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, *rest = arguments
    return item_of(op(lifted(input, frame), *rest), frame.level)


@rule("_attention")
def _attention(op: Any, arguments: tuple, frame: Frame) -> Any:
    query, key, value, mask, is_causal, scale = arguments
    rank = query.ndim
    if not (rank == key.ndim == value.ndim) or rank < 3 or is_batched(mask, frame):
        return each(op, arguments, frame)
    inner = [_rows(lifted(tensor, frame)) for tensor in (query, key, value)]
    shared = lower(mask, frame)
    if shared is not None and shared.ndim == rank and shared.shape[0] != 1:
        shared = unsqueeze(shared, 0).expand(frame.size, *shared.shape)
        shared = _rows(shared)
    result = op(*inner, shared, is_causal, scale)
    rows = query.shape[0]
    return wrapped(
        tuple([part.reshape(frame.size, rows, *part.shape[1:]) for part in result]), frame
    )


# ---- matrices: the last two dimensions, whatever stands before them


def _matrices(op: Any, arguments: tuple, frame: Frame) -> Any:
    ranks = {value.ndim for value in arguments if isinstance(value, Tensor)}
    if len(ranks) > 1 or min(ranks) < 2:
        return each(op, arguments, frame)
    values = [lifted(v, frame) if isinstance(v, Tensor) else v for v in arguments]
    if "vectors" in op.arguments and any(v.requires_grad for v in values if isinstance(v, Tensor)):
        values[op.arguments.index("vectors")] = True  # the derivative needs them
    return wrapped(call_all(op, values), frame)


for _name in (
    "linalg_cholesky", "linalg_cholesky_ex", "cholesky", "cholesky_inverse", "cholesky_solve",
    "_triangular", "_solve", "_inv", "_det", "_slogdet", "_qr", "_eigh", "_eig", "_svd",
    "linalg_matrix_exp", "linalg_lu", "linalg_lu_factor_ex", "_euclidean",
):  # fmt: skip
    if _name in OPS:
        RULES[_name] = _matrices


@rule("_nll_loss_backward")
def _nll_loss_backward(op: Any, arguments: tuple, frame: Frame) -> Any:
    return each(op, arguments, frame)
