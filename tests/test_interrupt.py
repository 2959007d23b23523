"""Ctrl-C works within a second, also inside a kernel; fork leaves both processes working."""

import os
import signal
import time

import pytest

import rushlight as torch


class Stop(Exception):
    pass


def seconds_to_stop(work) -> float:
    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Stop):
            while True:
                work()
        return time.perf_counter() - start - 0.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_long_product_stops():
    a = torch.ones(3000, 3000)
    assert seconds_to_stop(lambda: a @ a) < 1.5  # a second, and slack for a busy machine
    assert (a[:2] @ a[:, :2])[0, 0].item() == 3000.0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_long_fused_loop_stops():
    x = torch.ones(6000, 4000)

    def work():
        y = x
        for _ in range(20):
            y = torch.sin(y)
        y.sum().item()

    assert seconds_to_stop(work) < 1.5
    assert x.sum().item() == 24e6


def convolution():
    x, w = torch.ones(1, 512, 28, 28), torch.ones(512, 512, 5, 5)
    return lambda: torch.conv2d(x, w, padding=2)


def attention():
    q = torch.ones(2, 8, 4096, 64)
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q)


def recurrence():
    lstm, x = torch.nn.LSTM(64, 64), torch.ones(20_000, 8, 64)
    return lambda: lstm(x)


def singular_values():
    a = torch.ones(400, 60, 60)
    return lambda: torch.linalg.svd(a)


def window_of_one_plane():
    x = torch.ones(1, 1, 2000, 2000)
    return lambda: torch.nn.functional.max_pool2d(x, 31, 1, 15)


def running_total():
    x = torch.ones(60_000_000)
    return lambda: x.logcumsumexp(0)


def elements_of_an_expanded_tensor():
    x = torch.ones(3, 1).expand(3, 2**45)
    return lambda: x.sum().item()


def polynomial_of_high_degree():
    x = torch.tensor(0.5)
    return lambda: torch.special.laguerre_polynomial_l(x, 2**40).item()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize(
    "prepare",
    [
        convolution,
        attention,
        recurrence,
        singular_values,
        window_of_one_plane,
        running_total,
        elements_of_an_expanded_tensor,
        polynomial_of_high_degree,
    ],
)
def test_long_kernels_stop(prepare):
    assert seconds_to_stop(prepare()) < 1.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_the_pool_has_started():
    a = torch.ones(600, 600)
    want = (a @ a).sum().item()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = int((a @ a).sum().item() != want)
        finally:
            os._exit(code)
    deadline = time.time() + 20
    while time.time() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    assert (a @ a).sum().item() == want
