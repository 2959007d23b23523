"""torch.profiler: the time of ops, of backward passes and optimizers, and of named blocks.

    with profile(activities=[ProfilerActivity.CPU]) as prof:
        with record_function("forward"):
            model(x)
    print(prof.key_averages().table(sort_by="self_cpu_time_total"))

An op may run later than it is called, together with others; its time is then counted where the
value is asked for. RUSHLIGHT_EAGER=1 runs each op in its own call, RUSHLIGHT_DEBUG=1 prints every
loop. While nothing is profiled, ops know nothing of this and pay nothing.
"""

from __future__ import annotations

import enum
import threading
import time
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.backward import backward, set_backward_call
from rushlight.autograd.mode import _Mode
from rushlight.autograd.watch import name_of, unwatch, watch
from rushlight.profiler.table import Event, Row, Rows
from rushlight.profiler.table import EventList as EventList
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


class _Thread(threading.local):
    def __init__(self) -> None:
        self.inside: list[int] = []  # of each call that runs: the time of those inside it, in ns
        self.steps: list[tuple[int, int]] = []  # of optimizers: depth and start


_recording: list[profile] = []  # profiles that record, all of them
_thread = _Thread()


def _begin() -> int:
    """How deep in calls and blocks of this thread the one is that begins."""
    _thread.inside.append(0)
    return len(_thread.inside) - 1


def _record(name: str, depth: int, start: int, shapes: list) -> None:
    """Ends the call or block of that depth; what an error left open inside is dropped."""
    end = time.perf_counter_ns()
    if depth >= len(_thread.inside):
        return
    inside = _thread.inside[depth]
    del _thread.inside[depth:]
    if _thread.inside:
        _thread.inside[-1] += end - start
    event = Event(name, start, end, inside, shapes)
    for recording in _recording:
        recording._events.append(event)


