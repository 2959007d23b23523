"""A module call that has hooks to run; Module.__call__ comes here only then."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

from . import hooks as tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .module import Module


def call_with_hooks(module: Module, args: tuple, kwargs: dict) -> Any:
    """``module(*args, **kwargs)`` with all its hooks and the global ones."""
    if not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or tables.any_global_hook()
    ):
        if module._hooked:
            tables.lower_flag(module)
        return module.forward(*args, **kwargs)
    return _Call(module, args, kwargs).run()


class _Call:
    """One call: arguments and result as the hooks so far have left them."""

    def __init__(self, module: Module, args: tuple, kwargs: dict) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result: Any = None
        self.called: set[int] = set()  # forward hooks with always_call that have run

    def run(self) -> Any:
        try:
            return self.steps()
        except Exception:
            self.after_failure()
            raise

    def steps(self) -> Any:
        module = self.module
        # Looked up first: what a forward hook adds to the backward ones holds from the next call.
        pre_hooks = [*tables._global_backward_pre_hooks.values()]
        pre_hooks += module._backward_pre_hooks.values()
        full, partial = _backward_hooks(module)
        self.before_forward()
        backward = BackwardHook(module, full, pre_hooks) if full or pre_hooks else None
        if backward is not None:
            self.args = backward.setup_input_hook(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for key, hook in _forward_hooks(module):
            if _marked(module, key, "_forward_hooks_always_called"):
                self.called.add(key)
            self.run_forward_hook(key, hook)
        if backward is not None:
            self.watch_output(backward)
        if partial:
            self.hang_on_node(partial)
        return self.result

    def before_forward(self) -> None:
        module = self.module
        hooks = [*tables._global_forward_pre_hooks.items(), *module._forward_pre_hooks.items()]
        for key, hook in hooks:
            if key in module._forward_pre_hooks_with_kwargs:
                changed = hook(module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                self.args, self.kwargs = changed
            else:
                changed = hook(module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def run_forward_hook(self, key: int, hook: Callable) -> None:
        if _marked(self.module, key, "_forward_hooks_with_kwargs"):
            changed = hook(self.module, self.args, self.kwargs, self.result)
        else:
            changed = hook(self.module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def after_failure(self) -> None:
        """Run the hooks with ``always_call`` that have not run; their own errors only warn."""
        for key, hook in _forward_hooks(self.module):
            if key in self.called or not _marked(self.module, key, "_forward_hooks_always_called"):
                continue
            try:
                self.run_forward_hook(key, hook)
            except Exception as error:
                kind = "global module" if key in tables._global_forward_hooks else "module"
                warnings.warn(
                    f"{kind} forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}",
                    stacklevel=5,
                )

    def watch_output(self, backward: BackwardHook) -> None:
        if not isinstance(self.result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(self.result)}",
                stacklevel=6,
            )
        self.result = backward.setup_output_hook(self.result)

    def hang_on_node(self, hooks: list[Callable]) -> None:
        """The old kind of backward hook: on the node that made the first tensor of the result."""
        found = self.result
        while not isinstance(found, Tensor):
            if isinstance(found, dict):
                found = next(value for value in found.values() if isinstance(value, Tensor))
            else:
                found = found[0]
        node = found.grad_fn
        if node is None:
            return
        for hook in hooks:
            node.register_hook(tables.BoundHook(hook, self.module))
        _warn_of_missing_gradients(self.args, self.result, node)


def _marked(module: Module, key: int, mark: str) -> bool:
    return key in getattr(module, mark) or key in getattr(tables, "_global" + mark)


def _forward_hooks(module: Module) -> Iterator[tuple[int, Callable]]:
    return iter([*tables._global_forward_hooks.items(), *module._forward_hooks.items()])


def _backward_hooks(module: Module) -> tuple[list[Callable], list[Callable]]:
    """The backward hooks of both kinds: full ones and those of the last node."""
    found: dict[bool, list[Callable]] = {True: [], False: []}
    if tables._global_is_full_backward_hook is not None:
        found[tables._global_is_full_backward_hook] += tables._global_backward_hooks.values()
    if module._is_full_backward_hook is not None:
        found[module._is_full_backward_hook] += module._backward_hooks.values()
    return found[True], found[False]


def _warn_of_missing_gradients(args: Any, result: Any, node: Any) -> None:
    """Say when a hook on one node can not see all gradients of the module."""

    def tensors(values: Any) -> tuple | None:
        values = (values,) if isinstance(values, Tensor) else values
        whole = isinstance(values, tuple) and all(isinstance(v, Tensor) for v in values)
        return values if whole else None

    outputs, inputs = tensors(result), tensors(args)
    made_by = {t.grad_fn for t in outputs or () if t.grad_fn is not None}
    missing = "grad_output"
    if outputs is None:
        what = "hooks on a Module that does not return a single Tensor or a tuple of Tensors"
    elif inputs is None:
        what = "hooks on a Module that does not take as input a single Tensor or a tuple of Tensors"
        missing = "grad_input"
    elif not made_by or (len(made_by) == 1 and node not in made_by):
        what = "hook when outputs are nested in python data structure"
    elif len(made_by) > 1:
        what = "hook when outputs are generated by different autograd Nodes"
    elif {t.grad_fn for t in inputs if t.grad_fn is not None} != {
        entry[0] for entry in node.next_functions
    }:
        what, missing = "hook when the forward contains multiple autograd Nodes", "grad_input"
    else:
        return
    warnings.warn(
        f"Using a non-full backward {what} is deprecated and will be removed in future versions. "
        f"This hook will be missing some {missing}. "
        "Please use register_full_backward_hook instead.",
        FutureWarning,
        stacklevel=7,
    )


# ------------------------------------------------------------------ full backward hooks


class BackwardHook:
    """The full backward hooks of one call.

    Inputs and outputs of the module pass through a node that leaves them as they are. The gradient
    of the output node's output is the module's ``grad_output``, that of the input node's input its
    ``grad_input``; hooks on the two nodes collect them and call the user's.
    """

    def __init__(
        self, module: Module, user_hooks: list[Callable], user_pre_hooks: list[Callable]
    ) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: tuple | None = None
        self.input_places: Any = None  # which arguments are tensors; None without a node
        self.output_places: Any = None
        self.n_inputs = self.n_outputs = -1

    def setup_input_hook(self, args: tuple) -> tuple:
        """The arguments to call forward with."""
        self.n_inputs = len(args)
        args, self.input_places = _pass_through(args, self._at_inputs)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """What the call returns."""
        outputs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outputs)
        outputs, self.output_places = _pass_through(outputs, self._at_outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _at_inputs(self, grad_input: tuple, _: Any) -> tuple | None:
        if self.grad_outputs is None:
            return None  # the backward pass came here without passing the output
        grads = _spread(self.input_places, grad_input, self.n_inputs)
        for hook in self.user_hooks:
            changed = hook(self.module, grads, self.grad_outputs)
            if changed is None:
                continue
            if len(changed) != len(grads):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(changed)}, but expected {len(grads)}"
                )
            grads = changed
        self.grad_outputs = None
        return tuple(grads[place] for place in self.input_places)

    def _at_outputs(self, _: Any, grad_output: tuple) -> tuple:
        grads = _spread(self.output_places, grad_output, self.n_outputs)
        for hook in self.user_pre_hooks:
            changed = hook(self.module, grads)
            if changed is None:
                continue
            if len(changed) != len(grads):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(changed)}, but expected {len(grads)}"
                )
            grads = changed
        self.grad_outputs = grads
        if self.input_places is None:
            self._without_inputs()
        return tuple(grads[place] for place in self.output_places)

    def _without_inputs(self) -> None:
        """No input requires grad, hence no input node: the user's hooks run at the output."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients.",
            stacklevel=6,
        )
        for hook in self.user_hooks:
            changed = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if changed is not None and not (
                isinstance(changed, tuple) and all(grad is None for grad in changed)
            ):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None


