"""PyTorch's path to what :mod:`rushlight.distributions.parameters` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions.parameters import (
    broadcast_all,
    clamp_probs,
    euler_constant,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    sum_rightmost,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "euler_constant",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

_sum_rightmost = sum_rightmost  # the name that libraries of distributions import


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    """Draws from a normal distribution, mean 0 and deviation 1."""
    return rushlight.normal(
        rushlight.zeros(shape, dtype=dtype, device=device),
        rushlight.ones(shape, dtype=dtype, device=device),
    )
