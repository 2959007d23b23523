"""Counting floating-point operations of matrix products and convolutions: `FlopCounterMode`.

A multiplication with its addition counts as two. As in PyTorch, operations that are neither count
nothing, and neither do products with vectors, recurrent layers and the attention kernel. Backward
is counted where it passes through what was counted.
"""

from __future__ import annotations

import math
import threading
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.autograd.watch import name_of, unwatch, watch
from rushlight.tensor import Tensor
from rushlight.utils.module_tracker import ModuleTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FlopCounterMode", "register_flop_formula"]

_SUFFIXES = ("", "K", "M", "B", "T")
_COUNTED = ("mm", "bmm", "addmm", "baddbmm", "matmul", "linear", "convolution")

# Formulas of somebody's own, by the operator of torch.ops.aten that they are for.
flop_registry: dict[Any, Callable[..., int]] = {}


def register_flop_formula(targets: Any, get_raw: bool = False) -> Callable[..., Any]:
    """A decorator: the function gives the operations of one call of an operator.

    Args:
        targets: an operator such as `torch.ops.aten.mm`, or a list of them.
        get_raw: the function is given tensors; otherwise their shapes. The result is given as
            `out_val` or `out_shape`.
    """

    def register(formula: Callable[..., int]) -> Callable[..., int]:
        made = formula if get_raw else _of_shapes(formula)
        for target in targets if isinstance(targets, (list, tuple)) else (targets,):
            if target in flop_registry:
                raise RuntimeError(f"duplicate registrations for {target}")
            flop_registry[target] = made
        return formula

    return register


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, (list, tuple)):
        return type(value)(map(_shape, value))
    return value


def _of_shapes(formula: Callable[..., int]) -> Callable[..., int]:
    def count(*args: Any, out_val: Any = None, **kwargs: Any) -> int:
        named = {name: _shape(value) for name, value in kwargs.items()}
        return formula(*map(_shape, args), out_shape=_shape(out_val), **named)

    return count


# ---------------------------------------------------------------------------- formulas


def _product(a: Sequence[int], b: Sequence[int]) -> int:
    """Of (..., m, k) and (..., k, n), whose batches broadcast."""
    return 2 * math.prod(rushlight.broadcast_shapes(a[:-2], b[:-2])) * a[-2] * a[-1] * b[-1]


def _convolution(
    x: Sequence[int], weight: Sequence[int], out: Sequence[int], transposed: bool
) -> int:
    return 2 * x[0] * math.prod((x if transposed else out)[2:]) * math.prod(weight)


def _turned(shape: Sequence[int]) -> list[int]:
    return [shape[1], shape[0], *shape[2:]]


class _Counted:
    """One call that counts: what it is called, and what it and its backward cost."""

    def __init__(self, name: str, forward: int, backward_name: str, backward: int) -> None:
        self.name, self.forward = name, forward
        self.backward_name, self.backward = backward_name, backward


def _wanted(*values: Any) -> int:
    return sum(isinstance(value, Tensor) and value.requires_grad for value in values)


def _count_product(name: str, a: Tensor, b: Tensor) -> _Counted | None:
    if a.ndim < 2 or b.ndim < 2:
        return None
    flat = "mm" if a.ndim == 2 or b.ndim == 2 else "bmm"
    flops = _product(a.shape, b.shape)
    return _Counted(name or flat, flops, flat, flops * _wanted(a, b))


def _count_linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> _Counted | None:
    if input.ndim < 2 or weight.ndim != 2:
        return None
    flops = 2 * input.numel() * weight.shape[0]
    name = "mm" if bias is None else "addmm"
    return _Counted(name, flops, "mm", flops * _wanted(input, weight))


def _count_convolution(result: Tensor, *args: Any) -> _Counted:
    x, weight, transposed = args[0], args[1], args[6]
    forward = _convolution(x.shape, weight.shape, result.shape, transposed)
    backward = 0
    if x.requires_grad:
        backward += _convolution(result.shape, weight.shape, x.shape, not transposed)
    if weight.requires_grad:
        one, other = (result, x) if transposed else (x, result)
        backward += _convolution(
            _turned(one.shape), _turned(other.shape), _turned(weight.shape), False
        )
    return _Counted("convolution", forward, "convolution_backward", backward)


def _counted(name: str, result: Tensor, args: tuple, kwargs: dict[str, Any]) -> _Counted | None:
    if name == "convolution":
        return _count_convolution(result, *args)
    if name == "linear":
        return _count_linear(*args, **kwargs)
    at = 1 if name in ("addmm", "baddbmm") else 0
    own = "" if name == "matmul" else name
    found = _count_product(own, *args[at : at + 2])
    if found is not None and name != "matmul":
        found.backward_name = "bmm" if name in ("bmm", "baddbmm") else "mm"
    return found


# ---------------------------------------------------------------------------- counting


