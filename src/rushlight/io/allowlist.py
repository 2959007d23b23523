"""Classes and functions that the caller allows a loaded file to create and call."""

from __future__ import annotations

from typing import Any

from rushlight.io.class_names import name_in_torch

__all__ = [
    "add_safe_globals",
    "allowed_by_user",
    "clear_safe_globals",
    "get_safe_globals",
    "safe_globals",
]

# Code in these modules is never handed to a file, whatever the caller says.
BLOCKED_MODULES = ("sys", "os", "posix", "nt")

_allowed: list[Any] = []


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let ``load`` create and call what is in the list, for the rest of the process.

    Args:
        safe_globals: classes or functions, or pairs of one with the name that the file uses for
            it: ``(Config, "old_package.Config")``. Loading then runs their code (``__new__``,
            ``__setstate__``, ...) with arguments from the file: allow only what is harmless so.
    """
    _allowed.extend(item for item in safe_globals if item not in _allowed)


def get_safe_globals() -> list[Any]:
    """What the caller has allowed so far."""
    return list(_allowed)


def clear_safe_globals() -> None:
    """Take everything back that :func:`add_safe_globals` allowed."""
    _allowed.clear()


class safe_globals:  # a function to its callers, so lower case
    """Context manager: :func:`add_safe_globals` for the length of a block."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals
        self._added: list[Any] = []

    def __enter__(self) -> None:
        self._added = [item for item in self.safe_globals if item not in _allowed]
        add_safe_globals(self._added)

    def __exit__(self, *error: object) -> None:
        for item in self._added:
            if item in _allowed:
                _allowed.remove(item)


def allowed_by_user() -> dict[str, Any]:
    """What the caller allowed, by the full name that a file would use."""
    found: dict[str, Any] = {}
    for item in _allowed:
        if isinstance(item, tuple):
            if len(item) != 2 or not isinstance(item[1], str):
                raise ValueError(
                    f"add_safe_globals: {item!r} is neither a class or function nor a pair "
                    "(class or function, name in the file)"
                )
            found[item[1]] = item[0]
        else:
            full = f"{item.__module__}.{item.__qualname__}"
            found[full] = item
            if full.startswith("rushlight."):  # in files it has PyTorch's name
                found["torch" + full.removeprefix("rushlight")] = item
                found[".".join(name_in_torch(item) or (full,))] = item
    return found
