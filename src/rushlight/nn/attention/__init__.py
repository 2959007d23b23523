"""Which implementation of attention to use; PyTorch's ``torch.nn.attention``.

There is one implementation here, which needs no matrix of weights: every choice is accepted and
leads to it.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SDPBackend", "sdpa_kernel"]


def __getattr__(name: str) -> Any:
    if name in ("bias", "flex_attention"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class SDPBackend(IntEnum):
    """The implementations of attention that PyTorch knows; here there is one for all."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(
    backends: list[SDPBackend] | SDPBackend, set_priority: bool = False
) -> Iterator[dict]:
    """A context in which attention uses one of `backends`; has no effect on results.

    Raises AssertionError if `backends` is neither an SDPBackend nor a list of them.
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, list) or not all(isinstance(b, SDPBackend) for b in chosen):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{backends!r}"
        )
    yield {}
