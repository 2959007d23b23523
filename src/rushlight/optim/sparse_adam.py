"""SparseAdam: for sparse gradients, which rushlight does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.optim.multi_tensor import _check_betas
from rushlight.optim.optimizer import Optimizer, _with_hooks
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.optim.optimizer import ParamsT

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the rows that a sparse gradient names.

    Gradients are always dense here, also those of an embedding with ``sparse=True``: `step()`
    raises RuntimeError for them, as PyTorch's does. It is there so that programs which choose
    their optimizer late can be loaded; `Adam` is the one to use.

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
        _check_betas(betas)
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
        """Nothing for parameters without a gradient; RuntimeError for a dense one."""
        loss = None
        if closure is not None:
            with rushlight.enable_grad():
                loss = closure()
        if any(p.grad is not None for group in self.param_groups for p in group["params"]):
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead"
            )
        return loss
