"""Batching rules of pointwise ops, reductions and ops that work along dimensions.

A rule gets the op, its arguments (all of them, by position) and the frame of the vmap, and returns
items. Inner tensors have the batch in front, so dimension d of an item is d + 1 of the inner one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS, call_all
from rushlight.func.batched import Frame, aligned, item_of, lifted, wrapped
from rushlight.func.calls import POINTWISE, RULES
from rushlight.ops.shape import axis_of
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[Any, tuple, Frame], Any]

unsqueeze = OPS["unsqueeze"]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers the decorated function for the ops of these names."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def axis(dim: Any, rank: int) -> int:
    """The dimension of the inner tensor for dimension `dim` of an item with `rank` of them."""
    return axis_of(dim, rank) + 1


def axes(dims: Any, rank: int) -> tuple[int, ...]:
    """The same for several dimensions; None or none of them means all."""
    if dims is None or (not isinstance(dims, int) and not len(dims)):
        return tuple(range(1, rank + 1))
    if isinstance(dims, int):
        return (axis(dims, rank),)
    return tuple([axis(dim, rank) for dim in dims])


# ---- pointwise


def _promoted(values: list[Any], arguments: tuple) -> list[Any]:
    """Inner tensors in the dtype that the op computes in, where ranks decide about it.

    A 0-dim tensor gives way to the dtype of others; inside, the batch gives it a dimension.
    """
    tensors = [value for value in arguments if isinstance(value, Tensor)]
    first = tensors[0].dtype
    if all(tensor.dtype is first for tensor in tensors) or all(t.ndim for t in tensors):
        return values
    alike = [
        _core.empty((1,) * min(value.ndim, 1), value.dtype) if isinstance(value, Tensor) else value
        for value in arguments
        if isinstance(value, (Tensor, int, float, complex))
    ]
    dtype = _core.result_type(alike)
    return [
        value.to(dtype) if isinstance(value, Tensor) and value.dtype is not dtype else value
        for value in values
    ]


def pointwise(op: Any, arguments: tuple, frame: Frame) -> Any:
    """The op on inner tensors whose items are aligned."""
    values = _promoted(aligned(arguments, frame), arguments)
    result = call_all(op, values)
    return item_of(result, frame.level) if isinstance(result, Tensor) else wrapped(result, frame)


_POINTWISE_FILES = ("complex", "compare", "elementary", "pointwise", "special", "activation")
_NOT_POINTWISE = {"view_as_real", "view_as_complex", "_prelu_kernel", "masked_fill", "_where",
                  "glu"}  # fmt: skip

for _name, _op in OPS.items():
    _file = _op.__module__.rpartition(".")[2]
    _own = _op.__module__.startswith("rushlight.ops.") and _file in _POINTWISE_FILES
    if _own and _name not in _NOT_POINTWISE and not _op.is_inplace:
        RULES[_name] = pointwise
        POINTWISE.add(_name)
POINTWISE.add("masked_fill")
RULES["_prelu_kernel"] = RULES["_cross_product"] = pointwise
RULES["alias"] = RULES["clone"] = RULES["to_dtype"] = pointwise


@rule("masked_fill")
def _masked_fill(op: Any, arguments: tuple, frame: Frame) -> Any:
    input, mask, value = arguments
    if isinstance(value, Tensor):
        return OPS["_where"](mask, value.to(input.dtype), input)
    return _aligned(op, arguments, frame)


def _aligned(op: Any, arguments: tuple, frame: Frame) -> Any:
    """As `pointwise`, with each tensor in its own dtype."""
    return item_of(op(*aligned(arguments, frame)), frame.level)


@rule("_where")
def _where(op: Any, arguments: tuple, frame: Frame) -> Any:
    condition, *rest = arguments
    tensors = [value for value in rest if isinstance(value, Tensor)]
    if len(tensors) == 2 and tensors[0].dtype is not tensors[1].dtype:
        changed = _promoted(list(rest), tuple(rest))
        if any(new is not old for new, old in zip(changed, rest, strict=True)):
            return op(condition, *changed)
    return _aligned(op, arguments, frame)


# ---- reductions


def _named(op: Any, arguments: tuple) -> dict[str, Any]:
    return dict(zip(op.arguments, arguments, strict=True))


def _reduction(op: Any, arguments: tuple, frame: Frame) -> Any:
    """Reductions over any number of dimensions."""
    named = _named(op, arguments)
    input, keepdim = named["input"], named.get("keepdim", False)
    inner = lifted(input, frame)
    if not input.ndim:
        axes(named["dim"], 0)
        named["dim"], named["keepdim"], inner = (1,), False, unsqueeze(inner, 1)
    else:
        dims = axes(named["dim"], input.ndim)
        named["dim"] = dims if keepdim or len(dims) > 1 or op.__name__ in _TUPLES else dims[0]
    named["input"] = inner
    return wrapped(call_all(op, [*named.values()]), frame)


_TUPLES = ("_var", "_std", "_var_mean", "_std_mean", "logsumexp", "vector_norm", "amax", "amin")

for _name in ("sum", "mean", "amax", "amin", "any", "all", "logsumexp", "vector_norm", "_var",
              "_std", "_var_mean", "_std_mean"):  # fmt: skip
    RULES[_name] = _reduction


@rule("prod", "argmax", "argmin", "aminmax")
def _flat_reduction(op: Any, arguments: tuple, frame: Frame) -> Any:
    """Reductions over one dimension, or over all elements in one row."""
    named = _named(op, arguments)
    input, dim = named["input"], named["dim"]
    if dim is not None:
        return along_dim(op, arguments, frame)
    inner = lifted(input, frame).reshape(frame.size, -1)
    keep = named["keepdim"]
    named.update(input=inner, dim=1, keepdim=False)
    result = call_all(op, [*named.values()])
    if keep:
        shape = (frame.size,) + (1,) * input.ndim
        reshaped = [r.reshape(shape) for r in (result if isinstance(result, tuple) else (result,))]
        result = type(result)(reshaped) if isinstance(result, tuple) else reshaped[0]
    return wrapped(result, frame)


@rule("_max_all", "_min_all", "_median_all", "_nanmedian_all")
def _all_elements(op: Any, arguments: tuple, frame: Frame) -> Any:
    inner = lifted(arguments[0], frame).reshape(frame.size, -1)
    name = op.__name__
    if name == "_max_all":
        return item_of(OPS["amax"](inner, (1,), False), frame.level)
    if name == "_min_all":
        return item_of(OPS["amin"](inner, (1,), False), frame.level)
    return item_of(OPS[name.replace("_all", "_dim")](inner, 1, False)[0], frame.level)


# ---- along dimensions

# Of which arguments are tensors that all have the shape of the input, or its rank.
_TENSORS = {"input", "grad", "grad_output", "output", "index", "src", "result", "source"}
_DIMS = ("dim", "dims", "dim0", "dim1", "dim2", "dimension", "axis")


def along_dim(op: Any, arguments: tuple, frame: Frame) -> Any:
    """Ops whose dimensions shift by one, and whose tensors have the same rank."""
    names = op.arguments
    rank = arguments[0].ndim
    values = []
    for name, value in zip(names, arguments, strict=True):
        if isinstance(value, Tensor) and name in _TENSORS:
            value = lifted(value, frame)
            if not rank:
                value = unsqueeze(value, 1)
        elif name in _DIMS:
            value = axis(value, rank) if isinstance(value, int) else axes(value, rank)
        values.append(value)
    result = call_all(op, values)
    if not rank:  # an item without dimensions was given one

        def without(value: Any) -> Any:
            return value.squeeze(1) if isinstance(value, Tensor) and value.ndim == 2 else value

        if isinstance(result, Tensor):
            result = without(result)
        else:
            result = type(result)([without(part) for part in result])
    return wrapped(result, frame)


for _name in (
    "softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "cumsum", "cumprod",
    "_sums_from_end", "cummax", "cummin", "logcumsumexp", "sort", "topk", "kthvalue", "mode",
    "_median_dim", "_nanmedian_dim", "_max_dim", "_min_dim", "transpose", "_t", "diagonal", "flip",
    "gather", "_scatter", "_scatter_value", "_scatter_add", "_scatter_reduce", "unfold",
    "diagonal_scatter", "glu",
):  # fmt: skip
    RULES[_name] = along_dim
