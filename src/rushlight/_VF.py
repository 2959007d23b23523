"""torch._VF: the functions of torch once more."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import rushlight

    return getattr(rushlight, name)
