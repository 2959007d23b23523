"""Activation checkpointing: less memory for more time.

What a part of a model computes on the way is not kept for its backward, but computed again there.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from enum import Enum
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.autograd import Function
from rushlight.autograd.graph import saved_tensors_hooks
from rushlight.random import fork_rng
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Contexts = tuple[AbstractContextManager, AbstractContextManager]

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]


class CheckpointError(RuntimeError):
    """A recomputation did not do what the forward did."""


def noop_context_fn() -> Contexts:
    """The default `context_fn`: no context around the forward, none around the recomputation."""
    return nullcontext(), nullcontext()


class CheckpointPolicy(Enum):
    """Whether the result of an operation in a checkpoint is to be kept or computed again."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4


class SelectiveCheckpointContext:
    """What a policy is told.

    Attributes:
        is_recompute: whether backward computes again; False in forward.
    """

    def __init__(self, *, is_recompute: bool) -> None:
        self.is_recompute = is_recompute


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Callable[..., CheckpointPolicy] | list,
    allow_cache_entry_mutation: bool = False,
) -> Contexts:
    """The two contexts of a checkpoint that is to keep some results, for its `context_fn`.

    What the policy says changes time and memory, never results, and here it changes nothing: all
    that a checkpoint has not kept is computed again. The policy is not called.

    Args:
        policy_fn_or_list: a function `(ctx, op, *args, **kwargs)` that gives a CheckpointPolicy,
            or a list of operators of `torch.ops` whose results to keep.
        allow_cache_entry_mutation: of no effect.

    Raises TypeError for what is neither, ValueError for a list with anything but operators.
    """
    if isinstance(policy_fn_or_list, list):
        from rushlight._ops import OpOverload

        for op in policy_fn_or_list:
            if not isinstance(op, OpOverload):
                raise ValueError(
                    f"Unexpected op in `op_list`: {op} (type {type(op)}). Use an overload, such as "
                    "torch.ops.aten.mm.default"
                )
    elif not callable(policy_fn_or_list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    return noop_context_fn()


def _autocast_again() -> Callable[[], AbstractContextManager]:
    """Makes contexts with autocast as it is now: backward comes when its block is left."""
    mode = sys.modules.get("rushlight.amp.autocast_mode")
    if mode is None:  # nobody has asked for it yet
        return nullcontext
    enabled, dtype = mode.is_autocast_cpu_enabled(), mode.get_autocast_cpu_dtype()
    cache = mode.is_autocast_cache_enabled()
    return lambda: mode.autocast("cpu", dtype=dtype, enabled=enabled, cache_enabled=cache)


_early_stop: bool | None = None
_debug: bool | None = None


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Inside this block, whether a recomputation ends as soon as it has what backward needs."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Inside this block, the `debug` of all checkpoints; None leaves it to each."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args)``, without keeping what its backward needs: that is computed again.

    Args:
        function: what to call; the second call must do what the first one did.
        args: its arguments.
        use_reentrant: False, which is recommended, recomputes when backward reads the first of
            the tensors that would have been kept. True runs a backward of its own inside the
            backward: it needs an input that requires a gradient, records only tensors that are
            direct arguments or results, and does not go with ``autograd.grad``. None warns and
            means True.
        context_fn: gives two contexts, one for the forward, one for the recomputation. Not
            reentrant only.
        determinism_check: "default" compares shape and dtype of what is recomputed with the
            first time, "none" only counts. Not reentrant only.
        debug: let errors say where the checkpoint was called. Not reentrant only.
        early_stop: end a recomputation as soon as it has what backward needs. Not reentrant only.
        kwargs: keyword arguments of the function (not reentrant only), and
            ``preserve_rng_state=True``: random numbers are the same the second time.

    Raises:
        CheckpointError: in backward, if the recomputation keeps other tensors than the forward.
    """
    if use_reentrant is None:
        warnings.warn(
            "checkpoint: pass use_reentrant explicitly. use_reentrant=False is recommended; "
            "without the argument it is True",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return CheckpointFunction.apply(function, preserve, *args)

    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}"
        )
    around_forward, around_recomputation = context_fn()
    state = rushlight.get_rng_state() if preserve else None
    if not rushlight.is_grad_enabled():
        return function(*args, **kwargs)

    autocast = _autocast_again()

    def recompute(*inputs: Any) -> None:
        with ExitStack() as stack:
            stack.enter_context(autocast())
            if state is not None:
                stack.enter_context(fork_rng())
                rushlight.set_rng_state(state)
            stack.enter_context(around_recomputation)
            function(*inputs, **kwargs)

    frame = _Frame(
        recompute,
        early_stop if _early_stop is None else _early_stop,
        determinism_check == "default",
        debug if _debug is None else _debug,
    )
    frame.keep_inputs(args)
    with saved_tensors_hooks(frame.pack, frame.unpack), around_forward:
        result = function(*args, **kwargs)
    frame.is_complete = True
    return result


# --------------------------------------------------------------------------------- not reentrant


class _Stop(Exception):
    """Ends a recomputation that has all it is wanted for."""


class _KeepInputs(Function):
    """Keeps tensors as an op would: the hooks of a checkpoint around this one see them."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, dummy: Tensor, frame: _Frame, *inputs: Tensor
    ) -> Tensor:
        ctx.save_for_backward(*inputs)
        frame.ctx = ctx
        return rushlight.empty(0)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise AssertionError("checkpoint: nothing depends on this node")


