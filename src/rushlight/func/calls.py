"""Calls of ops on items of a batch: the table of rules, and what happens without one.

They come here from csrc/tape/batched.cpp, which records them on the tape of the items' level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import OPS, call_all
from rushlight.func.batched import (
    ACTIVE,
    Batched,
    Frame,
    aligned,
    is_batched,
    is_item,
    item_of,
    lifted,
    lower,
    wrapped,
)
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The batching rules: rule(op, arguments, frame) -> result. Filled by the files of rules.
RULES: dict[str, Callable[[Any, tuple, Frame], Any]] = {}
# Names of ops that work element by element on tensors that broadcast.
POINTWISE: set[str] = set()
# Rules of ops that write to their first argument and exist in no other form.
WRITING_RULES: dict[str, Callable[[Any, tuple, Frame], None]] = {}


def _anything_batched(arguments: Any, level: int) -> bool:
    for value in arguments:
        if type(value) is Batched:
            if value._level == level and value._batched:
                return True
        elif type(value) in (tuple, list) and _anything_batched(value, level):
            return True
    return False


def lowered(arguments: Any, frame: Frame) -> Any:
    """The arguments with what stands behind items."""
    return type(arguments)(
        [
            lowered(value, frame)
            if type(value) in (tuple, list)
            else value._inner
            if type(value) is Batched and value._level == frame.level
            else value
            for value in arguments
        ]
    )


def call_batched(op: Any, arguments: tuple, level: int) -> Any:
    """An op with items among its arguments; `level` is the highest of theirs."""
    frame = ACTIVE.frames[level - 1]
    if op.is_inplace:
        return _write(op, arguments, frame)
    if op.form_of is not None:
        op = op.form_of
    if not _anything_batched(arguments, level):
        return wrapped(call_all(op, lowered(arguments, frame)), frame, False)
    rule = RULES.get(op.__name__)
    return each(op, arguments, frame) if rule is None else rule(op, arguments, frame)


def _any_requires_grad(arguments: Any, level: int) -> bool:
    """Whether the ops on what stands behind the arguments are recorded."""
    return any(
        _any_requires_grad(value, level)
        if type(value) in (tuple, list)
        else isinstance(value, Tensor)
        and (value._inner if value._level == level else value).requires_grad
        for value in arguments
    )


def _write(op: Any, arguments: tuple, frame: Frame) -> Tensor:
    """The form of an op that writes to its first argument."""
    if not hasattr(op, "__name__"):  # the form behind +=, which takes its operands alone
        op = op.form_of
    named = op
    while not hasattr(named, "__name__"):
        named = named.form_of
    name, target = named.__name__.rstrip("_"), arguments[0]
    if not is_item(target, frame.level) and not _anything_batched(arguments, frame.level):
        call_all(op, lowered(arguments, frame))
        return target
    if not is_item(target, frame.level) or not (
        target._batched or not _anything_batched(arguments, frame.level)
    ):
        raise RuntimeError(
            f"vmap: {name}_: inplace arithmetic is not possible because the written-to "
            "tensor is the same for all items, but what is written differs between them. Use the "
            "out-of-place form, or make the tensor from one that is batched, as x.new_zeros(...) "
            "or torch.zeros_like(x) do"
        )
    rule = WRITING_RULES.get(name)
    if rule is not None:
        rule(named, arguments, frame)
        return target
    if name not in OPS or OPS[name].is_inplace:
        raise NotImplementedError(f"vmap: {name} has no form for items of a batch")
    if name in POINTWISE:
        call_all(op, aligned(arguments, frame))
        return target
    state = _core.tape_state()
    _core.set_tape_state(state[0], state[1] | 1 << frame.level)
    if name not in ("copy", "fill") and _any_requires_grad(arguments, frame.level):
        # What the ops below save must be what the tensor was before.
        arguments = (item_of(target._inner.clone(), frame.level, target._batched), *arguments[1:])
    try:
        result = call_all(OPS[name], arguments)
    finally:
        _core.set_tape_state(*state)
    if result.shape != target.shape:
        raise RuntimeError(
            f"{name}_: output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(result.shape)}"
        )
    made = lifted(result, frame) if target._batched else lower(result, frame)
    target._inner.copy_(made)
    return target


# ---- without a rule: one item after the other

_WARNED: set[str] = set()


def _pick(value: Any, at: int, parts: dict[int, Any], level: int) -> Any:
    if type(value) is Batched and value._level == level:
        return parts[id(value)][at] if value._batched else value._inner
    if type(value) in (tuple, list):
        return type(value)([_pick(item, at, parts, level) for item in value])
    return value


def _split_all(values: Any, parts: dict[int, Any], level: int) -> None:
    for value in values:
        if type(value) is Batched:
            if value._level == level and value._batched and id(value) not in parts:
                parts[id(value)] = value._inner.unbind(0)
        elif type(value) in (tuple, list):
            _split_all(value, parts, level)


def _stack(results: list[Any], frame: Frame) -> Any:
    first = results[0]
    if isinstance(first, Tensor):
        if any(r.shape != first.shape for r in results):
            raise RuntimeError(
                "vmap: the shape of the result differs between the items of the batch"
            )
        return item_of(OPS["stack"](results, 0), frame.level)
    if isinstance(first, (tuple, list)):
        items = [_stack([r[i] for r in results], frame) for i in range(len(first))]
        return items if type(first) is list else type(first)(items)
    return first


def each(function: Any, arguments: tuple, frame: Frame) -> Any:
    """The function called for each item of the batch, and the results stacked."""
    name = getattr(function, "__name__", "")
    if name not in _WARNED:
        import warnings

        _WARNED.add(name)
        warnings.warn(
            f"There is a performance drop because {name} has no batching rule yet: vmap calls it "
            "once for each item of the batch.",
            stacklevel=4,
        )
    if frame.size == 0:
        raise NotImplementedError(f"vmap: {name} has no batching rule, and the batch is empty")
    parts: dict[int, Any] = {}
    _split_all(arguments, parts, frame.level)
    return _stack(
        [
            call_all(function, [_pick(value, i, parts, frame.level) for value in arguments])
            for i in range(frame.size)
        ],
        frame,
    )


def _items_in(values: Any) -> Iterator[Any]:
    for value in values:
        if type(value) is Batched:
            yield value
        elif type(value) in (tuple, list):
            yield from _items_in(value)


def call_each(formula: Any, arguments: tuple) -> Any:
    """A derivative formula that calls kernels itself, which know nothing of batches."""
    items = list(_items_in(arguments))
    level = max(item._level for item in items if item._batched) if any(
        item._batched for item in items
    ) else max(item._level for item in items)
    frame = ACTIVE.frames[level - 1]

    def again(*values: Any) -> Any:
        """The formula on items of the levels below, which it may have to see one by one too."""
        try:
            return formula(*values)
        except (TypeError, RuntimeError):
            if not any(True for _ in _items_in(values)):
                raise
            return call_each(formula, values)

    again.__name__ = formula.__name__
    recording, muted = _core.tape_state()
    if (
        recording
        and not muted >> level & 1
        and any(item._level == level and item.requires_grad for item in items)
    ):
        return _each_recorded(formula, arguments, frame)
    return each(again, arguments, frame)


def _at_level(function: Any, grad: Tensor, frame: Frame) -> list[Tensor]:
    """The function on what a gradient is for the frame's level, whatever levels are above it."""
    if grad._level <= frame.level:
        return function(grad)
    below = _at_level(function, grad._inner, frame)
    return [item_of(inner, grad._level, grad._batched) for inner in below]


