"""No input ends the process: calls with arguments that make no sense raise, or give something.

Each row's samples (tests/ops) are called with one or two arguments replaced, in a process of its
own, which has to come to its end: no signal, no hang that Ctrl-C does not stop, and no exception
that only speaks of the inside, as a std::bad_alloc or a SystemError does.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PARTS = 4
ROUNDS = 3  # calls of each row
MEMORY = 4 << 30
# Of a call, until SIGALRM asks it to stop; and of a stop, on a machine with other things to do.
SECONDS, SECONDS_TO_STOP = 1.0, 20.0

NUMBERS = (
    0, -1, 1, 2, 7, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), 2**64, 10**30, 0.5,
    float("nan"), float("inf"), True, 1j, None,
)  # fmt: skip
SEQUENCES = (
    (), (0,), (-1, -1), (2**40, 2**40), (2**62,), (2**31, 2**31, 2), (-(2**63),), (1,) * 70,
    [None], (0.5,), (0, 2**40), (1, 2, 3, 4, 5, 6),
)  # fmt: skip
OTHERS = (None, "", "mean", "reflect", slice(None), float, {}, b"ab", range(3), Ellipsis)
DTYPES = (
    "bool", "uint8", "int8", "int64", "uint16", "uint64", "float16", "bfloat16", "complex64",
    "float64",
)  # fmt: skip


class Stopped(BaseException):
    pass


def tensors(rl: Any) -> tuple:
    one = rl.ones(1, 1)
    return (
        lambda: rl.zeros(0),
        lambda: rl.zeros(2, 0, 3),
        lambda: rl.tensor(3.0),
        lambda: rl.tensor(-5),
        lambda: rl.ones(1).expand(2**40),
        lambda: one.expand(3, 2**40),
        lambda: one.expand(2**30, 2**30),
        lambda: rl.ones(1, dtype=rl.bool).expand(2**62),
        lambda: rl.arange(20.0).as_strided((4, 4), (1, 1)),
        lambda: rl.arange(60.0).as_strided((2, 3, 4, 4), (1, 0, 3, 1)),
        lambda: rl.tensor([-1, 5, 2**62, -(2**63), 2**63 - 1]),
        lambda: rl.tensor([[0, 10**6], [3, 1]]),
        lambda: rl.full((4, 4), float("nan")),
        lambda: rl.tensor([[1e38, -1e38], [float("inf"), -float("inf")]]),
        lambda: rl.ones(2, 3, 4, 5).permute(3, 1, 0, 2)[::2],
        lambda: rl.ones(1).reshape((1,) * 30),
        lambda: rl.zeros(0, 0, requires_grad=True),
        lambda: rl.ones(4, 4, requires_grad=True).t(),
        lambda: rl.ones(2, 3, 8, 8, requires_grad=True),
        lambda: rl.ones(3, 4, dtype=rl.complex64),
    )


def altered(rl: Any, chance: random.Random, x: Any) -> Any:
    """The same tensor, not quite."""
    changes = (
        lambda: x.detach()[..., :0],
        lambda: x.unsqueeze(0),
        lambda: x.detach().flatten(),
        lambda: x.to(getattr(rl, chance.choice(DTYPES))),
        lambda: x[..., :1].expand(*x.shape[:-1], chance.choice((5, 2**31, 2**40))),
        lambda: x[:1].expand(chance.choice((3, 2**31, 2**45)), *x.shape[1:]),
        lambda: rl.full_like(x, chance.choice((float("nan"), float("inf"), -1, 10**6))),
        lambda: x.transpose(0, -1),
        lambda: x.detach()[:0],
        lambda: x.detach().clone().requires_grad_(),
        lambda: x.select(chance.randrange(max(x.ndim, 1)), 0),
        lambda: x.detach().as_strided(x.shape, (0,) * x.ndim),
    )
    try:
        return chance.choice(changes)()
    except (RuntimeError, IndexError, TypeError):
        return x


def hostile(rl: Any, chance: random.Random, value: Any) -> Any:
    """Something in place of an argument, mostly of its kind."""
    if chance.random() < 0.75:
        if isinstance(value, rl.Tensor):
            if chance.random() < 0.5:
                return altered(rl, chance, value)
            return chance.choice(tensors(rl))()
        if isinstance(value, (int, float)):
            return chance.choice(NUMBERS)
        if isinstance(value, (tuple, list)):
            if not value or chance.random() < 0.5:
                return chance.choice(SEQUENCES)
            changed = list(value)
            place = chance.randrange(len(changed))
            changed[place] = hostile(rl, chance, changed[place])
            return tuple(changed) if isinstance(value, tuple) else changed
    kind = chance.choice((tensors(rl), NUMBERS, SEQUENCES, OTHERS))
    made = chance.choice(kind)
    return made() if kind is not NUMBERS and callable(made) and made is not float else made


def told(value: Any) -> str:
    if hasattr(value, "stride"):
        grad = ", grad" if value.requires_grad else ""
        return f"<{tuple(value.shape)}, {tuple(value.stride())}, {value.dtype}{grad}>"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(told, value[:8])) + "]"
    return repr(value)[:60]


def use(rl: Any, result: Any) -> None:
    """Computes what is still to be computed, and the gradients."""
    if isinstance(result, (tuple, list)):
        for part in result[:3]:
            use(rl, part)
    elif isinstance(result, rl.Tensor) and result.numel() <= 2**20:
        result.tolist()
        if result.requires_grad:
            (result.abs() if result.is_complex() else result).sum().backward()


def calls(part: int, seed: int) -> Any:
    """Of each row of this part: what to call, arguments, named arguments."""
    from ops.row import Make, load_rows
    from test_ops import arguments, function_of

    import rushlight as rl

    def tensor(array: Any) -> Any:
        made = rl.tensor(array)
        wants = made.is_floating_point() or made.is_complex()
        return made.requires_grad_() if wants and chance.random() < 0.5 else made

    for name, row in sorted(load_rows().items())[part::PARTS]:
        for turn in range(ROUNDS):
            chance = random.Random(f"{seed} {name} {turn}")
            cases = list(row.samples(Make(chance.choice(row.dtype_names), row.name)))
            if not cases:
                continue  # none for this dtype
            args, kwargs = arguments(chance.choice(cases), tensor)
            args, kwargs = list(args), dict(kwargs)
            for _ in range(chance.choice((1, 1, 2))):
                place = chance.choice([*range(len(args)), *kwargs] or [None])
                if place is None:
                    args.append(hostile(rl, chance, None))
                elif isinstance(place, int):
                    args[place] = hostile(rl, chance, args[place])
                else:
                    kwargs[place] = hostile(rl, chance, kwargs[place])
            yield function_of(row), args, kwargs


def run(part: int, seed: int, log: str) -> None:
    """All calls of a part; `log` has the last one, for the case that it is the last one."""
    import rushlight as rl

    def stop(*_: Any) -> None:
        raise Stopped

    signal.signal(signal.SIGALRM, stop)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    for function, args, kwargs in calls(part, seed):
        named = {k: told(v) for k, v in kwargs.items()}
        text = f"{getattr(function, '__name__', function)}({told(args)}, {named})"
        Path(log).write_text(text)
        start = time.perf_counter()
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                use(rl, function(*args, **kwargs))
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Stopped:
            assert time.perf_counter() - start < SECONDS + SECONDS_TO_STOP, f"{text} goes on"
        except MemoryError:
            pass
        except SystemError as error:
            raise AssertionError(text) from error
        except Exception as error:
            assert "std::" not in str(error) and "vector::" not in str(error), (text, error)
    Path(log).write_text("done")


def test_no_call_ends_the_process(tmp_path: Path) -> None:
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs POSIX timers")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the sanitizer ends the process where a std::vector finds no memory")
    failed = []
    for part in range(PARTS):
        log = tmp_path / f"{part}"
        command = [sys.executable, __file__, str(part), "1", str(log)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=200)
            outcome = f"{done.returncode}: {done.stderr[-600:]}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            outcome = "hangs"
        last = log.read_text()
        if outcome or last != "done":
            failed.append(f"{last}\n{outcome}")
    assert not failed, "\n\n".join(failed)


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
