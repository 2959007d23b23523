"""Stopping a run anywhere and going on with it, to the same bits: `save_run` and `load_run`.

    for epoch in range(done.get("epoch", 0), epochs):
        for inputs, targets in loader:
            ...
            optimizer.step()
            if step % 100 == 0:
                save_run("run.pt", model=model, optimizer=optimizer, loader=loader,
                         epoch=epoch, step=step)

where `done` is what `load_run` with the same objects returned, or {} in a new run.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.io.allowlist import allowed_by_user
from rushlight.utils.generators import (
    global_states,
    pack,
    set_global_states,
    set_states,
    states,
    unpack,
)

if TYPE_CHECKING:
    import os

__all__ = ["load_run", "save_run"]

_MARK = "rushlight.run"
_VERSION = 1


def save_run(path: str | os.PathLike[str], /, **parts: Any) -> None:
    """Write everything that the next steps of a run depend on to one file.

    Besides the parts these are the states of the global random generators: the default one, and,
    where their modules are loaded, Python's `random` and NumPy's legacy one. The file is written
    beside `path` and renamed: killed at any instant, the old or the new one is there, whole.

    Call it after `optimizer.step()`: gradients are not saved, nor are settings such as the number
    of threads (results do not depend on it) and `train()` or `eval()`.

    Args:
        path: where to write; what is there is replaced.
        parts: by names of your own: objects with `state_dict()` and `load_state_dict()` (modules,
            optimizers, schedulers, a `GradScaler`, a `DataLoader` in the middle of a pass),
            generators (a `Generator`, a `random.Random`, NumPy's), and plain values (numbers,
            strings, tensors, containers of them) such as the epoch.

    Raises:
        TypeError: a part is, or its state contains, something that could not be loaded again; the
            message names it.
        RuntimeError: the folder is missing.
    """
    stateful: dict[str, Any] = {}
    generators: dict[str, Any] = {}
    values: dict[str, Any] = {}
    allowed: tuple[Any, ...] = (*_PLAIN, rushlight.dtype, rushlight.device, rushlight.Size)
    allowed += tuple(item for item in allowed_by_user().values() if isinstance(item, type))
    for name, part in parts.items():
        if _is_stateful(part):
            stateful[name] = part.state_dict()
            _check(stateful[name], f"{name}.state_dict()", allowed)
        elif (state := _generator_state(part)) is not None:
            generators[name] = state
        else:
            values[name] = part
            _check(part, name, allowed)
    rushlight.save(
        {
            _MARK: _VERSION,
            "parts": stateful,
            "generators": generators,
            "values": values,
            "random": pack(global_states()),
        },
        path,
    )


def load_run(path: str | os.PathLike[str], /, **parts: Any) -> dict[str, Any]:
    """Put objects and the global random generators to where `save_run` wrote that they were.

    Nothing in the file is run, and nothing is changed before the whole file is read and its
    checksums are verified.

    Args:
        path: a file of `save_run`.
        parts: the same objects under the same names, made in the same way; all that have a state.
            A `DataLoader` goes on with the batch after the last one that it gave, in the next
            `for` over it.

    Returns:
        The plain values, by name.

    Raises:
        ValueError: the file is not of `save_run`, or has other parts than are given.
        RuntimeError: the file is truncated or damaged.
        FileNotFoundError: there is none.
    """
    saved = rushlight.load(path)
    if not isinstance(saved, dict) or saved.get(_MARK) != _VERSION:
        raise ValueError(
            f"load_run: {str(path)!r} is not a file that save_run of this version wrote; "
            "rushlight.load reads files of save"
        )
    for name, part in parts.items():
        if not _is_stateful(part) and _generator_state(part) is None:
            raise ValueError(
                f"load_run: {name!r} is {type(part).__name__}, which has no state to be loaded; "
                "plain values are returned, do not pass them"
            )
    there = {*saved["parts"], *saved["generators"]}
    if there != parts.keys():
        raise ValueError(
            f"load_run: {str(path)!r} has the states of {_names(there)}, but "
            f"{_names(parts.keys())} were given; the run would not go on as it was. Give the same "
            "names as to save_run"
        )
    for name, state in saved["parts"].items():
        parts[name].load_state_dict(state)
    for name, state in saved["generators"].items():
        set_states([parts[name]], [unpack(state)])
    set_global_states(unpack(saved["random"]))  # at the end: loading may draw
    return saved["values"]


def _is_stateful(part: Any) -> bool:
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")


def _generator_state(part: Any) -> Any:
    """Kind and state of a generator, for a file; None for anything else."""
    (found,) = states([part])
    return None if found[0] is None else pack(found)


def _names(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"


# What `load` makes without being allowed to.
_PLAIN = (bool, int, float, complex, str, bytes, bytearray, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict, OrderedDict, Counter)


def _check(value: Any, where: str, allowed: tuple[type, ...]) -> None:
    """TypeError for what `load` would refuse: when it is saved there is still time."""
    todo = [(value, where)]
    seen: set[int] = set()
    while todo:
        value, where = todo.pop()
        kind = type(value)
        if kind in allowed or isinstance(value, rushlight.Tensor):
            continue
        if kind not in _CONTAINERS:
            hint = "save its state_dict(), or numbers, strings, tensors and containers of them"
            if kind.__module__ == "numpy":
                hint = "item() makes a number of a NumPy scalar, torch.from_numpy an array's tensor"
            raise TypeError(
                f"save_run: {where} is a {kind.__module__}.{kind.__qualname__}, which load_run "
                f"would refuse; {hint}"
            )
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            todo += [(item, f"{where}[{key!r}]") for key, item in value.items()]
            todo += [(key, f"a key of {where}") for key in value]
        else:
            todo += [(item, f"{where}[{number}]") for number, item in enumerate(value)]
