"""The states of random generators, for whoever stops a run and goes on with it later.

There are the global ones (the default generator, Python's `random`, NumPy's legacy one) and those
that an object has as attributes. A snapshot is cheap; `pack` turns one into numbers, strings and
tensors, which `save` writes and `load` reads without running code.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["find_generators", "global_states", "pack", "set_global_states", "set_states", "states"]


class _Global:
    """Stands for a module's hidden generator, where others stand for themselves."""


_PYTHON, _NUMPY = _Global(), _Global()


# ---- one generator: its state, as it gives it


def _kind(generator: Any) -> str | None:
    """What it is; None for what is no generator, or has no state to read."""
    if generator is _PYTHON:
        return "python"
    if generator is _NUMPY:
        return "numpy"
    kind = type(generator)  # a proxy is not asked what it stands for, which may load it
    if issubclass(kind, _core.Generator):
        return "rushlight"
    random = sys.modules.get("random")  # what was never imported made no object
    if random is not None and issubclass(kind, random.Random):
        return None if issubclass(kind, random.SystemRandom) else "python"
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        if issubclass(kind, numpy_random.Generator):
            return "numpy generator"
        if issubclass(kind, numpy_random.RandomState):
            return "numpy"
    return None


def _get(generator: Any, kind: str) -> Any:
    if kind == "rushlight":
        return generator.get_state()
    if kind == "python":
        if generator is _PYTHON:
            import random as generator
        return generator.getstate()
    if kind == "numpy generator":
        return generator.bit_generator.state
    if generator is _NUMPY:
        from numpy import random as generator
    return generator.get_state(legacy=False)


def _set(generator: Any, kind: str, state: Any) -> None:
    if kind == "rushlight":
        generator.set_state(state)
    elif kind == "python":
        if generator is _PYTHON:
            import random as generator
        generator.setstate(state)
    elif kind == "numpy generator":
        generator.bit_generator.state = state
    else:
        if generator is _NUMPY:
            from numpy import random as generator
        generator.set_state(state)


# ---- several


def find_generators(owners: Iterable[Any]) -> list[Any]:
    """The generators that are attributes of the objects, each once."""
    found: dict[int, Any] = {}
    for owner in owners:
        for value in getattr(owner, "__dict__", {}).values():
            if value is not _core.default_generator and _kind(value) is not None:
                found[id(value)] = value
    return list(found.values())


def states(generators: Iterable[Any]) -> list[tuple[str | None, Any]]:
    """(kind, state) of each; (None, None) for what is no generator."""
    found = []
    for generator in generators:
        kind = _kind(generator)
        found.append((kind, None if kind is None else _get(generator, kind)))
    return found


def set_states(generators: list[Any], saved: Iterable[tuple[Any, Any]]) -> None:
    """Puts generators to what `states` gave.

    Raises:
        ValueError: if they are not as many, or not of the same kinds; none is changed then.
    """
    saved = list(saved)
    kinds, wanted = [_kind(generator) for generator in generators], [kind for kind, _ in saved]
    if kinds != wanted:
        raise ValueError(
            f"the state has generators of the kinds {wanted}, but here are {kinds}: make the same "
            "objects as the run that was saved"
        )
    for generator, (kind, state) in zip(generators, saved, strict=True):
        _set(generator, kind, state)


def global_states() -> dict[str, Any]:
    """States of the global generators: those whose modules are loaded."""
    found = {"rushlight": _core.default_generator.get_state()}
    if "random" in sys.modules:
        found["python"] = _get(_PYTHON, "python")
    if "numpy.random" in sys.modules:
        found["numpy"] = _get(_NUMPY, "numpy")
    return found


def set_global_states(saved: dict[str, Any]) -> None:
    """Puts the global generators to what `global_states` gave; others stay as they are."""
    places = {"rushlight": _core.default_generator, "python": _PYTHON, "numpy": _NUMPY}
    for kind, state in saved.items():
        _set(places[kind], kind, state)


# ---- to and from a file


def pack(state: Any) -> Any:
    """A state, or containers of states, as numbers, strings, tensors and containers of these."""
    if isinstance(state, dict):
        return {name: pack(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        if len(state) > 64 and set(map(type, state)) == {int}:  # the words of `random`
            return {"words": rushlight.tensor(state, dtype=rushlight.int64)}
        return [pack(value) for value in state]
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(state, numpy.ndarray):
        flat = numpy.ascontiguousarray(state).reshape(-1).view(numpy.uint8)
        return {"array": state.dtype.str, "bytes": rushlight.from_numpy(flat.copy())}
    if numpy is not None and isinstance(state, numpy.generic):
        return state.item()
    return state


def unpack(state: Any) -> Any:
    """What `pack` was given, with tuples where there were sequences."""
    if isinstance(state, dict):
        if state.keys() == {"words"}:
            return tuple(state["words"].tolist())
        if state.keys() == {"array", "bytes"}:
            import numpy

            return numpy.frombuffer(bytes(state["bytes"].tolist()), state["array"])
        return {name: unpack(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return tuple(unpack(value) for value in state)
    return state
