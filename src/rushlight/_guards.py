"""torch._guards: whether tensors without data are being made. None are here: see _subclasses."""

from __future__ import annotations

from typing import Any


def active_fake_mode() -> None:
    """None: no mode makes tensors without data."""


def detect_fake_mode(inputs: Any = None) -> None:
    """None: no tensor is without data."""
