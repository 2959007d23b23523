"""The device that new tensors are made on, as a mode."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.dtypes import is_meta_device
from rushlight.overrides import TorchFunctionMode

__all__ = ["DeviceContext"]


class DeviceContext(TorchFunctionMode):
    """A block in which tensors are made on a device, the CPU or meta.

    Args:
        device: it, or its name.

    Raises RuntimeError for another device.
    """

    def __init__(self, device: Any) -> None:
        super().__init__()
        is_meta_device(device)
        self.device = rushlight.device(device)

    def __enter__(self) -> Any:
        self.device.__enter__()
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.device.__exit__(*exc)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """`func(*args, **kwargs)`: functions that make tensors look at the device themselves.

        Args:
            func: the function of torch.
            types: not looked at.
            args, kwargs: of the call.
        """
        return func(*args, **(kwargs or {}))
