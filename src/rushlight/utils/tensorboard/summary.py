"""Values as TensorBoard's messages: one function per kind of thing that is shown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import struct_pb2
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "as_array",
    "audio",
    "default_bins",
    "figures",
    "grid",
    "histogram",
    "histogram_raw",
    "hparams",
    "image",
    "image_boxes",
    "plugin",
    "scalar",
    "tensor",
    "text",
    "value_of",
]

_SIDES = 8  # images side by side where there are many


def as_array(value: Any) -> Any:
    """A tensor, array or number as a NumPy array; half and bfloat16 as float32."""
    if isinstance(value, Tensor):
        value = value.detach()
        if value.dtype.is_floating_point and value.element_size() == 2:
            value = value.float()
        return np.asarray(value.numpy())
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind not in "biufc":
        raise NotImplementedError(
            f"Got {type(value).__name__}, but numpy array, torch tensor, or number are expected."
        )
    return array


def value_of(tag: str, **kind: Any) -> Any:
    """A summary of one value, with what it is as a keyword: `image=`, `tensor=`..."""
    return Summary(value=[Summary.Value(tag=tag, **kind)])


def plugin(name: str, content: bytes = b"") -> Any:
    """Says which plugin shows a value."""
    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=name, content=content)
    )


# ---- numbers


def scalar(tag: str, value: Any, new_style: bool = False, double_precision: bool = False) -> Any:
    array = as_array(value)
    if array.size != 1:
        raise AssertionError(
            f"add_scalar: {tag!r} should be one number, but has the shape {list(array.shape)}; "
            "log its mean(), or each number under a tag of its own"
        )
    number = float(array.reshape(()))
    if not new_style:
        return value_of(tag, simple_value=number)
    if double_precision:
        message = TensorProto(double_val=[number], dtype="DT_DOUBLE")
    else:
        message = TensorProto(float_val=[number], dtype="DT_FLOAT")
    return value_of(tag, tensor=message, metadata=plugin("scalars"))


_PROTO_TYPES = {
    "bool": ("DT_BOOL", "bool_val"),
    "uint8": ("DT_UINT8", "int_val"),  # where tensorboard reads it; PyTorch fills uint32_val
    "int8": ("DT_INT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "complex64": ("DT_COMPLEX64", "scomplex_val"),
    "complex128": ("DT_COMPLEX128", "dcomplex_val"),
}


def tensor(tag: str, value: Any) -> Any:
    array = as_array(value)
    if array.dtype.name not in _PROTO_TYPES:
        raise ValueError(
            f"add_tensor: {array.dtype} is not written; use one of {', '.join(_PROTO_TYPES)}"
        )
    kind, field = _PROTO_TYPES[array.dtype.name]
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in array.shape])
    flat = array.reshape(-1)
    if flat.dtype.kind == "c":  # real and imaginary parts one after the other
        flat = np.stack([flat.real, flat.imag], -1).reshape(-1)
    message = TensorProto(dtype=kind, tensor_shape=shape, **{field: flat.tolist()})
    return value_of(tag, tensor=message, metadata=plugin("tensor"))


def default_bins() -> Any:
    """TensorFlow's bins: each limit 10 % further from 0 than the last, from 1e-12 to 1e20."""
    limits = [1e-12]
    while limits[-1] * 1.1 < 1e20:
        limits.append(limits[-1] * 1.1)
    return np.array([-limit for limit in reversed(limits)] + [0.0] + limits)


