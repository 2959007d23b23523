"""CUDA as PyTorch is built with it: not there. Its switches are accepted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Switches:
    """Attributes that can be set; they would choose among GPU kernels."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


matmul = _Switches(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)
cufft_plan_cache = _Switches(size=0, max_size=0)


def is_built() -> bool:
    """False."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether attention may use its tiled kernel: always, here on the CPU."""
    return True


mem_efficient_sdp_enabled = math_sdp_enabled = flash_sdp_enabled


def cudnn_sdp_enabled() -> bool:
    """False."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Accepted: there is one way to compute attention here."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp


@contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """Accepted: there is one way to compute attention here."""
    yield
