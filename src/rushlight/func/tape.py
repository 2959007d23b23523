"""What the transforms ask of the tape: fresh inputs, backward passes, and results set free again.

Between two calls of vmap there is one tape for all transforms. A transform marks its inputs with
fresh tensors and captures gradients at exactly these, so that an outer transform, or a tensor that
requires grad outside, is never confused with it. What it returns keeps its history only if that
leads further out than its own inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.func.batched import Batched, batch, is_item, item_of
from rushlight.func.tree import tree_map
from rushlight.ops.create import zeros
from rushlight.ops.index import alias
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


class recording:
    """A tape on, whatever no_grad says around us; those below it as it says.

    It is the tape of the innermost vmap unless a level is given.
    """

    def __init__(self, level: int | None = None) -> None:
        self.level = level

    def __enter__(self) -> recording:
        grad, muted = self._before = _core.tape_state()
        bit = 1 << (_core.vmap_levels() if self.level is None else self.level)
        if not grad:
            muted |= bit - 1
        _core.set_tape_state(True, muted & ~bit)
        return self

    def __exit__(self, *exc: object) -> None:
        _core.set_tape_state(*self._before)


def is_recording(level: int | None = None) -> bool:
    """Whether the tape of a level records; by default that of the innermost vmap."""
    grad, muted = _core.tape_state()
    return grad and not muted >> (_core.vmap_levels() if level is None else level) & 1


def tracked(value: Tensor, outer: bool) -> Tensor:
    """The same values as a fresh tensor that requires grad, connected to `value` if `outer`."""
    level = _core.vmap_levels()
    if level and not is_item(value, level):
        fresh = item_of(value, level, False)
    elif value.requires_grad and outer:
        return alias(value)
    else:
        fresh = value._detach_item() if level else value.detach()
    fresh.requires_grad = True
    return fresh


def settle(fresh: Sequence[Tensor], done: bool = True) -> None:
    """Says that the function of a transform has run: nobody outside asks about its inputs."""
    for tensor in fresh:
        if tensor.is_leaf:
            tensor._settled = done


def reaches_out(roots: Sequence[Any], level: int | None = None) -> bool:
    """Whether the history of `roots` leads to an input of a transform around, or to a leaf."""
    known = tuple([root for root in roots if root is not None and _has_history(root, level)])
    return bool(known) and _core.reaches_open_leaf(known)


def _has_history(value: Tensor, level: int | None = None) -> bool:
    """Whether it requires grad on the tape of a level; by default that of the innermost vmap."""
    on = _core.vmap_levels() if level is None else level
    return value.requires_grad and value._level == on


def released(value: Any, outer: bool) -> Any:
    """A result as the caller of a transform gets it."""
    if not isinstance(value, Tensor) or not _has_history(value):
        return value
    if outer and reaches_out((value,)):
        return value
    return value._detach_item() if type(value) is Batched else value.detach()


def release(tree: Any, outer: bool) -> Any:
    """`released` for every tensor of a nest."""
    return tree_map(lambda value: released(value, outer), tree)


def backward(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor],
    inputs: Sequence[Tensor],
    *,
    keep: bool = False,
    create: bool = False,
) -> list[Tensor | None]:
    """The gradients of `inputs`, None for what no root depends on."""
    pairs = [(r, g) for r, g in zip(roots, gradients, strict=True) if r.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    found = _core.run_backward(
        tuple([r for r, _ in pairs]), tuple([g for _, g in pairs]), tuple(inputs),
        keep or create, create, False,
    )  # fmt: skip
    return list(found)


def backward_batch(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor],
    inputs: Sequence[Tensor],
    *,
    keep: bool = True,
    create: bool = False,
    chunk: int | None = None,
) -> list[Tensor | None]:
    """One backward for many gradients of the roots at once, which dimension 0 of each counts.

    The results have the same dimension in front; None for what no root depends on.
    """
    from rushlight.ops.join import cat

    size = gradients[0].shape[0]
    if chunk is not None and 0 < chunk < size:
        parts = []
        for start in range(0, size, chunk):
            some = [g.narrow(0, start, min(chunk, size - start)) for g in gradients]
            parts.append(backward_batch(roots, some, inputs, keep=True, create=create))
        return [
            None if pieces[0] is None else cat(pieces, 0) for pieces in zip(*parts, strict=True)
        ]
    if size == 1:
        found = backward(roots, [g.squeeze(0) for g in gradients], inputs, keep=keep, create=create)
        return [None if g is None else g.unsqueeze(0) for g in found]
    with batch(size, "same") as frame:
        items = [item_of(g, frame.level) for g in gradients]
        results = backward(roots, items, inputs, keep=keep, create=create)
        found = []
        for result in results:
            if result is None:
                found.append(None)
            elif is_item(result, frame.level):
                inner = result._inner
                found.append(
                    inner if result._batched else inner.unsqueeze(0).expand(size, *inner.shape)
                )
            else:
                found.append(result.unsqueeze(0).expand(size, *result.shape))
    return found


def zeros_of(value: Tensor) -> Tensor:
    """Zeros in the shape and dtype of `value`, the same for all items of a batch."""
    return zeros(value.shape, dtype=value.dtype)


class Pullback:
    """A function evaluated once: cotangents of its outputs can be pulled back, tangents pushed on.

    Pushing on needs no rule of its own: pulling back is linear in the cotangent u, so its own
    derivative by u takes tangents of the inputs to tangents of the outputs (J. Townsend, "A new
    trick for calculating Jacobian vector products", 2017).
    """

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], outer: bool) -> None:
        self.inputs, self.outputs, self.outer = inputs, outputs, outer
        self.level = _core.vmap_levels()
        self._transposed: tuple[list[Tensor], list[Tensor | None]] | None = None

    def pull(
        self, cotangents: Sequence[Tensor], *, keep: bool = True, batched: bool = False,
        chunk: int | None = None, roots: Sequence[Tensor] | None = None,
    ) -> list[Tensor | None]:  # fmt: skip
        """The gradients of the inputs."""
        outputs = self.outputs if roots is None else roots
        level = self.level
        create = is_recording(level) and (
            reaches_out(outputs, level)
            or any(_has_history(c, level) for c in cotangents)
        )
        if batched:
            found = backward_batch(
                outputs, cotangents, self.inputs, keep=keep, create=create, chunk=chunk
            )
        else:
            found = backward(outputs, cotangents, self.inputs, keep=keep, create=create)
        return [released(g, create) for g in found]

    def transpose(self) -> tuple[list[Tensor], list[Tensor | None]]:
        """(u, what u is pulled back to): recorded, and linear in u."""
        if self._transposed is None:
            level = self.level
            dummies = []
            for output in self.outputs:
                dummy = zeros_of(output)
                if level:
                    dummy = item_of(dummy, level, False)
                if dummy.dtype.is_floating_point or dummy.dtype.is_complex:
                    dummy.requires_grad = True
                    dummy._settled = True
                dummies.append(dummy)
            from rushlight.autograd.function import transposing

            with recording(level=level), transposing():
                pulled = backward(self.outputs, dummies, self.inputs, create=True)
            self._transposed = dummies, pulled
        return self._transposed

    def push(
        self, tangents: Sequence[Tensor | None], *, keep: bool = True, batched: bool = False,
        chunk: int | None = None,
    ) -> list[Tensor | None]:  # fmt: skip
        """The tangents of the outputs; None where they do not depend on the inputs."""
        dummies, pulled = self.transpose()
        pairs = [
            (g, t)
            for g, t in zip(pulled, tangents, strict=True)
            if g is not None and t is not None and _has_history(g, self.level)
        ]
        wanted = [dummy for dummy in dummies if dummy.requires_grad]
        if not pairs:
            return [None] * len(dummies)
        roots, given = [g for g, _ in pairs], [t for _, t in pairs]
        create = is_recording(self.level) and (
            reaches_out(roots, self.level) or any(_has_history(t, self.level) for t in given)
        )
        if batched:
            found = backward_batch(roots, given, wanted, keep=keep, create=create, chunk=chunk)
        else:
            found = backward(roots, given, wanted, keep=keep, create=create)
        results = iter([released(t, create) for t in found])
        return [next(results) if dummy.requires_grad else None for dummy in dummies]
