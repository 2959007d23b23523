"""The device that new tensors are made on, as a mode: the CPU."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.dtypes import check_device
from rushlight.overrides import TorchFunctionMode

__all__ = ["DeviceContext"]


class DeviceContext(TorchFunctionMode):
    """A block in which tensors are made on a device, which must be the CPU.

    Args:
        device: the CPU, or its name.

    Raises RuntimeError for another device.
    """

    def __init__(self, device: Any) -> None:
        super().__init__()
        check_device(device)
        self.device = rushlight.device(device)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """`func(*args, **kwargs)`: there is one device only.

        Args:
            func: the function of torch.
            types: not looked at.
            args, kwargs: of the call.
        """
        return func(*args, **(kwargs or {}))
