"""The parts of gradcheck about forward mode and about batches of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.autograd import forward_ad
from rushlight.autograd.gradcheck import (
    GradcheckError,
    _agree,
    _basis,
    _Function,
    _is_inexact,
    _mismatch,
    _numerical_jacobian,
    _pair,
)

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


def _push(function: _Function, index: int, tangent: Tensor) -> list[Tensor]:
    """The tangent of every inexact output for one tangent of one input."""
    with forward_ad.dual_level():
        inputs = list(function.inputs)
        inputs[index] = forward_ad.make_dual(inputs[index].detach(), tangent)
        found = []
        for output in _Function(function.call, tuple(inputs), function.part).outputs():
            if not _is_inexact(output):
                continue
            value, moved = forward_ad.unpack_dual(output)
            if moved is None:
                moved = rushlight.zeros_like(value)
            if moved.shape != value.shape:
                raise GradcheckError(
                    f"the tangent of an output has shape {tuple(moved.shape)} instead of "
                    f"{tuple(value.shape)}"
                )
            found.append(moved.detach())
    return found


def check_forward(function: _Function, eps: float, atol: float, rtol: float) -> None:
    """All elements of all Jacobians, by forward mode."""
    inexact = [i for i, output in enumerate(function.outputs()) if _is_inexact(output)]
    for index in function.checked:
        source = function.inputs[index]
        expected = _numerical_jacobian(function, index, eps)
        rows: list[list[Tensor]] = [[] for _ in inexact]
        for direction in _basis(source):
            pushed = _push(function, index, direction)
            if source.is_complex():
                upward = _push(function, index, direction * 1j)
                pushed = [along + 1j * up for along, up in zip(pushed, upward, strict=True)]
            for row, moved in zip(rows, pushed, strict=True):
                row.append(moved.reshape(-1))
        for at, row in zip(inexact, rows, strict=True):
            if row and not _agree(rushlight.stack(row), expected[at], rtol, atol):
                raise GradcheckError(
                    "forward mode: "
                    + _mismatch(function, at, index, expected[at], rushlight.stack(row))
                )


def _draws(like: Tensor) -> Tensor:
    """Two random tensors of that shape, one after the other."""
    generator = rushlight.Generator()  # the caller's random stream stays where it is
    drawn = rushlight.rand(2, *like.shape, dtype=rushlight.float64, generator=generator)
    return drawn.to(like.dtype)


def _compare(batched: Any, single: list[Any], what: str) -> None:
    for place, one in enumerate(single):
        found = None if batched is None else batched[place]
        if (found is None) != (one is None):
            raise GradcheckError(f"{what}: a batch of gradients has one that a single lacks")
        if one is not None and not rushlight.allclose(found, one, 1e-5, 1e-8):
            raise GradcheckError(
                f"{what}: gradients computed as one batch differ from those computed one by one.\n"
                f"batch:{found}\nsingle:{one}\n"
            )


def check_batched(function: _Function) -> None:
    """A batch of two gradients at once is what the two are alone."""
    inputs = function.checked_inputs()
    for at, output in function.differentiable():
        both = _draws(output)
        options = {"retain_graph": True, "allow_unused": True}
        batched = rushlight.autograd.grad(
            output, inputs, both, is_grads_batched=True, **options  # type: ignore[arg-type]
        )
        single = [
            rushlight.autograd.grad(output, inputs, one, **options)  # type: ignore[arg-type]
            for one in both.unbind(0)
        ]
        for number, index in enumerate(function.checked):
            _compare(batched[number], [found[number] for found in single], _pair(at, index))


def check_batched_forward(function: _Function) -> None:
    """A batch of two tangents at once is what the two are alone."""
    from rushlight.func.vmap import vmap

    for index in function.checked:
        both = _draws(function.inputs[index])

        def push(tangent: Tensor, index: int = index) -> tuple[Tensor, ...]:
            return tuple(_push(function, index, tangent))

        batched = vmap(push)(both)
        single = [push(one) for one in both.unbind(0)]
        for number, found in enumerate(batched):
            _compare(found, [one[number] for one in single], f"tangents of input {index}")
