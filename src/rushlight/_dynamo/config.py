"""Switches of PyTorch's compiler, which change nothing: any name can be set."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

accumulated_cache_size_limit = 256
allow_unspec_int_on_nn_module = False
assume_static_by_default = True
automatic_dynamic_shapes = True
cache_size_limit = recompile_limit = 8
capture_dynamic_output_shape_ops = False
capture_scalar_outputs = False
disable = False
dynamic_shapes = True
error_on_recompile = False
guard_nn_modules = True
inline_inbuilt_nn_modules = True
optimize_ddp = True
specialize_int = False
suppress_errors = False
verbose = False


def patch_of(switches: dict[str, Any]) -> Callable[..., AbstractContextManager[None]]:
    """The `patch` of a module of switches, given by its globals."""

    @contextmanager
    def patch(changes: Any = None, value: Any = None, **more: Any) -> Iterator[None]:
        """A block in which switches have other values: of a dict, one by its name, or by names."""
        given = ({changes: value} if isinstance(changes, str) else dict(changes or {})) | more
        before = {name: switches[name] for name in given if name in switches}
        switches.update(given)
        try:
            yield
        finally:
            for name in given:
                switches.pop(name, None)
            switches.update(before)

    return patch


patch = patch_of(globals())
