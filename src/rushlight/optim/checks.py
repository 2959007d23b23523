"""What optimizers check of their options: each raises PyTorch's error for a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__: list[str] = []


def learning_rate(lr: float | Tensor) -> None:
    """One number, at least 0."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def at_least_zero(**options: float) -> None:
    """Options, given by their names; not nan either."""
    for name, value in options.items():
        if not value >= 0.0:
            what = "epsilon" if name == "eps" else name
            raise ValueError(f"Invalid {what} value: {value}")


def betas(betas: tuple[float, float]) -> None:
    """Decays of averages, in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def fused_options(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """`fused` excludes both others."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def counters(counters: Iterable[Any], name: str = "state_steps") -> None:
    """A list of tensors, which PyTorch's functions once took as numbers."""
    if not all(isinstance(counter, Tensor) for counter in counters):
        raise RuntimeError(
            f"API has changed, `{name}` argument must contain a list of singleton tensors"
        )


def not_capturable(capturable: bool, params: list[Tensor]) -> None:
    """The option is for accelerators that record graphs."""
    if capturable and params:
        raise AssertionError(
            "If capturable=True, params and state_steps must be on supported devices: none here, "
            "the CPU has no graphs to capture; leave capturable=False"
        )


def fused_params(params: Iterable[Tensor]) -> None:
    """Floating point and dense, as `fused` wants them."""
    for p in params:
        if p.grad is not None and p.grad.is_sparse:
            raise RuntimeError("`fused=True` does not support sparse gradients")
        if not p.is_floating_point():
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported "
                f"devices: ['cpu'] but {p.dtype} and {p.device.type}"
            )
