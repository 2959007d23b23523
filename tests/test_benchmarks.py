"""The tables, goals, flags and counts of `benchmarks/`. Nothing is timed here."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from benchmarks import plot, report, side_by_side, sweeps, workloads
from benchmarks.definition import Compiler, Workload
from benchmarks.peaks import best_seconds
from benchmarks.workloads import WORKLOADS, dense_flops, recurrent_flops

import rushlight

PEAK = {"gemm": 200e9, "copy": 20e9}


# ---- numbers as text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (123.4e-6, "123 us"), (1e-6, "1.00 us"),
     (45.6e-9, "45.6 ns"), (1e-12, "0.00 ns")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_table_is_markdown_of_one_width() -> None:
    lines = report.table(["", "long head"], [["a", "1"], ["bcd", "22"]]).split("\n")
    assert lines[1] == "| --- | --------: |"
    assert len({len(line) for line in lines}) == 1


# ---- results as tables

MEASURED: dict[str, dict[str, Any]] = {
    "mlp-sgd": {
        "rushlight": {"step": 1.2e-3, "first": 3e-3, "peak": 50e6},
        "torch": {"step": 3e-3, "first": 9e-3, "peak": 200e6},
        "jax": {"error": "ImportError: no jax"},
    },
    "factorisation": {
        "rushlight": {"step": 2e-3, "first": 0.1, "peak": 300e6},
        "torch": {"step": 4e-3, "first": 9e-3, "peak": 200e6},
    },
}
PEERS = ["rushlight", "torch", "jax"]


def test_compare_holds_peers_against_rushlight() -> None:
    titles = {name: name for name in MEASURED}
    column = report.share_column(MEASURED, "rushlight", PEAK)
    text = report.compare(MEASURED, titles, PEERS, "step", report.duration, column)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n")]
    assert rows[0] == ["", "rushlight", "PyTorch eager", "JAX jit", "rushlight of the peak"]
    share = WORKLOADS["mlp-sgd"].flops / 1.2e-3 / PEAK["gemm"]
    assert rows[2] == [
        "mlp-sgd", "1.20 ms", "3.00 ms (2.50x)", "failed", f"{100 * share:.0f} % gemm",
    ]  # fmt: skip
    assert rows[3][3:] == ["-", "51 % copy"]


def test_shares_need_a_step_and_a_count() -> None:
    assert report.shares("seed", {"step": 1e-5}, PEAK) == {}
    assert report.shares("mlp-sgd", {"error": "x"}, PEAK) == {}
    assert report.shares("mlp-sgd", {"step": 1e-3}, {}) == {}
    found = report.shares("pointwise", {"step": 1e-3}, PEAK)
    assert found == {"copy": pytest.approx(8e6 / 1e-3 / 20e9)}


def test_goals_say_what_is_missed() -> None:
    lines = report.goals(MEASURED, PEAK)
    assert "mlp-sgd: 2.50 times PyTorch eager, goal 2: reached" in lines
    assert "factorisation: 2.00 times PyTorch eager, goal 3: MISSED" in lines
    assert "mlp-sgd: 86 % of the gemm peak, goal 80 %: reached" in lines
    assert "factorisation: 51 % of the copy peak, goal 70 %: MISSED" in lines
    assert "factorisation: first step 50 medians, at most 20: MISSED" in lines
    assert "factorisation: 300 MB of memory, PyTorch eager 200 MB: MISSED" in lines
    assert len(lines) == 6
    assert not report.goals({"seed": {"rushlight": {"error": "x"}, "torch": {"step": 1.0}}}, PEAK)


def test_failures_name_the_peer() -> None:
    assert report.failures(MEASURED) == ["mlp-sgd on JAX jit: ImportError: no jax"]


def test_peaks_table() -> None:
    one = {"gemm": {"256": 2e11, "512": 1e11}, "copy": 15e9}
    lines = report.peaks({"by_library": {"rushlight": one, "numpy": one}}).split("\n")
    assert "product of 512x512" in lines[0]
    assert "200 GFLOP/s" in lines[2] and "15.0 GB/s" in lines[3]


def test_best_of_at_least_three_runs() -> None:
    calls: list[int] = []
    assert best_seconds(lambda: calls.append(1), seconds=0) >= 0
    assert len(calls) == 4


# ---- the chart


def test_bars_are_ratios_with_goals() -> None:
    assert plot.bars(MEASURED, PEERS) == {
        "torch": [(0, pytest.approx(2.5), 2), (1, pytest.approx(2.0), 3)]
    }


def test_chart(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib", reason="the chart is drawn by matplotlib, of the extra bench")
    plot.ratios(MEASURED, PEERS, tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


# ---- sweeps


def test_cliffs_are_growth_beyond_the_work() -> None:
    assert sweeps.cliffs([1, 2, 4], [1, 2, 4]) == [0, 0, 0]
    assert sweeps.cliffs([1, 2, 8, 9], [1, 2, 4, 8]) == [0, 0, 2, 0]
    assert sweeps.cliffs([5, 5, 5], [1, 2, 4]) == [0, 0, 0]
    assert sweeps.cliffs([1, 1.2], [1, 1], factor=1.1) == [0, pytest.approx(1.2)]
    assert sweeps.cliffs([1.0], [1.0]) == [0]


def test_sweeps_span_what_they_promise() -> None:
    spans = {axis: (one.values[0], one.values[-1]) for axis, one in sweeps.SWEEPS.items()}
    assert spans == {
        "batch": (1, 4096), "width": (16, 4096), "depth": (1, 256), "chain": (1, 64),
        "threads": (1, 2),
    }  # fmt: skip
    for one in sweeps.SWEEPS.values():
        assert list(one.values) == sorted(set(one.values))


def test_points_of_threads_are_a_series_per_width() -> None:
    points = sweeps.points("threads", 1, cores=2)
    assert [(p.series, p.threads) for p in points[:2]] == [("width 64", 1), ("width 64", 2)]
    assert all(point.threads == 1 for point in sweeps.points("threads", 2, cores=1))
    assert all(point.threads == 2 for point in sweeps.points("batch", 2, cores=4))


def _point(series: str, work: float, step: float) -> dict[str, Any]:
    return {
        "series": series, "label": f"{series}{work:g}", "threads": 1, "work": work,
        "peers": {"rushlight": {"step": step}},
    }  # fmt: skip


def test_sweep_table_flags_within_a_series() -> None:
    points = [_point("a", 1, 1e-6), _point("a", 2, 8e-6), _point("b", 1, 1e-3)]
    points.append({**_point("b", 2, 0), "peers": {"rushlight": {"error": "x"}}})
    lines = report.sweep("batch", points, ["rushlight"]).split("\n")
    assert "rushlight per sample" in lines[0]
    assert "8.00 us" in lines[3] and "4.00 us" in lines[3] and "CLIFF 4.00" in lines[3]
    assert "failed" in lines[5] and sum("CLIFF" in line for line in lines) == 1


def test_names_of_points() -> None:
    assert sweeps.find("seed") is WORKLOADS["seed"]
    for wrong in ("nothing", "batch=", "batch=x", "seed=4"):
        with pytest.raises(KeyError, match=wrong):
            sweeps.find(wrong)


@pytest.mark.parametrize("name", ["batch=3", "width=16", "depth=1", "depth=5", "chain=3"])
def test_points_train(name: str) -> None:
    step = sweeps.find(name).build(rushlight, Compiler())
    first = step()[0].item()
    assert math.isfinite(first)
    if not name.startswith("chain"):
        assert step()[0].item() < first


# ---- one worker, as the command line drives it


def test_a_workload_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    found = side_by_side.measure(
        "seed", {"rushlight": sys.executable}, threads=1, rounds=2, round_seconds=0.001,
        first_step_limit=60, clock="cpu",
    )["rushlight"]  # fmt: skip
    assert "error" not in found, found
    assert found["step"] > 0 and len(found["rounds"]) == 2 and found["peak"] > 1e6
    json.dumps(found)


def test_values_that_differ_are_found() -> None:
    same, other = [[1.0, 2.0]], [[1.0, 2.1]]
    assert side_by_side._differs(same, same, 1e-4) == ""
    assert "result 1 of step 2" in side_by_side._differs(other, same, 1e-4)
    assert side_by_side._differs([[float("nan")]], [[float("nan")]], 1e-4)


# ---- counted FLOPs


def test_dense_flops_by_hand() -> None:
    # Two layers: forward and the weights' gradients of both, the data's gradient of the second.
    assert dense_flops(7, 3, 5, 2) == 2 * 7 * (3 * 5 + 5 * 2) * 2 + 2 * 7 * 5 * 2


def test_recurrent_flops_by_hand() -> None:
    steps, batch, gates, inputs, hidden = 4, 3, 3, 2, 5
    count = 0
    for step in range(steps):
        rows = batch * gates * hidden
        count += 2 * rows * inputs + 2 * rows * hidden  # forward
        count += 2 * rows * inputs + 2 * rows * hidden  # both weights
        count += 2 * rows * hidden if step else 0  # the state before; the first is given
    assert recurrent_flops(steps, batch, gates, inputs, hidden, input_gradient=False) == count
    data = 2 * steps * batch * gates * hidden * inputs
    assert recurrent_flops(steps, batch, gates, inputs, hidden) == count + data


def test_bounds_have_counts() -> None:
    for name, one in WORKLOADS.items():
        assert isinstance(one, Workload)
        assert one.bound in ("", "gemm", "copy"), name
        assert one.bound != "gemm" or one.flops, name
        assert one.bound != "copy" or one.bytes, name
    assert workloads.resnet_flops() > workloads.gpt_flops() > workloads.gru_flops()