def _spread(places: list[int], values: tuple, size: int) -> tuple:
    """`values` at their places among `size`, None elsewhere."""
    spread = [None] * size
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def _pass_through(values: tuple, hook: Callable) -> tuple[tuple, list[int] | None]:
    """The values with their tensors passed through one node that has `hook`, and their places.

    None for the places if nothing requires grad: then there is no node.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    requires_grad = any(values[i].requires_grad for i in places)
    if not (requires_grad and rushlight.is_grad_enabled()):
        return values, None
    passed = _pass_function().apply(*[values[i] for i in places])
    node = next(t.grad_fn for t in passed if t.grad_fn is not None)
    node.register_hook(hook)
    changed = list(values)
    for place, value in zip(places, passed, strict=True):
        changed[place] = value
    kind = type(values)
    return (tuple(changed) if kind is tuple else kind(*changed)), places


_PASS: Any = None


def _pass_function() -> Any:
    """The autograd Function of the node; made late, since few programs need autograd.Function."""
    global _PASS
    if _PASS is None:
        from rushlight.autograd import Function

        class BackwardHookFunction(Function):
            """Gives its inputs as they are."""

            @staticmethod
            def forward(ctx: Any, *tensors: Tensor) -> tuple:
                ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
                return tensors

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> tuple:
                return grads

        _PASS = BackwardHookFunction
    return _PASS
