"""Dropout: elements or channels that are set to 0 at random in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.autograd.op import composed

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

# SELU's negative limit, which alpha dropout uses in place of 0 (Klambauer et al. 2017).
_ALPHA = 1.7580993408473766


def _check(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: dropout probability has to be between 0 and 1, but got {p}")


def _mask(input: Tensor, p: float, per_channel: bool) -> Tensor:
    """1 with probability 1 - p, else 0: for each element, or for each channel of each item."""
    shape = input.shape
    if per_channel:
        if input.ndim < 2:
            raise RuntimeError(
                f"Feature dropout requires at least 2 dimensions in the input, got {input.ndim}"
            )
        shape = tuple(shape[:2]) + (1,) * (input.ndim - 2)
    mask = _core.empty(shape, input.dtype)
    _core.bernoulli_(mask, 1 - p)
    return mask


def _apply(
    name: str, input: Tensor, p: float, training: bool, inplace: bool, per_channel: bool = False
) -> Tensor:
    _check(name, p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    noise = _core.div(_mask(input, p, per_channel), 1 - p)
    return input.mul_(noise) if inplace else input * noise


def _apply_alpha(
    name: str, input: Tensor, p: float, training: bool, inplace: bool, per_channel: bool = False
) -> Tensor:
    _check(name, p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    scale = 1 / ((_ALPHA * _ALPHA * p + 1) * (1 - p)) ** 0.5
    mask = _mask(input, p, per_channel)
    shift = _core.add(_core.mul(_core.sub(mask, 1), _ALPHA * scale), _ALPHA * scale * p)
    noise = _core.mul(mask, scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


@composed(public=False)
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Sets elements to 0 with probability `p` and divides the others by 1 - p (Hinton et al. 2012).

    Args:
        input: of any shape.
        p: from 0 to 1.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    return _apply("dropout", input, p, training, inplace)


@composed(public=False)
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean and variance of SELU's results (Klambauer et al. 2017).

    Args:
        input: of any shape.
        p: the probability that an element is set to SELU's negative limit.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    return _apply_alpha("alpha_dropout", input, p, training, inplace)


def _channel_dropout(
    name: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int
) -> Tensor:
    """Dropout of whole channels; an input of `unbatched` dimensions has no batch axis."""
    _check(name, p)
    if input.ndim == unbatched:
        if inplace:
            _apply(name, input.unsqueeze(0), p, training, True, True)
            return input
        return _apply(name, input.unsqueeze(0), p, training, False, True).squeeze(0)
    return _apply(name, input, p, training, inplace, True)


def _warn(name: str, input: Tensor, accepted: str) -> None:
    import warnings

    warnings.warn(
        f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will result "
        f"in an error in a future release. To retain the behavior and silence this warning, please "
        f"use feature dropout instead. Note that {name} exists to provide channel-wise dropout on "
        f"inputs with {accepted}.",
        stacklevel=3,
    )


@composed(public=False)
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Sets whole channels to 0 with probability `p` and divides the others by 1 - p.

    Args:
        input: (N, C, L) or (C, L).
        p: from 0 to 1.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channel_dropout("dropout1d", input, p, training, inplace, 2)


@composed(public=False)
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Sets whole channels to 0 with probability `p` and divides the others by 1 - p.

    Args:
        input: (N, C, H, W). With three dimensions the first is taken for N.
        p: from 0 to 1.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    if input.ndim not in (3, 4):
        _warn("dropout2d", input, "2 spatial dimensions, a channel dimension and a batch dimension")
    return _apply("dropout2d", input, p, training, inplace, True)


@composed(public=False)
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Sets whole channels to 0 with probability `p` and divides the others by 1 - p.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        p: from 0 to 1.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    if input.ndim not in (4, 5):
        _warn("dropout3d", input, "3 spatial dimensions, a channel dimension and a batch dimension")
    return _channel_dropout("dropout3d", input, p, training, inplace, 4)


@composed(public=False)
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Alpha dropout of whole channels.

    Args:
        input: (N, C, ...).
        p: the probability that a channel is set to SELU's negative limit.
        training: without, the input is returned as it is.
        inplace: write to `input`.
    """
    return _apply_alpha("feature_alpha_dropout", input, p, training, inplace, True)
