"""Shapes and dtypes of ops whose kernels have to look at values, or are no kernels of ours.

Each rule takes the arguments of its op and returns what the op would, as tensors without memory:
that is what `_core.empty` makes while an op runs on the meta device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.tensor import Tensor

__all__ = ["RULES"]

# By the op's name, without the underscore of its in-place form.
RULES: dict[str, Callable[..., Any]] = {}


def _rule(*names: str) -> Callable[[Any], Any]:
    def declare(function: Any) -> Any:
        for name in names:
            RULES[name] = function
        return function

    return declare


def _unknown(*names: str) -> None:
    """Ops whose result has a shape, or is a number, that only the values tell."""
    for name in names:

        def refuse(*arguments: Any, name: str = name.lstrip("_")) -> Any:
            raise NotImplementedError(
                f"{name}: what it returns depends on values, and tensors on the meta device have "
                "none. Use tensors on the CPU"
            )

        RULES[name] = refuse


_unknown(
    "_nonzero", "_unique2", "_unique_consecutive", "_unique_consecutive_dim", "_unique_dim",
    "bincount", "equal", "masked_select",
)  # fmt: skip


@_rule(
    "_masked_scatter", "_sample_dirichlet", "_standard_gamma", "_standard_gamma_grad",
    "linalg_matrix_exp", "poisson",
)  # fmt: skip
def _as_first(input: Tensor, *rest: Any) -> Tensor:
    return _core.empty(input.shape, input.dtype)


@_rule("_dirichlet_grad", "binomial")
def _together(input: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        if other is not None and hasattr(other, "is_meta"):
            input = _core.add(input, other)
    return input


@_rule("_multinomial")
def _multinomial(input: Tensor, num_samples: int, *rest: Any) -> Tensor:
    return _core.empty((*input.shape[:-1], num_samples), _core.int64)


@_rule("hash_tensor")
def _hash_tensor(input: Tensor, dim: Any, keepdim: bool, mode: int) -> Tensor:
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    return _core.sum(input, axes, keepdim, _core.uint64)


@_rule("histc")
def _histc(input: Tensor, bins: int, *rest: Any) -> Tensor:
    return _core.empty((bins,), input.dtype)


@_rule("_histogram")
def _histogram(input: Tensor, bins: Any, *rest: Any) -> tuple[Tensor, Tensor]:
    count = bins if isinstance(bins, int) else bins.numel() - 1
    return _core.empty((count,), input.dtype), _core.empty((count + 1,), input.dtype)


@_rule("_lobpcg")
def _lobpcg(A: Tensor, k: int, *rest: Any) -> tuple[Tensor, Tensor]:
    batch = A.shape[:-2]
    return _core.empty((*batch, k), A.dtype), _core.empty((*batch, A.shape[-1], k), A.dtype)


@_rule("_ctc_loss")
def _ctc_loss(log_probs: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    # The table has a column for each place in the longest target, which nobody knows.
    return _core.empty((log_probs.shape[1],), log_probs.dtype), _core.empty((0,), log_probs.dtype)


@_rule("_ctc_loss_backward")
def _ctc_loss_backward(grad: Tensor, log_probs: Tensor, *rest: Any) -> Tensor:
    return _core.empty(log_probs.shape, log_probs.dtype)


@_rule("_ctc_loss_second")
def _ctc_loss_second(direction: Tensor, grad: Tensor, log_probs: Tensor, *rest: Any) -> Tensor:
    return _core.empty(log_probs.shape, log_probs.dtype)