def _record_op(op: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
    """What is called in place of ops while a profile records."""
    shapes: list = []
    if any(recording._with_shapes for recording in _recording):
        given = (*args, *kwargs.values())
        shapes = [list(value.shape) if isinstance(value, Tensor) else [] for value in given]
    depth, start = _begin(), time.perf_counter_ns()
    try:
        return call(*args, **kwargs)
    finally:
        _record(f"aten::{name_of(op)}", depth, start, shapes)


def _record_backward(*args: Any) -> Any:
    depth, start = _begin(), time.perf_counter_ns()
    try:
        return _core.run_backward(*args)
    finally:
        _record("autograd::backward", depth, start, [])


def _backward_of_tensor(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Tensor.backward without its short way for losses."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def _before_step(optimizer: Any, *given: Any) -> None:
    _thread.steps.append((_begin(), time.perf_counter_ns()))


def _after_step(optimizer: Any, *given: Any) -> None:
    if _thread.steps:
        name = type(optimizer).__name__
        _record(f"Optimizer.step#{name}.step", *_thread.steps.pop(), [])


_PLAIN_BACKWARD = Tensor.backward
_optimizer_hooks: list[Any] = []


def _begin_recording() -> None:
    from rushlight.optim.optimizer import (
        register_optimizer_step_post_hook,
        register_optimizer_step_pre_hook,
    )

    watch(_record_op)
    set_backward_call(_record_backward)
    Tensor.backward = _backward_of_tensor  # type: ignore[method-assign]
    _optimizer_hooks.append(register_optimizer_step_pre_hook(_before_step))
    _optimizer_hooks.append(register_optimizer_step_post_hook(_after_step))


def _end_recording() -> None:
    unwatch(_record_op)
    set_backward_call(None)
    Tensor.backward = _PLAIN_BACKWARD  # type: ignore[method-assign]
    while _optimizer_hooks:
        _optimizer_hooks.pop().remove()


class record_function(_Mode):
    """Names a block, so that a profile around it tells its time."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self._recorded = False

    def clone(self) -> record_function:
        """A new block of the same name."""
        return record_function(self.name, self.args)

    def __enter__(self) -> record_function:  # type: ignore[override]
        self._recorded = bool(_recording)
        if self._recorded:
            self._depth, self._start = _begin(), time.perf_counter_ns()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._recorded:
            self._recorded = False
            _record(self.name, self._depth, self._start, [])


class profile:
    """Measures what runs in a block: ops, backward passes, steps of optimizers, named blocks.

    Args:
        activities: accepted; there is the CPU alone.
        schedule: what to do at each step, of `schedule()`; None records everything.
        on_trace_ready: called with this object whenever a round of the schedule ends, or the block.
        record_shapes: keep the shapes of what ops are given.
        profile_memory, with_stack, with_flops, with_modules: accepted; this is not measured.
        options: `enabled=False`, of `torch.autograd.profiler`, records nothing; others are
            accepted.
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
        self._with_shapes = record_shapes
        self._enabled = options.get("enabled", True)
        self._events: list[Event] = []
        self._spans: list[tuple[int, int]] = []  # when it recorded
        self._since = 0
        self._step: record_function | None = None

    # ---- recording

    def start(self) -> None:
        """Begins; `with` does it."""
        if self._enabled:
            self._enter(self._schedule(0) if self._schedule else ProfilerAction.RECORD)
            self._begin_step()

    def stop(self) -> None:
        """Ends; `with` does it."""
        recorded = self._action in _RECORDING
        self._end_step()
        self._enter(ProfilerAction.NONE)
        if recorded and self._ready is not None:
            self._ready(self)

    def step(self) -> None:
        """Says that a step of the schedule ends."""
        if self._schedule is None:
            self.step_num += 1
            return
        finished = self._action is ProfilerAction.RECORD_AND_SAVE
        self._end_step()
        self.step_num += 1
        following = self._schedule(self.step_num)
        if finished:
            self._enter(ProfilerAction.NONE)
            if self._ready is not None:
                self._ready(self)
        if finished and following in _RECORDING:
            self._events, self._spans = [], []
        self._enter(following)
        self._begin_step()

    def _begin_step(self) -> None:
        if self._schedule is not None and self._action in _RECORDING:
            self._step = record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def _enter(self, action: ProfilerAction) -> None:
        before, after = self._action in _RECORDING, action in _RECORDING
        self._action = action
        if before and not after:
            _recording.remove(self)
            if not _recording:
                _end_recording()
            self._spans.append((self._since, time.perf_counter_ns()))
        elif after and not before:
            if self._schedule is not None:
                self._events, self._spans = [], []
            if not _recording:
                _begin_recording()
            _recording.append(self)
            self._since = time.perf_counter_ns()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ---- results

    def events(self) -> list[Event]:
        """Every call of an op and every block, in the order of their ends."""
        return list(self._events)

    function_events = property(events)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **options: Any
    ) -> Rows:
        """The events, summed up by name.

        Args:
            group_by_input_shape: and by the shapes of inputs, if they are recorded.
            group_by_stack_n: without effect.
        """
        rows: dict[Any, Row] = {}
        for event in self._events:
            shapes = event.input_shapes if group_by_input_shape else []
            key = event.key, str(shapes)
            if key not in rows:
                rows[key] = Row(event.key, shapes)
            rows[key].add(event)
        return Rows(rows.values(), sum(end - start for start, end in self._spans) / 1e3)

    def total_average(self) -> Row:
        """All events in one row."""
        return self.key_averages().total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """`key_averages().table(...)`."""
        return self.key_averages().table(sort_by, row_limit, **options)

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, each moment counted once, in microseconds."""
        return self.key_averages().self_cpu_time_total

    def export_chrome_trace(self, path: str) -> None:
        """Writes ops and blocks as a file for chrome://tracing or Perfetto (gzipped for .gz)."""
        import gzip
        import json
        import os

        events = [
            {
                "name": event.name,
                "ph": "X",
                "ts": event._start / 1e3,
                "dur": event.cpu_time_total,
                "pid": os.getpid(),
                "tid": event.thread,
                "args": {"Input Dims": event.input_shapes} if event.input_shapes else {},
            }
            for event in self._events
        ]
        text = json.dumps({"traceEvents": events}).encode()
        with open(path, "wb") as file:
            file.write(gzip.compress(text) if str(path).endswith(".gz") else text)


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class emit_nvtx:
    """Marks for a profiler of CUDA devices; raises RuntimeError when it is made: there are none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"torch.autograd.profiler.{type(self).__name__}: there is no CUDA device to profile; "
            "use torch.profiler.profile"
        )


class emit_itt(emit_nvtx):
    """Marks for Intel's profiler; raises RuntimeError when it is made."""


def kineto_available() -> bool:
    """False: the profiler is the library's own."""
    return False
