"""Nested containers as lists of leaves, and back; PyTorch's ``torch.utils._pytree``.

Libraries map functions over arguments and results with it. Containers are tuple, list, dict,
OrderedDict, defaultdict, deque, named tuples, the result tuples of ops, and what
`register_pytree_node` adds; everything else, None included, is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "LeafSpec",
    "MappingKey",
    "PyTree",
    "SequenceKey",
    "TreeSpec",
    "key_get",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any
Context = Any


class SequenceKey(NamedTuple):
    """A place in a list, tuple or deque."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """What is at this place."""
        return sequence[self.idx]


class MappingKey(NamedTuple):
    """A key of a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """What is under this key."""
        return mapping[self.key]


class GetAttrKey(NamedTuple):
    """A field of a named tuple or dataclass."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """What is in this field."""
        return getattr(obj, self.name)


KeyEntry = Any  # one of these
KeyPath = tuple  # of them, from the root to a leaf


class NodeDef(NamedTuple):
    """How a kind of container is taken apart and put together."""

    type: Any
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Any]] | None = None


def _list_flatten(d: Any) -> tuple[list[Any], Any]:
    """A list's children and context, as `register_pytree_node` takes it."""
    return list(d), None


def _list_unflatten(values: Iterable[Any], context: Any) -> list[Any]:
    """The list of some children."""
    return list(values)


def _list_flatten_with_keys(d: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """A list's children with their places, and context."""
    return [(SequenceKey(i), value) for i, value in enumerate(d)], None


def _dict_flatten(d: Any) -> tuple[list[Any], Any]:
    """A dict's children and context, its keys."""
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict[Any, Any]:
    """The dict of some children."""
    return dict(zip(context, values, strict=True))


def _dict_flatten_with_keys(d: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """A dict's children with their keys, and context."""
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def _tuple_flatten(d: Any) -> tuple[list[Any], Any]:
    """A tuple's children and context, as `register_pytree_node` takes it."""
    return list(d), None


def _tuple_unflatten(values: Iterable[Any], context: Any) -> tuple[Any, ...]:
    """The tuple of some children."""
    return tuple(values)


def _namedtuple_flatten(d: Any) -> tuple[list[Any], Any]:
    """A named tuple's children and context, its class."""
    return list(d), type(d)


def _namedtuple_unflatten(values: Iterable[Any], context: Any) -> Any:
    """The named tuple of a class and some children."""
    return context(*values)


def _dict_parts(tree: Any) -> tuple[list[Any], Any]:
    return list(tree.values()), list(tree)


SUPPORTED_NODES: dict[Any, NodeDef] = {
    kind: NodeDef(kind, parts, make)
    for kind, parts, make in (
        (tuple, _tuple_flatten, _tuple_unflatten),
        (list, _list_flatten, _list_unflatten),
        (dict, _dict_parts, lambda values, keys: dict(zip(keys, values, strict=True))),
        (OrderedDict, _dict_parts, lambda vs, keys: OrderedDict(zip(keys, vs, strict=True))),
        (
            defaultdict,
            lambda t: (list(t.values()), [t.default_factory, list(t)]),
            lambda values, how: defaultdict(how[0], zip(how[1], values, strict=True)),
        ),
        (deque, lambda t: (list(t), t.maxlen), lambda values, size: deque(values, maxlen=size)),
    )
}


def _make_fields(values: Iterable[Any], kind: Any) -> Any:
    return kind._make(values) if hasattr(kind, "_make") else kind(list(values))


_FIELDS = NodeDef(tuple, _namedtuple_flatten, _make_fields)


def register_pytree_node(
    cls: Any,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Any = None,
    from_dumpable_context: Any = None,
    flatten_with_keys_fn: Any = None,
) -> None:
    """Makes a class a container.

    Args:
        cls: the class; its subclasses are not meant.
        flatten_fn: gives (children, context) of an object.
        unflatten_fn: makes an object of children and context.
        flatten_with_keys_fn: gives (pairs of a key and a child, context), for paths.
        serialized_type_name, to_dumpable_context, from_dumpable_context: for programs in files,
            which are not there.

    Raises:
        ValueError: the class is a container already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)


def _register_pytree_node(cls: Any, flatten_fn: Any, unflatten_fn: Any, **options: Any) -> None:
    """The older name of `register_pytree_node`; a class may come twice."""
    SUPPORTED_NODES.pop(cls, None)
    register_pytree_node(cls, flatten_fn, unflatten_fn)


def register_dataclass(
    cls: Any, *, field_names: Any = None, drop_field_names: Any = None, **options: Any
) -> None:
    """Makes a dataclass a container of its fields, but for `drop_field_names`."""
    from dataclasses import fields

    names = [field.name for field in fields(cls) if field.init]
    names = [n for n in (field_names or names) if n not in (drop_field_names or ())]

    def take(tree: Any) -> tuple[list[Any], Any]:
        return [getattr(tree, name) for name in names], names

    register_pytree_node(
        cls, take, lambda values, keys: cls(**dict(zip(keys, values, strict=True)))
    )


def _get_node_type(tree: Any) -> Any:
    """The type by which a container is known; its own type for a leaf."""
    kind = type(tree)
    if kind not in SUPPORTED_NODES and isinstance(tree, tuple) and hasattr(kind, "_fields"):
        return _FIELDS.type if kind is tuple else kind
    return kind


def _node_of(kind: Any) -> NodeDef | None:
    node = SUPPORTED_NODES.get(kind)
    if node is None and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _FIELDS
    return node


class TreeSpec:
    """What a tree looks like without its leaves."""

    __slots__ = ("_children", "_context", "num_children", "num_leaves", "num_nodes", "type")

    def __init__(self, type: Any, context: Any, children: list[TreeSpec]) -> None:
        self.type, self._context, self._children = type, context, children
        self.num_children = len(children)
        self.num_nodes = 1 + sum(child.num_nodes for child in children)
        self.num_leaves = 1 if type is None else sum(child.num_leaves for child in children)

    @property
    def context(self) -> Any:
        """What `flatten_fn` gave beside the children."""
        return self._context

    def children(self) -> list[TreeSpec]:
        """The shapes of the children."""
        return list(self._children)

    children_specs = property(children)

    def child(self, index: int) -> TreeSpec:
        """The shape of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether this is a leaf's."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """`tree_unflatten`."""
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """What stands in `tree` where this shape has leaves; ValueError if it does not fit."""
        found: list[Any] = []
        self._up_to(tree, found)
        return found

    def _up_to(self, tree: Any, found: list[Any]) -> None:
        if self.type is None:
            found.append(tree)
            return
        if type(tree) is not self.type:
            raise ValueError(f"Type mismatch; expected {self.type!r}, but got {type(tree)!r}.")
        children, context = _node_of(self.type).flatten_fn(tree)  # type: ignore[union-attr]
        if len(children) != self.num_children:
            raise ValueError(
                f"Node arity mismatch; expected {self.num_children}, but got {len(children)}."
            )
        if self.type in (dict, OrderedDict) and context != self._context:
            if set(context) != set(self._context):
                raise ValueError(f"Node keys mismatch; expected {self._context}, got {context}.")
            children = [tree[key] for key in self._context]
        for spec, child in zip(self._children, children, strict=True):
            spec._up_to(child, found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (self.type, self._context, self._children) == (
            other.type, other._context, other._children,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.type, self.num_leaves, self.num_nodes))

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        inner = ", ".join(map(repr, self._children))
        return f"TreeSpec({self.type.__name__}, {self._context!r}, [{inner}])"


class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])


