"""L-BFGS: a quasi-Newton method that remembers the last few steps and gradient changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import rushlight
from rushlight.optim import checks
from rushlight.optim.optimizer import Optimizer, _to_scalar, _with_hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight.optim.optimizer import ParamsT
    from rushlight.tensor import Tensor

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS: a quasi-Newton method that remembers the last steps.

    Nocedal and Wright, Numerical Optimization, chapter 7, after minFunc
    (https://www.cs.ubc.ca/~schmidtm/Software/minFunc.html).

    One `step(closure)` makes up to `max_iter` iterations and calls the closure for each of them; it
    must clear the gradients, compute the loss, call `backward()` and return the loss. All
    parameters are in one group. Memory is that of the parameters times 2 * history_size.

    Args:
        params: parameters or `(name, parameter)` pairs.
        lr: step length, a number or a 1-element Tensor.
        max_iter: iterations of a step.
        max_eval: evaluations of a step; None means 5/4 of max_iter.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where neither a parameter nor the loss changes by more.
        history_size: the number of steps to remember.
        line_search_fn: "strong_wolfe", which searches the step length along each direction, or
            None, which takes `lr`.

    State, all of it with the first parameter: "func_evals", "n_iter", and after an iteration "d"
    (direction), "t" (length), "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad",
    "prev_loss", "al".
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        checks.learning_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @_with_hooks
    @rushlight.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Up to `max_iter` iterations; returns the loss of the first evaluation.

        `closure` clears the gradients, computes the loss, calls backward and returns the loss; it
        is called several times.
        """
        if len(self.param_groups) != 1:
            raise AssertionError(
                f"Expected exactly one param_group, but got {len(self.param_groups)}"
            )
        group = self.param_groups[0]
        lr = _to_scalar(group["lr"])
        max_iter, max_eval = group["max_iter"], group["max_eval"]
        tolerance, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        search = group["line_search_fn"]
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> float:
            with rushlight.enable_grad():
                loss = closure()
            return float(loss)

        with rushlight.enable_grad():
            first_loss = closure()
        loss, grad, evaluations = float(first_loss), self._flat_grad(), 1
        state["func_evals"] += 1
        optimal = grad.abs().max() <= tolerance
        if optimal:
            return first_loss

        memory = {name: state.get(name) for name in _MEMORY}
        for iteration in range(1, max_iter + 1):
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            self._turn(memory, state, grad, group["history_size"])
            direction = memory["d"]
            if memory["prev_flat_grad"] is None:
                memory["prev_flat_grad"] = grad.clone()
            else:
                memory["prev_flat_grad"].copy_(grad)
            memory["prev_loss"] = before = loss

            # The first direction is the bare gradient, whose length says nothing.
            inverse: Any = 1.0 / grad.abs().sum()
            length = min(1.0, inverse) * lr if first else lr
            memory["t"] = length
            slope = grad.dot(direction)
            if slope > -tolerance_change:
                break

            used = 0
            if search is not None:
                if search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                here = _Point(0, loss, grad, slope)
                found, used = self._search(
                    evaluate, direction, here, length, max_eval - evaluations
                )
                loss, grad, length = found.loss, found.grad, found.t
                memory["t"] = length
                self._move(length, direction)
                optimal = grad.abs().max() <= tolerance
            else:
                self._move(length, direction)
                if iteration != max_iter:  # the next step evaluates there anyway
                    loss, grad, used = evaluate(), self._flat_grad(), 1
                    optimal = grad.abs().max() <= tolerance
            evaluations += used
            state["func_evals"] += used

            if (
                iteration == max_iter
                or evaluations >= max_eval
                or optimal
                or (direction * length).abs().max() <= tolerance_change
                or abs(loss - before) < tolerance_change
            ):
                break
        state.update(memory)
        return first_loss

    @staticmethod
    def _turn(memory: dict[str, Any], state: dict[str, Any], grad: Tensor, most: int) -> None:
        """The next direction: minus the gradient times an estimate of the inverse Hessian."""
        if state["n_iter"] == 1:
            memory.update(d=-grad, old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return
        changes, steps, ro = memory["old_dirs"], memory["old_stps"], memory["ro"]
        change = grad - memory["prev_flat_grad"]
        step = memory["d"] * memory["t"]
        curvature = change.dot(step)
        if curvature > 1e-10:
            if len(changes) == most:
                for history in (changes, steps, ro):
                    history.pop(0)
            changes.append(change)
            steps.append(step)
            ro.append(1.0 / curvature)
            memory["H_diag"] = curvature / change.dot(change)
        # The two loops of Nocedal and Wright, algorithm 7.4.
        factors = state.setdefault("al", [None] * most)
        direction = -grad
        for i in range(len(changes) - 1, -1, -1):
            factors[i] = steps[i].dot(direction) * ro[i]
            direction.add_(changes[i], alpha=-factors[i].item())
        direction = direction * memory["H_diag"]
        for i in range(len(changes)):
            undone = changes[i].dot(direction) * ro[i]
            direction.add_(steps[i], alpha=(factors[i] - undone).item())
        memory["d"] = direction

    def _search(
        self,
        evaluate: Callable[[], float],
        direction: Tensor,
        here: _Point,
        length: Any,
        max_ls: int,
    ) -> tuple[_Point, int]:
        """The place along `direction` to go to, and the evaluations that it took to find."""
        params = self.param_groups[0]["params"]
        values = [p.clone() for p in params]

        def at(t: Any) -> _Point:
            self._move(t, direction)
            loss, grad = evaluate(), self._flat_grad()
            for p, value in zip(params, values, strict=True):
                p.copy_(value)
            return _Point(t, loss, grad, grad.dot(direction))

        return _strong_wolfe(at, here, length, direction.abs().max(), max_ls)

    def _flat_grad(self) -> Tensor:
        """All gradients as one vector, in fresh memory; zeros where there is none."""
        parts = []
        for p in self.param_groups[0]["params"]:
            grad = rushlight.zeros_like(p) if p.grad is None else p.grad
            if grad.is_complex():
                grad = rushlight.view_as_real(grad)
            parts.append(grad.reshape(-1))
        return rushlight.cat(parts)

    def _move(self, length: Any, direction: Tensor) -> None:
        """Go along `direction`, a vector of all parameters."""
        start = 0
        for p in self.param_groups[0]["params"]:
            own = rushlight.view_as_real(p) if p.is_complex() else p
            stop = start + own.numel()
            own.add_(direction[start:stop].view_as(own), alpha=float(length))
            start = stop


# What is kept from one step to the next, beside the counters and "al".
_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


# ----------------------------------------------------------------------------------- line search


class _Point(NamedTuple):
    """A place on the line: the step length, the loss there, its gradient, its slope."""

    t: Any
    loss: float
    grad: Tensor
    slope: Tensor


def _strong_wolfe(
    at: Callable[[Any], _Point],
    start: _Point,
    t: Any,
    largest: Tensor,
    max_ls: int,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
) -> tuple[_Point, int]:
    """A place that satisfies the strong Wolfe conditions, or the best after `max_ls` tries.

    Nocedal and Wright, algorithms 3.5 and 3.6. `largest` is the largest element of the direction.
    Returns the place and the number of evaluations.
    """

    def too_high(point: _Point) -> bool:
        return bool(point.loss > start.loss + c1 * point.t * start.slope)

    def flat(point: _Point) -> bool:
        return bool(abs(point.slope) <= -c2 * start.slope)

    before, now = start, at(t)
    evaluations, tries, done = 1, 0, False
    bracket = [start, now]
    while tries < max_ls:
        if too_high(now) or (tries > 1 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if flat(now):
            bracket, done = [now], True
            break
        if now.slope >= 0:
            bracket = [before, now]
            break
        least, most = now.t + 0.01 * (now.t - before.t), now.t * 10
        before, now = now, at(_cubic_minimum(before, now, least, most))
        evaluations += 1
        tries += 1
        bracket = [start, now]

    # Somewhere in the bracket is such a place. `low` is its end with the lower loss.
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    slow = False
    while not done and tries < max_ls:
        ends = (bracket[0].t, bracket[1].t)
        if abs(ends[1] - ends[0]) * largest < tolerance_change:
            break
        least, most = min(ends), max(ends)
        t = _cubic_minimum(bracket[0], bracket[1], least, most)
        # Near an end twice in a row, or outside: a tenth of the way in, and the bracket shrinks.
        margin = 0.1 * (most - least)
        if min(most - t, t - least) < margin:
            if slow or t >= most or t <= least:
                t = most - margin if abs(t - most) < abs(t - least) else least + margin
                slow = False
            else:
                slow = True
        else:
            slow = False

        new = at(t)
        evaluations += 1
        tries += 1
        if too_high(new) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if flat(new):
                done = True
            elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = new
    return bracket[low], evaluations


def _cubic_minimum(a: _Point, b: _Point, least: Any, most: Any) -> Any:
    """Where the cubic through two places, with their slopes, is lowest; within the bounds."""
    if a.t > b.t:
        a, b = b, a
    bend = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = bend**2 - a.slope * b.slope
    if square < 0:
        return (least + most) / 2.0
    root = square.sqrt()
    t = b.t - (b.t - a.t) * ((b.slope + root - bend) / (b.slope - a.slope + 2 * root))
    return min(max(t, least), most)
