"""Dropout: elements or whole channels that are set to 0 at random in training.

rushlight.nn.functional has the forms with `training` and `inplace`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

# Minus the limit of SELU at -inf, which alpha dropout uses in place of 0.
_ALPHA = 1.7580993408473766


def _mask(input: Tensor, p: float, per_channel: bool) -> Tensor:
    """1 with probability 1 - p, else 0: for each element, or for each channel of each item."""
    if per_channel:
        if input.ndim < 2:
            raise RuntimeError(
                "Feature dropout requires at least 2 dimensions in the input, got shape "
                f"{list(input.shape)}"
            )
        shape = (*input.shape[:2], *((1,) * (input.ndim - 2)))
        if _core.vmap_levels():
            return _mask_of_items(shape, input.dtype, p)
        mask = _core.empty(shape, input.dtype, input)
    elif _core.vmap_levels():
        return _mask_of_items(input.shape, input.dtype, p)
    else:  # drawn in the order that the input has in memory
        mask = _core.empty_like(input, input.dtype)
    _core.bernoulli_(mask, 1 - p)
    return mask


def _mask_of_items(shape: Any, dtype: Any, p: float) -> Tensor:
    """The mask inside vmap: for each item its own, if draws are to differ."""
    from rushlight.func.random_rules import memory

    return memory(shape, dtype).bernoulli_(1 - p)


def _active(input: Tensor, p: float, train: bool) -> bool:
    """Whether anything happens to the input."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    return train and p != 0 and input.numel() != 0


def _drop(
    input: Tensor, p: float, train: bool, per_channel: bool = False, inplace: bool = False
) -> Tensor:
    if not _active(input, p, train):
        return input
    noise = 0 if p == 1 else _mask(input, p, per_channel) / (1 - p)
    return input.mul_(noise) if inplace else input * noise


def _drop_alpha(
    input: Tensor, p: float, train: bool, per_channel: bool = False, inplace: bool = False
) -> Tensor:
    if not _active(input, p, train):
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    mask = _mask(input, p, per_channel)
    scale = 1 / ((_ALPHA * _ALPHA * p + 1) * (1 - p)) ** 0.5
    low = (mask - 1) * (_ALPHA * scale) + _ALPHA * scale * p
    noise = mask * scale
    return input.mul_(noise).add_(low) if inplace else input * noise + low


@composed()
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Sets elements to 0 with probability `p`, divides the others by 1 - p (Hinton et al. 2012).

    Only if `train`; otherwise the input. Raises ValueError for `p` outside [0, 1].
    """
    return _drop(input, p, train)


@composed()
def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`dropout`."""
    return _drop(input, p, train, inplace=True)


@composed()
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole channels of an input (N, C, ...) (Tompson et al. 2015).

    Otherwise as :func:`dropout`.
    """
    return _drop(input, p, train, per_channel=True)


@composed()
def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`feature_dropout`."""
    return _drop(input, p, train, per_channel=True, inplace=True)


@composed()
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout to SELU's negative limit that keeps mean and variance (Klambauer et al. 2017).

    Otherwise as :func:`dropout`.
    """
    return _drop_alpha(input, p, train)


@composed()
def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`alpha_dropout`."""
    return _drop_alpha(input, p, train, inplace=True)


@composed()
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Alpha dropout of whole channels of an input (N, C, ...); as :func:`alpha_dropout`."""
    return _drop_alpha(input, p, train, per_channel=True)


@composed()
def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """In-place form of :func:`feature_alpha_dropout`."""
    return _drop_alpha(input, p, train, per_channel=True, inplace=True)


@composed()
def native_dropout(input: Tensor, p: float, train: bool) -> tuple[Tensor, Tensor]:
    """(result, mask): dropout of elements, and the bool mask of those that were kept."""
    if not _active(input, p, train):
        return input.clone(), _core.full(input.shape, True, _core.bool, input)
    if p == 1:
        return input * 0, _core.full(input.shape, False, _core.bool, input)
    mask = _mask(input, p, False)
    return input * (mask / (1 - p)), mask != 0
