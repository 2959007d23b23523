"""torch.export, programs as graphs in files: not there. The names are, for annotations."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Dim", "ExportedProgram", "export", "load", "save"]


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.export.{name} is not in rushlight, which makes no graphs of programs: save "
        "state_dict() with torch.save, and export with PyTorch, which loads that file"
    )


class ExportedProgram:
    """A program as a graph; there is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("ExportedProgram")


class Dim:
    """A size that is left open in a program; raises NotImplementedError when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("Dim")


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse("export")


def save(*args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse("save")


def load(*args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError."""
    _refuse("load")
