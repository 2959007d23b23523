"""How parameters are given: numbers or tensors that broadcast, probabilities or their logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

euler_constant = 0.57721566490153286060  # Euler and Mascheroni


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """All values as tensors of one shape. Numbers take the dtype of the first tensor, if any.

    Raises:
        ValueError: a value is neither a number nor a tensor.
    """
    if not all(isinstance(v, (Tensor, int, float, complex)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number or torch.Tensor, got "
            + ", ".join(type(v).__name__ for v in values)
        )
    if all(isinstance(v, Tensor) for v in values):
        return tuple(rushlight.broadcast_tensors(*values))
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), rushlight.get_default_dtype())
    tensors = [v if isinstance(v, Tensor) else rushlight.tensor(v, dtype=dtype) for v in values]
    return tuple(rushlight.broadcast_tensors(*tensors))


def is_number(*values: Any) -> bool:
    """Whether all are plain numbers: the distribution then is a single one."""
    return all(isinstance(v, (int, float)) for v in values)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept away from 0 and 1 by the precision of their dtype."""
    eps = rushlight.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """log(p), or log(p / (1 - p)) of a probability of "yes"."""
    inner = clamp_probs(probs)
    return inner.log() - (-inner).log1p() if is_binary else inner.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of :func:`probs_to_logits`."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


class lazy_property:
    """An attribute that is computed at its first use, with gradients, and then kept."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with rushlight.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def the_given_one(probs: Any, logits: Any) -> tuple[str, Any]:
    """The name and the value of the one of the two that is not None.

    Raises:
        ValueError: both or none were given.
    """
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return ("logits", logits) if probs is None else ("probs", probs)


class ProbsOrLogits:
    """For a distribution that is given `probs` or `logits`: either, when asked for.

    They are of "yes", or where `_is_binary` is False of each class along the last axis.
    """

    _is_binary = True

    @lazy_property
    def logits(self) -> Tensor:
        """log(p / (1 - p)), or log(p) of each class."""
        return probs_to_logits(self.probs, self._is_binary)

    @lazy_property
    def probs(self) -> Tensor:
        """The probability of "yes", or of each class."""
        return logits_to_probs(self.logits, self._is_binary)

    def _given(self) -> Tensor:
        """Probabilities or logits: what the distribution was made from."""
        return self.probs if "probs" in self.__dict__ else self.logits

    @property
    def param_shape(self) -> Any:
        """The shape of the parameters."""
        return self._given().shape


def sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Summed over the last `dim` axes."""
    if dim == 0:
        return value
    return value.reshape((*value.shape[: value.ndim - dim], -1)).sum(-1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle up to diagonal `diag`, row by row: (..., D, D) -> (..., L)."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows = rushlight.arange(n)
    mask = rows < rows.view(-1, 1) + (diag + 1)
    return mat[..., mask]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The inverse of :func:`tril_matrix_to_vec`."""
    length = vec.shape[-1]
    odd = 1 + 2 * diag
    n = ((odd**2 + 8 * length + 4 * abs(diag) * (diag + 1)) ** 0.5 - odd) / 2
    size = round(n)
    if abs(n - size) > rushlight.finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {length} which cannot be expressed as the lower "
            "triangular part of a square D x D matrix."
        )
    mat = vec.new_zeros((*vec.shape[:-1], size, size))
    rows = rushlight.arange(size)
    mask = rows < rows.view(-1, 1) + (diag + 1)
    mat[..., mask] = vec
    return mat
