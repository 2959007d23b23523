"""torch.utils.benchmark: Timer, Measurement and Compare."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight.utils import benchmark
from rushlight.utils.benchmark import Compare, Measurement, TaskSpec, Timer, select_unit


def measured(times: list[float], description: str = "d", **names) -> Measurement:
    return Measurement(10, [t * 10 for t in times], TaskSpec("f()", "pass", **{
        "label": "L", "sub_label": "s", "description": description, **names}))


def test_timer():
    seen = []

    def work() -> None:
        seen.append(torch.get_num_threads())

    threads = torch.get_num_threads()
    found = Timer("work()", globals={"work": work}, num_threads=1).timeit(20)
    assert found.number_per_run == 20 and len(found.raw_times) == 1 and found.mean > 0
    assert set(seen) == {1} and torch.get_num_threads() == threads
    calls = []
    found = Timer("x + 1", setup="x = torch.ones(3)").blocked_autorange(
        lambda number, seconds: calls.append(number), min_run_time=0.01
    )
    assert sum(found.raw_times) >= 0.01 and len(calls) == len(found.times)
    found = Timer("sum(range(100))").adaptive_autorange(threshold=10.0)
    assert len(found.raw_times) > 3
    with pytest.raises(NotImplementedError, match="Python"):
        Timer("1", language="cpp")
    with pytest.raises(NotImplementedError, match="Callgrind"):
        Timer("1").collect_callgrind()


def test_numbers():
    found = measured([1e-6, 2e-6, 3e-6, 4e-6, 5e-6])
    assert found.median == pytest.approx(3e-6) and found.mean == pytest.approx(3e-6)
    assert found.iqr == pytest.approx(2e-6) and found.has_warnings
    assert not found.meets_confidence() and found.significant_figures == 1
    assert measured([1e-6] * 9).significant_figures == 5
    assert found.title == "L: s" and found.description == "d" and found.num_threads == 1
    assert select_unit(3e-4) == ("us", 1e-6) and select_unit(1e-12)[0] == "ns"
    merged = Measurement.merge([measured([1e-6]), measured([3e-6]), measured([1e-6], "e")])
    assert [len(one.raw_times) for one in merged] == [2, 1]


def test_text():
    text = repr(measured([1e-6, 2e-6, 3e-6, 4e-6, 5e-6]))
    assert "Median: 3.00 us" in text and "IQR:    2.00 us (2.00 to 4.00)" in text
    assert "5 measurements, 10 runs per measurement, 1 thread" in text and "WARNING" in text
    table = Compare([measured([1e-6]), measured([2e-6], "e"), measured([5e-3], sub_label="t")])
    lines = str(table).splitlines()
    assert lines[0].strip("[]-").strip() == "L" and "us" in lines[-1]
    assert [part.strip() for part in lines[1].split("|")] == ["", "d", "e"]
    assert lines[2].startswith("1 threads: ---")
    assert [part.strip() for part in lines[3].split("|")] == ["s", "1.0", "2.0"]
    assert [part.strip() for part in lines[4].split("|")] == ["t", "5000.0", ""]
    assert len({len(line) for line in lines[1:5]}) == 1
    table.colorize()
    table.trim_significant_figures()
    assert "\033[92m" in str(table)
    with pytest.raises(ValueError, match="Measurement"):
        Compare([1])
    assert benchmark.timer() > 0