def histogram(tag: str, values: Any, bins: Any, max_bins: int | None = None) -> Any:
    """How often values lie in each bin; bins beyond the first and last one in use are left out."""
    array = as_array(values).reshape(-1).astype(np.float64)
    if array.size == 0:
        raise ValueError(f"add_histogram: {tag!r} has no values")
    counts, limits = np.histogram(array, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        joined = len(counts) // max_bins
        starts = np.arange(0, len(counts), joined)
        counts, limits = np.add.reduceat(counts, starts), np.append(limits[starts], limits[-1])
    used = np.flatnonzero(counts)
    if used.size == 0:
        raise ValueError(f"add_histogram: no value of {tag!r} lies in the bins (are they finite?)")
    first, last = int(used[0]), int(used[-1])
    # A bin is written as its right limit, so an empty one before the first says where that begins.
    before = counts[first - 1] if first else 0
    return histogram_raw(
        tag,
        float(array.min()),
        float(array.max()),
        array.size,
        float(array.sum()),
        float(array.dot(array)),
        limits[first : last + 2].tolist(),
        [float(before), *counts[first : last + 1].tolist()],
    )


def histogram_raw(
    tag: str,
    min: float,
    max: float,
    num: float,
    sum: float,
    sum_squares: float,
    bucket_limits: Sequence[float],
    bucket_counts: Sequence[float],
) -> Any:
    message = HistogramProto(
        min=min,
        max=max,
        num=num,
        sum=sum,
        sum_squares=sum_squares,
        bucket_limit=bucket_limits,
        bucket=bucket_counts,
    )
    return value_of(tag, histo=message)


# ---- pictures, sound, text


def _height_width_channels(array: Any, order: str) -> Any:
    """One picture of 3 or 4 channels; many become a grid, grey ones three equal channels."""
    order = order.upper()
    wanted = {4: "NHWC", 3: "HWC", 2: "HW"}.get(len(order), "")
    if sorted(order) != sorted(wanted):
        raise AssertionError(
            f"dataformats={order!r} should be an order of the letters HW, CHW or NCHW, each once"
        )
    if array.ndim != len(order):
        raise AssertionError(
            f"the tensor has the shape {list(array.shape)}, but dataformats={order!r} names "
            f"{len(order)} dimensions"
        )
    array = array.transpose([order.index(letter) for letter in wanted])
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    return array if array.ndim == 3 else grid(array, _SIDES)


def grid(pictures: Any, across: int) -> Any:
    """Pictures (N, H, W, 1 or 3) as one of 3 channels, so many side by side; black where none is.

    Raises:
        AssertionError: another number of channels or dimensions.
    """
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3):
        raise AssertionError(
            "a grid is made of pictures (N, C, H, W) of 1 or 3 channels, but here N, H, W, C are "
            f"{list(pictures.shape)}"
        )
    count, height, width, _ = pictures.shape
    across = min(count, across)
    down = -(-count // across)
    places = np.zeros((down * across, height, width, 3), pictures.dtype)
    places[:count] = pictures
    places = places.reshape(down, across, height, width, 3).transpose(0, 2, 1, 3, 4)
    return places.reshape(down * height, across * width, 3)


def _pixels(value: Any, dataformats: str) -> Any:
    """(H, W, C) as uint8: uint8 as it is, anything else from 0 to 1."""
    array = _height_width_channels(as_array(value), dataformats)
    scale = 1 if array.dtype == np.uint8 else 255
    return (array.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def _png(tag: str, pixels: Any, drawn: Any) -> Any:
    file = io.BytesIO()
    drawn.save(file, format="PNG")
    height, width, channels = pixels.shape
    message = Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
    )
    return value_of(tag, image=message)


def image(tag: str, value: Any, dataformats: str = "NCHW") -> Any:
    """A picture: uint8 as it is, anything else from 0 to 1; PNG."""
    from PIL import Image

    pixels = _pixels(value, dataformats)
    return _png(tag, pixels, Image.fromarray(pixels))


def image_boxes(
    tag: str,
    value: Any,
    boxes: Any,
    rescale: float = 1,
    dataformats: str = "CHW",
    labels: Sequence[str] | None = None,
) -> Any:
    """A picture with red boxes, rows of (left, top, right, bottom), and a label in each."""
    from PIL import Image, ImageDraw, ImageFont

    pixels = _pixels(value, dataformats)
    drawn = Image.fromarray(pixels)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default()
    for number, (left, top, right, bottom) in enumerate(as_array(boxes)[:, :4].tolist()):
        corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        pen.line(corners, width=2, fill="Red")
        if labels is None or not labels[number]:
            continue
        x0, y0, x1, y1 = font.getbbox(labels[number])
        margin = np.ceil(0.05 * (y1 - y0))
        upper = bottom - (y1 - y0) - margin
        pen.rectangle([(left, upper - margin), (left + x1 - x0, bottom)], fill="Red")
        pen.text((left + margin, upper), labels[number], fill="black", font=font)
    height, width, _ = pixels.shape
    if rescale != 1:
        size = int(width * rescale), int(height * rescale)
        drawn = drawn.resize(size, Image.Resampling.LANCZOS)
    return _png(tag, pixels, drawn)


def figures(drawn: Any, close: bool) -> Any:
    """Matplotlib figures as pixels: (3, height, width), or with a first dimension of a list."""
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if isinstance(drawn, list):
        return np.stack([figures(figure, close) for figure in drawn])
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].transpose(2, 0, 1).copy()
    if close:
        pyplot.close(drawn)
    return pixels


