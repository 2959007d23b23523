"""torch.hub, which downloads and runs code of strangers: not there."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["download_url_to_file", "help", "list", "load", "load_state_dict_from_url"]


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


def download_url_to_file(*args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _refuse("download_url_to_file")


class _NoBar:
    """tqdm where it is not installed: goes through the values and shows no bar."""

    def __init__(self, iterable: Any = None, *args: Any, **kwargs: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Any:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """Shows nothing."""

    update = close = set_postfix = set_postfix_str = _nothing
    set_description = set_description_str = _nothing


def __getattr__(name: str) -> Any:
    if name != "tqdm":
        raise AttributeError(f"module 'torch.hub' has no attribute {name!r}")
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar
    return tqdm
