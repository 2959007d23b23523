"""Whether operations are recorded: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rushlight import _core

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


class _Mode:
    """A context manager that is also a decorator, of functions and of generators."""

    def clone(self) -> _Mode:
        return type(self)()

    def __call__(self, function: F) -> F:
        return _decorated(self, function)

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError


def _decorated(mode: _Mode, function: Any) -> Any:
    import functools
    import inspect

    if inspect.isclass(function):
        from rushlight.warned import warn

        warn(
            "Decorating classes is deprecated and will be disabled in future versions: only their "
            "construction is in this mode. Decorate `__init__` for that.",
            FutureWarning,
        )
        made = function

        def function(*args: Any, **kwargs: Any) -> Any:
            return made(*args, **kwargs)

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            # The mode holds while the generator runs, not while its consumer does.
            running = function(*args, **kwargs)
            try:
                with mode.clone():
                    value = running.send(None)
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        with mode.clone():
                            running.close()
                        raise
                    except BaseException as error:
                        with mode.clone():
                            value = running.throw(error)
                    else:
                        with mode.clone():
                            value = running.send(sent)
            except StopIteration as stop:
                return stop.value

        return generator

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with mode.clone():
            return function(*args, **kwargs)

    return wrapper


class no_grad(_Mode):
    """Operations inside are not recorded: their results do not require grad.

    A context manager, and a decorator; for the current thread.
    """

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        return mode if function is None else _decorated(mode, function)  # @no_grad without ()

    def __enter__(self) -> None:
        self._before = _core.set_grad_enabled(False)

    def __exit__(self, *exc: object) -> None:
        _core.set_grad_enabled(self._before)


class enable_grad(_Mode):
    """Operations inside are recorded, also within no_grad.

    A context manager, and a decorator; for the current thread.
    """

    def __new__(cls, orig_func: Any = None) -> Any:
        mode = super().__new__(cls)
        return mode if orig_func is None else _decorated(mode, orig_func)

    def __enter__(self) -> None:
        self._before = _core.set_grad_enabled(True)

    def __exit__(self, *exc: object) -> None:
        _core.set_grad_enabled(self._before)


class set_grad_enabled(_Mode):
    """Recording on or off: at once as a function, or until the end of a with block."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled(): mode must be bool, not {type(mode).__name__}")
        self.mode = mode
        self._before = _core.set_grad_enabled(mode)

    def __call__(self, function: F) -> F:
        _core.set_grad_enabled(self._before)  # decorating changes nothing now
        return _decorated(self, function)

    def clone(self) -> set_grad_enabled:
        """A new context with the same mode."""
        return set_grad_enabled(self.mode)

    def __enter__(self) -> None:
        _core.set_grad_enabled(self.mode)

    def __exit__(self, *exc: object) -> None:
        _core.set_grad_enabled(self._before)

    def __str__(self) -> str:
        return f"torch.set_grad_enabled(mode={self.mode})"

    __repr__ = __str__


class inference_mode(_Mode):
    """no_grad, and the tensors made inside can never take part in recorded operations."""

    def __new__(cls, mode: Any = True) -> Any:
        if isinstance(mode, bool):
            return super().__new__(cls)
        made = super().__new__(cls)
        made.mode = True
        return _decorated(made, mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def clone(self) -> inference_mode:
        """A new context with the same mode."""
        return inference_mode(self.mode)

    def __enter__(self) -> None:
        self._before = _core.set_inference(self.mode), _core.set_grad_enabled(not self.mode)

    def __exit__(self, *exc: object) -> None:
        _core.set_inference(self._before[0])
        _core.set_grad_enabled(self._before[1])


class set_multithreading_enabled(_Mode):
    """Accepted: backward walks the graph in one thread; its kernels use `get_num_threads`."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def clone(self) -> set_multithreading_enabled:
        """A new context with the same mode."""
        return set_multithreading_enabled(self.mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


class enforce_grad_layout_policy(_Mode):
    """Accepted: gradients are row-major."""

    def __init__(self, enable: bool = True) -> None:
        self.mode = enable

    def clone(self) -> enforce_grad_layout_policy:
        """A new context with the same argument."""
        return enforce_grad_layout_policy(self.mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


is_grad_enabled = _core.is_grad_enabled
is_inference_mode_enabled = _core.is_inference_mode_enabled
