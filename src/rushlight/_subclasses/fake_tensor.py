"""Tensors that have a shape and no numbers: not there. The classes are, for `isinstance`."""

from __future__ import annotations

from typing import Any

__all__ = ["FakeTensor", "FakeTensorMode", "is_fake"]


class FakeTensor:
    """A tensor without numbers; no tensor is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "FakeTensor is not in rushlight, whose tensors all have numbers: there is no tracer"
        )


class FakeTensorMode:
    """A block that makes tensors without numbers; raises NotImplementedError when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "FakeTensorMode is not in rushlight, whose tensors all have numbers: to learn shapes, "
            "run the function on small inputs"
        )


def is_fake(x: Any) -> bool:
    """False: no tensor is without numbers."""
    return False
