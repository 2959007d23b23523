"""The graph of a module as TensorBoard shows it: the ops of one call, inside their modules.

The module runs once and every op is watched. A tensor's producer is known by the tensor itself, so
nothing has to be differentiable; what is written by indexing (`x[0] = y`) is no op and not drawn.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

from rushlight.autograd.watch import name_of, unwatch, watch
from rushlight.nn.modules.hooks import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["graph"]

_PRODUCER = 22  # the version of the format
_LONGEST_ARGUMENT = 60  # characters


def graph(model: Any, args: Any, verbose: bool = False) -> tuple[Any, Any]:
    """Runs a module in evaluation mode and draws what it does.

    Args:
        model: the module.
        args: what it is called with: a tensor or a dictionary for one argument, a tuple or list for
            several.
        verbose: print the nodes.

    Returns:
        The graph and the run's metadata, as messages.
    """
    if args is None:
        raise RuntimeError(
            "add_graph: the module has to run once; give input_to_model=what it is called with"
        )
    if isinstance(args, (Tensor, dict)):
        args = (args,)
    drawing = _Drawing(model)
    with _evaluating(model), drawing.recorded():
        drawing.add_inputs(args)
        drawing.add_outputs(model(*args))
    if verbose:
        for node in drawing.nodes:
            print(f"{node.name} = {node.op}({', '.join(node.input)})")
    stats = StepStats(dev_stats=[DeviceStepStats(device="/device:CPU:0")])
    versions = VersionDef(producer=_PRODUCER)
    return GraphDef(node=drawing.nodes, versions=versions), RunMetadata(step_stats=stats)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


class _Drawing:
    """The nodes of a call while it runs."""

    def __init__(self, model: Any) -> None:
        self.nodes: list[Any] = []
        self._model = model
        self._thread = threading.get_ident()
        self._inside = 0  # ops that run: what they call themselves is not drawn
        self._producers: dict[int, str] = {}  # id of a tensor: the node that it is from
        self._unused: dict[int, tuple[str, int]] = {}  # one of several results, until it is used
        self._held: list[Any] = []  # these tensors, so that ids stay theirs
        self._names: dict[str, int] = {}
        self._scopes: dict[int, str] = {}  # of modules, by id
        self._owned: dict[int, tuple[str, str]] = {}  # id of a parameter: scope, name
        self._stack: list[str] = []
        root = type(model).__name__
        for path, module in model.named_modules():
            *above, own = path.split(".") if path else [""]
            parent = self._scopes.get(id(model.get_submodule(".".join(above))), root)
            scope = f"{parent}/{type(module).__name__}[{own}]" if path else root
            self._scopes.setdefault(id(module), scope)
            for collection in (module._parameters, module._buffers):
                for name, tensor in collection.items():
                    if tensor is not None:
                        self._owned.setdefault(id(tensor), (scope, name))

    # ---- recording

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """A block in which calls of ops become nodes."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave, always_call=True)
        watch(self._call)
        try:
            yield
        finally:
            unwatch(self._call)
            before.remove()
            after.remove()

    def _enter(self, module: Any, args: Any) -> None:
        if threading.get_ident() == self._thread:
            own = self._scopes.get(id(module))
            self._stack.append(own or f"{self._scope()}/{type(module).__name__}")

    def _leave(self, module: Any, args: Any, result: Any) -> None:
        if threading.get_ident() == self._thread and self._stack:
            self._stack.pop()

    def _scope(self) -> str:
        return self._stack[-1] if self._stack else self._scopes[id(self._model)]

    def _call(self, op: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside or threading.get_ident() != self._thread:
            return call(*args, **kwargs)
        # Before the call: an op that writes in place returns the tensor that it was given.
        inputs = [self._producer(tensor) for tensor in _tensors((args, kwargs))]
        self._inside += 1
        try:
            result = call(*args, **kwargs)
        finally:
            self._inside -= 1
        self._add_op(op, inputs, args, kwargs, result)
        return result

    # ---- nodes

    def _add(
        self, name: str, kind: str, inputs: list[str], value: Any = None, attributes: str = "{}"
    ) -> str:
        """A node of this name, made unique, and of the shape of a value, if it is a tensor."""
        number = self._names.get(name, 0)
        self._names[name] = number + 1
        unique = f"{name}_{number}" if number else name
        attr = {"attr": AttrValue(s=attributes.encode())}
        if isinstance(value, Tensor):
            shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in value.shape])
            attr["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[shape]))
            self._producers[id(value)] = unique
            self._held.append(value)
        self.nodes.append(NodeDef(name=unique, op=kind, input=inputs, attr=attr))
        return unique

    def _producer(self, tensor: Any) -> str:
        """The node that a tensor is from; a new one for a parameter or what no op made."""
        found = self._producers.get(id(tensor))
        if found is None and id(tensor) in self._unused:
            source, number = self._unused.pop(id(tensor))
            found = self._add(f"{source}.{number}", "prim::ListUnpack", [source], tensor)
        if found is None:
            scope, name = self._owned.get(id(tensor), (None, ""))
            if scope is None:
                text = str(tensor.item()) if tensor.numel() == 1 else str(tensor.dtype)
                found = self._add(
                    f"{self._scope()}/constant", "prim::Constant", [], tensor,
                    f"{{value: {text}}}",
                )  # fmt: skip
            else:
                found = self._add(
                    f"{scope}/{name}", "prim::GetAttr", [], tensor, f"{{name: {name}}}"
                )
        return found

    def _add_op(
        self, op: Any, inputs: list[str], args: tuple, kwargs: dict[str, Any], result: Any
    ) -> None:
        name = name_of(op)
        names = op.arguments
        if len(args) > len(names):  # `permute(1, 0, 2)`
            args = (*args[: len(names) - 1], args[len(names) - 1 :])
        given = [*zip(names, args, strict=False), *kwargs.items()]
        plain = [
            (key, value)
            for key, value in given
            if value is not None and next(_tensors(value), None) is None
        ]
        attributes = ", ".join(f"{key}: {_brief(value)}" for key, value in plain)
        place = f"{self._scope()}/{name.strip('_')}"
        made = self._add(place, f"aten::{name.lstrip('_')}", inputs, result, f"{{{attributes}}}")
        if not isinstance(result, Tensor):
            for number, tensor in enumerate(_tensors(result)):
                self._unused[id(tensor)] = made, number
                self._held.append(tensor)

    def add_inputs(self, args: Any) -> None:
        """A node for each tensor that the module is called with."""
        names = _argument_names(self._model, len(args))
        for name, value in zip(names, args, strict=True):
            for path, tensor in _named_tensors(name, value):
                self._add(f"input/{path}", "IO Node", [], tensor)

    def add_outputs(self, result: Any) -> None:
        """A node for each tensor that the module returns."""
        for number, tensor in enumerate(_tensors(result), 1):
            source = self._producer(tensor)
            self._add(f"output/output.{number}", "IO Node", [source], tensor)


def _argument_names(model: Any, count: int) -> list[str]:
    code = getattr(getattr(model.forward, "__func__", model.forward), "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code else []
    return [names[i] if i < len(names) else f"input.{i}" for i in range(count)]


def _named_tensors(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of nested containers, with the way to each."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _named_tensors(f"{path}.{key}", inner)
    elif isinstance(value, (tuple, list)):
        for number, inner in enumerate(value):
            yield from _named_tensors(f"{path}.{number}", inner)


def _tensors(value: Any) -> Iterator[Any]:
    return (tensor for _, tensor in _named_tensors("", value))


def _brief(value: Any) -> str:
    text = repr(value).replace("'", "")
    return text if len(text) <= _LONGEST_ARGUMENT else text[: _LONGEST_ARGUMENT - 3] + "..."
