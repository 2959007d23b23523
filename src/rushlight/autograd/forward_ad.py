"""Forward mode: tensors that carry a tangent through a computation (dual tensors).

    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, tangent)
        value, derivative = forward_ad.unpack_dual(f(dual))

What is computed from a dual tensor is recorded; `unpack_dual` takes the tangents through the record
(see rushlight.func.tape.Pullback), so every op that has a gradient has a tangent. Recording is on
inside a level, whatever no_grad says around it; under a no_grad inside of it tangents are lost, and
a dual tensor says that it requires grad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rushlight._core import Node as Node
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.func.tape import recording


class UnpackedDualTensor(NamedTuple):
    """What :func:`unpack_dual` returns: (primal, tangent).

    The tangent is None where there is none.
    """

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """The dual tensors of one level, each with the leaf behind it."""

    def __init__(self, enabled: recording, outer: bool) -> None:
        self.enabled, self.outer = enabled, outer
        self.leaves: list[Tensor] = []
        self.tangents: list[Tensor] = []


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Starts a level and returns its number. Better: `with dual_level()`.

    Raises RuntimeError inside another level: they do not nest.
    """
    from rushlight.func.tape import is_recording, recording

    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    outer = is_recording()
    enabled = recording()
    enabled.__enter__()
    _levels.append(_Level(enabled, outer))
    return len(_levels) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """Ends the level: its tangents are gone.

    Raises RuntimeError for a level that is not the current one.
    """
    from rushlight.func.tape import settle

    settle(_checked(level, "exit_dual_level").leaves)
    _levels.pop().enabled.__exit__()


def _checked(level: int | None, caller: str) -> _Level:
    if not _levels:
        raise RuntimeError(
            "Trying to exit a forward AD level but no level is currently active"
            if caller == "exit_dual_level"
            else f"{caller}: no level exists: call it inside `with forward_ad.dual_level():`"
        )
    if level is not None and level != len(_levels) - 1:
        raise RuntimeError(
            f"{caller}: level {level} is not the active one, which is {len(_levels) - 1}"
        )
    return _levels[-1]


class dual_level:
    """Inside, tensors can carry tangents; at the end these are gone. Levels cannot be nested."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()

    def __call__(self, function: Any) -> Any:
        import functools

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with dual_level():
                return function(*args, **kwargs)

        return wrapper


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The values of `tensor` with `tangent`, of its shape, as the direction of change.

    A tangent of another dtype is converted to the tensor's.

    Raises:
        RuntimeError: no level is active, the shapes differ, or only the tangent is complex.
    """
    from rushlight.func.tape import tracked

    active = _checked(level, "make_dual")
    if not isinstance(tensor, Tensor) or not isinstance(tangent, Tensor):
        raise TypeError(
            f"make_dual: expected two tensors, got {type(tensor).__name__} and "
            f"{type(tangent).__name__}"
        )
    if not (tensor.dtype.is_floating_point or tensor.dtype.is_complex):
        raise ValueError(
            f"Expected primal to be floating point or complex, but got: {tensor.dtype}"
        )
    if not (tangent.dtype.is_floating_point or tangent.dtype.is_complex):
        raise ValueError(
            f"Expected tangent to be floating point or complex, but got: {tangent.dtype}"
        )
    if tensor.shape != tangent.shape or (
        tangent.dtype.is_complex and not tensor.dtype.is_complex
    ):
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} and "
            f"{tensor.dtype} while the given forward gradient is of size {list(tangent.shape)} "
            f"and {tangent.dtype}."
        )
    if tangent.dtype is not tensor.dtype:
        tangent = tangent.to(tensor.dtype)
    leaf = tracked(tensor, active.outer)
    active.leaves.append(leaf)
    active.tangents.append(tangent)
    # No leaf itself, so that it may be written to in place.
    dual = leaf._detach_item() if leaf._level else leaf.detach()
    dual._grad_fn = (Node(lambda grad: grad, "MakeDual", (leaf,), (dual,)), 0)
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(value, tangent) of a tensor; the tangent is None if it does not depend on a dual tensor."""
    from rushlight.func.tape import Pullback, released, settle

    if not _levels:
        return UnpackedDualTensor(tensor, None)
    active = _checked(level, "unpack_dual")
    own = active.leaves
    if not tensor.requires_grad or not own:
        return UnpackedDualTensor(tensor, None)
    settle(own)  # what is unpacked does not belong to the level
    try:
        (tangent,) = Pullback(own, [tensor], active.outer).push(active.tangents)
        primal = released(tensor, active.outer)
    finally:
        settle(own, False)
    if tangent is not None and not active.outer:
        tangent = tangent.detach()
    return UnpackedDualTensor(primal, tangent)
