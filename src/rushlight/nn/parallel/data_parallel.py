"""DataParallel: splits a batch over GPUs, of which there are none."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.dtypes import check_device
from rushlight.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


def needs_gpus(name: str) -> NoReturn:
    """Raises RuntimeError: what is spread over GPUs has none here."""
    raise RuntimeError(
        f"{name}: needs GPUs, and rushlight runs on the CPU alone. Call the module itself"
    )


class DataParallel(Module):
    """Calls `module`. Its parameters are named "module.*", as wherever a script wraps its model.

    `device_ids` and `output_device` are asked for nothing: PyTorch, too, leaves the module where
    it is on a machine without GPUs.
    """

    def __init__(
        self, module: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module makes of the arguments."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Any,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict | None = None,
) -> Any:
    """``module(*inputs, **module_kwargs)``; RuntimeError if `device_ids` names a GPU."""
    for device in device_ids or ():
        check_device(f"cuda:{device}" if isinstance(device, int) else device)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))
