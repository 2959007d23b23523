"""Whether the parts of new sparse tensors are checked."""

from __future__ import annotations

from typing import Any


class check_sparse_tensor_invariants:  # a function to its callers, so lower case
    """Context manager, decorator and switch: look for indices outside when tensors are made."""

    _on = False

    @staticmethod
    def is_enabled() -> bool:
        """Whether it is on."""
        return check_sparse_tensor_invariants._on

    @staticmethod
    def enable() -> None:
        """Switches it on."""
        check_sparse_tensor_invariants._on = True

    @staticmethod
    def disable() -> None:
        """Switches it off."""
        check_sparse_tensor_invariants._on = False

    def __init__(self, enable: bool = True) -> None:
        self._wanted = enable
        self._before: bool | None = None

    def __enter__(self) -> None:
        if self._before is not None:
            raise RuntimeError(
                "This context manager instance is already activated. Use a different context "
                "manager instance for context nesting."
            )
        self._before = self._on
        check_sparse_tensor_invariants._on = self._wanted

    def __exit__(self, *error: object) -> None:
        check_sparse_tensor_invariants._on = bool(self._before)
        self._before = None

    def __call__(self, function: Any) -> Any:
        """The function, run in this state."""

        def call(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self._wanted):
                return function(*args, **kwargs)

        call.__name__, call.__doc__ = function.__name__, function.__doc__
        return call
