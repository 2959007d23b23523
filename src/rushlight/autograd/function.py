"""autograd.Function: operations whose derivative a user writes."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight._core import Node
from rushlight.autograd.graph import saved_tensors_hooks
from rushlight.autograd.mode import is_grad_enabled, no_grad
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


class FunctionCtx:
    """What `forward` leaves for `backward`: tensors, and any attributes."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True

    def __init__(self) -> None:
        self._saved: list | None = []
        self._dirty: tuple = ()
        self._non_differentiable: tuple = ()
        self._node: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs and outputs for backward, with a check that nobody changes them."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type "
                    f"{type(tensor).__name__}; keep other values as attributes of ctx"
                )
        self._to_save = tensors

    save_for_forward = save_for_backward

    @property
    def saved_tensors(self) -> tuple:
        """The tensors that `save_for_backward` kept, as a tuple.

        Raises RuntimeError after a backward without `retain_graph`, or where one was changed in
        place.
        """
        if self._saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Specify retain_graph=True if you "
                "need to backward through the graph a second time."
            )
        if not self._saved and getattr(self, "_to_save", None):
            return self._to_save  # still inside forward
        node = self._node() if self._node is not None else None
        return tuple(saved.unpack(node) for saved in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says that forward has changed these inputs in place; it has to return them too."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says that no gradient flows through these outputs: they do not require grad."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach backward as zeros (True, the default) or as None."""
        self.materialize_grads = value


class _SavedTensor:
    """One tensor kept for backward."""

    def __init__(self, tensor: Tensor | None, output_nr: int | None) -> None:
        self.output_nr = output_nr  # of an output of the function itself
        self.unpack_hook = None
        self.leaf: Tensor | None = None  # what it was, and
        self.origin: Any = None  # where it came from, where a hook has the value
        if tensor is None:
            self.value: Any = None
            self.version = 0
            return
        # An output is kept without its history: it would keep its own node alive.
        self.value = tensor.detach() if output_nr is not None else tensor
        self.version = tensor._version
        if saved_tensors_hooks._active:
            pack, self.unpack_hook = saved_tensors_hooks._active[-1]
            if output_nr is None and tensor.grad_fn is not None:
                self.origin = tensor.grad_fn, tensor.output_nr
            elif output_nr is None and tensor.requires_grad:
                self.leaf = tensor
            with no_grad():
                self.value = pack(self.value)

    def unpack(self, node: Node | None) -> Tensor | None:
        if self.value is None:
            return None
        if self.unpack_hook is not None:
            return self._with_history(self.unpack_hook(self.value), node)
        if self.value._version != self.version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: [{self.value.dtype} {list(self.value.shape)}] is at version "
                f"{self.value._version}; expected version {self.version} instead. It was saved by "
                f"{node.name() if node is not None else 'a custom Function'}."
            )
        if self.output_nr is None or node is None:
            return self.value
        tensor = self.value.detach()
        tensor._grad_fn = (node, self.output_nr)
        return tensor

    def _with_history(self, value: Tensor, node: Node | None) -> Tensor:
        """What a hook unpacked, as the tensor that was packed."""
        if self.leaf is not None:
            # A leaf stands for itself; unrecorded, what it was packed as is enough.
            return self.leaf if _core.is_grad_enabled() else value.detach().requires_grad_()
        origin = self.origin if self.output_nr is None else node and (node, self.output_nr)
        if origin is None:
            return value
        value = value.detach()
        value._grad_fn = origin
        return value


class transposing:
    """Inside, backward is walked to be differentiated by what it starts from (forward mode).

    Only where its results lead matters then, not their values, so a Function's own `jvp` can stand
    for the derivative of its backward.
    """

    active = False

    def __enter__(self) -> None:
        self._before, transposing.active = transposing.active, True

    def __exit__(self, *exc: object) -> None:
        transposing.active = self._before


class _Backward:
    """The backward of one call: what its node runs."""

    def __init__(self, cls: type[Function], ctx: FunctionCtx, args: tuple, outputs: list) -> None:
        self.cls, self.ctx, self.count = cls, ctx, len(args)
        self.inputs = [
            (tuple(a.shape), a.dtype)
            if isinstance(a, Tensor) and (a.dtype.is_floating_point or a.dtype.is_complex)
            else None
            for a in args
        ]
        # For zeros in place of gradients that did not arrive.
        self.shapes = [
            (tuple(o.shape), o.dtype) if isinstance(o, Tensor) else None for o in outputs
        ]

    def __call__(self, *gradients: Tensor | None) -> tuple:
        if self.ctx.materialize_grads:
            from rushlight.ops.create import zeros

            gradients = tuple(
                zeros(shape[0], dtype=shape[1]) if g is None and shape is not None else g
                for g, shape in zip(gradients, self.shapes)
            )
        if transposing.active and self.cls.jvp is not Function.jvp:
            return self._transposed(gradients)
        results = self.cls.backward(self.ctx, *gradients)
        if not isinstance(results, tuple):
            results = tuple(results) if isinstance(results, list) else (results,)
        name = self.cls.__name__ + "Backward"
        if len(results) > self.count and any(r is not None for r in results[self.count :]):
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected "
                f"{self.count}, got {len(results)})"
            )
        if len(results) < self.count:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected "
                f"{self.count}, got {len(results)})"
            )
        return results[: self.count]

    def _transposed(self, gradients: tuple) -> tuple:
        """Zeros whose derivative by `gradients` is what `jvp` computes from tangents."""
        from rushlight.ops.create import zeros

        sources = [given for given in self.inputs if given is not None]
        results = tuple(
            None if given is None else zeros(given[0], dtype=given[1]) for given in self.inputs
        )
        made = tuple(result for result in results if result is not None)
        level = max((g._level for g in gradients if g is not None), default=0)
        if level:
            from rushlight.func.batched import item_of

            made = tuple(item_of(zero, level, False) for zero in made)
        fresh = iter(made)
        results = tuple(None if result is None else next(fresh) for result in results)

        def push(*tangents: Any) -> tuple:
            moved = iter(
                zeros(given[0], dtype=given[1])
                if tangent is None and self.ctx.materialize_grads
                else tangent
                for tangent, given in zip(tangents, sources)
            )
            full = [None if given is None else next(moved) for given in self.inputs]
            pushed = self.cls.jvp(self.ctx, *full)
            return tuple(pushed) if isinstance(pushed, (tuple, list)) else (pushed,)

        node = Node(push, self.cls.__name__ + "Jvp", gradients, made)
        for number, zero in enumerate(made):
            zero._grad_fn = (node, number)
        return results

    def release(self) -> None:
        self.ctx._saved = None


class Function:
    """Base of user-defined operations.

    Subclasses have static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`, or
    `forward(*args)` with `setup_context(ctx, inputs, output)`; they are used through `apply`.
    backward returns one gradient (or None) per argument of forward.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The result for the arguments.

        With a first argument `ctx` unless there is `setup_context`. To be written by the subclass:
        raises NotImplementedError here.
        """
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        """What `backward` needs, put into `ctx`.

        `inputs` are the arguments of forward, `output` its result. Where a subclass has it, forward
        takes no `ctx`, and `torch.func` can use the function.
        """
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient per argument of forward, None where there is none, from one per output.

        To be written by the subclass: raises NotImplementedError here.
        """
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the outputs from those of the arguments: for forward mode.

        To be written by the subclass: raises NotImplementedError here.
        """
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    # For vmap: `vmap(info, in_dims, *args)` returns the outputs for a whole batch and the
    # dimensions that count its items; or it is made from forward, setup_context and backward.
    generate_vmap_rule = False

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> Any:
        """(outputs, out_dims) for arguments with a batch along `in_dims`.

        None among these stands for an argument without a batch. `info` has batch_size and
        randomness. To be written by the subclass, unless `generate_vmap_rule`.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap static method "
            "or set generate_vmap_rule=True."
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are "
            "all static, so you should invoke them on the class itself, through .apply()."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs forward on the arguments and records backward; returns what forward does."""
        if _core.vmap_levels():
            from rushlight.func.custom import apply_in_levels

            return apply_in_levels(cls, args, kwargs)
        return cls._apply(args, kwargs)

    @classmethod
    def _apply(cls, args: tuple, kwargs: dict) -> Any:
        ctx = FunctionCtx()
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        recording = is_grad_enabled() and any(needs)
        ctx.needs_input_grad = needs
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        return cls._record(ctx, args, result) if recording else result

    @classmethod
    def _record(cls, ctx: FunctionCtx, args: tuple, result: Any) -> Any:
        """The results of a call with backward as their history."""
        several = isinstance(result, (tuple, list))
        outputs = list(result) if several else [result]
        backward = cls.backward if cls.backward is not Function.backward else cls.vjp
        if backward is not cls.backward:
            cls.backward = staticmethod(backward)
        node = Node(
            _Backward(cls, ctx, args, outputs), cls.__name__ + "Backward", args, tuple(outputs)
        )
        ctx._node = weakref.ref(node)
        originals = list(outputs)
        for i, output in enumerate(outputs):
            if not isinstance(output, Tensor) or any(o is output for o in ctx._non_differentiable):
                continue
            if not (output.dtype.is_floating_point or output.dtype.is_complex):
                continue
            if any(d is output for d in ctx._dirty):
                if output.is_leaf and output.requires_grad:
                    raise RuntimeError(
                        "a leaf Variable that requires grad is being used in an in-place operation."
                    )
                output._rebase_history(node)
                continue
            if any(a is output for a in args) or output.grad_fn is not None:
                output = outputs[i] = output.detach()  # an input returned as it is: an alias
            output._grad_fn = (node, i)
        ctx._saved = [
            _SavedTensor(t, next((k for k, o in enumerate(originals) if o is t), None))
            for t in getattr(ctx, "_to_save", ())
        ]
        ctx._to_save = ()
        if several:
            return tuple(outputs) if isinstance(result, tuple) else outputs
        return outputs[0]


class InplaceFunction(Function):
    """A Function, by the older name of those that may write in place."""


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a backward that is computed outside the tape: differentiating it again is an error."""
    import functools

    @functools.wraps(function)
    def wrapper(ctx: FunctionCtx, *gradients: Any) -> Any:
        with no_grad():
            results = function(ctx, *gradients)
        if not is_grad_enabled():
            return results
        if not any(isinstance(g, Tensor) and g.requires_grad for g in gradients) and not any(
            ctx.needs_input_grad
        ):
            return results
        several = isinstance(results, tuple)

        def fail(*_: Any) -> Any:
            raise RuntimeError(
                "trying to differentiate twice a function that was marked with @once_differentiable"
            )

        def guarded(result: Any) -> Any:
            if not isinstance(result, Tensor):
                return result
            result = result.detach()
            node = Node(fail, "Error", tuple(g for g in gradients if g is not None), (result,))
            result._grad_fn = (node, 0)
            return result

        return tuple(map(guarded, results)) if several else guarded(results)

    return wrapper

