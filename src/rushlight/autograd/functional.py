"""Products with Jacobians and Hessians of a Python function, and the matrices themselves.

Everything here calls ``func`` once on fresh copies of its inputs and then asks the tape for
gradients. Forward-mode products (``jvp``, ``hvp``) come from the tape as well: a gradient is linear
in the cotangent it starts from, so differentiating it by that cotangent gives the product of the
Jacobian with a vector from the right (the double-backward trick, J. Townsend, 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tensors = tuple[Tensor, ...]

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# ---- arguments -----------------------------------------------------------------------------------


def _tensors(value: Any, what: str, caller: str) -> tuple[bool, Tensors]:
    """(whether ``value`` is a tuple, its tensors); TypeError if it holds anything else."""
    is_tuple = isinstance(value, tuple)
    items = value if is_tuple else (value,)
    for index, item in enumerate(items):
        if not isinstance(item, Tensor):
            where = f"entry {index} of the {what}" if is_tuple else f"the {what}"
            raise TypeError(
                f"{caller}: {where} has type {type(item).__name__}; the {what} must be a Tensor "
                "or a tuple of Tensors"
            )
    return is_tuple, items


def _fresh(tensors: Tensors, create_graph: bool, requires_grad: bool) -> Tensors:
    """New tensor objects with the same values.

    A new object tells an input that ``func`` was given from the same tensor captured by ``func``.
    With ``create_graph`` it stays connected to the tensor that the caller gave.
    """
    return tuple(
        tensor.view_as(tensor)
        if create_graph and tensor.requires_grad
        else tensor.detach().requires_grad_(requires_grad)
        for tensor in tensors
    )


def _released(tensors: Tensors, create_graph: bool) -> Tensors:
    """Results as the caller wants them: with their history, or without."""
    return tensors if create_graph else tuple(tensor.detach() for tensor in tensors)


def _vector(v: Any, like: Tensors, like_is_tuple: bool, create_graph: bool, caller: str) -> Any:
    """The checked vector of a product, as a tuple, or None if it may be left out."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            side = "output" if caller == "vjp" else "input"
            shapes = [tuple(tensor.shape) for tensor in like]
            raise RuntimeError(
                f"{caller}: v can be left out only if the function has a single {side} with a "
                f"single element; it has shape{'s' * (len(like) > 1)} {', '.join(map(str, shapes))}"
            )
        return None
    _, given = _tensors(v, "v", caller)
    given = _fresh(given, create_graph, requires_grad=False)
    if len(given) != len(like):
        wanted = f"a tuple of {len(like)} tensors" if like_is_tuple else "a single tensor"
        raise RuntimeError(f"{caller}: v must be {wanted}, but has {len(given)}")
    for index, (one, other) in enumerate(zip(given, like, strict=True)):
        if one.shape != other.shape:
            raise RuntimeError(
                f"{caller}: {f'entry {index} of ' * like_is_tuple}v has shape {tuple(one.shape)}, "
                f"but {tuple(other.shape)} is needed"
            )
    return given


class _Call:
    """``func`` evaluated once at fresh inputs, with the tape on."""

    def __init__(self, func: Callable[..., Any], inputs: Any, caller: str, create_graph: bool):
        self.func = func
        self.caller = caller
        self.inputs_are_tuple, given = _tensors(inputs, "inputs", caller)
        self.inputs = _fresh(given, create_graph, requires_grad=True)

    def run(self, strict: bool) -> None:
        self.outputs_are_tuple, self.outputs = _tensors(
            self.func(*self.inputs), "outputs of the function", self.caller
        )
        if strict:
            for index, output in enumerate(self.outputs):
                if not output.requires_grad:
                    raise RuntimeError(
                        f"{self.caller}: output {index} of the function does not require grad; "
                        "strict mode needs every output to be computed differentiably from the "
                        "inputs"
                    )

    def run_scalar(self, strict: bool) -> None:
        """The same, for a function that must return one tensor with one element."""
        self.run(strict)
        if self.outputs_are_tuple:
            raise RuntimeError(f"{self.caller}: the function must return a single Tensor")
        if self.outputs[0].numel() != 1:
            raise RuntimeError(
                f"{self.caller}: the function must return a Tensor with a single element, not of "
                f"shape {tuple(self.outputs[0].shape)}"
            )

    def like_inputs(self, tensors: Tensors) -> Any:
        return tensors if self.inputs_are_tuple else tensors[0]

    def like_outputs(self, tensors: Tensors) -> Any:
        return tensors if self.outputs_are_tuple else tensors[0]


