"""Random programs, step by step beside PyTorch: views, writes in place, recording and backward.

A program is a list of steps drawn from a seed; both libraries run each step, and after it all
tensors must agree: what they hold, whether they require grad, what their gradients are, and whether
the step is refused. Single ops are compared in other files; here it is what they do to each other.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import rushlight

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

PROGRAMS, STEPS = 300, 25
SHAPES = [
    (),
    (1,),
    (3,),
    (4,),
    (2, 3),
    (3, 2),
    (1, 3),
    (2, 1, 3),
    (2, 3, 2),
    (0,),
    (2, 0),
    (130, 70),
]
LARGE = [
    (130, 70),
    (70,),
    (130, 1),
    (1, 70),
    (),
]  # above the size from which operations are deferred

# Each takes tensors x, y, z and numbers p, q that are small.
UNARY = {
    "exp": lambda x, p, q: x.exp(),
    "tanh": lambda x, p, q: x.tanh(),
    "neg": lambda x, p, q: -x,
    "relu": lambda x, p, q: x.relu(),
    "square": lambda x, p, q: x * x,
    "clone": lambda x, p, q: x.clone(),
    "detach": lambda x, p, q: x.detach(),
    "scaled": lambda x, p, q: x * (p / 2) + 1,
    "contiguous": lambda x, p, q: x.contiguous(),
    "double": lambda x, p, q: x.double(),
    "long": lambda x, p, q: x.long(),
    "sum": lambda x, p, q: x.sum(),
    "sum_of": lambda x, p, q: x.sum(p),
    "mean_of": lambda x, p, q: x.float().mean(p, keepdim=q > 0),
    "amax": lambda x, p, q: x.amax(p),
    "cumsum": lambda x, p, q: x.cumsum(p),
    "sort": lambda x, p, q: x.sort(dim=p, stable=True)[0],
    "softmax": lambda x, p, q: x.float().softmax(p),
    "flip": lambda x, p, q: x.flip(p),
    "roll": lambda x, p, q: x.roll(p, q),
    "tril": lambda x, p, q: x.tril(p),
    "ravel": lambda x, p, q: x.ravel(),
    "data": lambda x, p, q: x.data,
    "leaf": lambda x, p, q: x.clone().detach().requires_grad_(p > 0),
}
BINARY = {
    "add": lambda x, y, z, p: x + y,
    "sub": lambda x, y, z, p: x - y,
    "mul": lambda x, y, z, p: x * y,
    "div": lambda x, y, z, p: x / (y * y + 1),
    "maximum": lambda x, y, z, p: library_of(x).maximum(x, y),
    "where": lambda x, y, z, p: library_of(x).where(x > 0, y, z),
    "matmul": lambda x, y, z, p: x @ y,
    "cat": lambda x, y, z, p: library_of(x).cat([x, y], p),
    "stack": lambda x, y, z, p: library_of(x).stack([x, y], p),
    "addcmul": lambda x, y, z, p: library_of(x).addcmul(x, y, z, value=p),
    "masked_fill": lambda x, y, z, p: x.masked_fill(y > 0, p),
}
VIEWS = {
    "view": lambda x, p, q: x.view(-1),
    "reshape": lambda x, p, q: x.reshape(-1, 1),
    "transpose": lambda x, p, q: x.transpose(p, q),
    "unsqueeze": lambda x, p, q: x.unsqueeze(p),
    "squeeze": lambda x, p, q: x.squeeze(p),
    "expand": lambda x, p, q: x.expand(2, *x.shape),
    "select": lambda x, p, q: x.select(p, q),
    "narrow": lambda x, p, q: x.narrow(p, abs(q), 1),
    "chunk": lambda x, p, q: x.chunk(2, p)[0],
    "diagonal": lambda x, p, q: x.diagonal(p),
    "unfold": lambda x, p, q: x.unfold(p, 2, 2),
    "movedim": lambda x, p, q: x.movedim(p, q),
}
WRITES = {
    "add_": lambda x, y, p: x.add_(y),
    "mul_": lambda x, y, p: x.mul_(y),
    "copy_": lambda x, y, p: x.copy_(y),
    "exp_": lambda x, y, p: x.exp_(),
    "relu_": lambda x, y, p: x.relu_(),
    "fill_": lambda x, y, p: x.fill_(p),
    "clamp_": lambda x, y, p: x.clamp_(-1, 1),
    "masked_fill_": lambda x, y, p: x.masked_fill_(y > 0, p),
    "zero_": lambda x, y, p: x.zero_(),
    "cumsum_": lambda x, y, p: x.cumsum_(p),
    "data": lambda x, y, p: x.data.mul_(2),
}


def library_of(x: Any) -> Any:
    """The library that a tensor is of."""
    return rushlight if isinstance(x, rushlight.Tensor) else torch


def drawn_key(draw: random.Random) -> tuple:
    def item() -> Any:
        kind = draw.random()
        if kind < 0.4:
            return draw.randrange(-3, 3)
        if kind < 0.8:
            return slice(
                draw.choice([None, 0, 1, -2]), draw.choice([None, 2, -1]), draw.choice([None, 2])
            )
        return None if kind < 0.9 else [draw.randrange(-1, 2) for _ in range(2)]

    return tuple(item() for _ in range(draw.randrange(1, 4)))


def drawn_step(draw: random.Random, count: int, shapes: list) -> tuple:
    """(kind, name, places of three tensors, two numbers, key, array, flag)."""
    kind = (
        "new"
        if count < 3
        else draw.choices(
            ["new", "unary", "binary", "view", "index", "write", "assign", "backward", "grad"],
            [8, 22, 24, 14, 6, 14, 6, 3, 3],
        )[0]
    )
    names = {"unary": UNARY, "binary": BINARY, "view": VIEWS, "write": WRITES}.get(kind, {"": None})
    values = np.random.RandomState(draw.randrange(10**6)).uniform(-2, 2, draw.choice(shapes))
    dtype = draw.choices([np.float32, np.float64, np.int64], [75, 12, 13])[0]
    return (
        kind,
        draw.choice(list(names)),
        [draw.randrange(max(count, 1)) for _ in range(3)],
        (draw.randrange(-3, 4), draw.randrange(-3, 4)),
        drawn_key(draw),
        values.astype(dtype),
        draw.random() < 0.4,
    )


def run(library: Any, step: tuple, tensors: list) -> Any:
    kind, name, places, (p, q), key, array, flag = step
    if kind == "new":
        made = library.tensor(array)
        return made.requires_grad_() if flag and array.dtype.kind == "f" else made
    x, y, z = (tensors[at] for at in places)
    if kind in ("unary", "binary"):
        made = UNARY[name](x, p, q) if kind == "unary" else BINARY[name](x, y, z, p)
        if library is torch and made.data_ptr() != x.data_ptr():
            made = made.contiguous()  # results are laid out row by row here
        return made
    if kind == "view":
        return VIEWS[name](x, p, q)
    if kind == "index":
        return x[key]
    if kind == "backward":
        return x.float().sum().backward(retain_graph=True)
    if kind == "grad":
        return library.autograd.grad(x.sum(), y, allow_unused=True, retain_graph=True)[0]
    with library.set_grad_enabled(not flag):
        if kind == "write":
            WRITES[name](x, y, p)
        elif q > 0:
            x[key] = p
        else:
            x[key] = y
    return None


def differs(one: Any, other: Any) -> str:
    """What two tensors, or None, differ in."""
    if one is None or other is None:
        return "" if one is other else "only one is None"
    for what in ("shape", "requires_grad"):
        if getattr(one, what) != getattr(other, what):
            return f"{what}: {getattr(one, what)} in PyTorch, {getattr(other, what)} here"
    if str(one.dtype) != str(other.dtype):
        return f"dtype: {one.dtype} in PyTorch, {other.dtype} here"
    a, b = one.detach().numpy(), other.detach().numpy()
    scale = np.abs(np.where(np.isfinite(a), a, 0)).max(initial=1)
    with np.errstate(invalid="ignore"):  # float64 may hold what float32 has rounded
        close = np.allclose(a, b, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)
    return "" if close else f"values: {a.ravel()[:4]} in PyTorch, {b.ravel()[:4]} here"


def overlaps(x: Any) -> bool:
    """Whether elements share memory: what a write leaves there then depends on its order."""
    return any(step == 0 and size > 1 for step, size in zip(x.stride(), x.shape))


def refused_by_torch_alone(error: Exception | None) -> bool:
    """Rules that are not kept here: about several views of one function, and about operands that
    overlap what is written to, which are read first here."""
    told = ("multiple views", "no_grad mode", "input tensor and the written-to tensor")
    return error is not None and any(part in str(error) for part in told)


@pytest.mark.parametrize("shapes", [SHAPES, LARGE], ids=["small", "deferred"])
def test_programs(shapes: list) -> None:
    for seed in range(PROGRAMS):
        draw, ours, theirs, text = random.Random(seed), [], [], []
        for _ in range(STEPS):
            step = drawn_step(draw, len(ours), shapes)
            text.append(f"{len(ours)}: {step[:5]} {step[5].shape} {step[5].dtype} {step[6]}")
            program = f"program {seed}:\n" + "\n".join(text)
            if step[0] in ("write", "assign") and overlaps(theirs[step[2][0]]):
                continue
            results, errors = [], []
            for library, tensors in ((torch, theirs), (rushlight, ours)):
                try:
                    results.append(run(library, step, tensors))
                    errors.append(None)
                except (RuntimeError, IndexError, TypeError, ValueError) as error:
                    errors.append(error)
            if refused_by_torch_alone(errors[0]):
                break
            assert (errors[0] is None) == (errors[1] is None), f"{program}\n{errors}"
            if errors[0] is not None:
                if step[0] in ("write", "assign"):  # PyTorch may have written a part
                    break
                continue
            assert not differs(*results), f"{program}\n{differs(*results)}"
            if results[0] is not None and results[0].numel() < 40000:
                theirs.append(results[0])
                ours.append(results[1])
            if step[0] in ("write", "assign", "backward"):
                for at, (one, other) in enumerate(zip(theirs, ours)):
                    try:
                        found = differs(one, other)
                        if one.is_leaf and other.is_leaf:
                            found = found or differs(one.grad, other.grad)
                    except RuntimeError as error:
                        assert refused_by_torch_alone(error), f"{program}\n{error}"
                        return
                    assert not found, f"{program}\ntensor {at}: {found}"
