"""Modes below autograd, `__torch_dispatch__`: not there. The names are, for imports."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TorchDispatchMode", "is_traceable_wrapper_subclass"]


class TorchDispatchMode:
    """What sees every operation of PyTorch's core; raises NotImplementedError when it is entered.

    Operations here are larger than those that it would be told of, a layer's product with its bias
    for one. `torch.overrides.TorchFunctionMode` sees the functions that a program calls.
    """

    def __init__(self, _dispatch_key: Any = None) -> None:
        pass

    def __enter__(self) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__}: torch.utils._python_dispatch.TorchDispatchMode is not in "
            "rushlight, which has no operations below autograd to tell of; "
            "torch.overrides.TorchFunctionMode sees the functions that a program calls"
        )

    def __exit__(self, *exception: Any) -> None:
        pass


def is_traceable_wrapper_subclass(t: Any) -> bool:
    """False: no tensor is made of others for a tracer."""
    return False


def _get_current_dispatch_mode() -> None:
    """None: no mode can be entered."""


@contextmanager
def _disable_current_modes() -> Iterator[None]:
    """A block without such modes."""
    yield