# ---- gradients -----------------------------------------------------------------------------------


def _grad(
    outputs: Sequence[Tensor | None],
    inputs: Tensors,
    cotangents: Sequence[Tensor] | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> tuple[Tensor | None, ...]:
    """``autograd.grad`` that skips outputs which are None or have no history."""
    tracked = {i: out for i, out in enumerate(outputs) if out is not None and out.requires_grad}
    if not tracked:
        return (None,) * len(inputs)
    return rushlight.autograd.grad(
        tuple(tracked.values()),
        inputs,
        None if cotangents is None else tuple(cotangents[i] for i in tracked),
        allow_unused=True,
        create_graph=create_graph,
        retain_graph=retain_graph,
    )


def _independent(caller: str, what: str, index: int, strict: str = "strict mode") -> RuntimeError:
    """The error of strict mode: a result that must depend on something does not."""
    return RuntimeError(
        f"{caller}: the {what} does not depend on input {index}, which {strict} does not allow"
    )


def _demand_history(tensors: Sequence[Tensor | None], caller: str, what: str) -> None:
    """Strict mode: every first-order result must be there and be differentiable again."""
    for index, tensor in enumerate(tensors):
        if tensor is None:
            raise _independent(caller, "output of the function", index)
        if not tensor.requires_grad:
            raise RuntimeError(
                f"{caller}: the {what} with respect to input {index} does not depend on the "
                "inputs, which strict mode does not allow (it is so for a linear function, say)"
            )


def _filled(
    grads: Sequence[Tensor | None],
    like: Tensors,
    call: _Call,
    what: str,
    strict: bool,
    create_graph: bool,
) -> Tensors:
    """Zeros for gradients that are None; in strict mode an error instead."""
    filled = []
    for index, (grad, reference) in enumerate(zip(grads, like, strict=True)):
        if grad is None:
            if strict:
                raise _independent(call.caller, what, index)
            grad = rushlight.zeros_like(reference)
        elif strict and create_graph and not grad.requires_grad:
            raise _independent(
                call.caller, f"derivative of the {what}", index, "strict mode with create_graph"
            )
        filled.append(grad)
    return tuple(filled)


def _cotangents(outputs: Tensors) -> Tensors:
    """Zeros to differentiate by: gradients are linear in them, so their value does not matter."""
    return tuple(rushlight.zeros_like(output, requires_grad=True) for output in outputs)


# ---- products ------------------------------------------------------------------------------------


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product of a vector with the Jacobian of ``func`` at ``inputs`` (reverse mode).

    Args:
        func: takes Tensors, returns a Tensor or a tuple of Tensors.
        inputs: a Tensor or a tuple of Tensors, any shapes.
        v: the vector, shaped like the outputs; can be left out for one output of one element.
        create_graph: whether outputs and product can be differentiated in turn.
        strict: raise instead of returning zeros where an output is independent of an input.

    Returns:
        ``(outputs, product)``; the product is shaped like ``inputs``.

    Raises:
        TypeError: inputs, v or outputs hold something else than Tensors.
        RuntimeError: v does not fit the outputs, or strict mode found an independence.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([1.0, 2.0])
        >>> torch.autograd.functional.vjp(lambda x: x * x, x, torch.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with rushlight.enable_grad():
        call = _Call(func, inputs, "vjp", create_graph)
        call.run(strict)
        vector = _vector(v, call.outputs, call.outputs_are_tuple, create_graph, "vjp")
    with rushlight.set_grad_enabled(create_graph or rushlight.is_grad_enabled()):
        grads = _grad(call.outputs, call.inputs, vector, create_graph=create_graph)
        product = _filled(grads, call.inputs, call, "output", strict, create_graph)
    return (
        call.like_outputs(_released(call.outputs, create_graph)),
        call.like_inputs(_released(product, create_graph)),
    )


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product of the Jacobian of ``func`` at ``inputs`` with a vector (forward mode).

    Args:
        func: takes Tensors, returns a Tensor or a tuple of Tensors.
        inputs: a Tensor or a tuple of Tensors, any shapes.
        v: the vector, shaped like the inputs; can be left out for one input of one element.
        create_graph: whether outputs and product can be differentiated in turn.
        strict: raise instead of returning zeros where an output is independent of an input.

    Returns:
        ``(outputs, product)``; the product is shaped like the outputs.

    Raises:
        TypeError: inputs, v or outputs hold something else than Tensors.
        RuntimeError: v does not fit the inputs, or strict mode found an independence.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([1.0, 2.0])
        >>> torch.autograd.functional.jvp(lambda x: x.sum() * x, x, torch.tensor([1.0, 0.0]))
        (tensor([3., 6.]), tensor([4., 2.]))
    """
    with rushlight.enable_grad():
        call = _Call(func, inputs, "jvp", create_graph)
        vector = _vector(v, call.inputs, call.inputs_are_tuple, create_graph, "jvp")
        call.run(strict)
        cotangents = _cotangents(call.outputs)
        transposed = _grad(call.outputs, call.inputs, cotangents, create_graph=True)
        if strict:
            _demand_history(transposed, "jvp", "gradient")
    with rushlight.set_grad_enabled(create_graph or rushlight.is_grad_enabled()):
        grads = _grad(transposed, cotangents, vector, create_graph=create_graph)
        product = _filled(grads, call.outputs, call, "product", strict, create_graph)
    return (
        call.like_outputs(_released(call.outputs, create_graph)),
        call.like_outputs(_released(product, create_graph)),
    )


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product of a vector with the Hessian of a scalar function; two backward passes.

    Args:
        func: takes Tensors, returns a Tensor with one element.
        inputs: a Tensor or a tuple of Tensors, any shapes.
        v: the vector, shaped like the inputs; can be left out for one input of one element.
        create_graph: whether output and product can be differentiated in turn.
        strict: raise instead of returning zeros where output or gradient is independent of an
            input.

    Returns:
        ``(output, product)``; the product is shaped like ``inputs``.

    Raises:
        TypeError: inputs or v hold something else than Tensors.
        RuntimeError: v does not fit, ``func`` is not scalar, or strict mode found an independence.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([1.0, 2.0])
        >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), x, torch.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with rushlight.enable_grad():
        call = _Call(func, inputs, "vhp", create_graph)
        vector = _vector(v, call.inputs, call.inputs_are_tuple, create_graph, "vhp")
        call.run_scalar(strict)
        gradient = _grad(call.outputs, call.inputs, create_graph=True)
        if strict:
            _demand_history(gradient, "vhp", "gradient")
    with rushlight.set_grad_enabled(create_graph or rushlight.is_grad_enabled()):
        grads = _grad(gradient, call.inputs, vector, create_graph=create_graph)
        product = _filled(grads, call.inputs, call, "gradient", strict, create_graph)
    return (
        _released(call.outputs, create_graph)[0],
        call.like_inputs(_released(product, create_graph)),
    )


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product of the Hessian of a scalar function with a vector; three backward passes.

    For a function with continuous second derivatives :func:`vhp` gives the same and is faster.
    Arguments, results and errors are those of :func:`vhp`.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([1.0, 2.0])
        >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), x, torch.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with rushlight.enable_grad():
        call = _Call(func, inputs, "hvp", create_graph)
        vector = _vector(v, call.inputs, call.inputs_are_tuple, create_graph, "hvp")
        call.run_scalar(strict)
        gradient = _grad(call.outputs, call.inputs, create_graph=True)
        if strict:
            _demand_history(gradient, "hvp", "gradient")
        cotangents = _cotangents(call.inputs)
        transposed = _grad(gradient, call.inputs, cotangents, create_graph=True)
    with rushlight.set_grad_enabled(create_graph or rushlight.is_grad_enabled()):
        grads = _grad(transposed, cotangents, vector, create_graph=create_graph)
        product = _filled(grads, call.inputs, call, "gradient", strict, create_graph)
    return (
        _released(call.outputs, create_graph)[0],
        call.like_inputs(_released(product, create_graph)),
    )


# ---- matrices ------------------------------------------------------------------------------------


def _basis_vector(like: Tensor, index: int) -> Tensor:
    """A tensor of the shape of ``like`` with a one at a flat index and zeros elsewhere."""
    vector = rushlight.zeros(like.numel(), dtype=like.dtype)
    vector[index] = 1
    return vector.reshape(like.shape)


def _stacked(rows: list[Tensor], shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Rows of a Jacobian as one tensor; ``like`` gives the dtype where there is no row."""
    if not rows:
        return rushlight.zeros(shape, dtype=like.dtype)
    return rushlight.stack(rows).reshape(shape)


def _by_rows(call: _Call, create_graph: bool, strict: bool) -> list[Tensors]:
    """Jacobian[output][input], one backward pass for every element of the outputs."""
    jacobians = []
    for i, output in enumerate(call.outputs):
        rows: list[list[Tensor]] = [[] for _ in call.inputs]
        for element in range(output.numel()):
            grads = _grad(
                (output,),
                call.inputs,
                (_basis_vector(output, element),),
                create_graph=create_graph,
                retain_graph=True,
            )
            for index, (grad, source) in enumerate(zip(grads, call.inputs, strict=True)):
                if grad is None:
                    if strict:
                        raise _independent(call.caller, f"output {i} of the function", index)
                    grad = rushlight.zeros_like(source)
                elif strict and create_graph and not grad.requires_grad:
                    raise _independent(
                        call.caller,
                        f"Jacobian of output {i}",
                        index,
                        "strict mode with create_graph",
                    )
                rows[index].append(grad)
        jacobians.append(
            tuple(
                _stacked(row, tuple(output.shape) + tuple(source.shape), source)
                for row, source in zip(rows, call.inputs, strict=True)
            )
        )
    return [_released(row, create_graph) for row in jacobians]


def _rows_at_once(call: _Call, create_graph: bool) -> list[Tensors]:
    """Jacobian[output][input], one backward pass for all elements of an output."""
    jacobians = []
    for output in call.outputs:
        grads: Sequence[Tensor | None] = (None,) * len(call.inputs)
        if output.requires_grad and output.numel():
            grads = rushlight.autograd.grad(
                (output,),
                call.inputs,
                (_basis_vectors(output),),
                allow_unused=True,
                create_graph=create_graph,
                retain_graph=True,
                is_grads_batched=True,
            )
        row = []
        for grad, source in zip(grads, call.inputs, strict=True):
            shape = tuple(output.shape) + tuple(source.shape)
            row.append(
                rushlight.zeros(shape, dtype=source.dtype) if grad is None else grad.reshape(shape)
            )
        jacobians.append(_released(tuple(row), create_graph))
    return jacobians


def _basis_vectors(like: Tensor) -> Tensor:
    """All unit vectors in the shape of ``like``, one after the other."""
    count = like.numel()
    return rushlight.eye(count, dtype=like.dtype).reshape((count, *like.shape))


def _by_columns(call: _Call) -> list[Tensors]:
    """Jacobian[output][input], all products from the right for an input at once."""
    tracked = [i for i, output in enumerate(call.outputs) if output.requires_grad]
    outputs = tuple(call.outputs[i] for i in tracked)
    cotangents = _cotangents(outputs)
    transposed = _grad(outputs, call.inputs, cotangents, create_graph=True)
    jacobians: list[list[Tensor]] = [[] for _ in call.outputs]
    for source, gradient in zip(call.inputs, transposed, strict=True):
        products: Sequence[Tensor | None] = (None,) * len(tracked)
        if gradient is not None and gradient.requires_grad and source.numel():
            products = rushlight.autograd.grad(
                (gradient,),
                cotangents,
                (_basis_vectors(source),),
                allow_unused=True,
                retain_graph=True,
                is_grads_batched=True,
            )
        by_output = dict(zip(tracked, products, strict=True))
        for i, (output, row) in enumerate(zip(call.outputs, jacobians, strict=True)):
            shape = tuple(output.shape) + tuple(source.shape)
            product = by_output.get(i)
            row.append(
                rushlight.zeros(shape, dtype=output.dtype)
                if product is None
                else product.detach().movedim(0, -1).reshape(shape)
            )
    return [tuple(row) for row in jacobians]


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of ``func`` at ``inputs``.

    Args:
        func: takes Tensors, returns a Tensor or a tuple of Tensors.
        inputs: a Tensor or a tuple of Tensors, any shapes.
        create_graph: whether the Jacobian can be differentiated in turn.
        strict: raise instead of returning zeros where an output is independent of an input.
        vectorize: all rows at once instead of one by one; allows complex outputs too.
        strategy: ``"reverse-mode"`` takes gradients of the elements of the outputs,
            ``"forward-mode"`` (with ``vectorize=True``) derivatives along those of the inputs.

    Returns:
        A Tensor of shape ``output.shape + input.shape`` and the dtype of the input; a tuple of
        them if either ``inputs`` or the outputs are a tuple, and ``result[output][input]`` if both
        are.

    Raises:
        TypeError: inputs or outputs hold something else than Tensors.
        RuntimeError: strict mode found an independence, or is combined with ``vectorize``.
        NotImplementedError: ``"forward-mode"`` with ``create_graph`` or without ``vectorize``.

    Example:
        >>> import rushlight as torch
        >>> torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'jacobian: strategy must be "forward-mode" or "reverse-mode", not {strategy!r}'
        )
    forward = strategy == "forward-mode"
    if forward and create_graph:
        raise NotImplementedError(
            'jacobian: strategy="forward-mode" cannot be combined with create_graph=True; use '
            '"reverse-mode"'
        )
    if forward and strict:
        raise RuntimeError(
            'jacobian: strategy="forward-mode" cannot be combined with strict=True; use '
            '"reverse-mode"'
        )
    with rushlight.enable_grad():
        call = _Call(func, inputs, "jacobian", create_graph)
        if forward and not vectorize:
            raise NotImplementedError('jacobian: strategy="forward-mode" needs vectorize=True')
        call.run(strict)
        if strict and vectorize:
            raise RuntimeError("jacobian: strict=True cannot be combined with vectorize=True")
        for i, output in enumerate(call.outputs):
            if output.is_complex() and output.requires_grad and not vectorize:
                raise RuntimeError(
                    f"jacobian: output {i} is {output.dtype}, but rows are gradients of real "
                    "numbers; take its real and imaginary part apart, or use vectorize=True"
                )
        if forward:
            found = _by_columns(call)
        elif vectorize:
            found = _rows_at_once(call, create_graph)
        else:
            found = _by_rows(call, create_graph, strict)
    return call.like_outputs(tuple(call.like_inputs(row) for row in found))


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function at ``inputs``: the Jacobian of its gradient.

    Args:
        func: takes Tensors, returns a Tensor with one element.
        inputs: a Tensor or a tuple of Tensors, any shapes.
        create_graph: whether the Hessian can be differentiated in turn.
        strict: raise instead of returning zeros where output or gradient is independent of an
            input.
        vectorize: as in :func:`jacobian`.
        outer_jacobian_strategy: how the gradient is differentiated, as in :func:`jacobian`.

    Returns:
        A Tensor of shape ``input.shape + input.shape``; for a tuple of inputs
        ``result[i][j]`` of shape ``inputs[i].shape + inputs[j].shape``.

    Raises:
        TypeError: inputs or output are something else than Tensors.
        RuntimeError: ``func`` is not scalar, or strict mode found an independence.

    Example:
        >>> import rushlight as torch
        >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    inputs_are_tuple, given = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'hessian: outer_jacobian_strategy must be "forward-mode" or "reverse-mode", not '
            f"{outer_jacobian_strategy!r}"
        )

    def gradient(*at: Tensor) -> Tensors:
        call = _Call(func, at, "hessian", create_graph=True)
        call.run_scalar(strict)
        grads = _grad(call.outputs, call.inputs, create_graph=True)
        filled = _filled(grads, call.inputs, call, "output", strict, create_graph=False)
        if strict:
            _demand_history(filled, "hessian", "gradient")
        return filled

    found = jacobian(gradient, given, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if inputs_are_tuple else found[0][0]
