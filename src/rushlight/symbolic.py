"""Numbers that a tracer does not know yet: not there. The types are, for `isinstance`."""

from __future__ import annotations

import builtins
from typing import Any

__all__ = [
    "SymBool", "SymFloat", "SymInt", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min",
    "sym_not", "sym_sum",
]  # fmt: skip


class SymInt:
    """An int that is not known yet; no number is one."""


class SymFloat:
    """A float that is not known yet; no number is one."""


class SymBool:
    """A truth value that is not known yet; none is one."""


def sym_int(a: Any) -> Any:
    """The number without its fraction."""
    return builtins.int(a)


def sym_float(a: Any) -> Any:
    """The number as a float."""
    return builtins.float(a)


def sym_not(a: Any) -> Any:
    """`not a`."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger of two numbers, a float if one of them is."""
    found = builtins.max(a, b)
    return builtins.float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers, a float if one of them is."""
    found = builtins.min(a, b)
    return builtins.float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_sum(args: Any) -> Any:
    """The sum of numbers."""
    return builtins.sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t` if `b`, else `f`."""
    return t if b else f
