"""opt_einsum, which finds the order of products in einsum: not used.

Products run from left to right, which is what PyTorch does where the package is absent.
"""

from __future__ import annotations

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """False."""
    return False


def get_opt_einsum() -> None:
    """None."""
    return None
