"""Whether a program is being traced: it never is."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["get_proxy_mode", "make_fx"]


def get_proxy_mode() -> None:
    """None: nothing is traced."""


def make_fx(f: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: there is no tracer."""
    raise NotImplementedError(
        "torch.fx.experimental.proxy_tensor.make_fx is not in rushlight, which makes no graphs of "
        "programs: call the function itself"
    )