def _with_history(made: Any, name: str, source: Tensor, frame: Frame, backward: Any) -> Tensor:
    recording, muted = _core.tape_state()
    on = recording and not muted >> frame.level & 1
    if on and is_item(source, frame.level) and source.requires_grad:
        made._grad_fn = (_core.Node(backward, name, (source,), (made,)), 0)
    return made


def _single(value: Tensor, at: int, frame: Frame) -> Tensor:
    """One item of the batch as one that all share, with its history on the tape of the level."""
    inner = lower(value, frame)
    inner = inner.select(0, at) if is_batched(value, frame) else OPS["alias"](inner)

    def backward(grad: Tensor) -> Tensor:
        return _at_level(lambda own: [_placed(own, at, frame)], grad, frame)[0]

    made = item_of(inner, frame.level, False)
    return _with_history(made, "SelectItem", value, frame, backward)


def _placed(value: Tensor, at: int, frame: Frame) -> Tensor:
    """Zeros for all items of the batch but one; the adjoint of `_single`."""
    inner = lower(value, frame)
    inner = inner.select(0, at) if is_batched(value, frame) else inner
    zeros = _core.full((frame.size, *inner.shape), 0, inner.dtype)

    def backward(grad: Tensor) -> Tensor:
        return _at_level(lambda own: [_single(own, at, frame)], grad, frame)[0]

    made = item_of(OPS["select_scatter"](zeros, inner, 0, at), frame.level)
    return _with_history(made, "PlaceItem", value, frame, backward)


