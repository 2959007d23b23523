"""The old names of mixed precision on CUDA: without a device both are off, as PyTorch's are."""

from __future__ import annotations

from rushlight.amp import custom_bwd, custom_fwd
from rushlight.amp.by_device import DeviceAutocast, DeviceGradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(DeviceAutocast):
    """`torch.amp.autocast("cuda")`."""

    device_type = "cuda"


class GradScaler(DeviceGradScaler):
    """`torch.amp.GradScaler("cuda")`."""

    device_type = "cuda"
