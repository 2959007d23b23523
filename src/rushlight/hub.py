"""torch.hub, which downloads and runs code of strangers: not there."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["help", "list", "load", "load_state_dict_from_url"]


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.hub.{name} is not in rushlight: it downloads code and runs it. Download a "
        "checkpoint yourself, and read it with torch.load"
    )


def load(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("load")


def list(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("list")


def help(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("help")


def load_state_dict_from_url(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("load_state_dict_from_url")
