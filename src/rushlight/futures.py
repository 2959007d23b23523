"""torch.futures: a value that comes later, or the exception in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that another thread, or code further down, sets once.

    Args:
        devices: where the value would be; there is the CPU alone.
    """

    def __init__(self, *, devices: Any = None) -> None:
        from concurrent.futures import Future as Shared

        self._shared: Shared = Shared()

    def __class_getitem__(cls, kind: Any) -> type[Future]:
        return cls  # Future[int], in annotations

    def done(self) -> bool:
        """Whether the value, or an exception, is there."""
        return self._shared.done()

    def wait(self) -> Any:
        """The value, once it is there; raises the exception if there is one."""
        return self._shared.result()

    def value(self) -> Any:
        """The value; RuntimeError if it is not there yet."""
        if not self.done():
            raise RuntimeError("Future.value(): the future is not done; wait() waits for it")
        return self._shared.result()

    def set_result(self, result: Any) -> None:
        """Sets the value; RuntimeError if one is there."""
        self._refuse_second()
        self._shared.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Sets the exception that `wait` raises."""
        self._refuse_second()
        self._shared.set_exception(result)

    def _refuse_second(self) -> None:
        if self.done():
            raise RuntimeError("Future: a result is set once, and this future has one")

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """A future for ``callback(self)``, which is called when this one is done."""
        following: Future = Future()

        def call(_: Any) -> None:
            try:
                following.set_result(callback(self))
            except BaseException as error:
                following.set_exception(error)

        self._shared.add_done_callback(call)
        return following

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Calls ``callback(self)`` when this is done."""
        self._shared.add_done_callback(lambda _: callback(self))


def collect_all(futures: list[Future]) -> Future:
    """A future for the list of futures, done when all of them are."""
    together: Future = Future()
    left = [len(futures)]

    def count(_: Future) -> None:
        left[0] -= 1
        if left[0] == 0:
            together.set_result(futures)

    if not futures:
        together.set_result([])
    for future in futures:
        future.add_done_callback(count)
    return together


def wait_all(futures: list[Future]) -> list[Any]:
    """The values of all futures, once they are there."""
    return [future.wait() for future in collect_all(futures).wait()]
