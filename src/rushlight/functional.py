"""torch.functional: functions that PyTorch writes in Python; here, as everywhere, torch's own."""

from __future__ import annotations

from typing import Any

__all__: list[str] = []

_NAMES = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "cdist",
    "chain_matmul",
    "einsum",
    "lu",
    "meshgrid",
    "norm",
    "split",
    "stft",
    "tensordot",
    "unique",
    "unique_consecutive",
    "unravel_index",
]


def __getattr__(name: str) -> Any:
    import rushlight

    if name == "F":
        return rushlight.nn.functional
    if name in _NAMES or name == "Tensor":
        return getattr(rushlight, name)
    raise AttributeError(f"module 'torch.functional' has no attribute {name!r}")
