"""What random ops do under vmap: each item its own draw, one draw for all, or an error."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS, call_all
from rushlight.func.batched import ACTIVE, is_batched, item_of, lifted, lower, wrapped
from rushlight.func.calls import WRITING_RULES
from rushlight.func.rules import rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.func.batched import Frame
    from rushlight.tensor import Tensor


def _check(frame: Frame, name: str) -> None:
    if frame.randomness == "error":
        raise RuntimeError(
            f"vmap: called random operation while in randomness error mode ({name}). Please either "
            "use the 'same' or 'different' randomness flags on vmap or perform the randomness "
            "operation out of vmap"
        )


def memory(size: Sequence[int], dtype: Any) -> Tensor:
    """Memory of that size to draw into; with as many batches as there are levels that differ."""
    lengths = [frame.size for frame in ACTIVE.frames if frame.randomness == "different"]
    made = _core.empty((*lengths, *size), dtype)
    for frame in ACTIVE.frames:
        if frame.randomness == "error":
            _check(frame, "a draw")
        made = item_of(made, frame.level, frame.randomness == "different")
    return made


def permutations(n: int, dtype: Any, generator: Any) -> Tensor:
    """A permutation of n numbers, for each item its own if draws are to differ."""
    lengths = [frame.size for frame in ACTIVE.frames if frame.randomness == "different"]
    for frame in ACTIVE.frames:
        _check(frame, "randperm")
    refused = _core.refuse_draws(False)
    try:
        drawn = [_core.randperm(n, dtype, generator) for _ in range(prod(lengths))]
    finally:
        _core.refuse_draws(refused)
    made = _core.stack(drawn, 0).view((*lengths, n))
    for frame in ACTIVE.frames:
        made = item_of(made, frame.level, frame.randomness == "different")
    return made


def _fill(op: Any, arguments: tuple, frame: Frame) -> None:
    """Draws that are written to their first argument."""
    name = op.__name__
    _check(frame, name)
    target, *rest = arguments
    same = frame.randomness == "same"
    inner = target._inner
    if same and target._batched:
        inner = inner.new_empty(target.shape)
    elif not same and not target._batched:
        raise RuntimeError(
            f"vmap: Cannot ask for different inplace randomness on an unbatched tensor ({name}). "
            "This will appear like same randomness. If this is necessary for your usage, please "
            "file an issue with functorch."
        )
    if any(is_batched(value, frame) for value in rest):
        raise RuntimeError(
            f"vmap: {name} with parameters that differ between items has no form in place; draw "
            "with torch.normal or torch.bernoulli"
        )
    draws = [lower(value, frame) for value in rest]
    refused = _core.refuse_draws(False)
    try:
        call_all(OPS[op.__name__], [inner, *draws])
    finally:
        _core.refuse_draws(refused)
    if inner is not target._inner:
        target._inner.copy_(inner.unsqueeze(0).expand(frame.size, *inner.shape))


for _name in ("uniform_", "normal_", "exponential_", "cauchy_", "log_normal_", "geometric_",
              "bernoulli_", "random_"):  # fmt: skip
    WRITING_RULES[_name.rstrip("_")] = _fill


@rule("_normal", "_bernoulli", "_bernoulli_number", "poisson", "binomial", "_standard_gamma",
      "_sample_dirichlet")  # fmt: skip
def _sample(op: Any, arguments: tuple, frame: Frame) -> Any:
    """Samples whose parameters are tensors: they differ between items, so the samples do."""
    from rushlight.tensor import Tensor

    values = [
        lifted(value, frame) if isinstance(value, Tensor) else value for value in arguments
    ]
    return wrapped(_drawn(op, values, frame), frame)


@rule("_multinomial")
def _multinomial(op: Any, arguments: tuple, frame: Frame) -> Any:
    """Rows of weights that differ between items: all are drawn from as rows of one matrix."""
    weights, *rest = arguments
    rows = lifted(weights, frame)
    if rows.ndim > 3:  # told as for one item
        rows = rows.select(0, 0)
        return _drawn(op, [rows, *rest], frame)
    drawn = _drawn(op, [rows.reshape(-1, rows.shape[-1]), *rest], frame)
    return wrapped(drawn.view(*rows.shape[:-1], -1), frame)


def _drawn(op: Any, values: list[Any], frame: Frame) -> Any:
    _check(frame, op.__name__.lstrip("_"))
    if frame.randomness == "same":
        raise RuntimeError(
            f"vmap: {op.__name__.lstrip('_')} with parameters that differ between items cannot be "
            "the same for all; use randomness='different'"
        )
    refused = _core.refuse_draws(False)
    try:
        return op(*values)
    finally:
        _core.refuse_draws(refused)
