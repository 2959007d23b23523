"""Derivatives of functions as functions: grad, vjp, jvp, jacrev, jacfwd, hessian, linearize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.func.tape import (
    Pullback,
    backward,
    is_recording,
    reaches_out,
    recording,
    release,
    released,
    settle,
    tracked,
    zeros_of,
)
from rushlight.func.tree import Shape, tree_flatten, tree_unflatten
from rushlight.ops.create import eye, zeros
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    Argnums = int | tuple[int, ...]


def _wraps(func: Any) -> Any:
    import functools

    return functools.wraps(func, updated=())


# ---- arguments


def _positions(argnums: Any, count: int, caller: str) -> tuple[int, ...]:
    """The positions of the arguments to differentiate by."""
    if not isinstance(argnums, (int, tuple)) or isinstance(argnums, bool):
        raise RuntimeError(f"{caller}: argnums must be int or Tuple[int, ...], got {argnums!r}")
    given = (argnums,) if isinstance(argnums, int) else argnums
    if not given:
        raise RuntimeError(f"{caller}: argnums must be non-empty, got argnums={argnums}")
    places = []
    for number in given:
        if not -count <= number < count:
            raise RuntimeError(
                f"{caller}: got argnum={number}, but only {count} positional inputs"
            )
        places.append(number % count)
    if len(set(places)) != len(places):
        raise RuntimeError(f"{caller}: argnums elements must be unique, got argnums={argnums}")
    return tuple(places)


def _check_tensors(leaves: list, caller: str, what: str) -> None:
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{caller}: expected {what} to contain only tensors, got unsupported type "
                f"{type(leaf)}"
            )


def _check_floats(leaves: list, caller: str) -> None:
    for leaf in leaves:
        if not (leaf.dtype.is_floating_point or leaf.dtype.is_complex):
            raise RuntimeError(
                f"{caller}: only tensors of floating point and complex dtype can be differentiated "
                f"by, got one of {leaf.dtype}"
            )


def _with_aux(result: Any, caller: str) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(
            f"{caller}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


class _Inputs:
    """The arguments of a call with fresh tensors in place of those to differentiate by."""

    def __init__(self, args: tuple, argnums: Any, caller: str) -> None:
        self.single = isinstance(argnums, int)
        self.places = _positions(argnums, len(args), caller)
        self.outer = is_recording()
        self.given, self.shape = tree_flatten(tuple([args[at] for at in self.places]))
        _check_tensors(self.given, caller, "inputs")
        _check_floats(self.given, caller)
        self.fresh = [tracked(leaf, self.outer) for leaf in self.given]
        parts = tree_unflatten(self.fresh, self.shape)
        new = list(args)
        for at, part in zip(self.places, parts, strict=True):
            new[at] = part
        self.args = tuple(new)

    def like(self, leaves: list) -> Any:
        """Leaves in the nest of the arguments to differentiate by."""
        parts = tree_unflatten(leaves, self.shape)
        return parts[0] if self.single else parts


# ---- grad


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Returns a function that computes the gradient of `func`, and its value.

    Args:
        func: returns one tensor with a single element; with `has_aux` a pair of it and anything.
        argnums: which positional arguments to differentiate by: tensors or nests of them.
        has_aux: whether `func` returns something besides the value.

    The function returns (gradient, value), or (gradient, (value, aux)). The gradient has the nest
    of the argument; a tuple of them for a tuple of argnums.
    """

    @_wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs(args, argnums, "grad")
        with recording():
            output = func(*inputs.args, **kwargs)
            settle(inputs.fresh)
            aux = None
            if has_aux:
                output, aux = _with_aux(output, "grad_and_value")
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got type "
                    f"{type(output)}"
                )
            if output.ndim:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got "
                    f"tensor with {output.ndim} dims. Maybe you wanted to use the vjp or jacrev "
                    "APIs instead?"
                )
            outer = inputs.outer
            create = outer and reaches_out((output,))
            found = backward(
                (output,), (output.new_ones(()),), inputs.fresh, create=create
            ) if output.requires_grad else [None] * len(inputs.fresh)
            gradients = [
                zeros_of(given) if g is None else released(g, create)
                for g, given in zip(found, inputs.given, strict=True)
            ]
            value = released(output, outer)
            if has_aux:
                aux = release(aux, outer)
        result = inputs.like(gradients)
        return (result, (value, aux)) if has_aux else (result, value)

    return wrapper


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Returns a function that computes the gradient of `func`; arguments as of `grad_and_value`.

    It returns the gradient, or (gradient, aux).

    Example::

        >>> torch.func.grad(torch.sin)(torch.tensor(0.0))
        tensor(1.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @_wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


# ---- products with the Jacobian


def _evaluate(
    func: Any, args: tuple, argnums: Any, has_aux: bool, caller: str, kwargs: dict | None = None
) -> tuple[_Inputs, Pullback, list, Shape, Any]:
    """`func` at fresh inputs: (inputs, its pullback, outputs, their nest, aux)."""
    inputs = _Inputs(args, argnums, caller)
    with recording():
        result = func(*inputs.args, **(kwargs or {}))
        settle(inputs.fresh)
        aux = None
        if has_aux:
            result, aux = _with_aux(result, caller)
            aux = release(aux, inputs.outer)
        outputs, shape = tree_flatten(result)
        if not outputs:
            raise RuntimeError(f"{caller}: expected f to return at least one output, got none")
        for output in outputs:
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"{caller}: expected f(*primals) to return only tensors, got unsupported type "
                    f"{type(output)}"
                )
    return inputs, Pullback(inputs.fresh, outputs, inputs.outer), outputs, shape, aux


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of `func(*primals)`, and a function that multiplies its Jacobian from the left.

    Args:
        func: returns a tensor or a nest of tensors; with `has_aux` a pair of that and anything.
        primals: what to differentiate by: tensors or nests of them.
        has_aux: whether `func` returns something besides its outputs.

    Returns:
        (outputs, vjp_fn), or (outputs, vjp_fn, aux). `vjp_fn(cotangents)` takes the nest of the
        outputs and returns a tuple with one entry for each primal.
    """
    if not primals:
        raise RuntimeError("vjp: expected at least one primal")
    numbers = tuple(range(len(primals)))
    inputs, pullback, outputs, shape, aux = _evaluate(func, primals, numbers, has_aux, "vjp")

    def vjp_fn(
        *cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None
    ) -> Any:
        given, given_shape = tree_flatten(
            cotangents[0] if len(cotangents) == 1 else tuple(cotangents)
        )
        if given_shape != shape:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {given_shape}, primal output: {shape}"
            )
        for cotangent, output in zip(given, outputs, strict=True):
            if not isinstance(cotangent, Tensor):
                raise RuntimeError(f"vjp: cotangents must be tensors, got {type(cotangent)}")
            if cotangent.shape != output.shape:
                raise RuntimeError(
                    f"vjp: a cotangent has shape {list(cotangent.shape)}, but its output has "
                    f"{list(output.shape)}"
                )
        found = pullback.pull(given, keep=retain_graph)
        gradients = [
            zeros_of(leaf) if g is None else g
            for g, leaf in zip(found, inputs.given, strict=True)
        ]
        return inputs.like(gradients)

    value = release(tree_unflatten(outputs, shape), inputs.outer)
    return (value, vjp_fn, aux) if has_aux else (value, vjp_fn)


def _check_tangents(primals: list, shape: Any, tangents: Any, caller: str) -> list:
    given, given_shape = tree_flatten(tangents)
    if given_shape != shape:
        raise RuntimeError(
            f"{caller}: Expected primals and tangents to have the same python structure. For "
            f"example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with "
            f"structure {shape} and tangents with structure {given_shape}"
        )
    _check_tensors(given, caller, "tangents")
    for tangent, primal in zip(given, primals, strict=True):
        if tangent.shape != primal.shape:
            raise RuntimeError(
                f"{caller}: a tangent has shape {list(tangent.shape)}, but its primal has "
                f"{list(primal.shape)}"
            )
    return given


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The value of `func(*primals)`, and the product of its Jacobian with `tangents`.

    Args:
        func: returns a tensor or a nest of tensors; with `has_aux` a pair of that and anything.
        primals: a tuple of the arguments: tensors or nests of them.
        tangents: the vector, in the nest and shapes of primals.
        strict: an output that does not depend on the primals is an error, not a zero tangent.
        has_aux: whether `func` returns something besides its outputs.

    Returns:
        (outputs, tangents of the outputs), or (outputs, tangents, aux).
    """
    if not isinstance(primals, tuple) or not primals:
        raise RuntimeError(
            f"jvp: Expected primals to be a tuple. E.g. it should be valid to call f(*primals). "
            f"Got {type(primals)}"
        )
    numbers = tuple(range(len(primals)))
    flat, shape_in = tree_flatten(primals)
    _check_tensors(flat, "jvp", "primals")
    given = _check_tangents(flat, shape_in, tangents, "jvp(f, primals, tangents)")
    inputs, pullback, outputs, shape, aux = _evaluate(func, primals, numbers, has_aux, "jvp")
    pushed = pullback.push(given, keep=False)
    if strict and None in [None if p is None else 0 for p in pushed]:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): the output of f is independent of the inputs. "
            "This is not allowed with strict=True."
        )
    moved = [
        zeros_of(output) if tangent is None else tangent
        for tangent, output in zip(pushed, outputs, strict=True)
    ]
    value = release(tree_unflatten(outputs, shape), inputs.outer)
    result = tree_unflatten(moved, shape)
    return (value, result, aux) if has_aux else (value, result)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of `func(*primals)`, and a function that multiplies its Jacobian from the right.

    For many products at one point: `func` runs once. `jvp_fn(*tangents)` takes one entry for each
    primal and returns the nest of the outputs.
    """
    if not primals:
        raise RuntimeError("linearize: expected at least one primal")
    numbers = tuple(range(len(primals)))
    inputs, pullback, outputs, shape, _ = _evaluate(func, primals, numbers, False, "linearize")
    flat, shape_in = tree_flatten(primals)

    def jvp_fn(*tangents: Any) -> Any:
        given = _check_tangents(flat, shape_in, tangents, "linearize")
        pushed = pullback.push(given)
        return tree_unflatten(
            [zeros_of(o) if t is None else t for t, o in zip(pushed, outputs, strict=True)], shape
        )

    return release(tree_unflatten(outputs, shape), inputs.outer), jvp_fn


# ---- Jacobians


def _basis(like: Tensor) -> Tensor:
    """The unit vectors of a tensor's space, (numel, *shape)."""
    count = like.numel()
    return eye(count, dtype=like.dtype).view(count, *like.shape)


