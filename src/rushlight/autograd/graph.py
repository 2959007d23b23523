"""Hooks, and the other rare turns of the tape: what the engine asks of Python."""

from __future__ import annotations

import weakref
from collections import namedtuple
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight._core import Node
from rushlight.autograd.saved import (
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    increment_version,
    save_on_cpu,
    saved_tensors_hooks,
)
from rushlight.dtypes import CPU
from rushlight.tensor import Tensor
from rushlight.warned import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again.

    Works as a context manager too.
    """

    _next_id = 0

    def __init__(self, hooks: dict, *, extra_dict: Any = None) -> None:
        self._hooks = hooks
        self.id = RemovableHandle._next_id
        RemovableHandle._next_id += 1
        if extra_dict is None:
            extra_dict = ()
        self._extra = extra_dict if isinstance(extra_dict, (tuple, list)) else (extra_dict,)

    def remove(self) -> None:
        """Takes the hook away; a second time, nothing."""
        for hooks in (self._hooks, *self._extra):
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


# ---- registering

# Entries of node._pre_hooks: (kind, output number, callable).
_TENSOR, _RETAIN, _NODE = range(3)


def _add_pre_hook(node: Node, kind: int, output_nr: int, hook: Callable) -> RemovableHandle:
    if node._pre_hooks is None:
        node._pre_hooks = {}
    handle = RemovableHandle(node._pre_hooks)
    node._pre_hooks[handle.id] = (kind, output_nr, hook)
    return handle


def register_tensor_hook(tensor: Tensor, hook: Callable) -> RemovableHandle:
    """Calls `hook(grad)` when the tensor's gradient is known; see :meth:`Tensor.register_hook`.

    Raises RuntimeError for a tensor that does not require grad.
    """
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor.grad_fn is not None:
        return _add_pre_hook(tensor.grad_fn, _TENSOR, tensor.output_nr, hook)
    if tensor._leaf_hooks is None:
        tensor._leaf_hooks = {}
    handle = RemovableHandle(tensor._leaf_hooks)
    tensor._leaf_hooks[handle.id] = hook
    return handle


def register_post_accumulate_hook(tensor: Tensor, hook: Callable) -> RemovableHandle:
    """Calls `hook(tensor)` after backward has added to a leaf's `grad`.

    Raises RuntimeError for a tensor that does not require grad or is no leaf.
    """
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if tensor._post_accumulate_hooks is None:
        tensor._post_accumulate_hooks = {}
    handle = RemovableHandle(tensor._post_accumulate_hooks)
    tensor._post_accumulate_hooks[handle.id] = hook
    return handle


def retain_grad(tensor: Tensor) -> None:
    """Makes backward fill `grad` of a tensor that is no leaf; see :meth:`Tensor.retain_grad`.

    Raises RuntimeError for a tensor that does not require grad.
    """
    if not tensor.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if tensor.grad_fn is None or tensor.retains_grad:
        return
    tensor._retains_grad = True
    reference = weakref.ref(tensor)

    def keep(gradient: Tensor) -> None:
        kept = reference()
        if kept is not None and gradient is not None:
            kept.grad = gradient if kept.grad is None else kept.grad + gradient

    _add_pre_hook(tensor.grad_fn, _RETAIN, tensor.output_nr, keep)


def _node_register_hook(self: Node, hook: Callable) -> RemovableHandle:
    """Calls `hook(grad_inputs, grad_outputs)` after the node has run; it may return new inputs."""
    if self._post_hooks is None:
        self._post_hooks = {}
    handle = RemovableHandle(self._post_hooks)
    self._post_hooks[handle.id] = hook
    return handle


def _node_register_prehook(self: Node, hook: Callable) -> RemovableHandle:
    """Calls `hook(grad_outputs)` before the node runs; it may return new ones."""
    return _add_pre_hook(self, _NODE, 0, hook)


Node.__doc__ = """A recorded operation: gradients of its results in, gradients of its inputs out.

