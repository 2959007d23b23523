"""What runs in a worker process of a DataLoader."""

from __future__ import annotations

import os
import signal
import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.utils.data.channel import Channel, ChannelClosed
from rushlight.utils.data.fetch import make_fetch
from rushlight.utils.data.position import own_state
from rushlight.utils.data.worker_info import WorkerInfo, _generate_state, set_worker_info
from rushlight.utils.generators import (
    find_generators,
    global_states,
    pack,
    set_global_states,
    set_states,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RESUME", "STATE", "Job", "Raised", "StreamEnded", "work"]

_HEARTBEAT = 5.0  # seconds between two looks whether the main process still lives


class Job:
    """What a worker is told when it starts."""

    def __init__(
        self,
        dataset: Any,
        *,
        stream: bool,
        batched: bool,
        collate_fn: Callable[[Any], Any],
        drop_last: bool,
        base_seed: int,
        init_fn: Callable[[int], None] | None,
        num_workers: int,
        kept_states: int,
        batch_size: int | None,
        resumed: list[dict[str, Any]] | None,
    ) -> None:
        self.dataset = dataset
        self.stream = stream
        self.batched = batched
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.base_seed = base_seed
        self.init_fn = init_fn
        self.num_workers = num_workers
        self.kept_states = kept_states
        self.batch_size = batch_size
        self.resumed = resumed  # what each worker goes on from

    def start_fetch(self) -> Callable[[Any], Any]:
        """A new pass over the dataset."""
        return make_fetch(
            self.dataset,
            stream=self.stream,
            batched=self.batched,
            collate_fn=self.collate_fn,
            drop_last=self.drop_last,
        )


class _KeyMessage(str):
    """The message of a KeyError, which shows the repr() of it: lines stay lines."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Raised:
    """An exception on its way from a worker: its type, and its traceback as text.

    The type is pickled where that is possible.
    """

    def __init__(self, error: BaseException, worker: int) -> None:
        import pickle
        import traceback

        self.kind: type[BaseException] = type(error)
        self.text = (
            f"{self.kind.__name__} in DataLoader worker process {worker}. Its traceback:\n"
            + "".join(traceback.format_exception(error))
        )
        try:
            pickle.dumps(self.kind)
        except Exception:
            self.kind = RuntimeError

    def raise_again(self) -> None:
        """Raises an exception of the type, with the traceback in its message.

        RuntimeError stands in for types that cannot be made from a message alone.
        """
        text: str = f"Caught {self.text}"
        if self.kind is KeyError:
            text = _KeyMessage(text)
        try:
            if getattr(self.kind, "message", None):
                error = self.kind(message=text)  # type: ignore[call-arg]
            else:
                error = self.kind(text)
        except Exception:
            error = RuntimeError(text)
        raise error from None


# ---- messages; from the loader: (number, indices), or RESUME; to it: (number, batch)

RESUME = "resume"  # start a new pass; answered with itself
STATE = "state"  # (STATE, number or None): what was before that task, or is now; (STATE, states)


class StreamEnded:
    """In place of a batch: this worker's part of the stream is used up."""


def _seed(base_seed: int, worker: int) -> int:
    """Seeds this process's generators, each as PyTorch does."""
    import random

    import numpy

    seed = base_seed + worker
    random.seed(seed)
    rushlight.manual_seed(seed)
    numpy.random.seed(_generate_state(base_seed, worker))
    return seed


def work(connection: socket.socket, inherited: Sequence[socket.socket], job: Job, id: int) -> None:
    """A worker's life: answers tasks until the main process closes the connection.

    Args:
        connection: this worker's end.
        inherited: ends of the main process, which a forked worker must not hold open.
        job: what there is to do.
        id: of this worker.
    """
    # Ctrl-C reaches every process of the terminal; the main process decides what becomes of us.
    # It blocked the signal while it started this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for end in inherited:
        end.close()
    channel = Channel(connection)
    parent = os.getppid()
    rushlight.set_num_threads(1)
    worker = _Worker(job, id)
    connection.settimeout(_HEARTBEAT)
    try:
        while True:
            try:
                task = channel.receive()
            except TimeoutError:
                if os.getppid() != parent:
                    break
                continue
            if task == RESUME:
                worker.restart()
                _answer(channel, RESUME, None, id)
                continue
            number, index = task
            if number == STATE:
                _answer(channel, STATE, worker.state(index), id)
            elif not worker.ended:
                _answer(channel, number, worker.batch(number, index), id)
            del task, index  # a batch needs its memory once
    except ChannelClosed:
        pass
    channel.close()


class _Worker:
    """The pass over the dataset: where it stands, and why it cannot go on where it cannot."""

    def __init__(self, job: Job, id: int) -> None:
        self.ended = False  # this worker's part of a stream is used up
        self._job, self._id = job, id
        self._fetch: Callable[[Any], Any] | None = None
        self._failed: Raised | None = None
        self._history: _History | None = None
        try:
            seed = _seed(job.base_seed, id)
            set_worker_info(WorkerInfo(id, job.num_workers, seed, job.dataset))
            if job.init_fn is not None:
                job.init_fn(id)
            self._history = _History(job)
            if job.resumed is None:
                self._fetch = job.start_fetch()
            else:
                self._fetch = _start_resumed(job, self._history, id)
        except Exception as error:
            self._failed = Raised(error, id)

    def restart(self) -> None:
        """Begins a new pass."""
        self.ended = False
        if self._history is not None:
            self._history.clear()
        try:
            self._fetch, self._failed = self._job.start_fetch(), None
        except Exception as error:
            self._failed = Raised(error, self._id)

    def batch(self, number: int, index: Any) -> Any:
        """The batch of a task, or what is sent in its place."""
        if self._failed is not None:
            return self._failed
        try:
            self._history.note(number, self._fetch)  # type: ignore[union-attr]
            return self._fetch(index)  # type: ignore[misc]
        except StopIteration as error:
            self.ended = self._job.stream
            return StreamEnded() if self.ended else Raised(error, self._id)
        except Exception as error:
            return Raised(error, self._id)

    def state(self, number: int | None) -> Any:
        """What this worker was before task `number`, or is now."""
        try:
            if self._history is None:
                raise RuntimeError("the worker could not start")
            return self._history.packed(number, self._fetch)
        except Exception as error:
            return Raised(error, self._id)


class _History:
    """What this worker was before each of its latest tasks: its generators, and the dataset."""

    def __init__(self, job: Job) -> None:
        self._dataset = job.dataset
        self._own = find_generators([job.dataset])
        self._before: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._kept = job.kept_states

    def now(self, fetch: Any) -> dict[str, Any]:
        return {
            "ended": getattr(fetch, "ended", False),
            "random": {"globals": global_states(), "own": states(self._own)},
            "dataset": own_state(self._dataset),
        }

    def note(self, number: int, fetch: Any) -> None:
        self._before[number] = self.now(fetch)
        if len(self._before) > self._kept:
            self._before.popitem(last=False)

    def clear(self) -> None:
        self._before.clear()

    def packed(self, number: int | None, fetch: Any) -> dict[str, Any]:
        state = self.now(fetch) if number is None else self._before[number]
        return {**state, "random": pack(state["random"])}

    def go_back(self, random: dict[str, Any]) -> None:
        set_global_states(random["globals"])
        set_states(self._own, random["own"])


def _start_resumed(job: Job, history: _History, id: int) -> Callable[[Any], Any]:
    """Goes on in the middle of a pass, or of a life between two."""
    assert job.resumed is not None
    state = job.resumed[id]
    if state["dataset"] is not None:
        job.dataset.load_state_dict(state["dataset"])
    fetch: Any = job.start_fetch()
    if job.stream and state["dataset"] is None:
        fetch.skip(state["given"] * (job.batch_size or 1))
    elif job.stream:
        fetch.ended = state["ended"]
    if state["random"] is not None:
        history.go_back(state["random"])
    return fetch


def _answer(channel: Channel, number: Any, result: Any, id: int) -> None:
    channel.socket.settimeout(None)
    try:
        channel.send((number, result))
    except ChannelClosed:
        raise
    except Exception as error:  # of pickling
        channel.send((number, Raised(error, id)))
    channel.socket.settimeout(_HEARTBEAT)
