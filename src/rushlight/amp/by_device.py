"""What `torch.cpu.amp` and `torch.cuda.amp` share: mixed precision whose class says the device."""

from __future__ import annotations

from typing import Any, ClassVar

from rushlight.amp.autocast_mode import autocast
from rushlight.amp.grad_scaler import GradScaler
from rushlight.warned import warn

__all__: list[str] = []


def _say(device: str, name: str) -> None:
    warn(
        f"`torch.{device}.amp.{name}(args...)` is deprecated. Please use `torch.amp.{name}"
        f"('{device}', args...)` instead.",
        FutureWarning,
    )


class DeviceAutocast(autocast):
    """`torch.amp.autocast` for `device_type`. Not public: PyTorch has no such class."""

    device_type: ClassVar[str]

    def __init__(
        self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True
    ) -> None:
        _say(self.device_type, "autocast")
        super().__init__(self.device_type, dtype, enabled, cache_enabled)

    def clone(self) -> autocast:
        """A new context with the same arguments."""
        return autocast(self.device_type, self.fast_dtype, self._enabled, self._cache_enabled)


class DeviceGradScaler(GradScaler):
    """`torch.amp.GradScaler` for `device_type`. Not public: PyTorch has no such class."""

    device_type: ClassVar[str]

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        _say(self.device_type, "GradScaler")
        super().__init__(
            self.device_type, init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )
