"""torch.profiler: ops, named blocks and steps, with their times."""

from __future__ import annotations

import gzip
import json
import threading
import time

import pytest

import rushlight as rl
from rushlight.autograd import watch
from rushlight.profiler import (
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


def rows(prof, **options):
    return {row.key: row for row in prof.key_averages(**options)}


def test_ops_and_blocks_of_a_training_step():
    model = rl.nn.Sequential(rl.nn.Linear(64, 64), rl.nn.ReLU())
    optimizer = rl.optim.SGD(model.parameters(), 0.1)
    x = rl.rand(32, 64)
    with profile(activities=[ProfilerActivity.CPU]) as prof:
        for _ in range(3):
            with record_function("forward"):
                loss = model(x).sum()
            loss.backward()
            optimizer.step()
    found = rows(prof)
    assert [found[f"aten::{name}"].count for name in ("linear", "relu", "sum")] == [3, 3, 3]
    assert found["autograd::backward"].count == found["Optimizer.step#SGD.step"].count == 3
    forward = found["forward"]
    inside = sum(found[f"aten::{name}"].cpu_time_total for name in ("linear", "relu", "sum"))
    assert forward.count == 3
    assert forward.self_cpu_time_total == pytest.approx(forward.cpu_time_total - inside)
    # Each moment is counted once.
    ends = [event for event in prof.events() if event.name == "forward"]
    assert prof.self_cpu_time_total >= sum(event.cpu_time_total for event in ends)
    assert forward.cpu_time == pytest.approx(forward.cpu_time_total / 3)


def test_without_a_profile_ops_are_called_directly():
    before = list(watch._watchers)  # a class with __torch_function__ may have been defined
    with profile():
        assert len(watch._watchers) == len(before) + 1
    assert watch._watchers == before
    with record_function("alone"):
        rl.ones(2) + 1
    with pytest.raises(KeyError), profile() as prof:
        rl.ones(2) + 1
        raise KeyError
    assert watch._watchers == before and "aten::add" in rows(prof)
    # What an error leaves open does not disturb what is around it.
    stuck = rl.optim.LBFGS([rl.ones(1, requires_grad=True)])
    with profile() as prof, record_function("around"):
        with pytest.raises(ZeroDivisionError):
            stuck.step(lambda: 1 / 0)
        rl.ones(2) + 1
    assert "around" in rows(prof) and rows(prof)["aten::add"].count == 1
    # Errors and unusual calls are those of the op.
    with profile():
        with pytest.raises(TypeError, match="relu"):
            rl.relu("x")
        with pytest.raises(RuntimeError):
            rl.ones(2) + rl.ones(3)
        y = rl.ones(3)
        y += 1
        assert y.tolist() == [2.0, 2.0, 2.0]
        assert (2 - y).tolist() == [0.0, 0.0, 0.0]
    with profile(enabled=False) as prof:
        rl.ones(2) + 1
    assert prof.events() == []


def test_profile_and_autocast_share_the_hook():
    before = list(watch._watchers)
    a = rl.ones(2, 2)
    with profile() as prof:
        with rl.autocast("cpu"):
            assert (a @ a).dtype is rl.bfloat16
        assert (a @ a).dtype is rl.float32
    with rl.autocast("cpu"):
        with profile() as inner:
            assert (a @ a).dtype is rl.bfloat16
        assert (a @ a).dtype is rl.bfloat16
    assert (a @ a).dtype is rl.float32
    assert rows(prof)["aten::matmul"].count == 2 and rows(inner)["aten::matmul"].count == 1
    assert not watch._own and watch._watchers == before


def test_the_table():
    with profile(record_shapes=True) as prof:
        rl.ones(2, 3).exp()
        rl.ones(4).exp()
        rl.ones(4).exp()
        with record_function("a name that is far too long for a column of a table, so it is cut"):
            time.sleep(0.002)
    table = prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=1)
    lines = table.splitlines()
    assert lines[1].split()[:3] == ["Name", "Self", "CPU"] and "# of Calls" in lines[1]
    assert lines[3].lstrip().startswith("a name that") and "..." in lines[3] and len(lines) == 6
    assert "ms" in lines[3] and lines[-1].startswith("Self CPU time total: ")
    counts = prof.key_averages().table(sort_by="count").splitlines()
    assert "aten::exp" in counts[3] and counts[3].rstrip().endswith("3")
    shapes = prof.key_averages(group_by_input_shape=True)
    assert sorted((row.input_shapes, row.count) for row in shapes if row.key == "aten::exp") == [
        ([[2, 3]], 1), ([[4]], 2),
    ]  # fmt: skip
    assert "[[2, 3]]" in shapes.table()
    with pytest.raises(AttributeError, match="sort_by='speed'"):
        prof.table(sort_by="speed")
    assert prof.key_averages().total_average().count == 4
    assert "exp" in repr(prof.key_averages()) and "exp" in repr(prof.events())
    assert "aten::exp" in str(prof)


def test_schedules_and_traces(tmp_path):
    ready = []

    def trace_ready(prof):
        ready.append(prof.step_num)
        prof.export_chrome_trace(str(tmp_path / "trace.json"))
        tensorboard_trace_handler(str(tmp_path / "runs"), "w", use_gzip=True)(prof)

    with profile(
        activities=[ProfilerActivity.CPU],
        schedule=schedule(wait=1, warmup=1, active=2, repeat=1),
        on_trace_ready=trace_ready,
    ) as prof:
        for _ in range(6):
            with record_function("product"):
                (rl.rand(50, 50) @ rl.rand(50, 50)).sum().item()
            prof.step()
    assert ready == [4]
    found = rows(prof)
    assert found["product"].count == found["ProfilerStep*"].count == 2
    assert found["ProfilerStep*"].cpu_time_total >= found["product"].cpu_time_total > 0
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = [event["name"] for event in events]
    assert names.count("product") == names.count("aten::matmul") == 2
    assert {"ProfilerStep#2", "ProfilerStep#3"} < set(names)
    (path,) = (tmp_path / "runs").iterdir()
    assert json.loads(gzip.decompress(path.read_bytes()))["traceEvents"] == events


def test_threads_have_times_of_their_own():
    def work():
        for _ in range(20):
            rl.ones(3).sin()

    with profile() as prof, record_function("waiting"):
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rows(prof)["aten::sin"].count == 40
    waiting = rows(prof)["waiting"]
    assert waiting.self_cpu_time_total == waiting.cpu_time_total
    assert len({event.thread for event in prof.events()}) >= 2