`tensor.grad_fn` is one; `next_functions` leads to those that made its inputs.
"""
Node.register_hook = _node_register_hook
Node.register_prehook = _node_register_prehook


# ---- running, called by the engine


def _run_pre_hooks(node: Node, gradients: tuple) -> tuple:
    # Tensor hooks first, then retain_grad (it keeps what they made of the gradient), then the
    # node's own; each kind in order of registration.
    values = list(gradients)
    for kind in (_TENSOR, _RETAIN, _NODE):
        for entry_kind, output_nr, hook in list(node._pre_hooks.values()):
            if entry_kind != kind:
                continue
            if kind == _NODE:
                result = hook(tuple(values))
                if result is not None:
                    values = list(result) if isinstance(result, (tuple, list)) else [result]
            elif values[output_nr] is not None:
                result = hook(values[output_nr])
                if result is not None:
                    values[output_nr] = _checked(result, values[output_nr])
    return tuple(values)


def _checked(result: Any, gradient: Tensor) -> Tensor:
    if not isinstance(result, Tensor):
        raise TypeError(f"hook returned {type(result).__name__}, expected a Tensor or None")
    if result.shape != gradient.shape:
        raise RuntimeError(
            f"hook has changed the size of value: from {list(gradient.shape)} to "
            f"{list(result.shape)}"
        )
    return result


def _run_post_hooks(node: Node, results: tuple, gradients: tuple) -> tuple:
    for hook in list(node._post_hooks.values()):
        changed = hook(results, gradients)
        if changed is not None:
            results = changed if isinstance(changed, tuple) else (changed,)
    return results


def _run_leaf_hooks(leaf: Tensor, gradient: Tensor) -> Tensor:
    return _run_hooks(leaf._leaf_hooks, gradient)


def _accumulated(leaf: Tensor) -> None:
    for hook in list(leaf._post_accumulate_hooks.values()):
        hook(leaf)


class AccumulateGrad:
    """Stands for a leaf where a graph is looked at: `grad_fn.next_functions` ends in these."""

    next_functions: tuple = ()
    requires_grad = True

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable
        self.metadata: dict = {}

    @property
    def _input_metadata(self) -> tuple[_Metadata, ...]:
        return (_Metadata(self.variable.shape, self.variable.dtype),)

    def name(self) -> str:
        """"torch::autograd::AccumulateGrad", as in PyTorch."""
        return "torch::autograd::AccumulateGrad"

    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)` after the leaf's grad has grown."""
        return register_post_accumulate_hook(
            self.variable, lambda leaf: hook((), (leaf.grad,)) and None
        )

    def register_prehook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(grad_outputs)` before the leaf's grad grows."""

        def adapted(gradient: Tensor) -> Tensor | None:
            result = hook((gradient,))
            return result[0] if isinstance(result, tuple) else result

        return register_tensor_hook(self.variable, adapted)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self.variable):#x}>"


# ---- places in the graph

GradientEdge = namedtuple("GradientEdge", "node output_nr ownership_token", defaults=(None,))
GradientEdge.__doc__ = """A place in the graph: one output of a node, or a leaf.

`backward()` and `grad()` take it in place of the tensor that it is the gradient of.
"""


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place of a tensor in the graph; it keeps the graph alive, but not the tensor's data.

    Raises RuntimeError for a tensor that does not require grad.
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients: call requires_grad_() on it before it is used"
        )
    node = AccumulateGrad(tensor) if tensor.grad_fn is None else tensor.grad_fn
    return GradientEdge(node, tensor.output_nr)


class _Metadata:
    """The shape, dtype and device of a node's output."""

    def __init__(self, shape: Any, dtype: Any) -> None:
        self.shape, self.dtype, self.device = shape, dtype, CPU
        self.is_nested_tensor = self.is_cpp_nested_tensor = False


def _input_metadata(self: Node) -> tuple[_Metadata, ...]:
    return tuple(_Metadata(*output) for output in self._outputs)


def _sequence_nr(self: Node) -> int:
    return self._sequence_nr_


def _register_hook_dict(self: Node, hooks: dict) -> None:
    """Calls the hooks of a dict with the gradient of the first output."""
    _add_pre_hook(self, _TENSOR, 0, lambda gradient: _run_hooks(hooks, gradient))


def _run_hooks(hooks: dict, gradient: Tensor) -> Tensor:
    for hook in list(hooks.values()):
        result = hook(gradient)
        if result is not None:
            gradient = _checked(result, gradient)
    return gradient


Node._input_metadata = property(_input_metadata, doc="What it takes gradients of.")
Node._sequence_nr = _sequence_nr
Node._register_hook_dict = _register_hook_dict
Node.requires_grad = True


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> RemovableHandle:
    """Calls `fn` once in every backward that reaches one of several tensors.

    Args:
        tensors: each requires grad.
        fn: takes the gradients in the order of the tensors, None for those that are not reached;
            with `mode` "any", one gradient.
        mode: "all" waits for the gradients of all tensors that are reached, "any" for the first.

    Returns a handle whose `remove()` takes the hook away.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"register_multi_grad_hook: mode must be 'all' or 'any', got {mode!r}")
    places = [tensor if tensor.grad_fn is None else tensor.grad_fn for tensor in tensors]
    arrived: dict[int, list] = {}  # by backward: the gradients
    missing: dict[int, int] = {}  # and how many of them are to come
    last = [0]

    def hook_of(index: int) -> Callable[[Tensor], None]:
        def hook(gradient: Tensor) -> None:
            number = _core.current_backward()
            if mode == "any":
                if last[0] != number:
                    last[0] = number
                    fn(gradient)
                return
            if number not in missing:
                missing[number] = sum(map(_core.backward_reaches, places))
                arrived[number] = [None] * len(places)
            arrived[number][index] = gradient
            missing[number] -= 1
            if not missing[number]:
                del missing[number]
                fn(arrived.pop(number))

        return hook

    return _Handles([t.register_hook(hook_of(i)) for i, t in enumerate(tensors)])


class _Handles(RemovableHandle):
    """Several handles as one."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        super().__init__({})
        self._handles = tuple(handles)

    def remove(self) -> None:
        """Takes all hooks away."""
        for handle in self._handles:
            handle.remove()


# ---- in-place operations on views


def _copy_slices(node: Node, view: Tensor) -> Node:
    """The history of a base after `node` has written to a view of it.

    Backward: the part of the gradient that lies under the view goes through the node; what comes
    out for the view's old value takes its place.
    """
    base = view._base
    dtype, shape, strides = view.dtype, tuple(view.shape), view.stride()
    base_shape, base_strides = tuple(base.shape), base.stride()
    start = base.storage_offset() * base.dtype.itemsize // dtype.itemsize
    offset = view.storage_offset() - start

    def as_base(gradient: Tensor) -> Tensor:
        """A copy of the gradient, laid out in memory as the base is."""
        from rushlight.ops.create import empty_strided

        return empty_strided(base_shape, base_strides, dtype=gradient.dtype).copy_(gradient)

    def as_view(memory: Tensor) -> Tensor:
        """The part of what is laid out as the base that lies under the view."""
        from rushlight.ops.complex import retyped
        from rushlight.ops.shape import as_strided

        return as_strided(retyped(memory, dtype), shape, strides, offset)

    def backward(gradient: Tensor) -> tuple:
        if gradient is None:
            return (None,) * len(node.next_functions)
        results = node(as_view(as_base(gradient)))
        remaining = as_base(gradient)
        under_view = as_view(remaining)
        if results[0] is None:
            under_view.fill_(0)
        else:
            under_view.copy_(results[0])
        return (remaining, *results[1:])

    return Node(backward, "CopySlices", (), ())


# ---- anomaly mode


def _anomaly_trace() -> str:
    import traceback

    frames = traceback.extract_stack()
    own = __file__.rpartition("autograd")[0]
    while frames and frames[-1].filename.startswith(own):
        frames.pop()
    return "".join(traceback.format_list(frames))


def _anomaly_report(node: Node) -> None:
    import warnings

    if node._trace:
        warnings.warn(
            f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
            f"{node._trace}",
            stacklevel=2,
        )
    else:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable "
            "detect anomaly during forward pass for more information.",
            stacklevel=2,
        )


class detect_anomaly:
    """Inside, backward raises at the first NaN and names the operation and where it was called."""

    def __init__(self, check_nan: bool = True) -> None:
        if type(self) is detect_anomaly:
            warn(
                "Anomaly Detection has been enabled. This mode will increase the runtime and "
                "should only be enabled for debugging."
            )
        self.check_nan = check_nan
        self._before = (_core.is_anomaly_enabled(), _core.is_anomaly_check_nan_enabled())

    def __enter__(self) -> None:
        self._before = (_core.is_anomaly_enabled(), _core.is_anomaly_check_nan_enabled())
        _core.set_anomaly(True, self.check_nan)

    def __exit__(self, *exc: object) -> None:
        _core.set_anomaly(*self._before)


class set_detect_anomaly(detect_anomaly):
    """Anomaly mode on or off: at once as a function, or until the end of a with block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        self.mode = mode
        _core.set_anomaly(mode, check_nan)

    def __enter__(self) -> None:
        _core.set_anomaly(self.mode, self.check_nan)


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Anomaly mode on or off, and with `check_nan` an error for the first nan of a backward."""
    _core.set_anomaly(mode, check_nan)


is_anomaly_enabled = _core.is_anomaly_enabled
is_anomaly_check_nan_enabled = _core.is_anomaly_check_nan_enabled

_core.set_callbacks(
    run_pre_hooks=_run_pre_hooks,
    run_post_hooks=_run_post_hooks,
    run_leaf_hooks=_run_leaf_hooks,
    accumulated=_accumulated,
    accumulate_node=AccumulateGrad,
    copy_slices=_copy_slices,
    anomaly_trace=_anomaly_trace,
    anomaly_report=_anomaly_report,
)
