"""SparseAdam: Adam for sparse gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.optim import checks
from rushlight.optim.optimizer import Optimizer, _loss_of, _to_scalar, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.optim.optimizer import ParamsT

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the places that a sparse gradient names.

    The averages of other places stay as they are: they do not decay, and their parameters do not
    move. Gradients come from `nn.Embedding(..., sparse=True)`, say; a step takes time in proportion
    to their entries.

    Args:
        params: parameters, `(name, parameter)` pairs, or dicts that define groups.
        lr: learning rate above 0, a number or a 1-element Tensor.
        betas: decay of the two averages, in [0, 1).
        eps: added to the denominator, above 0.
        maximize: climb instead of descending.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        checks.betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        for kind, is_refused, why in (
            ("Sparse", lambda p: p.is_sparse, "requires dense parameter tensors"),
            ("Complex", lambda p: p.is_complex(), "does not support complex parameters"),
        ):
            places = [
                [number, i]
                for number, group in enumerate(self.param_groups)
                for i, p in enumerate(group["params"])
                if is_refused(p)
            ]
            if places:
                raise ValueError(f"{kind} params at indices {places}: SparseAdam {why}")

    @_with_hooks
    @rushlight.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once; RuntimeError for a dense gradient."""
        loss = None if closure is None else _loss_of(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if not p.grad.is_sparse:
                    raise RuntimeError(
                        "SparseAdam does not support dense gradients, please consider Adam instead"
                    )
                if not self.state[p]:
                    self.state[p].update(
                        step=0, exp_avg=rushlight.zeros_like(p), exp_avg_sq=rushlight.zeros_like(p)
                    )
            beta1, beta2 = group["betas"]
            for p in params:
                self.state[p]["step"] += 1
            sparse_adam(
                params,
                [p.grad for p in params],
                [self.state[p]["exp_avg"] for p in params],
                [self.state[p]["exp_avg_sq"] for p in params],
                [self.state[p]["step"] for p in params],
                eps=group["eps"],
                beta1=beta1,
                beta2=beta2,
                lr=_to_scalar(group["lr"]),
                maximize=group["maximize"],
            )
        return loss


def sparse_adam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[int],
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: float | Tensor,
    maximize: bool,
) -> None:
    """One step of `SparseAdam` as a function; updates parameters and averages in place."""
    for param, grad, mean, square, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, state_steps, strict=True
    ):
        grad = (-grad if maximize else grad).coalesce()
        values = grad.values()
        if values.numel() == 0:
            continue
        # Averages move by the difference to the new value: nothing else of them is touched.
        old_mean = mean.sparse_mask(grad).values()
        mean_step = (values - old_mean).mul_(1 - beta1)
        mean.add_(_placed(grad, mean_step))
        old_square = square.sparse_mask(grad).values()
        square_step = values.pow(2).sub_(old_square).mul_(1 - beta2)
        square.add_(_placed(grad, square_step))
        numerator = mean_step.add_(old_mean)
        denominator = square_step.add_(old_square).sqrt_().add_(eps)
        rate = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        param.add_(_placed(grad, numerator.div_(denominator).mul_(-rate)))


def _placed(grad: Tensor, values: Tensor) -> Tensor:
    """The `values` at the places of a coalesced gradient."""
    return rushlight.sparse_coo_tensor(grad.indices(), values, grad.shape, is_coalesced=True)
