"""vmap: a function of single items, called once for a whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.func.batched import ACTIVE, Frame, batch, is_item, item_of
from rushlight.func.tree import broadcast_prefix, tree_flatten, tree_unflatten
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOMNESS = ("error", "different", "same")


def _name(func: Any) -> str:
    return getattr(func, "__name__", None) or repr(func)


def _normal_dim(dim: Any, leaf: Any, func: Any, in_dims: Any) -> int | None:
    """The checked dimension of one argument that the batch lies along."""
    if dim is None:
        return None
    where = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(dim, int):
        raise ValueError(
            f"{where}Got in_dim={dim} for an input but in_dim must be either an integer dimension "
            "or None."
        )
    if not isinstance(leaf, Tensor):
        raise ValueError(
            f"{where}Got in_dim={dim} for an input but the input is of type "
            f"{type(leaf).__name__}. We cannot vmap over non-Tensor arguments, please use None as "
            "the respective in_dim"
        )
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(
            f"{where}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
            f"{leaf.ndim} so expected in_dim to satisfy -{leaf.ndim} <= in_dim < {leaf.ndim}."
        )
    return dim + leaf.ndim if dim < 0 else dim


def _inputs(func: Any, in_dims: Any, args: tuple) -> tuple[int, list, list, Any]:
    """(size of the batch, leaves, their dimensions, shape of the tree)."""
    where = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{where}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"{where}got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over "
            "a function with no inputs, which is unsupported."
        )
    leaves, shape = tree_flatten(args)
    dims = broadcast_prefix(in_dims, shape)
    if dims is None:
        raise ValueError(
            f"{where}in_dims is not compatible with the structure of inputs. in_dims has structure "
            f"{tree_flatten(in_dims)[1]} but inputs has structure {shape}."
        )
    dims = [_normal_dim(dim, leaf, func, in_dims) for dim, leaf in zip(dims, leaves, strict=True)]
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError(
            f"{where}at least one of the inputs must have a batch dimension: give an in_dim that "
            "is not None to a Tensor argument"
        )
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0], leaves, dims, shape


def into_items(leaves: list, dims: list, frame: Frame) -> list:
    """The leaves that have a dimension of the batch as items."""
    return [
        leaf
        if dim is None
        else item_of(leaf if dim == 0 else leaf.movedim(dim, 0), frame.level)
        for leaf, dim in zip(leaves, dims, strict=True)
    ]


def _out_of_item(leaf: Any, dim: Any, frame: Frame, func: Any, out_dims: Any) -> Any:
    if not isinstance(leaf, Tensor):
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type "
            f"{type(leaf)}. Did you mean to set out_dims= to None for output?"
            if dim is not None
            else f"vmap({_name(func)}, ...): must only return Tensors, got type {type(leaf)}"
        )
    batched = False
    if is_item(leaf, frame.level):
        batched, leaf = leaf._batched, leaf._inner
    if dim is None:
        if batched:
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when "
                "out_dim is None"
            )
        return leaf
    if not batched:
        leaf = leaf.unsqueeze(0).expand(frame.size, *leaf.shape)
    if dim == 0:
        return leaf
    if not -leaf.ndim <= dim < leaf.ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-leaf.ndim}, {leaf.ndim - 1}], "
            f"but got {dim}): out_dims={out_dims}"
        )
    return leaf.movedim(0, dim)


def outputs(result: Any, out_dims: Any, frame: Frame, func: Any) -> Any:
    """What the function returned, with the batch along `out_dims`."""
    leaves, shape = tree_flatten(result)
    if isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out_dims = out_dims[0]
    dims = broadcast_prefix(out_dims, shape)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): out_dims is not compatible with the "
            f"structure of `outputs`. out_dims has structure {tree_flatten(out_dims)[1]} but "
            f"outputs has structure {shape}."
        )
    for dim in dims:
        if dim is not None and (not isinstance(dim, int) or isinstance(dim, bool)):
            raise ValueError(
                f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None "
                "or a python collection of ints representing where in the outputs the vmapped "
                "dimension should appear."
            )
    return tree_unflatten(
        [
            _out_of_item(leaf, dim, frame, func, out_dims)
            for leaf, dim in zip(leaves, dims, strict=True)
        ],
        shape,
    )


def _run(
    func: Any, size: int, leaves: list, dims: list, shape: Any, out_dims: Any, randomness: str,
    kwargs: dict,
) -> Any:  # fmt: skip
    with batch(size, randomness) as frame:
        args = tree_unflatten(into_items(leaves, dims, frame), shape)
        return outputs(func(*args, **kwargs), out_dims, frame, func)


def _run_chunks(
    func: Any, size: int, leaves: list, dims: list, shape: Any, out_dims: Any, randomness: str,
    kwargs: dict, chunk: int,
) -> Any:  # fmt: skip
    """The batch in pieces of at most `chunk` items, one after the other."""
    from rushlight.ops.join import cat

    results: list[list] = []
    out_shape: Any = None
    for start in range(0, size, chunk):
        length = min(chunk, size - start)
        part = [
            leaf if dim is None else leaf.narrow(dim, start, length)
            for leaf, dim in zip(leaves, dims, strict=True)
        ]
        result = _run(func, length, part, dims, shape, out_dims, randomness, kwargs)
        flat, out_shape = tree_flatten(result)
        results.append(flat)
    places = broadcast_prefix(out_dims, out_shape)
    assert places is not None
    joined = [
        parts[0] if place is None else cat(parts, place)
        for place, parts in zip(places, zip(*results, strict=True), strict=True)
    ]
    return tree_unflatten(joined, out_shape)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Returns a function that applies `func` to every item of a batch, without a loop.

    Inside, tensors look like one item; every op works on all items at once.

    Args:
        func: takes tensors (or nests of them) and returns tensors.
        in_dims: the dimension of each argument that counts the items: an int for all, or a nest
            that matches the arguments; None for what all items share, as keyword arguments are.
        out_dims: the dimension of the results that shall count the items.
        randomness: "error": random ops raise; "different": every item draws its own numbers;
            "same": all items share one draw.
        chunk_size: at most so many items at once; None for all.

    Example::

        >>> dots = torch.vmap(torch.dot)
        >>> dots(torch.ones(3, 5), torch.ones(3, 5))
        tensor([5., 5., 5.])
    """
    import functools

    if randomness not in RANDOMNESS:
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        size, leaves, dims, shape = _inputs(func, in_dims, args)
        if chunk_size is not None and chunk_size < size:
            return _run_chunks(func, size, leaves, dims, shape, out_dims, randomness, kwargs,
                               chunk_size)  # fmt: skip
        return _run(func, size, leaves, dims, shape, out_dims, randomness, kwargs)

    return mapped


def depth() -> int:
    """How many calls of vmap are active."""
    return len(ACTIVE.frames)