class FlopCounterMode:
    """A block that counts floating-point operations, by module and operator.

    Args:
        mods: not needed any more.
        depth: how deep the table goes into modules; None for all.
        display: print the table when the block is left.
        custom_mapping: formulas by operator of `torch.ops.aten`, as of `register_flop_formula`.

    Example:
        >>> from rushlight.utils.flop_counter import FlopCounterMode
        >>> with FlopCounterMode(display=False) as counter:
        ...     _ = rushlight.ones(2, 3) @ rushlight.ones(3, 4)
        >>> counter.get_total_flops()
        48
    """

    def __init__(
        self,
        mods: Any = None,
        depth: int | None = 2,
        display: bool = True,
        custom_mapping: dict[Any, Any] | None = None,
    ) -> None:
        if mods is not None:
            warnings.warn(
                "mods argument is not needed anymore, you can stop passing it", stacklevel=2
            )
        self.depth, self.display = depth, display
        self.flop_counts: dict[str, dict[Any, int]] = {}
        self.mod_tracker = ModuleTracker()
        own = {
            key: value if getattr(value, "_get_raw", False) else _of_shapes(value)
            for key, value in (custom_mapping or {}).items()
        }
        self._formulas = {_name_of(key): formula for key, formula in (flop_registry | own).items()}
        self._state = threading.local()

    def get_total_flops(self) -> int:
        """The operations of all that was counted."""
        return sum(self.flop_counts.get("Global", {}).values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """The operations by name of module ("Global" for all) and operator."""
        return {name: dict(counts) for name, counts in self.flop_counts.items()}

    def _add(self, modules: set[str], name: str, flops: int) -> None:
        if not flops:
            return
        operator = getattr(rushlight.ops.aten, name, None) or f"aten.{name}"
        for module in modules:
            counts = self.flop_counts.setdefault(module, {})
            counts[operator] = counts.get(operator, 0) + flops

    def _watch(self, op: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        name = name_of(op)
        formula = self._formulas.get(name)
        if (name not in _COUNTED and formula is None) or getattr(self._state, "inside", False):
            return call(*args, **kwargs)
        self._state.inside = True
        try:
            result = call(*args, **kwargs)
        finally:
            self._state.inside = False
        modules = set(self.mod_tracker.parents)
        if formula is not None:
            self._add(modules, name, formula(*args, **kwargs, out_val=result))
            return result
        found = _counted(name, result, args, kwargs) or _Counted("mm", 0, "mm", 0)
        self._add(modules, found.name, found.forward)
        if result.grad_fn is not None:
            self._count_backward(result.grad_fn, modules, found)
        return result

    def _count_backward(self, node: Any, modules: set[str], found: _Counted) -> None:
        """Counts when backward comes through, and not what the formula there calls."""

        def begin(grads: Any) -> None:
            if self._on:
                self._add(modules, found.backward_name, found.backward)
            self._state.inside = True

        def end(grads: Any, outputs: Any) -> None:
            self._state.inside = False

        node.register_prehook(begin)
        node.register_hook(end)

    def get_table(self, depth: int | None = None) -> str:
        """The counts as a table of modules and their operators.

        Args:
            depth: how deep to go into modules; as given to the mode without it.
        """
        depth = depth or self.depth or 1_000_000
        total = self.get_total_flops()
        step = max(0, min(len(_SUFFIXES) - 1, (len(str(total)) - 2) // 3))
        rows: list[tuple[str, str, str]] = []

        def row(name: str, flops: int) -> None:
            share = f"{flops / total:.2%}" if total else "0%"
            rows.append((name, f"{flops / 1000**step:.3f}{_SUFFIXES[step]}", share))

        modules = [
            name
            for name in sorted(self.flop_counts)
            if name != "Global" and name.count(".") < depth
        ]
        whole = any(sum(self.flop_counts[name].values()) >= total for name in modules)
        if total and not whole:
            modules.insert(0, "Global")
        for name in modules:
            row(name, sum(self.flop_counts[name].values()))
            for operator, flops in self.flop_counts[name].items():
                row(f"- {operator}", flops)
        return _table(rows or [("Global", "0", "0%")])

    _on = False

    def __enter__(self) -> FlopCounterMode:
        self.flop_counts = {"Global": {}}
        self.mod_tracker.__enter__()
        self._watcher = self._watch  # a bound method is made anew each time it is named
        watch(self._watcher)
        self._on = True
        return self

    def __exit__(self, *exception: Any) -> None:
        self._on = False
        unwatch(self._watcher)
        self.mod_tracker.__exit__()
        if self.display:
            print(self.get_table(self.depth))


def _name_of(operator: Any) -> str:
    """The name of an op for an operator of torch.ops, or one of its overloads."""
    return str(getattr(operator, "_name", None) or operator._packet._name)


def _table(rows: list[tuple[str, str, str]]) -> str:
    header = ("Module", "FLOP", "% Total")
    widths = [
        max(len(title) + 2, *(len(row[at]) for row in rows)) for at, title in enumerate(header)
    ]
    lines = [header, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        f"{name:<{widths[0]}}  {flops:>{widths[1]}}  {share:>{widths[2]}}"
        for name, flops, share in lines
    )
