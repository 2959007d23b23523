"""Intel's MKL: not there; matrix products are OpenBLAS's."""

from __future__ import annotations

VERBOSE_OFF = 0
VERBOSE_ON = 1


def is_available() -> bool:
    """False."""
    return False
