"""Messages of TensorBoard's plugins with a format of their own: PR curves, meshes, layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData

from rushlight.utils.tensorboard.summary import as_array, plugin, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["custom_scalars", "mesh", "pr_curve", "pr_curve_raw"]

_MOST_THRESHOLDS = 127
_SMALLEST_COUNT = 1e-7  # in place of 0 below a fraction


def _floats(array: Any) -> Any:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in array.shape])
    return TensorProto(
        dtype="DT_FLOAT", tensor_shape=shape, float_val=array.reshape(-1).tolist()
    )  # fmt: skip


# ---- precision and recall


def pr_curve(
    tag: str, labels: Any, predictions: Any, num_thresholds: int = 127, weights: Any = None
) -> Any:
    """How many items are called positive, rightly and wrongly, at each of evenly spread thresholds.

    Args:
        tag: the name of the plot.
        labels: whether each item is positive.
        predictions: its probability, of the same shape.
        num_thresholds: from 0 to 1, both included; at most 127.
        weights: how much each item counts.
    """
    thresholds = min(num_thresholds, _MOST_THRESHOLDS)
    positive = as_array(labels).astype(np.float64)
    weight = 1.0 if weights is None else as_array(weights)
    place = np.floor(as_array(predictions) * (thresholds - 1)).astype(np.int32)

    def at_least(counted: Any) -> Any:
        """The sum over the items whose prediction reaches each threshold."""
        sums, _ = np.histogram(
            place, bins=thresholds, range=(0, thresholds - 1), weights=counted * weight
        )
        return np.cumsum(sums[::-1])[::-1]

    true_positive, false_positive = at_least(positive), at_least(1.0 - positive)
    true_negative = false_positive[0] - false_positive
    false_negative = true_positive[0] - true_positive
    called = np.maximum(_SMALLEST_COUNT, true_positive + false_positive)
    there = np.maximum(_SMALLEST_COUNT, true_positive + false_negative)
    rows = (
        true_positive, false_positive, true_negative, false_negative,
        true_positive / called, true_positive / there,
    )  # fmt: skip
    return pr_curve_raw(tag, *rows, num_thresholds=thresholds)


def pr_curve_raw(
    tag: str,
    tp: Any,
    fp: Any,
    tn: Any,
    fn: Any,
    precision: Any,
    recall: Any,
    num_thresholds: int = 127,
    weights: Any = None,
) -> Any:
    """A curve that is counted already: six rows of a value per threshold."""
    data = np.stack([as_array(row) for row in (tp, fp, tn, fn, precision, recall)])
    content = PrCurvePluginData(version=0, num_thresholds=min(num_thresholds, _MOST_THRESHOLDS))
    metadata = plugin("pr_curves", content.SerializeToString())
    return value_of(tag, tensor=_floats(data), metadata=metadata)


# ---- meshes


def mesh(
    tag: str, vertices: Any, colors: Any, faces: Any, config_dict: dict[str, Any] | None
) -> Any:
    """Meshes or clouds of points: vertices, and if given faces and colors, each (B, N, 3)."""
    import json

    from tensorboard.plugins.mesh import metadata
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

    kinds = (
        (vertices, MeshPluginData.VERTEX), (faces, MeshPluginData.FACE),
        (colors, MeshPluginData.COLOR),
    )  # fmt: skip
    parts = [(as_array(given), kind) for given, kind in kinds if given is not None]
    components = metadata.get_components_bitmask([kind for _, kind in parts])
    config = "{}" if config_dict is None else json.dumps(config_dict, sort_keys=True)
    values = []
    for array, kind in parts:
        if array.ndim != 3:
            raise IndexError(
                f"add_mesh: vertices, colors and faces are of shape (batch, number, 3), got "
                f"{list(array.shape)}"
            )
        described = metadata.create_summary_metadata(
            tag, None, kind, components, array.shape, None, json_config=config
        )
        name = metadata.get_instance_name(tag, kind)
        values.append(Summary.Value(tag=name, tensor=_floats(array), metadata=described))
    return Summary(value=values)


# ---- layouts


def custom_scalars(layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> Any:
    """Which curves are drawn together: {category: {title: [kind, tags]}}."""
    categories = []
    for category, charts in layout.items():
        drawn = []
        for title, (kind, tags, *_) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError(
                        f"add_custom_scalars: the margin chart {title!r} needs the tags of a value "
                        f"and of its lower and upper limit, got {len(tags)} tags"
                    )
                series = layout_pb2.MarginChartContent.Series(
                    value=tags[0], lower=tags[1], upper=tags[2]
                )
                margin = layout_pb2.MarginChartContent(series=[series])
                drawn.append(layout_pb2.Chart(title=title, margin=margin))
            else:
                lines = layout_pb2.MultilineChartContent(tag=tags)
                drawn.append(layout_pb2.Chart(title=title, multiline=lines))
        categories.append(layout_pb2.Category(title=category, chart=drawn))
    content = TensorProto(
        dtype="DT_STRING",
        string_val=[layout_pb2.Layout(category=categories).SerializeToString()],
        tensor_shape=TensorShapeProto(),
    )
    return value_of("custom_scalars__config__", tensor=content, metadata=plugin("custom_scalars"))
