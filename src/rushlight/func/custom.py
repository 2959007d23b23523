"""autograd.Function under vmap: by its own rule for a batch, or by one made from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight import _core
from rushlight.autograd.function import Function, FunctionCtx
from rushlight.func.batched import ACTIVE, Frame, batch, below, is_batched, is_item, item_of, lower
from rushlight.func.tape import is_recording
from rushlight.func.tree import broadcast_prefix, tree_flatten, tree_map, tree_unflatten
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told: the size of the batch, and the randomness of the vmap."""

    batch_size: int
    randomness: str


def apply_in_levels(cls: type[Function], args: tuple, kwargs: dict) -> Any:
    """`cls.apply` while vmap is active."""
    level = max((leaf._level for leaf in tree_flatten(args)[0] if isinstance(leaf, Tensor)),
                default=0)  # fmt: skip
    if level == 0:
        grad, muted = _core.tape_state()
        _core.set_tape_state(grad and not muted & 1, muted)
        try:
            return cls._apply(args, kwargs)
        finally:
            _core.set_tape_state(grad, muted)
    frame = ACTIVE.frames[level - 1]
    name = cls.__name__
    if cls.setup_context is Function.setup_context:
        raise RuntimeError(
            f"{name}: in order to use an autograd.Function with transforms (vmap, grad, jvp, "
            "jacrev, ...), it must override the setup_context staticmethod"
        )
    own = cls.vmap is not Function.vmap
    if own and cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an "
            "overridden vmap staticmethod. Please set generate_vmap_rule=False or delete the "
            "overridden vmap staticmethod"
        )
    if not own and not cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override "
            "and implement the vmap staticmethod or set generate_vmap_rule=True."
        )
    result = _by_rule(cls, args, frame) if own else _generated(cls, args, frame)
    ctx = FunctionCtx()
    ctx.needs_input_grad = tuple(is_item(a, level) and a.requires_grad for a in args)
    state = _core.tape_state()
    _core.set_tape_state(state[0], state[1] | 1 << level)
    try:
        cls.setup_context(ctx, args, result)
    finally:
        _core.set_tape_state(*state)
    if is_recording(level) and any(ctx.needs_input_grad):
        constant = tuple(a if is_item(a, level) else None for a in args)
        return cls._record(ctx, tuple(
            a if c is not None or not isinstance(a, Tensor) else a.detach()
            for a, c in zip(args, constant, strict=True)
        ), result)  # fmt: skip
    return result


def _by_rule(cls: Any, args: tuple, frame: Frame) -> Any:
    in_dims = tree_map(lambda leaf: 0 if is_batched(leaf, frame) else None, args)
    inner = tree_map(lambda leaf: lower(leaf, frame), args)
    with below(frame):
        returned = cls.vmap(VmapInfo(frame.size, frame.randomness), in_dims, *inner)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise RuntimeError(
            f"Expected the {cls.__name__}.vmap staticmethod to have two returns: an output, and "
            f"out_dims with pytree structure compatible with the output. Got {type(returned)}"
        )
    outputs, shape = tree_flatten(returned[0])
    dims = broadcast_prefix(returned[1], shape)
    if dims is None:
        raise RuntimeError(
            f"{cls.__name__}.vmap returned incompatible out_dims: {returned[1]} does not match the "
            f"structure of the output, {shape}"
        )
    return tree_unflatten(
        [
            output
            if not isinstance(output, Tensor)
            else item_of(output, frame.level, False)
            if dim is None
            else item_of(output if dim == 0 else output.movedim(dim, 0), frame.level)
            for output, dim in zip(outputs, dims, strict=True)
        ],
        shape,
    )


# ---- a rule made from the parts


class _ItemCtx(FunctionCtx):
    """The ctx of a call on items: what it keeps is given to it again for backward."""

    kept: tuple = ()

    @property
    def saved_tensors(self) -> tuple:
        return self.kept


def _items(values: Sequence[Any], batched: Sequence[bool], frame: Frame) -> list[Any]:
    return [
        item_of(value, frame.level, many) if isinstance(value, Tensor) else value
        for value, many in zip(values, batched, strict=True)
    ]


def _full(value: Any, frame: Frame, batched: bool) -> Any:
    """What a gradient of an item is for the inner tensor: of one for all items, the sum."""
    if value is None:
        return None
    many = is_batched(value, frame)
    inner = lower(value, frame)
    if batched:
        return inner if many else inner.unsqueeze(0).expand(frame.size, *inner.shape)
    return inner.sum(0) if many else inner * frame.size


def _generated(cls: Any, args: tuple, frame: Frame) -> Any:
    size, randomness = frame.size, frame.randomness
    in_batch = [is_batched(value, frame) for value in args]
    out_batch: list[bool] = []
    single = False

    class Whole(Function):
        """The Function for all items at once."""

        @staticmethod
        def forward(*inner: Any) -> Any:
            nonlocal single
            with batch(size, randomness) as own:
                result = cls.forward(*_items(inner, in_batch, own))
                single = not isinstance(result, (tuple, list))
                results = (result,) if single else tuple(result)
                out_batch[:] = [is_batched(value, own) for value in results]
                found = tuple(lower(value, own) for value in results)
            return found[0] if single else found

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
            outputs = (output,) if single else output
            with batch(size, randomness) as own:
                ctx.items = items = _ItemCtx()
                items.needs_input_grad = ctx.needs_input_grad
                made = _items(outputs, out_batch, own)
                cls.setup_context(
                    items, tuple(_items(inputs, in_batch, own)), made[0] if single else tuple(made)
                )
                saved = getattr(items, "_to_save", ())
                items._to_save = ()
                ctx.kept_batch = [is_batched(value, own) for value in saved]
                ctx.save_for_backward(*[lower(value, own) for value in saved])
                ctx.mark_non_differentiable(*[
                    whole
                    for whole, one in zip(outputs, made, strict=True)
                    if any(one is flat for flat in items._non_differentiable)
                ])  # fmt: skip
                ctx.set_materialize_grads(items.materialize_grads)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            with batch(size, randomness) as own:
                ctx.items.kept = tuple(_items(ctx.saved_tensors, ctx.kept_batch, own))
                found = cls.backward(ctx.items, *_items(gradients, out_batch, own))
                found = found if isinstance(found, tuple) else (found,)
                return tuple(
                    _full(value, own, many)
                    for value, many in zip(found, in_batch, strict=True)
                )

        if cls.jvp is not Function.jvp:

            @staticmethod
            def jvp(ctx: Any, *tangents: Any) -> Any:
                with batch(size, randomness) as own:
                    ctx.items.kept = tuple(_items(ctx.saved_tensors, ctx.kept_batch, own))
                    pushed = cls.jvp(ctx.items, *_items(tangents, in_batch, own))
                    pushed = pushed if isinstance(pushed, tuple) else (pushed,)
                    return tuple(
                        lower(value, own)
                        if value is None or is_batched(value, own) == many
                        else _full(value, own, True)
                        for value, many in zip(pushed, out_batch, strict=True)
                    )

    Whole.__name__ = cls.__name__
    inner = [lower(value, frame) for value in args]
    with below(frame):
        result = Whole.apply(*inner)
    items = _items((result,) if single else result, out_batch, frame)
    return items[0] if single else tuple(items)
