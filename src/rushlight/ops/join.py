"""Putting tensors together, and taking them apart: cat, stack, hsplit, block_diag, meshgrid."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.shape import expand, reshape, tensor_split, unsqueeze
from rushlight.ops.shape import slice as slice_along
from rushlight.tensor import Tensor
from rushlight.warned import warn_once

# ---- several tensors as one


def _cat_gradient(grad: Tensor, dim: int, shapes: tuple) -> list:
    """The parts of grad; tensors of shape (0,) were left out, and get nothing."""
    parts, start = [], 0
    for shape in shapes:
        if shape == (0,):
            parts.append(_core.full((0,), 0, grad.dtype))
            continue
        parts.append(slice_along(grad, dim, start, start + shape[dim]))
        start += shape[dim]
    return parts


def _joined(tensors: tuple, dim: int, _: Any) -> Tensor:
    return _core.cat(tensors, dim)


@op(_joined, method=False, public=False, node="CatBackward0")
def _cat(tensors: tuple, dim: int, shapes: tuple) -> Tensor:
    """The tensors, with these shapes, one after the other."""


_cat.vjp(tensors=_cat_gradient)


def _sequence(name: str, tensors: Any) -> tuple:
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name}(): argument 'tensors' must be tuple of Tensors, not Tensor")
    tensors = tuple(tensors)
    for at, item in enumerate(tensors):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"{name}(): expected Tensor as element {at} in argument 0, but got "
                f"{type(item).__name__}"
            )
    return tensors


@composed()
def cat(
    tensors: Any, dim: int = 0, *, axis: int | None = None, out: Tensor | None = None
) -> Tensor:
    """The tensors one after the other along `dim`; their other sizes are equal.

    The dtype is the one that all of them promote to. Tensors of shape (0,) are left out.

    Raises RuntimeError where the other sizes differ, ValueError where there is no tensor.
    """
    tensors = _sequence("cat", tensors)
    shapes = tuple([tensor.shape for tensor in tensors]) if _core.is_grad_enabled() else ()
    result = _cat(tensors, dim if axis is None else axis, shapes)
    return result if out is None else _core.write_out("cat", result, out)


@composed(numpy_names=True)
def concat(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`cat`."""
    return cat(tensors, dim, out=out)


