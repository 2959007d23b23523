"""Normalization of each channel of each item: InstanceNorm1d, InstanceNorm2d, InstanceNorm3d."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .. import functional as F
from .batchnorm import _NormBase

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_NormBase):
    """What the three have in common; they differ in the shape that they take."""

    _unbatched_rank: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check_input_dim(self, input: Tensor) -> None:
        rank = self._unbatched_rank
        if input.ndim not in (rank, rank + 1):
            raise ValueError(f"expected {rank}D or {rank + 1}D input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        axis = input.ndim - self._unbatched_rank
        if input.shape[axis] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={axis} to match num_features "
                    f"({self.num_features}), but got: {input.shape[axis]}."
                )
            warnings.warn(
                f"input's size at dim={axis} does not match num_features. num_features has no "
                "effect with affine=False: leave the difference, or pass the right number to "
                "silence this warning.",
                stacklevel=2,
            )
        if axis == 0:
            return self._normalized(input.unsqueeze(0)).squeeze(0)
        return self._normalized(input)

    def _normalized(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # State without a version is from before running values became optional.
        if local_metadata.get("version") is None and not self.track_running_stats:
            running = [n for n in ("running_mean", "running_var") if prefix + n in state_dict]
            if running:
                name = type(self).__name__
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {' and '.join(map(repr, running))} for "
                    f"{name} with track_running_stats=False: remove these keys from the state, or "
                    f"make the {name} with track_running_stats=True if they are needed."
                )
                for key in running:
                    state_dict.pop(prefix + key)
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each item.

    Mean and (biased) variance are those of the item's channel; with running values, evaluation
    uses these instead (Ulyanov, Vedaldi & Lempitsky, 2016).

    Args:
        num_features: C, the number of channels.
        eps: added to the variance.
        momentum: the share of a new batch in the running values.
        affine: whether to have a weight (at first 1) and bias per channel.
        track_running_stats: whether to have running values.
        bias: whether to have a bias (at first 0), with `affine`.

    Shape: (N, C, L) or (C, L); the output has the same.
    """

    _unbatched_rank = 2


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` for images.

    Shape: (N, C, H, W) or (C, H, W); the output has the same.
    """

    _unbatched_rank = 3


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` for volumes.

    Shape: (N, C, D, H, W) or (C, D, H, W); the output has the same.
    """

    _unbatched_rank = 4
