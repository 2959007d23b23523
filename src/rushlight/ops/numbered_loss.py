"""PyTorch's top-level losses, whose `reduction` is a number: 0 for none, 1 for mean, 2 for sum.

They are the losses of rushlight.nn.functional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.autograd.op import composed
from rushlight.ops import ctc, likelihood_loss, margin_loss
from rushlight.ops.loss_reduction import reduced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

_NAMES = ("none", "mean", "sum")


def _name(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise ValueError(f"reduction must be 0 (none), 1 (mean) or 2 (sum), got {reduction!r}")
    return _NAMES[reduction]


@composed()
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:
    """See :func:`rushlight.nn.functional.binary_cross_entropy_with_logits`."""
    return likelihood_loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_name(reduction), pos_weight=pos_weight
    )


@composed()
def kl_div(
    input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False
) -> Tensor:
    """See :func:`rushlight.nn.functional.kl_div`."""
    loss = likelihood_loss.kl_div(input, target, reduction="none", log_target=log_target)
    return reduced(loss, _name(reduction))


@composed()
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """See :func:`rushlight.nn.functional.poisson_nll_loss`."""
    return likelihood_loss.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_name(reduction)
    )


@composed()
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """See :func:`rushlight.nn.functional.cosine_embedding_loss`."""
    return margin_loss.cosine_embedding_loss(
        input1, input2, target, margin, reduction=_name(reduction)
    )


@composed()
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1
) -> Tensor:
    """See :func:`rushlight.nn.functional.hinge_embedding_loss`."""
    return margin_loss.hinge_embedding_loss(input, target, margin, reduction=_name(reduction))


@composed()
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """See :func:`rushlight.nn.functional.margin_ranking_loss`."""
    return margin_loss.margin_ranking_loss(
        input1, input2, target, margin, reduction=_name(reduction)
    )


@composed()
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """See :func:`rushlight.nn.functional.triplet_margin_loss`."""
    return margin_loss.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_name(reduction)
    )


@composed()
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """See :func:`rushlight.nn.functional.ctc_loss`."""
    return ctc.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _name(reduction), zero_infinity
    )
