"""TorchScript: a scripted or traced function is the function.

TorchScript makes a program that runs without Python; its results are those of the Python. There is
no such program here, so what needs one (saving it, looking at its graph) raises.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import rushlight.nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Attribute",
    "Final",
    "ScriptFunction",
    "ScriptModule",
    "annotate",
    "export",
    "fork",
    "freeze",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "isinstance",
    "load",
    "optimize_for_inference",
    "optimized_execution",
    "save",
    "script",
    "script_if_tracing",
    "script_method",
    "trace",
    "trace_module",
    "unused",
    "wait",
]

__path__: list[str] = []  # for `import torch.jit.annotations`, which is `typing` (as_torch.py)

_isinstance = isinstance


class ScriptModule(rushlight.nn.Module):
    """For `isinstance`: no module is one, unless a class derives from it."""


class ScriptFunction:
    """For `isinstance`: no function is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_program("ScriptFunction")


RecursiveScriptModule = ScriptModule
TopLevelTracedModule = ScriptModule


def script(
    obj: Any,
    optimize: Any = None,
    _frames_up: int = 0,
    _rcb: Any = None,
    example_inputs: Any = None,
) -> Any:
    """The module, function or class itself: nothing is compiled."""
    return obj


def trace(
    func: Any,
    example_inputs: Any = None,
    optimize: Any = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_kwarg_inputs: Any = None,
    _store_inputs: bool = True,
) -> Any:
    """The module or function itself, which is not called.

    Where its control flow depends on data it goes on following the data; a trace would repeat the
    way that the example took.
    """
    return func


def trace_module(mod: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """The module itself."""
    return mod


def script_if_tracing(fn: Any) -> Any:
    """The function itself."""
    return fn


_script_if_tracing = script_if_tracing


def script_method(fn: Any) -> Any:
    """The method itself."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Decorator; the function itself."""
    return drop if callable(drop) else (lambda fn: fn)


def unused(fn: Any) -> Any:
    """Decorator; the function itself."""
    return fn


def export(fn: Any) -> Any:
    """Decorator; the function itself."""
    return fn


def interface(obj: Any) -> Any:
    """Decorator; the class itself."""
    return obj


def freeze(
    mod: Any,
    preserved_attrs: Any = None,
    optimize_numerics: bool = True,
) -> Any:
    """The module itself; it must be in evaluation mode, as PyTorch demands."""
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode: call .eval() first"
        )
    return mod


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """The module itself."""
    return mod


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls the function at once; `wait` gives its result, as outside TorchScript in PyTorch."""
    from rushlight.futures import Future

    future: Future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Any) -> Any:
    """The result of what `fork` started."""
    return future.wait()


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def Attribute(value: Any, type: Any) -> Any:
    """The value."""
    return value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether an object is of a type, of `typing` too as far as its origin goes."""
    origin = getattr(target_type, "__origin__", target_type)
    return _isinstance(obj, origin)


def is_scripting() -> bool:
    """False."""
    return False


def is_tracing() -> bool:
    """False."""
    return False


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """Accepted: there is nothing to switch."""
    yield


class TracerWarning(Warning):
    """For filters of warnings: nothing is traced, so nothing warns."""


class ScriptWarning(Warning):
    """For filters of warnings: nothing is compiled, so nothing warns."""


def _no_program(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.jit.{name} needs TorchScript, which rushlight has not: save state_dict() with "
        "torch.save and rebuild the model from its class"
    )


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Raises NotImplementedError: there is no TorchScript program to save."""
    _no_program("save")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, **kwargs: Any) -> Any:
    """Raises NotImplementedError: there is nothing that runs a TorchScript program."""
    _no_program("load")


def _overload(func: Any) -> Any:
    """The function itself."""
    return func


_overload_method = _overload