@composed(numpy_names=True)
def concatenate(tensors: Any, dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`cat`, NumPy's."""
    return cat(tensors, dim, out=out)


@op(_core.stack, method=False, out=True)
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """The tensors, all of one shape, side by side along a new dimension `dim`; dtypes promote.

    n tensors (*) give (*, n, *). Raises RuntimeError where shapes differ or there is no tensor.
    """


stack.vjp(tensors=lambda grad, dim: list(grad.unbind(dim)))


def _listed(tensors: tuple) -> tuple:
    """Tensors given one by one or as one sequence."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        return tuple(tensors[0])
    return tensors


def _each(function: Any, tensors: tuple) -> Any:
    """The function on one tensor, or a tuple of its results on several."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    return tuple(function(tensor) for tensor in _listed(tensors))


def _to_1d(input: Tensor) -> Tensor:
    return reshape(input, (1,)) if input.ndim == 0 else input


def _to_2d(input: Tensor) -> Tensor:
    if input.ndim == 0:
        return reshape(input, (1, 1))
    return unsqueeze(input, 0) if input.ndim == 1 else input


def _to_3d(input: Tensor) -> Tensor:
    input = _to_2d(input) if input.ndim < 2 else input
    return unsqueeze(input, -1) if input.ndim == 2 else input


@composed()
def atleast_1d(*tensors: Any) -> Any:
    """Views with at least one dimension; a tuple for several tensors."""
    return _each(_to_1d, tensors)


@composed()
def atleast_2d(*tensors: Any) -> Any:
    """Views with at least two dimensions, new ones in front; a tuple for several tensors."""
    return _each(_to_2d, tensors)


@composed()
def atleast_3d(*tensors: Any) -> Any:
    """Views with at least three dimensions: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    A tuple for several tensors.
    """
    return _each(_to_3d, tensors)


def _some(name: str, tensors: Any) -> Any:
    if len(tensors) == 0:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@composed()
def hstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors joined along the second dimension; vectors along their only one.

    As :func:`cat`.
    """
    parts = [_to_1d(tensor) for tensor in _some("hstack", tensors)]
    return cat(parts, 0 if parts[0].ndim == 1 else 1, out=out)


@composed()
def vstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors below each other: vectors count as rows.

    As :func:`cat` along the first dimension.
    """
    return cat([_to_2d(tensor) for tensor in _some("vstack", tensors)], 0, out=out)


@composed()
def row_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Another name of :func:`vstack`."""
    return vstack(tensors, out=out)


@composed()
def dstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors joined along the third dimension, after `atleast_3d`. As :func:`cat`."""
    return cat([_to_3d(tensor) for tensor in _some("dstack", tensors)], 2, out=out)


@composed()
def column_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The tensors side by side: vectors count as columns.

    As :func:`cat` along the second dimension.
    """
    tensors = _some("column_stack", tensors)
    parts = [reshape(t, (t.numel(), 1)) if t.ndim <= 1 else t for t in tensors]
    return cat(parts, 1, out=out)


def _split_along(
    name: str, input: Tensor, found: tuple[Any, Any, Any], dim: int, least: int
) -> tuple:
    """Views of parts; `found` is how the caller was told which, by one of three names."""
    sections = next((given for given in found if given is not None), None)
    if sections is None:
        raise TypeError(f"{name}(): missing argument 'indices_or_sections'")
    if input.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension"
            f"{'s' if least > 1 else ''}, but got a tensor with {input.ndim} dimensions!"
        )
    if isinstance(sections, int) and (sections <= 0 or input.shape[dim] % sections):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{input.shape[dim]} is not divisible by the split_size {sections}!"
        )
    return tensor_split(input, sections, dim)


@composed(method=True)
def hsplit(
    input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
    sections: int | None = None,
) -> tuple:  # fmt: skip
    """Views of parts along the second dimension, of a vector along its only one.

    An int is the number of equal parts, a sequence the indices between them. Raises RuntimeError
    where the parts do not come out even, or for a 0-dim tensor.
    """
    dim = 0 if input.ndim == 1 else 1
    return _split_along("hsplit", input, (indices_or_sections, indices, sections), dim, 1)


@composed(method=True)
def vsplit(
    input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
    sections: int | None = None,
) -> tuple:  # fmt: skip
    """Views of parts along the first dimension of at least two; otherwise as :func:`hsplit`."""
    return _split_along("vsplit", input, (indices_or_sections, indices, sections), 0, 2)


@composed(method=True)
def dsplit(
    input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
    sections: int | None = None,
) -> tuple:  # fmt: skip
    """Views of parts along the third dimension; otherwise as :func:`hsplit`."""
    return _split_along("dsplit", input, (indices_or_sections, indices, sections), 2, 3)


@composed(method=True)
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple:
    """Another name of :func:`split`."""
    return input.split(split_size, dim)


@composed(method=True)
def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple:
    """Another name of :func:`split_with_sizes`."""
    return input.split_with_sizes(split_sizes, dim)


@composed(method=True)
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple:
    """Another name of :func:`chunk`."""
    return input.chunk(chunks, dim)


@composed()
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal, 0 elsewhere; dtypes promote.

    Vectors count as rows, numbers as 1 x 1. Raises RuntimeError for more than 2 dimensions.
    """
    blocks = [_to_2d(tensor) for tensor in _listed(tensors)]
    for i, block in enumerate(blocks):
        if block.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {block.ndim} dimensions"
            )
    if not blocks:
        return _core.empty((1, 0), _core.get_default_dtype())
    width = sum(block.shape[1] for block in blocks)
    dtype = _core.result_type([_core.empty((1,), block.dtype) for block in blocks])
    rows, left = [], 0
    for block in blocks:
        height, own = block.shape
        before = _core.full((height, left), 0, dtype, block)
        after = _core.full((height, width - left - own), 0, dtype, block)
        rows.append(cat([before, block, after], 1))
        left += own
    return cat(rows, 0)


@composed()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple:
    """Views of vectors spread over the grid that they span: one dimension for each vector.

    indexing: "ij" (matrix order) or "xy", which exchanges the first two dimensions.

    Raises RuntimeError for what has more than 1 dimension, or another `indexing`.
    """
    vectors = _listed(tensors)
    if not vectors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        warn_once(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument."
        )
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for vector in vectors:
        if vector.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{tuple(vector.shape)}"
            )
        if vector.dtype is not vectors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(vectors) > 1
    if swap:
        vectors = (vectors[1], vectors[0], *vectors[2:])
    sizes = tuple(vector.numel() for vector in vectors)
    grids = [
        expand(reshape(vector, (1,) * i + (-1,) + (1,) * (len(vectors) - 1 - i)), sizes)
        for i, vector in enumerate(vectors)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@composed()
def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one element of each vector: (product of the lengths, vectors).

    The last vector varies fastest; one vector alone is returned as it is. Raises RuntimeError for
    what is no vector.
    """
    vectors = _listed(tensors)
    for vector in vectors:
        if vector.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(vector.shape)}")
    if len(vectors) == 1:
        return vectors[0]
    grids = meshgrid(*vectors, indexing="ij")
    return stack([reshape(grid, (-1,)) for grid in grids], 1)


@composed()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` elements of a vector in their order: (number of ways, r).

    As itertools.combinations (_with_replacement). Raises RuntimeError for what is no vector or r <
    0.
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return _core.empty((0,), input.dtype)
    return input[_core.combination_positions(input.shape[0], r, with_replacement)]
