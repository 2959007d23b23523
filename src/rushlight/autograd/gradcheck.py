"""Gradients against finite differences: ``gradcheck`` and ``gradgradcheck``.

For every pair of an output and an input the Jacobian is computed twice: numerically, by moving one
element of the input at a time (central differences), and analytically, by one backward pass per
element of the output. Jacobians here have a row per element of the input, a column per element
of the output. The fast mode compares one number per pair, ``u' J v`` with random ``u`` and ``v``.

Complex numbers: the real and the imaginary part of an output are checked as outputs of their own.
For a real output L of a complex input z = x + iy, both sides give dL/dx + i dL/dy, which is
the gradient that the tape propagates.
"""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """The gradients of a function are wrong, or depend on something that they must not."""


# ---- inputs and outputs --------------------------------------------------------------------------


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _is_checked(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _pair(output: int, input: int) -> str:
    return f"output {output} with respect to input {input}"


def _real_dtype(dtype: Any) -> Any:
    """The dtype of the real and the imaginary part, or the dtype itself."""
    parts = {rushlight.complex64: rushlight.float32, rushlight.complex128: rushlight.float64}
    return parts.get(dtype, dtype)


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


class _Function:
    """The checked function at its inputs, or only the real or imaginary part of what it returns."""

    def __init__(self, call: Callable[..., Any], inputs: tuple[Any, ...], part: str = "") -> None:
        self.call = call
        self.inputs = inputs
        self.part = part
        self.checked = [i for i, value in enumerate(inputs) if _is_checked(value)]

    def outputs(self) -> tuple[Tensor, ...]:
        """All outputs, with history."""
        found = _as_tuple(self.call(*self.inputs))
        if not self.part:
            return found
        take = rushlight.real if self.part == "real" else rushlight.imag
        return tuple(take(output) if output.is_complex() else output for output in found)

    def parts(self) -> list[_Function]:
        """This function; or its imaginary and its real part, if an output is complex."""
        if not any(output.is_complex() for output in self.outputs()):
            return [self]
        return [_Function(self.call, self.inputs, part) for part in ("imaginary", "real")]

    def differentiable(self) -> list[tuple[int, Tensor]]:
        """(index, output) of the outputs that have history."""
        return [(i, output) for i, output in enumerate(self.outputs()) if output.requires_grad]

    def checked_inputs(self) -> list[Tensor]:
        return [self.inputs[i] for i in self.checked]


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    for index, value in enumerate(inputs):
        if not _is_checked(value):
            continue
        if value.dtype not in (rushlight.float64, rushlight.complex128):
            warnings.warn(
                f"gradcheck: input {index} is {value.dtype}; finite differences need float64 or "
                "complex128, so the check will probably fail",
                stacklevel=4,
            )
        strides = zip(value.stride(), value.shape, strict=True)
        if any(stride == 0 and size > 1 for stride, size in strides):
            raise RuntimeError(
                f"gradcheck: input {index} of shape {tuple(value.shape)} has strides "
                f"{tuple(value.stride())}: elements share memory and cannot be moved one at a "
                "time; pass input.contiguous()"
            )
    if not any(map(_is_checked, inputs)):
        raise ValueError(
            "gradcheck: no input requires grad, so there is nothing to check; create at least one "
            "with requires_grad=True"
        )


# ---- numerical -----------------------------------------------------------------------------------


def _difference(function: _Function, index: int, direction: Tensor, length: float) -> list[Tensor]:
    """Change of every output, flattened, per unit along ``direction`` of input ``index``.

    ``direction`` has the shape of the input and is ``length`` units long.
    """
    memory = function.inputs[index].data  # written without the tape noticing
    original = memory.clone()
    found = []
    try:
        for moved in (original - direction, original + direction):
            memory.copy_(moved)
            # A clone, since an output may share the memory that is about to be moved.
            found.append([output.detach().clone() for output in function.outputs()])
    finally:
        memory.copy_(original)
    for low, high in zip(*found, strict=True):
        if low.shape != high.shape or low.dtype != high.dtype:
            raise AssertionError(
                f"gradcheck: an output changed from {low.dtype} of shape {tuple(low.shape)} to "
                f"{high.dtype} of shape {tuple(high.shape)} when input {index} moved by {length}; "
                "the function must return the same shapes and dtypes for nearby inputs"
            )
    return [
        ((high - low) / (2 * length)).reshape(-1)
        for low, high in zip(*found, strict=True)
        if _is_inexact(low)
    ]


def _derivatives(
    function: _Function, index: int, real: Tensor, imaginary: Tensor, eps: float
) -> list[Tensor]:
    """Derivative of every inexact output along a direction of input ``index``.

    ``real`` and ``imaginary`` are the directions of the two parts of a complex input, in units
    of ``eps``; only ``real`` counts for a real one.
    """
    found = _difference(function, index, real * eps, eps)
    if not function.inputs[index].is_complex():
        return found
    upward = _difference(function, index, imaginary * (1j * eps), eps)
    return [along + 1j * up for along, up in zip(found, upward, strict=True)]


def _numerical_jacobian(function: _Function, index: int, eps: float) -> dict[int, Tensor]:
    """Jacobians of the inexact outputs, by output index, with respect to one input."""
    source = function.inputs[index]
    real = _real_dtype(source.dtype)
    rows = []
    for element in range(source.numel()):
        step = rushlight.zeros(source.numel(), dtype=real)
        step[element] = 1
        step = step.reshape(source.shape)
        rows.append(_derivatives(function, index, step, step, eps))
    outputs = [(i, output) for i, output in enumerate(function.outputs()) if _is_inexact(output)]
    if not rows:
        return {i: rushlight.zeros(0, output.numel(), dtype=real) for i, output in outputs}
    return {
        i: rushlight.stack([row[position] for row in rows])
        for position, (i, _) in enumerate(outputs)
    }


# ---- analytical ----------------------------------------------------------------------------------


def _pull_back(
    function: _Function, output: Tensor, cotangents: Sequence[Tensor], check_dtypes: bool, at: int
) -> list[Tensor]:
    """Per checked input, the gradients for all cotangents of one output, side by side."""
    inputs = function.checked_inputs()
    columns: list[list[Tensor]] = [[] for _ in inputs]
    for cotangent in cotangents:
        grads = rushlight.autograd.grad(
            output, inputs, cotangent, retain_graph=True, allow_unused=True
        )
        for column, grad, source, index in zip(
            columns, grads, inputs, function.checked, strict=True
        ):
            if grad is None:
                grad = rushlight.zeros_like(source)
            if grad.shape != source.shape:
                raise GradcheckError(
                    f"the analytical gradient of {_pair(at, index)} has incorrect size: "
                    f"{tuple(grad.shape)} instead of {tuple(source.shape)}"
                )
            if check_dtypes and grad.dtype != source.dtype:
                raise GradcheckError(
                    f"the gradient of {_pair(at, index)} has a dtype mismatch: "
                    f"{grad.dtype} instead of {source.dtype}"
                )
            column.append(grad.detach().reshape(-1).to(source.dtype).clone())
    return [
        rushlight.stack(column, dim=1)
        if column
        else rushlight.zeros(source.numel(), 0, dtype=source.dtype)
        for column, source in zip(columns, inputs, strict=True)
    ]


def _reproducible(
    function: _Function,
    output: Tensor,
    cotangents: Sequence[Tensor],
    check_dtypes: bool,
    at: int,
    nondet_tol: float,
) -> list[Tensor]:
    """``_pull_back``, done twice: the second time must give the same."""
    first = _pull_back(function, output, cotangents, check_dtypes, at)
    second = _pull_back(function, output, cotangents, check_dtypes, at)
    for index, one, other in zip(function.checked, first, second, strict=True):
        if one.numel() and (one - other).abs().max().item() > nondet_tol:
            raise GradcheckError(
                f"backward is not reentrant: two passes over the same graph gave gradients of "
                f"{_pair(at, index)} that differ by "
                f"{(one - other).abs().max().item():g}, more than nondet_tol={nondet_tol:g}; "
                "backward must not change what it uses, nor draw random numbers"
            )
    return first


def _basis(output: Tensor) -> list[Tensor]:
    """All tensors of the shape of ``output`` with one 1 and zeros elsewhere."""
    vectors = []
    for element in range(output.numel()):
        vector = rushlight.zeros(output.numel(), dtype=output.dtype)
        vector[element] = 1
        vectors.append(vector.reshape(output.shape))
    return vectors


# ---- comparison ----------------------------------------------------------------------------------


def _agree(analytical: Tensor, numerical: Tensor, rtol: float, atol: float) -> bool:
    dtype = rushlight.promote_types(analytical.dtype, numerical.dtype)
    return bool(rushlight.allclose(analytical.to(dtype), numerical.to(dtype), rtol, atol))


def _mismatch(
    function: _Function, output: int, input: int, numerical: Tensor, analytical: Tensor
) -> str:
    """The message for two Jacobians that differ."""
    heading = f"Jacobian mismatch for {_pair(output, input)}"
    if function.part:
        heading = f"While considering the {function.part} part of complex outputs only, {heading}"
    return f"{heading},\nnumerical:{numerical}\nanalytical:{analytical}\n"


def _largest_difference(numerical: Tensor, analytical: Tensor) -> str:
    apart = (numerical - analytical).abs()
    place = apart.argmax().item()
    row, column = divmod(place, apart.shape[1])
    return (
        f"The largest difference, {apart.reshape(-1)[place].item():g}, is between element {row} of "
        f"the input and element {column} of the output (both counted flat).\n"
    )


def _check_slowly(
    function: _Function,
    eps: float,
    atol: float,
    rtol: float,
    check_dtypes: bool,
    nondet_tol: float,
) -> None:
    """All elements of all Jacobians."""
    numerical = {i: _numerical_jacobian(function, i, eps) for i in function.checked}
    for at, output in function.differentiable():
        found = _reproducible(function, output, _basis(output), check_dtypes, at, nondet_tol)
        for index, analytical in zip(function.checked, found, strict=True):
            expected = numerical[index][at]
            if not _agree(analytical, expected, rtol, atol):
                raise GradcheckError(
                    _mismatch(function, at, index, expected, analytical)
                    + _largest_difference(expected, analytical)
                )


def _direction(like: Tensor, dtype: Any, generator: Any) -> Tensor:
    """A random vector of length 1 in the shape of ``like``; no element is near zero, so that no
    error in a Jacobian escapes."""
    vector = rushlight.rand(like.numel(), dtype=rushlight.float64, generator=generator) + 0.5
    length = (vector * vector).sum().item() ** 0.5
    return (vector / (length or 1.0)).to(dtype).reshape(like.shape)


def _check_fast(
    function: _Function,
    eps: float,
    atol: float,
    rtol: float,
    check_dtypes: bool,
    nondet_tol: float,
) -> None:
    """One random projection of every Jacobian; on failure all elements, for the message."""
    generator = rushlight.Generator()  # the caller's random stream stays where it is
    outputs = function.differentiable()
    right = {i: _direction(output, output.dtype, generator) for i, output in outputs}
    left = {}
    numerical = {}
    for index in function.checked:
        source = function.inputs[index]
        real = _real_dtype(source.dtype)
        left[index] = (
            _direction(source, real, generator),
            _direction(source, real, generator),
        )
        inexact = [i for i, output in enumerate(function.outputs()) if _is_inexact(output)]
        along = _derivatives(function, index, *left[index], eps)
        numerical[index] = dict(zip(inexact, along, strict=True))
    for at, output in outputs:
        cotangents = [right[at]]
        found = _reproducible(function, output, cotangents, check_dtypes, at, nondet_tol)
        for index, pulled in zip(function.checked, found, strict=True):
            u, w = (vector.reshape(-1) for vector in left[index])
            v = right[at].reshape(-1)
            expected = (numerical[index][at] * v).sum()
            pulled = pulled.reshape(-1)
            if pulled.is_complex():
                analytical = (pulled.real * u).sum() + 1j * (pulled.imag * w).sum()
                weight = (u.sum() + w.sum()).item()
            else:
                analytical = (pulled * u).sum()
                weight = u.sum().item()
            # atol is meant per element of the Jacobian, so the projection sums it up too.
            if _agree(analytical, expected, rtol, atol * weight * v.sum().item()):
                continue
            message = _mismatch(function, at, index, expected, analytical)
            slow = _numerical_jacobian(function, index, eps)[at]
            exact = _pull_back(function, output, _basis(output), False, at)
            full = exact[function.checked.index(index)]
            message += (
                "These are projections on random vectors (fast mode). The full Jacobians are\n"
                f"numerical:{slow}\nanalytical:{full}\n" + _largest_difference(slow, full)
            )
            if _agree(full, slow, rtol, atol):
                message += "They agree element by element: the check passes with fast_mode=False.\n"
            raise GradcheckError(message)


def _check_flat(function: _Function, eps: float, nondet_tol: float) -> None:
    """A function without differentiable outputs must not change with its inputs."""
    for index in function.checked:
        for at, jacobian in _numerical_jacobian(function, index, eps).items():
            if jacobian.numel() and jacobian.abs().max().item() > nondet_tol:
                raise GradcheckError(
                    "Numerical gradient for function expected to be zero: "
                    f"output {at} does not require grad, but changes with input {index},\n"
                    f"numerical:{jacobian}\n"
                )


# ---- properties of backward ----------------------------------------------------------------------


def _check_zero_cotangents(function: _Function, masked: bool | None) -> None:
    """Backward of zeros gives zeros, in the shape and dtype of the inputs."""
    outputs = [output for _, output in function.differentiable()]
    grads = rushlight.autograd.grad(
        outputs,
        function.checked_inputs(),
        [rushlight.zeros_like(output) for output in outputs],
        allow_unused=True,
    )
    for index, grad in zip(function.checked, grads, strict=True):
        if grad is None:
            continue
        source = function.inputs[index]
        if not _agree(grad, rushlight.zeros_like(grad), 0.0, 1e-8 if masked else 0.0):
            raise GradcheckError(
                f"backward not multiplied by grad_output: zero gradients of the outputs give a "
                f"gradient of input {index} that is not zero,\nanalytical:{grad}\n"
            )
        if grad.dtype != source.dtype:
            raise GradcheckError(
                f"grad is incorrect type: input {index} is {source.dtype}, its gradient "
                f"{grad.dtype}"
            )
        if grad.shape != source.shape:
            raise GradcheckError(
                f"grad is incorrect size: input {index} has shape {tuple(source.shape)}, its "
                f"gradient {tuple(grad.shape)}"
            )


def _without_gradient(tensor: Tensor) -> Tensor:
    """The same values; backward stops here and passes on no gradient at all."""

    class UndefinedGrad(rushlight.autograd.Function):
        @staticmethod
        def forward(ctx: Any, input: Tensor) -> Tensor:
            return input.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> None:
            return None

    return UndefinedGrad.apply(tensor)


def _check_undefined(function: _Function) -> None:
    """Backward copes with outputs that get no gradient: all of them, and each one alone."""
    count = len(function.differentiable())
    cases = [set(range(count))]
    if count > 1:
        cases += [{i} for i in range(count)]
    for undefined in cases:
        outputs = [
            _without_gradient(output) if position in undefined else output
            for position, (_, output) in enumerate(function.differentiable())
        ]
        named = f"differentiable output{'s' * (len(undefined) > 1)} {sorted(undefined)}"
        try:
            grads = rushlight.autograd.grad(
                outputs,
                function.checked_inputs(),
                [rushlight.zeros_like(output) for output in outputs],
                allow_unused=True,
            )
        except RuntimeError as error:
            raise GradcheckError(
                f"backward does not handle an undefined gradient of {named}: {error}\n"
                "Treat None as zeros there, or pass check_undefined_grad=False."
            ) from error
        for index, grad in zip(function.checked, grads, strict=True):
            if grad is not None and not grad.eq(0).all().item():
                raise GradcheckError(
                    f"with an undefined gradient of {named}, and zeros elsewhere, the gradient of "
                    f"input {index} must be undefined or zero,\nanalytical:{grad}\n"
                )


# ---- entry points --------------------------------------------------------------------------------


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Check the gradients of ``func`` at ``inputs`` against central finite differences.

    Args:
        func: takes ``inputs``, returns a Tensor or a tuple of Tensors; must be deterministic.
        inputs: a Tensor or a tuple. Checked are those that require grad; use float64 or complex128.
        eps: how far an element is moved.
        atol: allowed absolute difference.
        rtol: allowed difference relative to the numerical value.
        raise_exception: whether a failure raises or returns False.
        nondet_tol: allowed difference between two backward passes over one graph.
        check_undefined_grad: whether backward must cope with outputs that get no gradient.
        check_grad_dtypes: whether a gradient must have the dtype of its input.
        check_batched_grad: whether several gradients at once (``is_grads_batched=True``) must be
            what they are one by one.
        check_batched_forward_grad: the same for tangents, under ``vmap``.
        check_forward_ad: check forward mode too.
        check_backward_ad: check reverse mode.
        fast_mode: compare one random projection of each Jacobian instead of all its elements.
        masked: compare with zero up to rounding where backward gets zeros.

    Returns:
        True if everything agrees; False if not and ``raise_exception`` is False.

    Raises:
        GradcheckError: the gradients are wrong; the message names output and input and shows both
            Jacobians, of shape ``(input.numel(), output.numel())``.
        ValueError: no input requires grad.
        RuntimeError: elements of an input share memory.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.gradcheck(torch.sin, x)
        True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("gradcheck: check_forward_ad and check_backward_ad are both False")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("gradcheck: check_batched_grad=True needs check_backward_ad=True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "gradcheck: check_batched_forward_grad=True needs check_forward_ad=True"
        )
    given = _as_tuple(inputs)
    _check_inputs(given)
    check = _check_fast if fast_mode else _check_slowly
    function = _Function(func, given)
    try:
        for part in function.parts():
            if check_forward_ad:
                from rushlight.autograd.gradcheck_modes import check_forward

                check_forward(part, eps, atol, rtol)
            if not check_backward_ad:
                continue
            if part.differentiable():
                check(part, eps, atol, rtol, check_grad_dtypes, nondet_tol)
            else:
                _check_flat(part, eps, nondet_tol if fast_mode else 0.0)
        if check_batched_forward_grad:
            from rushlight.autograd.gradcheck_modes import check_batched_forward

            check_batched_forward(function)
        if check_backward_ad and function.differentiable():
            if check_batched_grad:
                from rushlight.autograd.gradcheck_modes import check_batched

                check_batched(function)
            _check_zero_cotangents(function, masked)
            if check_undefined_grad:
                _check_undefined(function)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _random_cotangent(output: Tensor, noncontiguous: bool) -> Tensor:
    """Uniform numbers in [-1, 1) shaped like an output, as a leaf that requires grad."""

    def uniform(dtype: Any) -> Tensor:
        return rushlight.rand(tuple(output.shape), dtype=dtype) * 2 - 1

    if output.is_complex():
        real = _real_dtype(output.dtype)
        values = rushlight.complex(uniform(real), uniform(real))
    else:
        values = uniform(output.dtype)
    if noncontiguous:
        values = rushlight.stack([values, values], dim=-1).select(-1, 0)
    return values.detach().requires_grad_()


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the second derivatives of ``func``: :func:`gradcheck` of its backward.

    The checked function maps inputs and gradients of the outputs to the gradients of the inputs.

    Args:
        func: takes ``inputs``, returns a Tensor or a tuple of Tensors; must be deterministic.
        inputs: a Tensor or a tuple. Checked are those that require grad; use float64 or complex128.
        grad_outputs: gradients of the differentiable outputs, a Tensor or a tuple; checked as well
            where they require grad. Random ones in [-1, 1) if left out.
        gen_non_contig_grad_outputs: whether the random ones are not contiguous.
        check_fwd_over_rev: whether the backward is differentiated by forward mode.
        check_rev_over_rev: whether it is differentiated by itself; one of the two must be.

    All other arguments, the result and the errors are those of :func:`gradcheck`; a ValueError also
    tells that no output requires grad.

    Example:
        >>> import rushlight as torch
        >>> x = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.gradgradcheck(torch.sin, x)
        True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("gradgradcheck: check_fwd_over_rev and check_rev_over_rev are False")
    if (check_undefined_grad or check_batched_grad) and not check_rev_over_rev:
        option = "check_undefined_grad" if check_undefined_grad else "check_batched_grad"
        raise AssertionError(f"gradgradcheck: {option}=True needs check_rev_over_rev=True")
    given = _as_tuple(inputs)
    checked = [i for i, value in enumerate(given) if _is_checked(value)]
    if grad_outputs is None:
        outputs = [out for out in _as_tuple(func(*given)) if out.requires_grad]
        if not outputs:
            raise ValueError(
                "gradgradcheck: no output requires grad, so there is no backward to check"
            )
        cotangents = tuple(_random_cotangent(out, gen_non_contig_grad_outputs) for out in outputs)
    else:
        cotangents = _as_tuple(grad_outputs)

    def backward(*arguments: Any) -> tuple[Tensor, ...]:
        at = arguments[: len(given)]
        outputs = [out for out in _as_tuple(func(*at)) if out.requires_grad]
        grads = rushlight.autograd.grad(
            outputs,
            [at[i] for i in checked],
            arguments[len(given) :],
            create_graph=True,
            allow_unused=True,
        )
        return tuple(grad for grad in grads if grad is not None)

    return gradcheck(
        backward,
        given + cotangents,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


class _Module(ModuleType):
    """This file, called as the function: importing it binds `torch.autograd.gradcheck` to it."""

    def __call__(self, *args: Any, **kwargs: Any) -> bool:
        return gradcheck(*args, **kwargs)


sys.modules[__name__].__class__ = _Module
