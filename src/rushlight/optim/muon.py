"""Muon: the momentum of a matrix, with all its singular values brought near to 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.optim.optimizer import Optimizer, _loss_of, _to_scalar, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.optim.optimizer import ParamsT

__all__ = ["Muon", "muon"]

# From https://kellerjordan.github.io/posts/muon/
_EPS = 1e-7
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NS_STEPS = 5


class Muon(Optimizer):
    """Muon (Jordan et al., https://kellerjordan.github.io/posts/muon/) for matrices.

    Meant for the hidden layers; biases, embeddings and heads belong to another optimizer. With
    gradient G, momentum buffer B and a parameter P with A rows and C columns, a step is::

        B = momentum * B + (1 - momentum) * G
        U = momentum * B + (1 - momentum) * G  if nesterov else  B
        X = U / max(norm(U), eps)                    # in bfloat16, transposed if A > C
        repeat ns_steps times, with (a, b, c) = ns_coefficients:
            S = X @ X.T;  X = a * X + (b * S + c * S @ S) @ X
        P = P * (1 - lr * weight_decay)
        P = P - lr * ratio * X

    Args:
        params: matrices, `(name, matrix)` pairs, or dicts that define groups.
        lr: learning rate, a number or a 1-element Tensor.
        weight_decay: how much the parameters shrink in a step, times lr.
        momentum: decay of the average of the gradients.
        nesterov: look ahead by one more step of the average.
        ns_coefficients: of the polynomial whose iteration pulls singular values towards 1.
        eps: the smallest norm that is divided by.
        ns_steps: the number of iterations, below 100.
        adjust_lr_fn: the ratio: "original" (also None), sqrt(max(1, A / C)), or
            "match_rms_adamw", 0.2 * sqrt(max(A, C)) (https://arxiv.org/abs/2502.16982).

    State of a parameter: "momentum_buffer".

    Raises:
        ValueError: for parameters that are not matrices.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = _COEFFICIENTS,
        eps: float = _EPS,
        ns_steps: int = _NS_STEPS,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {p.size()}"
                    )

    @_with_hooks
    @rushlight.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates the parameters once; see `Optimizer.step`.

        Raises RuntimeError for complex parameters or sparse gradients.
        """
        loss = None if closure is None else _loss_of(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if p.is_complex():
                    raise RuntimeError("Muon does not support complex parameters")
                if p.grad.is_sparse:
                    raise RuntimeError("Muon does not support sparse gradients")
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = rushlight.zeros_like(p.grad)
            muon(
                params,
                [p.grad for p in params],
                [self.state[p]["momentum_buffer"] for p in params],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                nesterov=group["nesterov"],
                ns_coefficients=group["ns_coefficients"],
                ns_steps=group["ns_steps"],
                eps=group["eps"],
                adjust_lr_fn=group["adjust_lr_fn"],
                has_complex=False,
            )
        return loss


def muon(
    params: list[Tensor],
    grads: list[Tensor],
    muon_momentum_bufs: list[Tensor],
    *,
    foreach: bool | None = None,
    lr: float | Tensor,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    ns_steps: int,
    eps: float,
    adjust_lr_fn: str | None,
    has_complex: bool,
) -> None:
    """One step of `Muon` as a function. Updates all lists in place."""
    if foreach:
        raise RuntimeError("Foreach is not supported for Muon yet")
    if has_complex:
        raise ValueError("Complex parameters are not supported")
    rate = float(_to_scalar(lr))
    for param, grad, buffer in zip(params, grads, muon_momentum_bufs, strict=True):
        if grad.ndim != 2:
            raise ValueError("Param gradient must be a 2D matrix")
        buffer.lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if nesterov else buffer
        direction = _orthogonalized(update, ns_coefficients, ns_steps, eps)
        param.mul_(1 - rate * weight_decay)
        param.add_(direction, alpha=-rate * _ratio(adjust_lr_fn, *param.shape))


def _orthogonalized(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Roughly U V.T for a matrix U S V.T, by a quintic Newton-Schulz iteration in bfloat16."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)  # the smaller of the two products with itself
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / x.float().norm().to(x.dtype).clamp(min=eps)  # no singular value above 1
    for _ in range(steps):
        square = x @ x.T
        polynomial = rushlight.addmm(square, square, square, beta=b, alpha=c)
        x = rushlight.addmm(x, polynomial, x, beta=a)
    return x.T if tall else x


def _ratio(kind: str | None, rows: int, columns: int) -> float:
    """What makes updates of matrices of any shape equally large."""
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))
