"""Warnings: at the line that called rushlight, and of some things once, as PyTorch prints them."""

from __future__ import annotations

import sys
import warnings

__all__: list[str] = []

_said: set[str] = set()
_always = False


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning about the nearest caller outside of rushlight."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_once(message: str, category: type[Warning] = UserWarning) -> None:
    """:func:`warn`, of each message once in a process, or always after `set_warn_always(True)`."""
    if _always or message not in _said:
        _said.add(message)
        warn(message, category)


def deprecated(name: str, replacement: str, example: str) -> None:
    """Says once that `torch.<name>` is an older form of a function of torch.linalg."""
    warn_once(
        f"torch.{name} is deprecated in favor of torch.linalg.{replacement} and will be removed in "
        f"a future PyTorch release: {example}"
    )


def set_warn_always(b: bool) -> None:
    """Whether what is said once in a process is said each time instead."""
    global _always
    _always = b


def is_warn_always_enabled() -> bool:
    """What was set last; False before."""
    return _always
