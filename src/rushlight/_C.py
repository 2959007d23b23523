"""Names of PyTorch's compiled core that libraries in plain Python call; the rest is not there."""

from __future__ import annotations

from typing import Any


def _log_api_usage_once(name: str) -> None:
    """Nothing is logged."""


def _get_privateuse1_backend_name() -> str:
    """The name that PyTorch gives a device of somebody else's."""
    return "privateuseone"


def __getattr__(name: str) -> Any:
    if name == "default_generator":
        import rushlight

        return rushlight.default_generator
    raise AttributeError(
        f"torch._C.{name} is of PyTorch's compiled core, and not in rushlight: use its public names"
    )
