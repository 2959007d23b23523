"""torch.autograd.backward and torch.autograd.grad: arguments checked, then the engine's walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.graph import AccumulateGrad, GradientEdge
from rushlight.tensor import Tensor
from rushlight.warned import warn, warn_once

if TYPE_CHECKING:
    from collections.abc import Sequence


_run: Any = _core.run_backward


def set_backward_call(call: Any) -> None:
    """What walks the graph (a profile gives it its time); None for the core itself."""
    global _run
    _run = call or _core.run_backward


def _as_tuple(value: Any) -> tuple:
    alone = value is None or isinstance(value, (Tensor, GradientEdge))
    return (value,) if alone else tuple(value)


def _place(value: Any) -> Any:
    """What the engine takes for a tensor or a place in the graph."""
    if isinstance(value, Tensor):
        return value
    return getattr(value.node, "variable", value.node), value.output_nr


def _metadata(root: Any) -> Any:
    """The tensor, or what is known of the one whose place it is: both have a shape and a dtype."""
    if isinstance(root, Tensor):
        return root
    if isinstance(root.node, AccumulateGrad):
        return root.node.variable
    return root.node._input_metadata[root.output_nr]


def _check_wanted(name: str, tensor: Any) -> None:
    if isinstance(tensor, GradientEdge):
        return
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}(): inputs must be tensors, not {type(tensor).__name__}")
    if not tensor.requires_grad:
        raise RuntimeError(
            "One of the differentiated Tensors does not require grad: call requires_grad_() on "
            "the input before it is used"
        )


def _check_root(root: Any) -> None:
    if isinstance(root, GradientEdge):
        return
    if not isinstance(root, Tensor):
        raise TypeError(f"backward() takes tensors, not {type(root).__name__}")
    if not root.requires_grad:
        raise RuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn: it was not "
            "computed from a tensor with requires_grad=True, or was computed under no_grad() or "
            "after detach()"
        )


def _root_gradient(root: Any, gradient: Any) -> Tensor:
    """The gradient to start from: given, or 1 for a tensor of one element."""
    root = _metadata(root)
    if gradient is None:
        if root.shape.numel() != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs, but the output has shape "
                f"{list(root.shape)}: reduce it (loss.mean()), or pass gradient="
            )
        if not (root.dtype.is_floating_point or root.dtype.is_complex):
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {root.dtype}"
            )
        if isinstance(root, Tensor):
            return _core.one_like(root)
        return _core.full(root.shape, 1, root.dtype)
    if not isinstance(gradient, Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    if gradient.shape != root.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has "
            f"a shape of {root.shape}."
        )
    if root.dtype.is_complex != gradient.dtype.is_complex:
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. "
            f"Mismatch in dtype: grad_output[0] has a dtype of {gradient.dtype} and output[0] has "
            f"a dtype of {root.dtype}."
        )
    return gradient


def _zeros(of: Any, requires_grad: bool) -> Tensor:
    from rushlight.ops.create import zeros, zeros_like

    if isinstance(of, Tensor):
        return zeros_like(of, requires_grad=requires_grad)
    return zeros(of.shape, dtype=of.dtype, requires_grad=requires_grad)


def _walk(roots: tuple, start: tuple, wanted: tuple, *rest: bool) -> tuple:
    return _run(tuple(map(_place, roots)), start, tuple(map(_place, wanted)), *rest)


def _start(tensors: tuple, gradients: Any) -> tuple:
    given = (None,) * len(tensors) if gradients is None else _as_tuple(gradients)
    if len(given) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(given)} gradients")
    for root in tensors:
        _check_root(root)
    return tuple(_root_gradient(*pair) for pair in zip(tensors, given))


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds the derivatives of `tensors` to `grad` of the leaves that they were computed from.

    Args:
        tensors: what to differentiate.
        grad_tensors: what each is multiplied with; None where the tensor has one element.
        retain_graph: keep what the graph saved for another backward; default: `create_graph`.
        create_graph: record the computation of the gradients.
        inputs: only these receive gradients.
    """
    if grad_variables is not None:
        warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning)
    if create_graph:
        warn_once(
            "Using backward() with create_graph=True will create a reference cycle between the "
            "parameter and its gradient, which keeps both alive. Use autograd.grad when creating "
            "the graph, or set the .grad of your parameters to None after use."
        )
    roots = _as_tuple(tensors)
    wanted = () if inputs is None else _as_tuple(inputs)
    if inputs is not None and not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    for tensor in wanted:
        _check_wanted("backward", tensor)
    start = _start(roots, grad_tensors if grad_tensors is not None else grad_variables)
    keep = create_graph if retain_graph is None else retain_graph
    results = _walk(roots, start, wanted, keep, create_graph, True)
    for tensor, gradient in zip(wanted, results):  # leaves were filled by the engine
        if isinstance(tensor, Tensor) and not tensor.is_leaf and gradient is not None:
            before = tensor._grad
            tensor.grad = gradient if before is None else before + gradient


