"""What a profile found: events, and rows of them as a table."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Event", "Row", "Rows"]


class Event:
    """One call of an op, or one block. Times are in microseconds."""

    __slots__ = ("_end", "_inside", "_start", "input_shapes", "name", "thread")

    count = 1
    device_time_total = self_device_time_total = 0.0

    def __init__(self, name: str, start: int, end: int, inside: int, shapes: list) -> None:
        self.name = name
        self.input_shapes = shapes
        self.thread = threading.get_ident()
        self._start, self._end, self._inside = start, end, inside

    @property
    def key(self) -> str:
        """What `key_averages()` puts into one row."""
        return "ProfilerStep*" if self.name.startswith("ProfilerStep#") else self.name

    @property
    def cpu_time_total(self) -> float:
        """From the beginning to the end."""
        return (self._end - self._start) / 1e3

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:
        """Without the calls and blocks inside."""
        return (self._end - self._start - self._inside) / 1e3

    def __repr__(self) -> str:
        return f"<{self.name}: {self.cpu_time_total:.3f} us>"


class Row:
    """The events of one name: how many, and their time in microseconds."""

    device_time_total = self_device_time_total = 0.0

    def __init__(self, key: str, shapes: list | None = None) -> None:
        self.key = key
        self.input_shapes = shapes or []
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0

    def add(self, other: Event | Row) -> None:
        """One more event, or all of another row."""
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total

    @property
    def cpu_time(self) -> float:
        """The mean of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __repr__(self) -> str:
        return (
            f"<{self.key}: {self.count} calls, {self.cpu_time_total:.3f} us, "
            f"{self.self_cpu_time_total:.3f} us without what is inside>"
        )


# What PyTorch's scripts sort by, in its older names too.
_ORDERS = {
    "cpu_time": "cpu_time",
    "cpu_time_total": "cpu_time_total",
    "count": "count",
    "self_cpu_time_total": "self_cpu_time_total",
    **dict.fromkeys(
        ("cuda_time", "cuda_time_total", "device_time", "device_time_total"), "cpu_time_total"
    ),
    **dict.fromkeys(
        ("self_cuda_time_total", "self_device_time_total"), "self_cpu_time_total"
    ),
}  # fmt: skip


class Rows(list):
    """What `key_averages()` gives."""

    def __init__(self, rows: Iterable[Row], total: float) -> None:
        super().__init__(rows)
        self._total = total

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all rows, each moment counted once."""
        return sum(row.self_cpu_time_total for row in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        **options: Any,
    ) -> str:
        """The rows as text.

        Args:
            sort_by: "cpu_time_total" (the default), "self_cpu_time_total", "cpu_time" (of one call)
                or "count"; the largest first.
            row_limit: how many; -1 for all.
            max_src_column_width: without effect.
            max_name_column_width: names are cut there.

        Raises:
            AttributeError: there is no such order.
        """
        if sort_by is not None and sort_by not in _ORDERS:
            raise AttributeError(
                f"table: sort_by={sort_by!r} is not there; use one of {', '.join(_ORDERS)}"
            )
        order = _ORDERS.get(sort_by or "cpu_time_total", "")
        rows = sorted(self, key=lambda row: -getattr(row, order))
        rows = rows[:row_limit] if row_limit >= 0 else rows
        shapes = any(row.input_shapes for row in self)
        names = [_cut(row.key, max_name_column_width) for row in rows]
        width = max([24, *map(len, names)])
        head = (
            f"{'Name':>{width}}  {'Self CPU %':>10}  {'Self CPU':>10}  {'CPU total %':>11}  "
            f"{'CPU total':>10}  {'CPU time avg':>12}  {'# of Calls':>10}"
        ) + ("  Input Shapes" if shapes else "")
        rule = "-" * len(head)
        whole = self.self_cpu_time_total or 1.0
        lines = [rule, head, rule]
        for name, row in zip(names, rows, strict=True):
            lines.append(
                f"{name:>{width}}  {row.self_cpu_time_total / whole:>10.2%}  "
                f"{_duration(row.self_cpu_time_total):>10}  {row.cpu_time_total / whole:>11.2%}  "
                f"{_duration(row.cpu_time_total):>10}  {_duration(row.cpu_time):>12}  "
                f"{row.count:>10}" + (f"  {row.input_shapes}" if shapes else "")
            )
        lines += [
            rule,
            f"Self CPU time total: {_duration(self.self_cpu_time_total)} of "
            f"{_duration(self._total)} that were recorded. An op that runs later than it is called "
            "counts where its value is asked for.",
        ]
        return "\n".join(lines)

    def total_average(self) -> Row:
        """All rows in one."""
        row = Row("Total")
        for other in self:
            row.add(other)
        return row


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 3] + "..."


def _duration(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


EventList = Rows  # PyTorch's name
