"""What is kept for backward: hooks that see it, and leave to write to it."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class saved_tensors_hooks:
    """Inside, tensors kept for backward go through `pack_hook`, and come back by `unpack_hook`."""

    _active: list = []  # noqa: RUF012  one list for the process, shared with the core
    _refusal: str | None = None  # inside disable_saved_tensors_hooks

    def __init__(self, pack_hook: Callable, unpack_hook: Callable) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if saved_tensors_hooks._refusal is not None:
            raise RuntimeError(saved_tensors_hooks._refusal)
        self._active.append((self.pack_hook, self.unpack_hook))
        _core.set_saved_tensor_hooks(self._active)

    def __exit__(self, *exc: object) -> None:
        self._active.pop()
        _core.set_saved_tensor_hooks(self._active or None)


class save_on_cpu(saved_tensors_hooks):
    """Keeps saved tensors on the CPU, where they are. A context manager without effect."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cpu") -> None:
        super().__init__(lambda tensor: tensor, lambda tensor: tensor)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside, `saved_tensors_hooks` raises RuntimeError with that message."""
    if saved_tensors_hooks._active:
        raise RuntimeError(error_message)
    before = saved_tensors_hooks._refusal
    saved_tensors_hooks._refusal = error_message
    try:
        yield
    finally:
        saved_tensors_hooks._refusal = before


class _Copy:
    """Stands in a node for the copy that a context of mutation keeps."""


class _Copies:
    """What :func:`allow_mutation_on_saved_tensors` keeps."""

    def __init__(self) -> None:
        self.of: weakref.WeakKeyDictionary[_Copy, Tensor] = weakref.WeakKeyDictionary()

    def clear(self) -> None:
        """Forgets the copies: no backward is to come any more."""
        self.of.clear()

    def pack(self, tensor: Tensor) -> _Copy:
        handle = _Copy()
        with _no_hooks():
            self.of[handle] = tensor.detach().clone()
        return handle

    def unpack(self, handle: _Copy) -> Tensor:
        if handle not in self.of:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in "
                "which the graph was originally recorded."
            )
        return self.of[handle]


_copies: _Copies | None = None


@contextmanager
def _no_hooks() -> Iterator[None]:
    _core.set_saved_tensor_hooks(None)
    try:
        yield
    finally:
        _core.set_saved_tensor_hooks(saved_tensors_hooks._active or None)


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_Copies]:
    """Inside, tensors that backward needs may be written to in place.

    What is kept is a copy, of every tensor that an operation keeps, until the graph or the context
    ends; backward has to be called inside. Raises RuntimeError where contexts are nested.
    """
    global _copies
    if _copies is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    _copies = copies = _Copies()
    try:
        with saved_tensors_hooks(copies.pack, copies.unpack):
            yield copies
    finally:
        _copies = None
        copies.clear()


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Says that the data of a tensor was changed where autograd could not see it."""
    for one in (tensor,) if isinstance(tensor, Tensor) else tensor:
        one._bump_version()