_LEAF = LeafSpec()


def _flatten(tree: Any, leaves: list[Any], is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(type(tree))
    if node is None:
        leaves.append(tree)
        return _LEAF
    children, context = node.flatten_fn(tree)
    specs = [_flatten(child, leaves, is_leaf) for child in children]
    return TreeSpec(type(tree), context, specs)


def tree_flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], TreeSpec]:
    """The leaves from left to right, and the shape that puts them together again.

    `is_leaf` may call a container a leaf.
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The containers of a shape around leaves.

    Raises:
        TypeError: `treespec` is no shape.
        ValueError: there are too many or too few leaves.
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    values = list(leaves)
    if len(values) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(values)} but the spec "
            f"refers to a pytree that holds {treespec.num_leaves} items ({treespec})."
        )
    return _unflatten(iter(values), treespec)


def _unflatten(leaves: Iterator[Any], spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    node = _node_of(spec.type)
    return node.unflatten_fn([_unflatten(leaves, c) for c in spec._children], spec._context)  # type: ignore[union-attr]


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `is_leaf` calls it a leaf, or it is no container."""
    return (is_leaf is not None and is_leaf(tree)) or _node_of(type(tree)) is None


def tree_iter(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator[Any]:
    """The leaves from left to right, one by one."""
    yield from tree_flatten(tree, is_leaf)[0]


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The shape."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(
    func: Callable[..., Any],
    tree: Any,
    *rests: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """The containers of `tree` around what `func` makes of its leaves, and of those of `rests`."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return _unflatten(map(func, leaves, *others), spec)


def tree_map_(
    func: Callable[..., Any],
    tree: Any,
    *rests: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """Calls `func` on the leaves for what it does, and gives the tree back."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _chooser(wanted: Any) -> Callable[[Any], bool]:
    if isinstance(wanted, (type, tuple)) or not callable(wanted):
        return lambda leaf: isinstance(leaf, wanted)
    return wanted


def map_only(type_or_types_or_pred: Any, /) -> Callable[[Callable], Callable]:
    """A decorator: the function is called on leaves of a type, others stay."""
    chosen = _chooser(type_or_types_or_pred)
    return lambda func: lambda leaf: func(leaf) if chosen(leaf) else leaf


def tree_map_only(
    type_or_types_or_pred: Any,
    /,
    func: Callable[[Any], Any],
    tree: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """`tree_map` that calls `func` on leaves of a type, or that a function chooses."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any,
    /,
    func: Callable[[Any], Any],
    tree: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """`tree_map_` that calls `func` on leaves of a type, or that a function chooses."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


# ---- kinds of tuples


def is_namedtuple_class(cls: Any) -> bool:
    """Whether a class is a named tuple's."""
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and callable(getattr(cls, "_make", None))
        and isinstance(getattr(cls, "_fields", None), tuple)
    )


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether an object is a named tuple."""
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj: Any) -> bool:
    """Whether an object is a named tuple, or a class of them."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_class(cls: Any) -> bool:
    """Whether a class is that of results with several fields (torch.return_types)."""
    return isinstance(cls, type) and cls.__module__ == "rushlight.return_types"


def is_structseq_instance(obj: Any) -> bool:
    """Whether an object is a result with several fields."""
    return is_structseq_class(type(obj))


def is_structseq(obj: Any) -> bool:
    """Whether an object is a result with several fields, or a class of them."""
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


# ---- paths


def _with_keys(node: NodeDef, tree: Any) -> list[tuple[Any, Any]]:
    """A container's children with their keys."""
    if node.flatten_with_keys_fn is not None:
        return list(node.flatten_with_keys_fn(tree)[0])
    if isinstance(tree, (dict, OrderedDict, defaultdict)):
        return [(MappingKey(key), value) for key, value in tree.items()]
    children = node.flatten_fn(tree)[0]
    if hasattr(tree, "_fields"):
        return [(GetAttrKey(name), child) for name, child in zip(tree._fields, children)]
    if isinstance(tree, (list, tuple, deque)):
        return [(SequenceKey(i), child) for i, child in enumerate(children)]
    raise ValueError(
        f"Did not find a flatten_with_keys_fn for type: {type(tree)}. Please pass a "
        "flatten_with_keys_fn argument to register_pytree_node."
    )


def _paths(
    tree: Any, path: tuple, is_leaf: Callable[[Any], bool] | None
) -> Iterator[tuple[tuple, Any]]:
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(type(tree))
    if node is None:
        yield path, tree
        return
    for key, child in _with_keys(node, tree):
        yield from _paths(child, (*path, key), is_leaf)


def tree_leaves_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> list[tuple[tuple, Any]]:
    """The leaves from left to right, each as (its path, the leaf)."""
    return list(_paths(tree, (), is_leaf))


def tree_flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple, Any]], TreeSpec]:
    """`tree_leaves_with_path`, and the shape."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(
    func: Callable[..., Any],
    tree: Any,
    *rests: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """`tree_map` of a function that is given the path before the leaf."""
    found, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    paths, leaves = [path for path, _ in found], [leaf for _, leaf in found]
    return _unflatten(map(func, paths, leaves, *others), spec)


def keystr(kp: tuple) -> str:
    """A path as text: "['layers'][0].weight"."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: tuple) -> Any:
    """What is at the end of a path."""
    for key in kp:
        obj = key.get(obj)
    return obj


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Any = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Any = None) -> bool:
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(
    kinds: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Any = None
) -> bool:
    """Whether `pred` holds for all leaves of a type."""
    return all(pred(leaf) for leaf in tree_iter(tree, is_leaf) if isinstance(leaf, kinds))


def tree_any_only(
    kinds: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Any = None
) -> bool:
    """Whether `pred` holds for a leaf of a type."""
    return any(pred(leaf) for leaf in tree_iter(tree, is_leaf) if isinstance(leaf, kinds))


def _broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any] | None:
    """One entry of `tree` for each leaf of a shape, a leaf counting for all below; None if not."""
    node = None if is_leaf is not None and is_leaf(tree) else _node_of(type(tree))
    if node is None:
        return [tree] * treespec.num_leaves
    if treespec.type is not type(tree):
        return None
    children, context = node.flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec._children, strict=True):
        below = _broadcast_to_and_flatten(child, spec, is_leaf)
        if below is None:
            return None
        found += below
    return found