def _grad_batch(
    roots: tuple, wanted: tuple, grad_outputs: Any, keep: bool, create_graph: bool
) -> tuple[Tensor | None, ...]:
    """One derivative for each row of the gradients that the roots start from."""
    from rushlight.func.tape import backward_batch

    given: tuple = () if grad_outputs is None else _as_tuple(grad_outputs)
    if len(given) != len(roots) or any(not isinstance(g, Tensor) for g in given):
        raise RuntimeError(
            "grad: is_grads_batched=True needs a Tensor in grad_outputs for every output"
        )
    for root, gradient in zip(roots, given):
        _check_root(root)
        if gradient.shape[1:] != root.shape or gradient.ndim == 0:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output "
                f"as the batch dimension. The sizes of the remaining dimensions are expected to "
                f"match the shape of corresponding output, but got a grad_output of shape "
                f"{gradient.shape} for an output of shape {root.shape}."
            )
    if len({gradient.shape[0] for gradient in given}) != 1:
        raise RuntimeError(
            "grad: with is_grads_batched=True all grad_outputs need the same number of rows, got "
            f"shapes {[tuple(gradient.shape) for gradient in given]}"
        )
    return tuple(backward_batch(roots, given, wanted, keep=keep, create=create_graph))


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The derivatives of `outputs` with respect to `inputs`; `grad` of no leaf is touched.

    Args:
        outputs: what to differentiate.
        inputs: with respect to what; leaves or results of operations.
        grad_outputs: what each output is multiplied with; None where it has one element.
        retain_graph: keep what the graph saved; default: `create_graph`.
        create_graph: record the computation, so that the result can be differentiated again.
        allow_unused: None instead of an error for inputs that the outputs do not depend on.
        is_grads_batched: every grad_output has one more dimension, in front: one derivative for
            each of its rows, computed together; the results have it too.
        materialize_grads: zeros instead of None for those.
    """
    if not only_inputs:
        warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradients elsewhere, use torch.autograd.backward.",
            FutureWarning,
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    elif materialize_grads and not allow_unused:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    roots, wanted = _as_tuple(outputs), _as_tuple(inputs)
    if not wanted:
        raise ValueError("grad requires non-empty inputs.")
    for tensor in wanted:
        _check_wanted("grad", tensor)
    keep = create_graph if retain_graph is None else retain_graph
    results: Any
    if is_grads_batched:
        results = _grad_batch(roots, wanted, grad_outputs, keep, create_graph)
    else:
        start = _start(roots, grad_outputs)
        results = _walk(roots, start, wanted, keep, create_graph, False)
    if not allow_unused and None in [r if r is None else 0 for r in results]:
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. Set "
            "allow_unused=True if this is the desired behavior."
        )
    if materialize_grads:
        return tuple(
            _zeros(of, create_graph) if result is None else result
            for of, result in zip(map(_metadata, wanted), results)
        )
    return results
