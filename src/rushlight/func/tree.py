"""Nested containers of tensors as a flat list, and back: tuples, lists, dicts and their kin.

A structure is described by a `Shape`. Containers are tuple, list, dict, OrderedDict, defaultdict,
deque, named tuples, the result tuples of ops and the classes that were registered with
`utils._pytree`; everything else, None included, is a leaf.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Shape:
    """What a nest of containers looks like: its kind, what it needs to be rebuilt, its parts."""

    __slots__ = ("context", "kind", "leaves", "parts")

    def __init__(self, kind: Any, context: Any, parts: tuple[Shape, ...]) -> None:
        self.kind, self.context, self.parts = kind, context, parts
        self.leaves: int = 1 if kind is None else sum(part.leaves for part in parts)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Shape)
            and self.kind is other.kind
            and _keys(self) == _keys(other)
            and self.parts == other.parts
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        inner = ", ".join(map(repr, self.parts))
        keys = f" of {_keys(self)}" if isinstance(self.context, tuple) else ""
        return f"{self.kind.__name__}{keys}({inner})"


LEAF = Shape(None, None, ())


def _keys(shape: Shape) -> Any:
    return shape.context[-1] if isinstance(shape.context, tuple) else None


def _registered(kind: Any) -> Any:
    """How a class that somebody registered is taken apart and made again; None for others."""
    pytree = sys.modules.get("rushlight.utils._pytree")  # not loaded: nobody did
    return None if pytree is None else pytree.SUPPORTED_NODES.get(kind)


def _parts(tree: Any) -> tuple[Any, Any, Any] | None:
    """(kind, context, children) of a container, None for a leaf."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind, None, tree
    if kind is dict or kind is OrderedDict:
        return kind, (tuple(tree),), list(tree.values())
    if kind is defaultdict:
        return kind, (tree.default_factory, tuple(tree)), list(tree.values())
    if kind is deque:
        return kind, tree.maxlen, list(tree)
    if isinstance(tree, tuple) and hasattr(kind, "_fields"):
        return kind, None, tree
    node = _registered(kind)
    if node is None:
        return None
    children, context = node.flatten_fn(tree)
    return kind, (node, context), children


def tree_flatten(tree: Any) -> tuple[list[Any], Shape]:
    """The leaves from left to right, and the shape that puts them together again."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Shape:
    found = _parts(tree)
    if found is None:
        leaves.append(tree)
        return LEAF
    kind, context, children = found
    return Shape(kind, context, tuple([_flatten(child, leaves) for child in children]))


def tree_unflatten(leaves: Any, shape: Shape) -> Any:
    """The containers of `shape` around `leaves`."""
    return _unflatten(iter(leaves), shape)


def _unflatten(leaves: Any, shape: Shape) -> Any:
    kind = shape.kind
    if kind is None:
        return next(leaves)
    children = [_unflatten(leaves, part) for part in shape.parts]
    if kind is list:
        return children
    if kind is tuple:
        return tuple(children)
    if kind is deque:
        return deque(children, shape.context)
    if kind is defaultdict:
        return defaultdict(shape.context[0], zip(shape.context[1], children, strict=True))
    if kind is dict or kind is OrderedDict:
        return kind(zip(shape.context[0], children, strict=True))
    if shape.context is not None:  # of a registered class
        node, context = shape.context
        return node.unflatten_fn(children, context)
    # Result tuples of ops are made from one sequence, named tuples from their fields.
    return kind._make(children) if hasattr(kind, "_make") else kind(children)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same containers around what the function makes of each leaf."""
    leaves, shape = tree_flatten(tree)
    return tree_unflatten([function(leaf) for leaf in leaves], shape)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves from left to right."""
    return tree_flatten(tree)[0]


def broadcast_prefix(prefix: Any, shape: Shape) -> list[Any] | None:
    """One entry of `prefix` for each leaf of `shape`; None where their containers do not match.

    A leaf of `prefix` counts for everything that stands in its place.
    """
    found = _parts(prefix)
    if shape.kind is None or found is None:
        return None if found is not None else [prefix] * shape.leaves
    kind, context, children = found
    same = kind is shape.kind or (kind in (tuple, list) and isinstance(shape.context, type(None)))
    if not same or len(children) != len(shape.parts):
        return None
    if isinstance(context, tuple):
        by_key = dict(zip(context[-1], children, strict=True))
        if set(by_key) != set(shape.context[-1]):
            return None
        children = [by_key[key] for key in shape.context[-1]]
    entries: list[Any] = []
    for child, part in zip(children, shape.parts, strict=True):
        below = broadcast_prefix(child, part)
        if below is None:
            return None
        entries += below
    return entries
