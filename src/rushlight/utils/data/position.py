"""Where a DataLoader stands in its pass: written down, and gone back to.

A pass is repeated up to the place: the generators and samplers are put to where they were at its
start, the sampler gives the indices of the batches that are done, nothing is read for them, and
the generators are put back to now. A stream has no indices, so its samples are read again, unless
the dataset can say itself where it is (`state_dict`, `load_state_dict`).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from rushlight.utils.generators import (
    find_generators,
    global_states,
    pack,
    set_global_states,
    set_states,
    states,
    unpack,
)

if TYPE_CHECKING:
    from rushlight.utils.data.dataloader import DataLoader, _BaseDataLoaderIter

__all__ = ["Replay", "Start", "own_state", "load_position", "position", "resume"]

_VERSION = 1


def _samplers(loader: DataLoader) -> list[Any]:
    """The samplers of a loader, from the outermost inwards.

    An iterator may be made of a stand-in for a loader, as fastai makes it, which has none.
    """
    found: list[Any] = []
    for sampler in (loader._index_sampler, getattr(loader, "sampler", None)):
        while sampler is not None and not any(sampler is known for known in found):
            found.append(sampler)
            sampler = getattr(sampler, "sampler", None)
    return found


def _generators(loader: DataLoader) -> list[Any]:
    return find_generators([loader, *_samplers(loader), loader.dataset])


def _is_stateful(part: Any) -> bool:
    """Whether this object has a state of its own; a class, which is no object yet, has none."""
    return (
        hasattr(part, "state_dict")
        and hasattr(part, "load_state_dict")
        and not isinstance(part, type)
    )


def own_state(part: Any) -> Any:
    """What a dataset or a sampler says of where it is; None if it says nothing."""
    return copy.deepcopy(part.state_dict()) if _is_stateful(part) else None


class Start:
    """What a pass began from; taken when it begins, so no more than copies of states."""

    def __init__(self, loader: DataLoader) -> None:
        self.globals = global_states()
        self.own = states(_generators(loader))
        self.samplers = [own_state(sampler) for sampler in _samplers(loader)]


class Replay:
    """A loaded state, for the pass that goes on from it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.base_seed: int | None = state["base_seed"]
        self.is_first: bool = state["is_first"]
        self.in_pass: bool = state["in_pass"]
        self.yielded: int = state["yielded"]
        self.stream_ended: bool = state["stream_ended"]
        self.dataset: Any = state["dataset"]
        self.workers: list[dict[str, Any]] | None = state["workers"]
        if self.workers is not None:
            for worker in self.workers:
                worker["random"] = unpack(worker["random"])
        self.tasks: dict[str, Any] = state["tasks"]


def _identity(loader: DataLoader) -> dict[str, Any]:
    """What must be the same in the loader that goes on."""
    size = loader.batch_size
    if size is None:
        size = getattr(loader.batch_sampler, "batch_size", None)
    try:
        samples = len(loader.dataset)
    except (TypeError, NotImplementedError):
        samples = None
    return {
        "batch_size": size,
        "num_workers": loader.num_workers,
        "samples": samples,
        "dataset": type(loader.dataset).__name__,
    }


def position(loader: DataLoader) -> dict[str, Any]:
    """`DataLoader.state_dict`."""
    if loader._resume_from is not None:  # loaded, and not gone on with since
        return copy.deepcopy(loader._resume_from)
    current = loader._current()
    in_pass = current is not None and not current._ended
    state: dict[str, Any] = {
        "version": _VERSION,
        "loader": _identity(loader),
        "own": pack(states(_generators(loader))),
        "samplers": [own_state(sampler) for sampler in _samplers(loader)],
        "in_pass": in_pass,
        "yielded": current._num_yielded if current is not None and in_pass else 0,
        "base_seed": None,
        "is_first": True,
        "start": None,
        "dataset": None,
        "stream_ended": False,
        "workers": None,
        "tasks": {},
    }
    if loader.num_workers == 0:
        state["dataset"] = own_state(loader.dataset)
    if current is None or not (in_pass or loader.persistent_workers):
        return state
    start = current._start_of_pass
    state["start"] = {
        "globals": pack(start.globals),
        "own": pack(start.own),
        "samplers": start.samplers,
    }
    state["base_seed"], state["is_first"] = current._base_seed, current._is_first
    state.update(current._position())
    return state


def load_position(loader: DataLoader, state: Any) -> None:
    """`DataLoader.load_state_dict`."""
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        raise ValueError(
            "DataLoader.load_state_dict: the state is not one that state_dict() of this version "
            f"gave (version {_VERSION})"
        )
    own = _identity(loader)
    for name, saved in state["loader"].items():
        if saved != own[name]:
            raise ValueError(
                f"DataLoader.load_state_dict: the state is of a loader with {name}={saved}, this "
                f"one has {name}={own[name]}; the same batches cannot follow. Make it as it was"
            )
    set_states(_generators(loader), unpack(state["own"]))
    loader._resume_from = state = copy.deepcopy(state)
    _load_samplers(loader, state["samplers"])
    if loader._iterator is not None:  # its workers are not where the saved ones were
        loader._iterator._shutdown()  # type: ignore[attr-defined]
        loader._iterator = None


def _load_samplers(loader: DataLoader, saved: list[Any]) -> None:
    for sampler, state in zip(_samplers(loader), saved, strict=True):
        if state is not None:
            sampler.load_state_dict(state)


def resume(loader: DataLoader) -> _BaseDataLoaderIter:
    """The first pass after `load_position`: goes on with what was saved."""
    state, loader._resume_from = loader._resume_from, None
    assert state is not None
    if state["dataset"] is not None:
        loader.dataset.load_state_dict(state["dataset"])
    start = state["start"]
    if start is None:  # it was between two passes
        return loader._get_iterator(None)
    if not state["in_pass"]:  # so too, and its workers live on
        iterator = loader._get_iterator(Replay(state))
        iterator._reset(loader)
        return iterator
    own = _generators(loader)
    now_global, now = global_states(), states(own)
    try:
        set_global_states(unpack(start["globals"]))
        set_states(own, unpack(start["own"]))
        _load_samplers(loader, start["samplers"])
        return loader._get_iterator(Replay(state))
    finally:
        set_global_states(now_global)
        set_states(own, now)
