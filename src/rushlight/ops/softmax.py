"""softmax and log_softmax along an axis, and what is built from them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed, op

if TYPE_CHECKING:
    from rushlight._core import dtype as DType
    from rushlight.tensor import Tensor


@op(_core.softmax, out="exact")
def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """exp(input) divided by its sum along `dim`, without overflow.

    Args:
        input: of any shape.
        dim: the axis whose slices sum to 1.
        dtype: what `input` is converted to first.

    Raises:
        IndexError: `dim` is not there.
        NotImplementedError: for integers, unless `dtype` is a float dtype.
    """


@op(_core.softmax_backward, method=False, public=False)
def softmax_backward(grad: Tensor, result: Tensor, dim: int) -> Tensor:
    """The gradient of softmax's input from that of its result and the result."""


softmax.vjp(input=softmax_backward)
softmax_backward.vjp(
    grad=softmax_backward,
    result=lambda upstream, grad, result, dim: (
        upstream * (grad - (grad * result).sum(dim, True))
        - grad * (upstream * result).sum(dim, True)
    ),
)


@op(_core.log_softmax, out="exact")
def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """The logarithm of `softmax(input, dim)`, exact also where softmax underflows.

    Args:
        input: of any shape.
        dim: the axis along which the exponentials of the result sum to 1.
        dtype: what `input` is converted to first.

    Raises:
        IndexError: `dim` is not there.
        NotImplementedError: for integers, unless `dtype` is a float dtype.
    """


@op(_core.log_softmax_backward, method=False, public=False)
def log_softmax_backward(grad: Tensor, result: Tensor, dim: int) -> Tensor:
    """The gradient of log_softmax's input from that of its result and the result."""


log_softmax.vjp(input=log_softmax_backward)
log_softmax_backward.vjp(
    grad=lambda upstream, result, dim: upstream - (upstream * result.exp()).sum(dim, True),
    result=lambda upstream, grad, result, dim: -upstream * result.exp() * grad.sum(dim, True),
)


@composed(public=False)
def softmin(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: DType | None = None,
) -> Tensor:
    """`softmax(-input, dim)`: the smallest number gets the largest share."""
    if dim is None:
        dim = implicit_dim("softmin", input.ndim, _stacklevel)
    return softmax(-input, dim, dtype)


def implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    """The axis that PyTorch takes where none is given, with its warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


@composed(public=False)
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Samples from a relaxed categorical distribution (Jang et al. 2017, Maddison et al. 2017).

    Args:
        logits: unnormalized log-probabilities.
        tau: temperature; towards 0 the samples become one-hot.
        hard: return one-hot samples, with the gradient of the relaxed ones.
        eps: has no effect any more.
        dim: the axis of the classes.

    Shape: that of `logits`.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = logits.new_empty(logits.shape).exponential_().log()  # minus a Gumbel sample
    relaxed = softmax((logits - noise) / tau, dim)
    if not hard:
        return relaxed
    index = relaxed.detach().argmax(dim, keepdim=True)
    sample = logits.new_zeros(logits.shape).scatter_(dim, index, 1.0)
    return sample - relaxed.detach() + relaxed
