"""torch.futures: values that come later."""

from __future__ import annotations

import threading

import pytest

from rushlight.futures import Future, collect_all, wait_all


def test_a_value_is_set_once():
    future = Future()
    assert not future.done()
    with pytest.raises(RuntimeError, match="not done"):
        future.value()
    seen = []
    after = future.then(lambda done: done.value() + 1)
    future.add_done_callback(lambda done: seen.append(done.value()))
    threading.Timer(0.01, future.set_result, (3,)).start()
    assert future.wait() == 3 == future.value() and after.wait() == 4 and seen == [3]
    with pytest.raises(RuntimeError, match="once"):
        future.set_result(4)


def test_exceptions_arrive():
    future = Future()
    after = future.then(lambda done: done.value())
    future.set_exception(KeyError("x"))
    for one in (future, after):
        with pytest.raises(KeyError):
            one.wait()


def test_several():
    futures = [Future() for _ in range(3)]
    together = collect_all(futures)
    for number, future in enumerate(futures):
        assert not together.done()
        future.set_result(number)
    assert together.wait() == futures and wait_all(futures) == [0, 1, 2]
    assert wait_all([]) == []
