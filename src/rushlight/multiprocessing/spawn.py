"""spawn: one function in several processes, and what they raise."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

__all__ = [
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "spawn",
    "start_processes",
]


class ProcessException(Exception):
    """A process that `spawn` started failed.

    Attributes:
        msg: what happened.
        error_index: which process.
        pid: its number with the system.
    """

    __slots__ = ("error_index", "error_pid")

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = pid

    def __reduce__(self) -> tuple:
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """Its function raised; the message holds the traceback."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg, error_index, error_pid)


class ProcessExitedException(ProcessException):
    """It ended by a signal, or with an exit status that is not 0.

    Attributes:
        exit_code: the exit status; minus the signal's number if there was one.
        signal_name: of the signal, or None.
    """

    __slots__ = ("exit_code", "signal_name")

    def __init__(
        self,
        msg: str,
        error_index: int,
        error_pid: int,
        exit_code: int,
        signal_name: str | None = None,
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self) -> tuple:
        return type(self), (
            self.msg,
            self.error_index,
            self.pid,
            self.exit_code,
            self.signal_name,
        )


def _call(fn: Callable[..., Any], i: int, args: tuple[Any, ...], errors: Connection) -> None:
    """What a process runs."""
    _end_with_parent()
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass  # the parent has it too
    except Exception:
        import traceback

        errors.send(traceback.format_exc())
        sys.exit(1)


def _end_with_parent() -> None:
    """Has the system interrupt this process when its parent dies; where it can."""
    if sys.platform == "linux":
        import ctypes

        set_signal_of_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGINT)


class ProcessContext:
    """Processes of one function.

    Attributes:
        processes: the processes, by their index.
    """

    def __init__(self, processes: list[Any], errors: list[Connection]) -> None:
        self.processes = processes
        self.error_files = errors  # named as in PyTorch; here they are pipes
        self.sentinels = {process.sentinel: i for i, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """The numbers of the processes with the system."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Waits for a process to end; ends all others if it failed.

        Args:
            timeout: how many seconds to wait; None without end.
            grace_period: seconds that the others then have to end by themselves.

        Returns:
            Whether all have ended. Call it in a loop.

        Raises:
            ProcessRaisedException: if the function of one raised.
            ProcessExitedException: if one was killed, or exited with another status than 0.
        """
        if not self.sentinels:
            return True
        ready = multiprocessing.connection.wait(list(self.sentinels), timeout)
        failed = None
        for sentinel in ready:
            index = self.sentinels.pop(sentinel)  # type: ignore[arg-type]
            process = self.processes[index]
            process.join()
            if process.exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._end(grace_period)
        raise self._error(failed)

    def _end(self, grace_period: float | None) -> None:
        if grace_period:
            deadline = time.monotonic() + grace_period
            for process in self.processes:
                process.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + (30 if grace_period is None else grace_period)
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _error(self, index: int) -> ProcessException:
        process, pipe = self.processes[index], self.error_files[index]
        pid, code = int(process.pid), int(process.exitcode)
        if pipe.poll():
            try:
                trace = pipe.recv()
            except EOFError:
                trace = None
            if trace is not None:
                text = f"\n\n-- Process {index} ended by an error of its function:\n{trace}"
                return ProcessRaisedException(text, index, pid)
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            text = f"process {index} (pid {pid}) terminated with signal {name}"
            return ProcessExitedException(text, index, pid, code, name)
        text = f"process {index} (pid {pid}) terminated with exit code {code}"
        return ProcessExitedException(text, index, pid, code)


class SpawnContext(ProcessContext):
    """What `spawn(..., join=False)` returns."""


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Runs `fn(i, *args)` for i in 0, ..., nprocs - 1, each in a process of its own.

    Args:
        fn: a function; unless processes are forked, of the top level of a module.
        args: further arguments.
        nprocs: how many processes.
        join: wait for all; otherwise the context is returned, whose `join()` does.
        daemon: end them when this process ends.
        start_method: "spawn", "fork" or "forkserver".

    Raises:
        ProcessRaisedException: if one raised, after ending the others.
        ProcessExitedException: if one was killed or exited with a status.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_call, args=(fn, i, args, theirs), daemon=daemon)
        process.start()
        theirs.close()
        processes.append(process)
        errors.append(ours)
    kind = SpawnContext if start_method == "spawn" else ProcessContext
    started = kind(processes, errors)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`start_processes` in fresh interpreters.

    Args:
        start_method: must be "spawn"; `start_processes` takes the others.
    """
    if start_method != "spawn":
        import warnings

        warnings.warn(
            f"spawn() starts processes by 'spawn', got start_method={start_method!r}; use "
            "start_processes() for other methods",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
