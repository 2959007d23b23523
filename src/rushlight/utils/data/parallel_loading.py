"""A pass over a DataLoader whose batches are made by worker processes.

Each worker has a connection of its own, so one that is killed in the middle of anything cannot hold
up the others, and its end is noticed at once. Tasks go round: batch i is made by worker i modulo
their number as long as all have work, and batches are given in the order of their tasks.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from rushlight.utils.data.channel import Channel, ChannelClosed, make_sockets
from rushlight.utils.data.dataloader import _BaseDataLoaderIter, _DatasetKind
from rushlight.utils.data.position import Start
from rushlight.utils.data.worker import RESUME, STATE, Job, Raised, StreamEnded, work

if TYPE_CHECKING:
    import socket
    from multiprocessing.process import BaseProcess

    from rushlight.utils.data.dataloader import DataLoader
    from rushlight.utils.data.position import Replay

_PATIENCE = 5.0  # seconds that a worker has to finish its batch when it is no longer wanted
_HEARTBEAT = 1.0  # seconds between two looks at workers that say nothing


class _Worker:
    """A worker process, as the main process sees it."""

    def __init__(self, process: BaseProcess, channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self.active = True  # in this pass: its part of a stream has not ended
        self.tasks = 0  # that it has been given and whose batch has not been given on
        self.given = 0  # batches of this pass that came from it


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader, replay: Replay | None = None) -> None:
        super().__init__(loader, replay)
        if not loader.prefetch_factor or loader.prefetch_factor <= 0:
            raise AssertionError(
                f"prefetch_factor must be greater than 0, got {loader.prefetch_factor}"
            )
        self._prefetch = loader.prefetch_factor * loader.num_workers
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._timeout = loader.timeout
        self._owner = os.getpid()
        self._workers: list[_Worker] = []
        self._poll = select.poll()
        self._by_fd: dict[int, _Worker] = {}
        self._early: deque[tuple[_Worker, Any, Any]] = deque()  # came while something else did
        try:
            self._start(loader, None if replay is None else replay.workers)
        except BaseException:
            self._shutdown()
            raise
        if replay is None:
            self._reset(loader, first=True)
        elif replay.in_pass:
            self._begin_pass(loader)
            self._go_on(replay)
        else:
            self._is_first = False

    # ---- starting, and starting again

    def _start(self, loader: DataLoader, resumed: list[dict[str, Any]] | None) -> None:
        import multiprocessing

        # Ends of sockets are pickled as descriptors, which is said there.
        import multiprocessing.reduction

        import numpy  # noqa: F401  here and not once in every worker, which seed its generator

        context = loader.multiprocessing_context or multiprocessing.get_context()
        job = Job(
            loader.dataset,
            stream=loader._dataset_kind == _DatasetKind.Iterable,
            batched=loader._auto_collation,
            collate_fn=loader.collate_fn,
            drop_last=loader.drop_last,
            base_seed=int(self._base_seed),
            init_fn=loader.worker_init_fn,
            num_workers=loader.num_workers,
            kept_states=self._prefetch + 1,
            batch_size=getattr(loader, "batch_size", None),  # for loaders that go on alone
            resumed=resumed,
        )
        forks = context.get_start_method() == "fork"
        for id in range(loader.num_workers):
            ours, theirs = make_sockets()
            inherited: list[socket.socket] = []
            if forks:
                inherited = [worker.channel.socket for worker in self._workers] + [ours]
            process = context.Process(target=work, args=(theirs, inherited, job, id), daemon=True)
            try:
                with _NoInterrupt():
                    process.start()
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            worker = _Worker(process, Channel(ours))
            self._workers.append(worker)
            self._by_fd[ours.fileno()] = self._by_fd[process.sentinel] = worker
            self._poll.register(ours, select.POLLIN)
            self._poll.register(process.sentinel, select.POLLIN)

    def _reset(self, loader: DataLoader, first: bool = False) -> None:
        """Begins a pass."""
        if not first:
            self._start_of_pass = Start(loader)
            self._is_first = False
        self._begin_pass(loader)
        if not first:
            self._early.clear()
            for worker in self._workers:
                worker.channel.post(RESUME)
            waiting = len(self._workers)
            while waiting:  # what workers still had to do belongs to a pass that nobody wants
                _, number, _ = self._receive()
                waiting -= number == RESUME
        self._sent = 0  # number of the next task
        self._given_on = 0  # number of the task whose batch is next
        self._outstanding = 0  # tasks whose batch has not arrived
        self._tasks: dict[int, _Worker] = {}  # by number: who was given it; until given on
        self._arrived: dict[int, Any] = {}  # batches whose turn has not come
        for worker in self._workers:
            worker.active, worker.tasks, worker.given = True, 0, 0
        self._turn = 0  # whose turn it is
        for _ in range(self._prefetch):
            self._give_task()

    def _give_task(self) -> None:
        """Takes the next indices from the sampler and gives them to the worker whose turn it is."""
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        active = sum(worker.active for worker in self._workers)
        for _ in self._workers:
            worker = self._workers[self._turn]
            self._turn = (self._turn + 1) % len(self._workers)
            if worker.active and (self._in_order or worker.tasks < self._prefetch // active):
                break
        else:
            return
        self._give(worker, index)

    def _give(self, worker: _Worker, index: Any) -> None:
        worker.channel.post((self._sent, index))
        self._flush(worker)
        self._tasks[self._sent] = worker
        worker.tasks += 1
        self._outstanding += 1
        self._sent += 1

    # ---- stopping here, and going on elsewhere

    def _position(self) -> dict[str, Any]:
        """Which tasks are not done, whose they are, and what each worker was before its first."""
        undone = {
            n: self._tasks[n] for n in range(self._given_on, self._sent) if self._is_to_come(n)
        }
        if self._ended:
            undone = {}
        asked = set()
        for worker in self._workers:
            if worker in self._by_fd.values():
                first = next((n for n, owner in undone.items() if owner is worker), None)
                worker.channel.post((STATE, first))
                asked.add(worker)
        found: dict[_Worker, dict[str, Any]] = {}
        while asked:
            worker, number, answer = self._receive_new()
            if number != STATE:
                self._early.append((worker, number, answer))
                continue
            asked.discard(worker)
            if isinstance(answer, Raised):
                answer.raise_again()
            found[worker] = answer
        workers = []
        nothing = {"random": None, "dataset": None, "ended": False}
        for worker in self._workers:
            about = {"given": 0 if self._ended else worker.given, "active": worker.active}
            workers.append({**found.get(worker, nothing), **about})
        number_of = {worker: number for number, worker in enumerate(self._workers)}
        return {
            "workers": workers,
            "tasks": {
                "given_on": self._given_on,
                "sent": self._sent,
                "undone": {number: number_of[worker] for number, worker in undone.items()},
                "turn": self._turn,
            },
        }

    def _go_on(self, replay: Replay) -> None:
        """Gives the tasks that were not done to the workers that had them."""
        tasks = replay.tasks
        self._num_yielded = replay.yielded
        self._given_on = self._sent = tasks["given_on"]
        self._outstanding = 0
        self._tasks, self._arrived = {}, {}
        self._turn = tasks["turn"]
        self._skip(self._given_on)
        owners = set(tasks["undone"].values())
        for number, (worker, state) in enumerate(
            zip(self._workers, replay.workers or [], strict=True)
        ):
            worker.given = state["given"]
            # One whose stream ended has to make the batches again that nobody has taken.
            worker.active = state["active"] or number in owners
        for number in range(self._sent, tasks["sent"]):
            owner = tasks["undone"].get(number)
            if owner is None:
                self._skip(1)
                self._sent += 1
            else:
                self._give(self._workers[owner], next(self._sampler_iter))

    # ---- batches

    def _next(self) -> Any:
        while True:
            # A worker whose stream ended leaves the rest of its tasks undone.
            while self._given_on < self._sent and not self._is_to_come(self._given_on):
                self._tasks.pop(self._given_on, None)
                self._given_on += 1
            if self._given_on == self._sent:
                if not self._persistent:
                    self._shutdown()
                raise StopIteration
            if self._given_on in self._arrived:
                return self._give_on(self._given_on, self._arrived.pop(self._given_on))
            if not self._workers:
                raise RuntimeError("DataLoader: the workers of this pass are gone; start a new one")
            worker, number, batch = self._receive()
            self._outstanding -= 1
            if isinstance(batch, StreamEnded):
                worker.active = False
                if not self._persistent:
                    self._dismiss(worker)
                self._give_task()
            elif number == self._given_on or not self._in_order:
                return self._give_on(number, batch)
            else:
                self._arrived[number] = batch

    def _is_to_come(self, number: int) -> bool:
        return number in self._arrived or (number in self._tasks and self._tasks[number].active)

    def _give_on(self, number: int, batch: Any) -> Any:
        worker = self._tasks.pop(number)
        worker.tasks -= 1
        worker.given += 1
        if number == self._given_on:
            self._given_on += 1
        self._give_task()
        if isinstance(batch, Raised):
            batch.raise_again()
        return batch

    # ---- talking to workers

    def _receive(self) -> tuple[_Worker, Any, Any]:
        return self._early.popleft() if self._early else self._receive_new()

    def _receive_new(self) -> tuple[_Worker, Any, Any]:
        """The next message of any worker: from whom, number of the task, batch.

        Raises:
            RuntimeError: if a worker is dead, or if `timeout` seconds go by.
        """
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        while True:
            for worker in self._workers:
                self._flush(worker)
            wait = _HEARTBEAT
            if deadline is not None:
                wait = min(wait, max(deadline - time.monotonic(), 0))
            found = self._poll.poll(wait * 1000)
            # A worker shows up twice, by its connection and by its end.
            ready = {id(self._by_fd[fd]): self._by_fd[fd] for fd, _ in found if fd in self._by_fd}
            for worker in ready.values():
                # Its sentinel may be what was ready; a last message counts before that.
                if select.select([worker.channel], [], [], 0)[0]:
                    try:
                        return (worker, *worker.channel.receive())
                    except ChannelClosed:
                        self._fail(worker)
                elif not worker.process.is_alive():
                    self._fail(worker)
            if deadline is not None and not ready and time.monotonic() >= deadline:
                raise RuntimeError(
                    f"DataLoader timed out after {self._timeout} seconds: no worker has finished a "
                    "batch. Raise timeout=, or look for what blocks in the dataset"
                )

    def _flush(self, worker: _Worker) -> None:
        try:
            worker.channel.flush()
        except ChannelClosed:
            self._fail(worker)

    def _fail(self, worker: _Worker) -> None:
        """Raises for a worker that is gone without having been dismissed."""
        worker.process.join(_PATIENCE)
        pid, code = worker.process.pid, worker.process.exitcode
        self._shutdown()
        if code is not None and code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = str(-code)
            hint = _HINTS.get(name, "")
            raise RuntimeError(f"DataLoader worker (pid {pid}) is killed by signal: {name}.{hint}")
        how = f"exit status {code}" if code is not None else "it closed its connection"
        raise RuntimeError(f"DataLoader worker (pid(s) {pid}) exited unexpectedly: {how}")

    # ---- the end

    def _dismiss(self, worker: _Worker) -> None:
        """Lets a worker go; the others go on."""
        if worker not in self._by_fd.values():
            return
        for fd in (worker.channel.fileno(), worker.process.sentinel):
            self._poll.unregister(fd)
            del self._by_fd[fd]
        worker.channel.close()

    def _shutdown(self) -> None:
        """Ends all workers: asks, waits, then insists."""
        workers, self._workers = self._workers, []
        for worker in workers:
            self._dismiss(worker)
        deadline = time.monotonic() + _PATIENCE
        for worker in workers:
            process = worker.process
            process.join(max(deadline - time.monotonic(), 0))
            if process.is_alive():
                process.terminate()
                process.join(1)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()

    def __del__(self) -> None:
        # A forked process has a copy of this object, but the workers are not its own.
        if getattr(self, "_workers", None) and os.getpid() == self._owner:
            self._shutdown()


_HINTS = {
    "SIGKILL": " Most often that is the system, out of memory: try fewer workers, a smaller "
    "prefetch_factor or smaller batches.",
    "SIGBUS": " Shared memory may be used up: try fewer workers or smaller batches.",
    "SIGSEGV": " It is a crash in compiled code that the dataset calls.",
}


class _NoInterrupt:
    """Holds Ctrl-C back; a process that starts meanwhile is born with it held back."""

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(self, *exc: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
