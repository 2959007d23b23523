"""Tensors that have a shape and no numbers: not there. The classes are, for `isinstance`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FakeTensor", "FakeTensorMode", "is_fake", "unset_fake_temporarily"]


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


@contextmanager
def unset_fake_temporarily() -> Iterator[None]:
    """A block without fake tensors, as all are: it yields what was on, None."""
    yield None