def _together(results: list[Any], frame: Frame) -> Any:
    """Items that all share, one from each call, as the items of one batch; with their history."""
    first = results[0]
    if isinstance(first, (tuple, list)):
        return tuple(_together([r[i] for r in results], frame) for i in range(len(first)))
    if not isinstance(first, Tensor):
        return first
    # Rows of results may differ between items again, where gradients did.
    rows = [
        lower(r, frame).select(0, at) if is_batched(r, frame) else lower(r, frame)
        for at, r in enumerate(results)
    ]
    made: Any = item_of(OPS["stack"](rows, 0), frame.level)
    if any(is_item(r, frame.level) and r.requires_grad for r in results):
        batched = [is_batched(r, frame) for r in results]

        def parts(grad: Tensor) -> list[Tensor]:
            singles = [_single(grad, at, frame) for at in range(frame.size)]
            return [
                _placed(one, at, frame) if batched[at] else one for at, one in enumerate(singles)
            ]

        def backward(grad: Tensor) -> tuple:
            return tuple(_at_level(parts, grad, frame))

        made._grad_fn = (_core.Node(backward, "StackItems", tuple(results), (made,)), 0)
    return made


def _each_recorded(formula: Any, arguments: tuple, frame: Frame) -> Any:
    """`each` for a formula that is differentiated again inside of the vmap."""
    level = frame.level

    def pick(value: Any, at: int) -> Any:
        # The gradient of what items share differs between them: each has its place too.
        if is_item(value, level) and (value._batched or value.requires_grad):
            return _single(value, at, frame)
        if type(value) in (tuple, list):
            return type(value)([pick(part, at) for part in value])
        return value

    if not _anything_batched(arguments, level):
        raise NotImplementedError(
            f"vmap: the derivative formula in {formula.__code__.co_filename}:"
            f"{formula.__code__.co_firstlineno} cannot be differentiated again inside vmap; take "
            "the higher derivative outside of it"
        )
    return _together(
        [formula(*[pick(value, at) for value in arguments]) for at in range(frame.size)], frame
    )


# ---- views that were written to


def _positions(base: Tensor, view: Tensor) -> Tensor:
    """Which elements of the base, counted along its rows, lie under the view."""
    from rushlight.ops.create import arange, empty_strided

    numbers = empty_strided(base.shape, base.stride(), dtype=_core.int64)
    numbers.copy_(arange(base.numel()).view(base.shape))
    return numbers.as_strided(view.shape, view.stride(), view.storage_offset()
                              - base.storage_offset())  # fmt: skip


def batched_view(base: Tensor, view: Tensor) -> Tensor:
    """The elements of the base under the view: for the history of a view whose base was written."""
    return base.reshape(-1)[_positions(base, view)]


def _copy_slices(plain: Any) -> Any:
    def copy_slices(node: Any, view: Any) -> Any:
        if not view._level:
            return plain(node, view)
        base = view._base
        shape, places = tuple(base.shape), _positions(base, view)

        def backward(gradient: Any) -> tuple:
            if gradient is None:
                return (None,) * len(node.next_functions)
            flat = gradient.reshape(-1)
            results = node(flat[places])
            under = results[0] if results[0] is not None else flat.new_zeros(places.shape)
            return (flat.index_put((places,), under).reshape(shape), *results[1:])

        return _core.Node(backward, "CopySlices", (), ())

    return copy_slices


def _install() -> None:
    from rushlight.autograd.graph import _copy_slices as plain

    _core.set_callbacks(
        call_batched=call_batched,
        call_each=call_each,
        batched_view=batched_view,
        copy_slices=_copy_slices(plain),
    )


_install()
