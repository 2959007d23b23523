"""The old names of mixed precision on the CPU."""

from __future__ import annotations

from rushlight.amp.by_device import DeviceAutocast, DeviceGradScaler

__all__ = ["GradScaler", "autocast"]


class autocast(DeviceAutocast):
    """`torch.amp.autocast("cpu")`."""

    device_type = "cpu"


class GradScaler(DeviceGradScaler):
    """`torch.amp.GradScaler("cpu")`."""

    device_type = "cpu"