class _Frame:
    """One checkpointed call: what to recompute it from, and what came of the recomputation.

    Backward holds numbers in the place of tensors (`pack`). The first number that it asks for
    (`unpack`) starts the recomputation, which leaves all tensors under their numbers; each is
    handed out once, so that nothing is kept longer than it is needed.
    """

    def __init__(
        self, function: Callable[..., None], early_stop: bool, check_kinds: bool, debug: bool
    ) -> None:
        self.function = function
        self.early_stop = early_stop
        self.kinds: list[Any] | None = [] if check_kinds else None
        self.count = 0
        self.found: dict[int, Tensor] = {}
        self.is_complete = False
        self.ctx: Any = None  # of _KeepInputs
        self.origin = ""
        if debug:
            import traceback

            self.origin = "".join(["\nThe checkpoint:\n", *traceback.format_stack()[:-2]])

    def keep_inputs(self, args: tuple) -> None:
        self.args = [None if isinstance(arg, Tensor) else arg for arg in args]
        self.places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        dummy = rushlight.empty(0, requires_grad=True)
        self.kept = _KeepInputs.apply(dummy, self, *(args[i] for i in self.places))

    def pack(self, tensor: Tensor) -> int:
        if self.kinds is not None:
            self.kinds.append(_kind_of(tensor))
        self.count += 1
        return self.count - 1

    def unpack(self, number: int) -> Tensor:
        if number not in self.found:
            self._recompute()
        return self.found.pop(number)

    def _recompute(self) -> None:
        args = list(self.args)
        for place, tensor in zip(self.places, self.ctx.saved_tensors, strict=True):
            args[place] = tensor
        self.found.clear()
        seen = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal seen
            tensor = tensor.detach()
            if seen < self.count:
                self.found[seen] = tensor
            elif self.is_complete:
                self._fail(
                    "trying to save more tensors during recomputation than during the original "
                    f"forward pass, {self.count}"
                )
            seen += 1
            if self.early_stop and seen == self.count:
                raise _Stop
            return tensor

        try:
            with saved_tensors_hooks(pack, lambda tensor: tensor), rushlight.enable_grad():
                self.function(*args)
        except _Stop:
            pass
        if seen < self.count:
            self._fail(
                "A different number of tensors was saved during the original forward and "
                f"recomputation: {self.count} and {seen}"
            )
        different = [
            f"tensor at position {i}: {kind} in forward, {_kind_of(self.found[i])} recomputed"
            for i, kind in enumerate(self.kinds or ())
            if kind != _kind_of(self.found[i])
        ]
        if different:
            self._fail(
                "Recomputed values for the following tensors have different metadata than during "
                "the forward pass.\n" + "\n".join(different)
            )

    def _fail(self, why: str) -> None:
        raise CheckpointError(
            f"torch.utils.checkpoint: {why}. The function must do the same in each call; pass "
            "debug=True to see where the checkpoint was called." + self.origin
        )


def _kind_of(tensor: Tensor) -> tuple:
    return tuple(tensor.shape), str(tensor.dtype)


# ------------------------------------------------------------------------------------- reentrant


class CheckpointFunction(Function):
    """``checkpoint(..., use_reentrant=True)`` as an operation."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any
    ) -> Any:
        """Runs the function unrecorded, and keeps its arguments.

        The state of the random generators too, if asked.
        """
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.autocast = _autocast_again()
        ctx.state = rushlight.get_rng_state() if preserve_rng_state else None
        ctx.args = [None if isinstance(arg, Tensor) else arg for arg in args]
        ctx.places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with rushlight.no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Runs the function again, recorded, and sends the gradients through it.

        Raises RuntimeError where none of its results requires grad.
        """
        inputs = list(ctx.args)
        for place, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[place] = tensor
        with fork_rng(enabled=ctx.state is not None):
            if ctx.state is not None:
                rushlight.set_rng_state(ctx.state)
            detached = detach_variable(tuple(inputs))
            with ctx.autocast(), rushlight.enable_grad():
                outputs = ctx.run_function(*detached)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        roots = [
            (output, grad)
            for output, grad in zip(outputs, grads, strict=True)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not roots:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        rushlight.autograd.backward(
            [output for output, _ in roots], [grad for _, grad in roots]
        )
        found = (value.grad if isinstance(value, Tensor) else None for value in detached)
        return (None, None, *found)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if no input requires a gradient: a reentrant checkpoint then gives none."""
    if not any(value.requires_grad for value in inputs if isinstance(value, Tensor)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


def detach_variable(inputs: tuple) -> tuple:
    """The values with their tensors detached, which still require gradients if they did."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value
        for value in inputs
    )


# ------------------------------------------------------------------------------------- sequential


def checkpoint_sequential(
    functions: Sequence[Callable[[Any], Any]] | Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """A chain of functions in `segments` parts, of which all but the last are checkpointed.

    Args:
        functions: a `nn.Sequential`, or functions of one argument.
        segments: the number of parts.
        input: what the first function gets.
        use_reentrant: as in `checkpoint`.
        kwargs: ``preserve_rng_state``, as in `checkpoint`.
    """
    if use_reentrant is None:
        warnings.warn(
            "checkpoint_sequential: pass use_reentrant explicitly. use_reentrant=False is "
            "recommended; without the argument it is True",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if isinstance(functions, rushlight.nn.Sequential):
        functions = list(functions.children())

    def chain(start: int, stop: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for function in functions[start:stop]:
                value = function(value)
            return value

        return run

    size = len(functions) // segments
    start = 0
    for start in range(size, size * segments, size):
        input = checkpoint(
            chain(start - size, start),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )
    return chain(start, len(functions))(input)


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The devices that tensors among `args` are on, CPU aside, and their generators' states: none.

    For layers that run a part twice and restore the generators in between.
    """
    return [], []


def set_device_states(devices: Iterable[int], states: Iterable[Tensor]) -> None:
    """Gives generators of devices the states of `get_device_states`: nothing to do on the CPU."""