def audio(tag: str, value: Any, sample_rate: int) -> Any:
    """Sound of one channel, from -1 to 1, as 16-bit WAV."""
    import wave

    samples = as_array(value).squeeze()
    if samples.ndim != 1:
        raise AssertionError(f"add_audio: expected one dimension, got {list(samples.shape)}")
    samples = (samples.clip(-1, 1) * np.iinfo(np.int16).max).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate)
        sound.writeframes(samples.tobytes())
    message = Summary.Audio(
        sample_rate=sample_rate,
        num_channels=1,
        length_frames=len(samples),
        encoded_audio_string=file.getvalue(),
        content_type="audio/wav",
    )
    return value_of(tag, audio=message)


def text(tag: str, value: str) -> Any:
    message = TensorProto(
        dtype="DT_STRING",
        string_val=[value.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    return value_of(f"{tag}/text_summary", tensor=message, metadata=plugin("text"))


# ---- hyperparameters


def hparams(
    hparam_dict: dict[str, Any] | None = None,
    metric_dict: dict[str, Any] | None = None,
    hparam_domain_discrete: dict[str, list[Any]] | None = None,
) -> tuple[Any, Any, Any]:
    """The experiment, the start and the end of a session, for the plugin of that name."""
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import (
        DataType,
        Experiment,
        HParamInfo,
        MetricInfo,
        MetricName,
        Status,
    )
    from tensorboard.plugins.hparams.plugin_data_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )

    if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
        raise TypeError("add_hparams: hparam_dict and metric_dict should be dictionaries")
    domains = hparam_domain_discrete or {}
    if not isinstance(domains, dict):
        raise TypeError("add_hparams: hparam_domain_discrete should be a dictionary")
    for name, values in domains.items():
        kind = type(hparam_dict.get(name))
        if name not in hparam_dict or not isinstance(values, list):
            raise TypeError(f"add_hparams: hparam_domain_discrete[{name!r}] should be a list, for "
                            "a hyperparameter that is there")  # fmt: skip
        if not all(isinstance(value, kind) for value in values):
            raise TypeError(
                f"add_hparams: hparam_domain_discrete[{name!r}] should hold {kind.__name__} only"
            )

    start, infos = SessionStartInfo(), []
    for name, value in hparam_dict.items():
        if value is None:
            continue
        if isinstance(value, Tensor):
            value = value.item()
        if isinstance(value, (bool, int, float)):
            field, data_type = "number_value", "DATA_TYPE_FLOAT64"
        elif isinstance(value, str):
            field, data_type = "string_value", "DATA_TYPE_STRING"
        else:
            raise ValueError(
                f"add_hparams: {name!r} is {type(value).__name__}; value should be one of int, "
                "float, str, bool, or torch.Tensor"
            )
        setattr(start.hparams[name], field, value)
        domain = None
        if name in domains:
            values = [struct_pb2.Value(**{field: one}) for one in domains[name]]
            domain = struct_pb2.ListValue(values=values)
        infos.append(HParamInfo(name=name, type=DataType.Value(data_type), domain_discrete=domain))
    metrics = [MetricInfo(name=MetricName(tag=name)) for name in metric_dict]

    def message(tag: str, **content: Any) -> Any:
        data = HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
        return value_of(tag, metadata=plugin(metadata.PLUGIN_NAME, data.SerializeToString()))

    experiment = Experiment(hparam_infos=infos, metric_infos=metrics)
    end = SessionEndInfo(status=Status.Value("STATUS_SUCCESS"))
    return (
        message(metadata.EXPERIMENT_TAG, experiment=experiment),
        message(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        message(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    )
