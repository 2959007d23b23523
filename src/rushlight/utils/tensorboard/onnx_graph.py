"""The graph of an ONNX file, read by the onnx package."""

from __future__ import annotations

from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

__all__ = ["onnx_graph"]


def onnx_graph(path: Any) -> Any:
    """The nodes of a file's graph: its inputs, and its operators under the names of their results.

    Raises:
        ImportError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "SummaryWriter.add_onnx_graph reads with the onnx package, which is not installed: "
            "pip install onnx; add_graph draws a module"
        ) from error

    drawn = onnx.load(path).graph
    made = {node.output[0] for node in drawn.node}
    nodes = []
    for value in (*drawn.input, *drawn.output):
        if value.name in made:  # names are unique
            continue
        kind = value.type.tensor_type
        shape = TensorShapeProto(
            dim=[TensorShapeProto.Dim(size=one.dim_value) for one in kind.shape.dim]
        )
        attr = {"dtype": AttrValue(type=kind.elem_type), "shape": AttrValue(shape=shape)}
        nodes.append(NodeDef(name=value.name, op="Variable", input=[], attr=attr))
    for node in drawn.node:
        told = [" = ".join(str(one[1]) for one in given.ListFields()) for given in node.attribute]
        attr = {"parameters": AttrValue(s=", ".join(told).encode())}
        nodes.append(NodeDef(name=node.output[0], op=node.op_type, input=node.input, attr=attr))
    return GraphDef(node=nodes, versions=VersionDef(producer=22))
