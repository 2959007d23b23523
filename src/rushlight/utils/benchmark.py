"""torch.utils.benchmark: times a statement, and puts the times of several into a table.

    timer = Timer("f(x)", globals=globals(), label="f", description="new")
    print(timer.blocked_autorange())

As many threads are used as asked for (one, unless said), and the statement is run to warm up.
Values that nobody looks at are not computed (docs/how-it-works.md): what a statement leaves pending
in a variable of its own is not timed, unless the statement asks for it, by `.item()` for example.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING, Any, NoReturn

import rushlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Compare", "Measurement", "TaskSpec", "Timer", "select_unit", "timer"]

timer = timeit.default_timer

_UNITS = (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0))
_WORDS = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which a time is a number from 1 to 1000, and what it is in seconds."""
    fitting = [unit for unit in _UNITS if t >= unit[1]]
    return fitting[-1] if fitting else _UNITS[0]


def _quantile(values: Sequence[float], q: float) -> float:
    """The quantile of sorted values, linear between two of them."""
    position = q * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


class TaskSpec:
    """What is timed, and how it is called in tables."""

    def __init__(
        self,
        stmt: str,
        setup: str,
        global_setup: str = "",
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
    ) -> None:
        self.stmt = stmt
        self.setup = setup
        self.global_setup = global_setup
        self.label = label
        self.sub_label = sub_label
        self.description = description
        self.env = env
        self.num_threads = num_threads

    @property
    def title(self) -> str:
        """The label with the second label, or the statement."""
        name = self.label if self.label is not None else self.stmt
        return f"{name}: {self.sub_label}" if self.sub_label else name

    def summarize(self) -> str:
        """The title, description and setup, one a line."""
        lines = [self.title, self.description or ""]
        if self.setup != "pass":
            inner = self.setup.strip().split("\n")
            lines.append(
                f"setup: {inner[0]}"
                if len(inner) == 1
                else "setup:\n" + "\n".join(f"  {line}" for line in inner)
            )
        return "\n".join(line for line in lines if line)


class Measurement:
    """Times of a statement: `raw_times` of blocks of `number_per_run` runs, in seconds."""

    def __init__(
        self,
        number_per_run: int,
        raw_times: list[float],
        task_spec: TaskSpec,
        metadata: dict[Any, Any] | None = None,
    ) -> None:
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.task_spec = task_spec
        self.metadata = metadata

    @property
    def times(self) -> list[float]:
        """Seconds of one run, as each block found it."""
        return [time / self.number_per_run for time in self.raw_times]

    @property
    def mean(self) -> float:
        """The mean of `times`."""
        return sum(self.times) / len(self.raw_times)

    @property
    def median(self) -> float:
        """The median of `times`."""
        return _quantile(sorted(self.times), 0.5)

    @property
    def iqr(self) -> float:
        """The distance of the quartiles of `times`."""
        ordered = sorted(self.times)
        return _quantile(ordered, 0.75) - _quantile(ordered, 0.25)

    @property
    def significant_figures(self) -> int:
        """How many digits of the median the scatter leaves, at most 5."""
        from math import ceil, log10

        # An interval of 1.35 sigma holds half the values; the median of n scatters by root n less.
        spread = max(self.iqr / 1.35 / len(self.raw_times) ** 0.5 * 2.6, self.median * 1e-5)
        return max(1, min(5, ceil(log10(max(self.median / spread, 1.0)))))

    @property
    def has_warnings(self) -> bool:
        """Whether the times scatter by more than a tenth of the median."""
        return len(self.raw_times) >= 4 and self.iqr > 0.1 * self.median

    def meets_confidence(self, threshold: float = 0.1) -> bool:
        """Whether the quartiles are closer than `threshold` times the median."""
        return self.iqr / self.median < threshold

    @property
    def title(self) -> str:
        """Of the task."""
        return self.task_spec.title

    @property
    def env(self) -> str:
        """Of the task."""
        return self.task_spec.env or ""

    @property
    def as_row_name(self) -> str:
        """The second label, or what stands for it."""
        return self.task_spec.sub_label or self.task_spec.stmt

    def __getattr__(self, name: str) -> Any:
        if name in ("stmt", "setup", "label", "sub_label", "description", "num_threads"):
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute {name!r}")

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """The measurements with those of one task put together."""
        together: dict[Any, list[Measurement]] = {}
        for found in measurements:
            key = (*(str(part) for part in vars(found.task_spec).values()), found.number_per_run)
            together.setdefault(key, []).append(found)
        return [
            Measurement(
                group[0].number_per_run,
                [time for found in group for time in found.raw_times],
                group[0].task_spec,
            )
            for group in together.values()
        ]

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        count, threads = len(self.raw_times), self.task_spec.num_threads
        ordered = sorted(self.times)
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if count > 1 else ''}{self.median / scale:.2f} {unit}")
        if count >= 4:
            low, high = _quantile(ordered, 0.25) / scale, _quantile(ordered, 0.75) / scale
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        per = "per measurement," if count > 1 else ","
        lines.append(
            f"  {count} measurement{'s' * (count > 1)}, {self.number_per_run} runs {per} "
            f"{threads} thread{'s' * (threads > 1)}"
        )
        if self.has_warnings:
            lines.append(
                f"  WARNING: Interquartile range is {self.iqr / self.median * 100:.1f}% of the "
                "median measurement.\n           The machine may be busy with something else."
            )
        return "\n".join(lines)


