"""torch.profiler: the time of blocks that a script names; single ops are not recorded.

    with profile(activities=[ProfilerActivity.CPU]) as prof:
        with record_function("forward"):
            model(x)
    print(prof.key_averages().table())

An op may run later than it is called, together with others; the time is counted where its value is
asked for. RUSHLIGHT_DEBUG=1 prints every loop that runs.
"""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING, Any

from rushlight.autograd.mode import _Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    """What is measured; there is the CPU alone."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(enum.Enum):
    """What a schedule says of a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, **options: Any
) -> Callable[[int], ProfilerAction]:
    """The function from the number of a step to what is done.

    `skip_first` steps of nothing, then rounds of `wait` steps of nothing, `warmup` unrecorded and
    `active` recorded ones.

    Args:
        repeat: the number of rounds; 0 for no end.
    """
    if min(wait, warmup, active, repeat, skip_first) < 0 or active == 0:
        raise AssertionError("Invalid profiler schedule arguments")
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0 or (repeat and step // length >= repeat):
            return ProfilerAction.NONE
        step %= length
        if step < wait:
            return ProfilerAction.NONE
        if step < wait + warmup:
            return ProfilerAction.WARMUP
        last = step == length - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For `on_trace_ready`: writes each trace into a folder, as Chrome and TensorBoard read it."""
    import os
    import socket

    def handle(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        end = "pt.trace.json.gz" if use_gzip else "pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.{end}"))

    return handle


_recording: list[profile] = []  # profiles that record, all of them


class record_function(_Mode):
    """Names a block, so that a profile around it tells its time."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args

    def clone(self) -> record_function:
        """A new block of the same name."""
        return record_function(self.name, self.args)

    def __enter__(self) -> record_function:  # type: ignore[override]
        self._start = time.perf_counter_ns()
        return self

    def __exit__(self, *exc: object) -> None:
        end = time.perf_counter_ns()
        for recording in _recording:
            recording._blocks.append((self.name, self._start, end))


class _Row:
    """The blocks of one name: how many, and their time in microseconds."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return f"<{self.key}: {self.count} calls, {self.cpu_time_total:.3f} us>"


class _Rows(list):
    """What `key_averages()` gives."""

    def __init__(self, rows: Iterable[_Row], total: float) -> None:
        super().__init__(rows)
        self._total = total

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The rows as text, the longest first."""
        width = max([24, *(len(row.key) for row in self)])
        rows = sorted(self, key=lambda row: -row.cpu_time_total)
        if sort_by == "count":
            rows = sorted(self, key=lambda row: -row.count)
        head = f"{'Name':<{width}}  {'Calls':>8}  {'Total ms':>12}  {'Mean ms':>12}  {'Share':>7}"
        lines = [head, "-" * len(head)]
        for row in rows[:row_limit] if row_limit >= 0 else rows:
            share = row.cpu_time_total / self._total if self._total else 0.0
            lines.append(
                f"{row.key:<{width}}  {row.count:>8}  {row.cpu_time_total / 1e3:>12.3f}  "
                f"{row.cpu_time / 1e3:>12.3f}  {share:>7.1%}"
            )
        lines += [
            "-" * len(head),
            f"Recorded: {self._total / 1e3:.3f} ms. Rows are record_function blocks; single ops "
            "are not recorded.",
        ]
        return "\n".join(lines)

    def total_average(self) -> _Row:
        """All blocks in one row."""
        row = _Row("Total")
        row.count = sum(other.count for other in self)
        row.cpu_time_total = sum(other.cpu_time_total for other in self)
        return row


class profile:
    """Measures what runs in a block: its time, and that of `record_function` blocks inside.

    Args:
        activities: accepted; there is the CPU alone.
        schedule: what to do at each step, of `schedule()`; None records everything.
        on_trace_ready: called with this object whenever a round of the schedule ends, or the block.
        record_shapes, profile_memory, with_stack, with_flops, with_modules: accepted; there are no
            ops to tell this about.
    """

    def __init__(
        self,
        *,
        activities: Iterable[Any] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        **options: Any,
    ) -> None:
        self._schedule = schedule
        self._ready = on_trace_ready
        self.step_num = 0
        self._action = ProfilerAction.NONE
        self._blocks: list[tuple[str, int, int]] = []
        self._spans: list[tuple[int, int]] = []  # when it recorded
        self._since = 0

    # ---- recording

    def start(self) -> None:
        """Begins; `with` does it."""
        self._enter(self._schedule(0) if self._schedule else ProfilerAction.RECORD)

    def stop(self) -> None:
        """Ends; `with` does it."""
        recorded = self._action in _RECORDING
        self._enter(ProfilerAction.NONE)
        if recorded and self._ready is not None:
            self._ready(self)

    def step(self) -> None:
        """Says that a step of the schedule ends."""
        if self._schedule is None:
            self.step_num += 1
            return
        finished = self._action is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        following = self._schedule(self.step_num)
        if finished:
            self._enter(ProfilerAction.NONE)
            if self._ready is not None:
                self._ready(self)
        if finished and following in _RECORDING:
            self._blocks, self._spans = [], []
        self._enter(following)

    def _enter(self, action: ProfilerAction) -> None:
        before, after = self._action in _RECORDING, action in _RECORDING
        self._action = action
        if before and not after:
            _recording.remove(self)
            self._spans.append((self._since, time.perf_counter_ns()))
        elif after and not before:
            if self._schedule is not None:
                self._blocks, self._spans = [], []
            _recording.append(self)
            self._since = time.perf_counter_ns()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ---- results

    def events(self) -> Iterator[Any]:
        """(name, start, end) of every block, times in nanoseconds."""
        return iter(list(self._blocks))

    def key_averages(self, *args: Any, **options: Any) -> _Rows:
        """The blocks, summed up by name."""
        rows: dict[str, _Row] = {}
        for name, start, end in self._blocks:
            row = rows.setdefault(name, _Row(name))
            row.count += 1
            row.cpu_time_total += (end - start) / 1e3
        return _Rows(rows.values(), sum(end - start for start, end in self._spans) / 1e3)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the blocks as a file for chrome://tracing or Perfetto (gzipped for .gz)."""
        import gzip
        import json
        import os

        events = [
            {
                "name": name,
                "ph": "X",
                "ts": start / 1e3,
                "dur": (end - start) / 1e3,
                "pid": os.getpid(),
                "tid": 0,
            }
            for name, start, end in self._blocks
        ]
        text = json.dumps({"traceEvents": events}).encode()
        with open(path, "wb") as file:
            file.write(gzip.compress(text) if str(path).endswith(".gz") else text)


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
