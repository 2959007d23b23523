"""OpenMP: not there; work is cut for a thread pool of our own."""

from __future__ import annotations


def is_available() -> bool:
    """False."""
    return False