class Timer:
    """Times a statement, after running it to warm up, with a set number of threads.

    Args:
        stmt: what is timed, Python code.
        setup: code that runs before, outside the time.
        global_setup: for C++ in PyTorch; nothing here.
        timer: gives the time in seconds.
        globals: the names that `stmt` and `setup` see.
        label, sub_label, description, env: names in the table of :class:`Compare`: of the table,
            of the row, of the column, and a part of the row's.
        num_threads: of the ops, while it runs.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        if str(getattr(language, "name", language)).lower() not in ("python", "py"):
            raise NotImplementedError(f"Timer: times Python code, not {language}")
        import textwrap

        names = dict(globals or {})
        names.setdefault("torch", rushlight)  # as PyTorch's Timer does
        stmt, setup = (textwrap.dedent(text).strip() for text in (stmt, setup))
        self._timer = timeit.Timer(stmt=stmt, setup=setup, timer=timer, globals=names)
        self._task_spec = TaskSpec(
            stmt, setup, global_setup, label, sub_label, description, env, num_threads
        )

    def _timeit(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One block of `number` runs, after a hundredth of that to warm up."""
        with _Threads(self._task_spec.num_threads):
            self._timeit(max(number // 100, min(number, 2)))
            return Measurement(number, [self._timeit(number)], self._task_spec)

    def blocked_autorange(
        self, callback: Callable[[int, float], NoReturn] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of runs until `min_run_time` seconds are over.

        Args:
            callback: called with the number of runs and the seconds of each block.
            min_run_time: of all blocks together, in seconds.
        """
        with _Threads(self._task_spec.num_threads):
            number = self._block_size(min_run_time)
            times: list[float] = []
            while sum(times) < min_run_time:
                times.append(self._timeit(number))
                if callback is not None:
                    callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], NoReturn] | None = None,
    ) -> Measurement:
        """Blocks of runs until the quartiles are within `threshold` of the median, or time is up.

        Args:
            threshold: the distance of the quartiles by the median at which to stop.
            min_run_time, max_run_time: of all blocks together, in seconds.
            callback: called with the number of runs and the seconds of each block.
        """
        with _Threads(self._task_spec.num_threads):
            number = self._block_size(0.05)
            times: list[float] = []
            while sum(times) < max_run_time:
                times.append(self._timeit(number))
                if callback is not None:
                    callback(number, times[-1])
                found = Measurement(number, times, self._task_spec)
                enough = len(times) > 3 and sum(times) > min_run_time
                if enough and found.meets_confidence(threshold):
                    break
        return Measurement(number, times, self._task_spec)

    def _block_size(self, min_run_time: float) -> int:
        """So many runs that reading the clock is nothing beside them; warms up on the way."""
        overhead = sorted(self._timeit(0) for _ in range(5))[2]
        number = 1
        while True:
            taken = self._timeit(number)
            if taken > min_run_time or (
                overhead <= 1e-4 * taken and taken >= min_run_time / 1000
            ):
                return number
            number *= 10

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotImplementedError: instructions are not counted."""
        raise NotImplementedError("Timer.collect_callgrind: Callgrind is not supported; timeit is")


class _Threads:
    """So many threads inside a block."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> None:
        self.before = rushlight.get_num_threads()
        rushlight.set_num_threads(self.count)

    def __exit__(self, *exception: Any) -> None:
        rushlight.set_num_threads(self.before)


class Compare:
    """Measurements as tables: one for each label, a column for each description.

    Args:
        results: the measurements.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim = False
        self._colorize = False
        self._warnings = False

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Adds measurements."""
        results = list(results)
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(
                    f"Expected an instance of `Measurement`, got {type(result)} instead."
                )
        self._results += results

    def trim_significant_figures(self) -> None:
        """Show only the digits that the scatter leaves."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Print the fastest of each row in green."""
        self._colorize = True

    def highlight_warnings(self) -> None:
        """Mark times that scatter."""
        self._warnings = True

    def print(self) -> None:
        """Prints the tables."""
        print(str(self))

    def __str__(self) -> str:
        tables: dict[str, list[Measurement]] = {}
        for result in Measurement.merge(self._results):
            name = result.task_spec.label or result.task_spec.stmt
            tables.setdefault(name, []).append(result)
        return "\n".join(self._table(name, found) for name, found in tables.items())

    def _text(self, found: Measurement | None, scale: float, best: float) -> tuple[str, str]:
        """A time as text, and as it is printed."""
        if found is None:
            return "", ""
        value = found.median / scale
        if self._trim:
            from math import floor, log10

            digits = found.significant_figures - 1 - floor(log10(value))
            text = f"{round(value, digits):.{max(0, min(digits, 3))}f}"
        else:
            text = f"{value:.1f}"
        if self._warnings and found.has_warnings:
            text += f" (! {found.iqr / found.median * 100:.0f}%)"
        fast = self._colorize and found.median <= best * 1.05
        return text, f"\033[92m\033[1m{text}\033[0m\033[0m" if fast else text

    def _table(self, name: str, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(result.median for result in results))
        columns = list(dict.fromkeys(result.task_spec.description or "" for result in results))
        rows = dict.fromkeys(
            (result.task_spec.num_threads, result.env, result.as_row_name) for result in results
        )
        cells: dict[Any, dict[str, Measurement]] = {row: {} for row in rows}
        for result in results:
            row = (result.task_spec.num_threads, result.env, result.as_row_name)
            cells[row][result.task_spec.description or ""] = result
        first = [(f"({env})  " if env else "") + label for _, env, label in cells]
        head = max(len("1 threads: "), *(len(text) + 6 for text in first))
        lines, shown = [], {}
        for row, found in cells.items():
            best = min(one.median for one in found.values())
            shown[row] = [self._text(found.get(column), scale, best) for column in columns]
        widths = [
            max(len(column), *(len(shown[row][at][0]) for row in shown))
            for at, column in enumerate(columns)
        ]
        titles = "  |  ".join(column.rjust(width) for column, width in zip(columns, widths))
        lines.append(" " * head + "  |  " + titles)
        threads = None
        for (row, texts), label in zip(shown.items(), first):
            if row[0] != threads:
                threads = row[0]
                lines.append(f"{threads} threads: ".ljust(len(lines[0]), "-"))
            parts = [
                " " * (width - len(text)) + printed
                for (text, printed), width in zip(texts, widths)
            ]
            lines.append(f"      {label}".ljust(head) + "  |  " + "  |  ".join(parts))
        title = f" {name} ".center(len(lines[0]) - 2, "-")
        return f"[{title}]\n" + "\n".join(lines) + f"\n\nTimes are in {_WORDS[unit]} ({unit}).\n"