def _check_chunk(chunk_size: int | None) -> None:
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Returns a function that computes the Jacobian of `func`, one backward for all its rows.

    Args:
        func: returns a tensor or a nest of tensors; with `has_aux` a pair of that and anything.
        argnums: which positional arguments to differentiate by.
        has_aux: whether `func` returns something besides its outputs.
        chunk_size: at most so many rows at once, to save memory; None for all.

    The result has the nest of the outputs, and inside it that of the argument; each tensor has the
    shape of the output, then that of the input.
    """
    _check_chunk(chunk_size)

    @_wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        inputs, pullback, outputs, shape, aux = _evaluate(
            func, args, argnums, has_aux, "jacrev", kwargs
        )
        blocks = []
        for output in outputs:
            found: list[Tensor | None] = [None] * len(inputs.fresh)
            if output.requires_grad and output.numel():
                found = pullback.pull(
                    [_basis(output)], batched=True, chunk=chunk_size, roots=[output]
                )
            rows = [
                zeros(*output.shape, *given.shape, dtype=given.dtype)
                if block is None
                else block.reshape(*output.shape, *given.shape)
                for block, given in zip(found, inputs.given, strict=True)
            ]
            blocks.append(inputs.like(rows))
        result = tree_unflatten(blocks, shape)
        return (result, aux) if has_aux else result

    return wrapper


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Returns a function that computes the Jacobian of `func`, by pushing unit vectors through it.

    `func` itself runs once, whatever the number of inputs.

    Args:
        func: see `jacrev`.
        argnums: see `jacrev`.
        has_aux: see `jacrev`.
        randomness: what random ops in `func` may do, as in `vmap`; since it runs once, "different"
            and "same" are the same.
    """
    from rushlight.func.vmap import RANDOMNESS

    if randomness not in RANDOMNESS:
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )

    @_wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from rushlight import _core

        refused = _core.refuse_draws(randomness == "error")
        try:
            inputs, pullback, outputs, shape, aux = _evaluate(
                func, args, argnums, has_aux, "jacfwd", kwargs
            )
        finally:
            _core.refuse_draws(refused)
        columns: list[list[Any]] = [[] for _ in outputs]
        for at, given in enumerate(inputs.given):
            tangents: list[Tensor | None] = [None] * len(inputs.given)
            pushed: list[Tensor | None] = [None] * len(outputs)
            if given.numel():
                tangents[at] = _basis(given)
                pushed = pullback.push(tangents, batched=True)
            for block, output, column in zip(pushed, outputs, columns, strict=True):
                size = (*output.shape, *given.shape)
                column.append(
                    zeros(*size, dtype=output.dtype)
                    if block is None
                    else block.movedim(0, -1).reshape(size)
                )
        result = tree_unflatten([inputs.like(column) for column in columns], shape)
        return (result, aux) if has_aux else result

    return wrapper


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Returns a function that computes the second derivatives of `func`.

    Args:
        func: returns a tensor or a nest of tensors.
        argnums: which positional arguments to differentiate by, twice.

    Each tensor of the result has the shape of the output, then twice that of the input. Rows of the
    gradient are differentiated in reverse, all in one backward.
    """
    return jacrev(jacrev(func, argnums), argnums)


