"""SummaryWriter: what it writes, read back by tensorboard itself."""

from __future__ import annotations

import io

import numpy as np
import pytest

import rushlight as rl

pytest.importorskip("tensorboard", reason="needs the 'tensorboard' extra")

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import plugin_data_pb2

from rushlight.utils.tensorboard import SummaryWriter


def events(folder):
    """All events of a folder's files, but for the first that only says the format."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents*")):
        found += list(EventFileLoader(str(path)).Load())
    return [event for event in found if event.HasField("summary") or event.HasField("session_log")]


def values(folder):
    return [(event.step, event.summary.value[0]) for event in events(folder) if event.summary.value]


def number(value):
    """The loader turns simple values into tensors of one element."""
    return value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value


def test_scalars(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step, value in enumerate([0.5, np.float32(2), rl.tensor(3), rl.tensor([[4.0]]), True]):
            writer.add_scalar("loss", value, step, walltime=step + 100)
        loss = (rl.ones(2, requires_grad=True) * 2).sum()
        writer.add_scalar("with history", loss.bfloat16())
        writer.add_scalar("new", 0.1, 7, new_style=True, double_precision=True)
    assert [event.wall_time for event in events(tmp_path)][:5] == [100, 101, 102, 103, 104]
    found = values(tmp_path)
    assert [step for step, _ in found] == [0, 1, 2, 3, 4, 0, 7]
    assert [number(value) for _, value in found[:6]] == [0.5, 2.0, 3.0, 4.0, 1.0, 4.0]
    assert found[6][1].tensor.double_val[0] == 0.1
    assert found[6][1].metadata.plugin_data.plugin_name == "scalars"
    with pytest.raises(AssertionError, match="one number"):
        writer.add_scalar("loss", rl.ones(2))
    with pytest.raises(NotImplementedError, match="str"):
        writer.add_scalar("loss", "0.5")
    writer.close()


def test_several_curves_are_runs_of_their_own(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in range(3):
            writer.add_scalars("loss/both", {"train": step, "test": 2 * step}, step)
    for name, factor in (("train", 1), ("test", 2)):
        found = values(tmp_path / f"loss_both_{name}")
        assert [(s, v.tag, number(v)) for s, v in found] == [
            (step, "loss/both", factor * step) for step in range(3)
        ]


def test_purging_and_closing_twice(tmp_path):
    writer = SummaryWriter(tmp_path, purge_step=5, filename_suffix=".mine")
    writer.add_scalar("a", 1, 5)
    writer.flush()
    starts = [event.step for event in events(tmp_path) if event.HasField("session_log")]
    assert starts == [5]
    writer.close()
    writer.close()
    writer.add_scalar("a", 2, 6)  # begins a new file
    writer.close()
    assert sorted(step for step, value in values(tmp_path) if value.tag == "a") == [5, 6]
    assert all(path.name.endswith(".mine") for path in tmp_path.iterdir())
    assert writer.get_logdir() == str(tmp_path)


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_lr1") as writer:
        writer.add_text("note", "**bold** é", 3)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("_lr1")
    ((step, value),) = values(folder)
    assert (step, value.tag) == (3, "note/text_summary")
    assert value.tensor.string_val[0].decode() == "**bold** é"
    assert value.metadata.plugin_data.plugin_name == "text"


def buckets(value):
    """(left, right, count): the loader turns histograms into tensors of these."""
    from tensorboard.util.tensor_util import make_ndarray

    return make_ndarray(value.tensor)


def test_histograms(tmp_path):
    numbers = rl.randn(1000, generator=rl.Generator().manual_seed(0))
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("default", numbers, 1)
        writer.add_histogram("given", numbers, 2, bins=[-1.0, 0.0, 0.5, 1.0])
        writer.add_histogram("joined", numbers, 3, bins=np.linspace(-5, 5, 101), max_bins=10)
        writer.add_histogram("counted", rl.tensor([1, 1, 2]), 4, bins=[0, 1, 2, 3])
        writer.add_histogram_raw("raw", 0, 1, 3, 1.5, 1.25, [0.5, 1.0], [1, 2], 5)
        with pytest.raises(ValueError, match="no values"):
            writer.add_histogram("x", rl.zeros(0))
        with pytest.raises(ValueError, match="len\\(bucket_limits\\)"):
            writer.add_histogram_raw("raw", 0, 1, 3, 1.5, 1.25, [0.5, 1.0], [1], 5)
    found = {value.tag: buckets(value) for _, value in values(tmp_path)}
    array = numbers.numpy()
    assert found["default"][:, 2].sum() == 1000
    counts, limits = np.histogram(array, bins=[-1.0, 0.0, 0.5, 1.0])
    assert [row[2] for row in found["given"] if row[2]] == counts.tolist()
    assert found["given"][-3:-1, 1].tolist() == limits[1:3].tolist()  # the last one is max
    assert found["given"][-1, 1] == array.max()
    assert found["joined"][:, 2].sum() == 1000
    assert len(found["joined"]) <= 11
    assert [row[2] for row in found["counted"] if row[2]] == [2, 1]


def image_values(folder):
    """Undoes the loader's turning of images into tensors: (width, height, PNG)."""
    from PIL import Image

    found = {}
    for _, value in values(folder):
        found[value.tag] = np.asarray(Image.open(io.BytesIO(value.tensor.string_val[2])))
    return found


def test_images(tmp_path):
    picture = rl.arange(24).reshape(3, 2, 4).to(rl.uint8)
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("bytes", picture, 0)
        writer.add_image("floats", picture / 255 + 1e-4, 0)
        writer.add_image("last", picture.permute(1, 2, 0), 0, dataformats="HWC")
        writer.add_image("grey", picture[0], 0, dataformats="HW")
        writer.add_image("clipped", rl.full((1, 2, 2), 3.0))
        writer.add_images("many", rl.stack([picture] * 9), 0)
        with pytest.raises(AssertionError, match="names 3 dimensions"):
            writer.add_image("wrong", picture[0])
        with pytest.raises(AssertionError, match="each once"):
            writer.add_image("wrong", picture, dataformats="CCW")
    found = image_values(tmp_path)
    wanted = picture.permute(1, 2, 0).numpy()
    for name in ("bytes", "floats", "last"):
        assert (found[name] == wanted).all()
    assert (found["grey"] == np.repeat(picture[0].numpy()[:, :, None], 3, 2)).all()
    assert (found["clipped"] == 255).all()
    assert found["many"].shape == (4, 32, 3)
    assert (found["many"][:2, 4:8] == wanted).all()
    assert (found["many"][2:, :4] == wanted).all()
    assert (found["many"][2:, 4:] == 0).all()


def test_figures_and_sound(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs the 'demo' extra")
    pyplot.switch_backend("agg")
    with SummaryWriter(tmp_path) as writer:
        figure = pyplot.figure(figsize=(2, 1), dpi=50)
        writer.add_figure("one", figure, 1)
        assert not pyplot.fignum_exists(figure.number)
        both = [pyplot.figure(figsize=(2, 1), dpi=50) for _ in range(2)]
        writer.add_figure("two", both, 1, close=False)
        pyplot.close("all")
        writer.add_audio("tone", rl.sin(rl.arange(100) / 3) * 2, 1, sample_rate=8000)
    found = {value.tag: value for _, value in values(tmp_path)}
    import wave

    with wave.open(io.BytesIO(found["tone"].tensor.string_val[0])) as sound:
        assert (sound.getnframes(), sound.getframerate()) == (100, 8000)
    assert found["one"].tensor.string_val[:2] == [b"100", b"50"]
    assert found["two"].tensor.string_val[:2] == [b"200", b"50"]


def test_tensors(tmp_path):
    from tensorboard.util.tensor_util import make_ndarray

    kinds = [rl.float64, rl.float32, rl.bfloat16, rl.int64, rl.int32, rl.uint8, rl.bool]
    kinds += [rl.complex64, rl.complex128]
    with SummaryWriter(tmp_path) as writer:
        for kind in kinds:
            writer.add_tensor(str(kind), rl.arange(6).reshape(2, 3).to(kind), 1)
        with pytest.raises(ValueError, match="uint16"):
            writer.add_tensor("c", rl.ones(2, dtype=rl.uint16))
    for (_, value), kind in zip(values(tmp_path), kinds, strict=True):
        assert make_ndarray(value.tensor).tolist() == rl.arange(6).reshape(2, 3).to(kind).tolist()


def test_hparams(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams(
            {"lr": 0.1, "name": "adam", "nesterov": True, "none": None, "t": rl.tensor(2.0)},
            {"accuracy": rl.tensor(0.75)},
            {"name": ["adam", "sgd"]},
            run_name="first",
            global_step=9,
        )
        with pytest.raises(ValueError, match="'layers' is list"):
            writer.add_hparams({"layers": [1]}, {})
        with pytest.raises(TypeError, match="dictionary"):
            writer.add_hparams([1], {})
        with pytest.raises(TypeError, match="float only"):
            writer.add_hparams({"lr": 0.1}, {}, {"lr": ["a"]})
    found = values(tmp_path / "first")
    plugin = [
        plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for _, value in found[:3]
    ]
    infos = {info.name: info for info in plugin[0].experiment.hparam_infos}
    assert infos.keys() == {"lr", "name", "nesterov", "t"}
    assert [one.string_value for one in infos["name"].domain_discrete.values] == ["adam", "sgd"]
    assert plugin[1].session_start_info.hparams["lr"].number_value == 0.1
    assert plugin[2].session_end_info.status == 1
    assert (found[3][0], found[3][1].tag, number(found[3][1])) == (9, "accuracy", 0.75)


def test_precision_and_recall(tmp_path):
    from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
    from tensorboard.util.tensor_util import make_ndarray

    labels, chances = rl.tensor([True, False, True, True]), rl.tensor([0.9, 0.6, 0.4, 0.1])
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("curve", labels, chances, 3, num_thresholds=3)
        rows = [[1.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.5, 0.0], [1.0, 0.0]]
        writer.add_pr_curve_raw("raw", *map(rl.tensor, rows), 3, num_thresholds=2)
    (step, curve), (_, raw) = values(tmp_path)
    plugin = curve.metadata.plugin_data
    assert (step, plugin.plugin_name) == (3, "pr_curves")
    assert PrCurvePluginData.FromString(plugin.content).num_thresholds == 3
    # from 0, from 0.5, at 1
    assert make_ndarray(curve.tensor).tolist() == [
        [3, 1, 0], [1, 1, 0], [0, 0, 1], [0, 2, 3], [0.75, 0.5, 0], [1, np.float32(1 / 3), 0],
    ]  # fmt: skip
    assert make_ndarray(raw.tensor).tolist() == rows


def test_meshes_and_layouts(tmp_path):
    from tensorboard.plugins.custom_scalar import layout_pb2
    from tensorboard.util.tensor_util import make_ndarray

    points, faces = rl.rand(1, 4, 3), rl.tensor([[[0, 1, 2], [1, 2, 3]]])
    with SummaryWriter(tmp_path) as writer:
        writer.add_mesh("m", points, faces=faces, config_dict={"camera": {"fov": 75}})
        with pytest.raises(IndexError, match=r"\[4, 3\]"):
            writer.add_mesh("m", points[0])
        writer.add_custom_scalars_marginchart(["a", "b", "c"], "runs", "loss")
        with pytest.raises(AssertionError, match="2 tags"):
            writer.add_custom_scalars_marginchart(["a", "b"])
    (mesh, layout) = (event.summary.value for event in events(tmp_path))
    assert [value.tag for value in mesh] == ["m_VERTEX", "m_FACE"]
    assert (make_ndarray(mesh[0].tensor) == points.numpy()).all()
    assert make_ndarray(mesh[1].tensor).tolist() == faces.tolist()
    (category,) = layout_pb2.Layout.FromString(layout[0].tensor.string_val[0]).category
    (series,) = category.chart[0].margin.series
    assert (category.title, category.chart[0].title) == ("runs", "loss")
    assert (series.value, series.lower, series.upper) == ("a", "b", "c")


def test_boxes(tmp_path):
    picture = rl.zeros(3, 20, 30)
    with SummaryWriter(tmp_path) as writer:
        writer.add_image_with_boxes("boxes", picture, rl.tensor([[4, 5, 20, 15]]), 1)
        writer.add_image_with_boxes(
            "named", picture, np.array([[4, 2, 25, 17]]), 1, rescale=2, labels="x"
        )
    found = image_values(tmp_path)
    assert found["boxes"].shape == (20, 30, 3)
    assert found["boxes"][5, 4:21].tolist() == [[255, 0, 0]] * 17
    assert (found["boxes"][:, :, 1:] == 0).all()
    assert (found["boxes"][8:12, 8:16] == 0).all()
    assert found["named"].shape == (40, 60, 3)


def test_embeddings(tmp_path, capsys):
    from google.protobuf import text_format
    from PIL import Image
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    vectors = rl.randn(3, 2, requires_grad=True)
    pictures = rl.ones(3, 1, 4, 4) * rl.tensor([0.2, 0.4, 0.6]).view(3, 1, 1, 1)
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(vectors, ["a", "b", "c"], pictures, 7, "x/y")
        rows = [[1, "p"], [2, "q"], [3, "r"]]
        writer.add_embedding(vectors.bfloat16(), rows, metadata_header=["n", "s"])
        writer.add_embedding(vectors)
        assert "is written again" in capsys.readouterr().out
        with pytest.raises(AssertionError, match="metadata has 2 entries for 3 rows"):
            writer.add_embedding(vectors, ["a", "b"])
        with pytest.raises(AssertionError, match="names 1 columns"):
            writer.add_embedding(vectors, rows, metadata_header=["n"])
        with pytest.raises(AssertionError, match="of shape"):
            writer.add_embedding(vectors[0])
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    first, second, _ = config.embeddings
    assert (first.tensor_name, second.tensor_name) == ("x/y:00007", "default:00000")
    assert first.metadata_path == "00007/x%2fy/metadata.tsv"
    assert (tmp_path / first.metadata_path).read_text() == "a\nb\nc\n"
    assert (tmp_path / second.metadata_path).read_text() == "n\ts\n1\tp\n2\tq\n3\tr\n"
    read = np.loadtxt(tmp_path / first.tensor_path)
    assert (read == vectors.detach().numpy()).all()
    sprite = np.asarray(Image.open(tmp_path / first.sprite.image_path))
    assert list(first.sprite.single_image_dim) == [4, 4]
    assert sprite.shape == (8, 8, 3)
    assert [int(sprite[y, x, 0]) for y, x in ((0, 0), (0, 4), (4, 0), (4, 4))] == [51, 102, 153, 0]


def nodes(folder):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    (path,) = folder.glob("events.out.tfevents*")
    for event in EventFileLoader(str(path)).Load():
        if event.HasField("graph_def"):
            return {node.name: node for node in GraphDef.FromString(event.graph_def).node}
    return None


class Branches(rl.nn.Module):
    """A module in every way that a graph can name: shared, nested, with a buffer, in place."""

    def __init__(self):
        super().__init__()
        self.embed = rl.nn.Embedding(10, 4)
        self.inner = rl.nn.Sequential(rl.nn.Linear(4, 4), rl.nn.ReLU())
        self.again = self.inner
        self.drop = rl.nn.Dropout(0.9)
        self.register_buffer("scale", rl.ones(4))

    def forward(self, codes, options):
        x = self.drop(self.embed(codes))
        with rl.no_grad():
            y = self.inner(x) + self.again(x)
        y += self.scale
        values, places = y.max(-1)
        return {"values": values * options["factor"], "places": places}


def test_graphs(tmp_path, capsys):
    model = Branches()
    model.inner.eval()
    codes = rl.tensor([[1, 2]])
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, (codes, {"factor": rl.ones(1)}), verbose=True)
        with pytest.raises(RuntimeError, match="input_to_model"):
            writer.add_graph(model)
    assert model.training and not model.inner.training
    found = nodes(tmp_path)
    assert all(source in found for node in found.values() for source in node.input)
    assert found["input/options.factor"].op == "IO Node"
    linear = found["Branches/Sequential[inner]/Linear[0]/linear"]
    assert list(linear.input) == [
        "Branches/Embedding[embed]/embedding",
        "Branches/Sequential[inner]/Linear[0]/weight",
        "Branches/Sequential[inner]/Linear[0]/bias",
    ]
    assert [dim.size for dim in linear.attr["_output_shapes"].list.shape[0].dim] == [1, 2, 4]
    assert list(found["Branches/add_1"].input) == ["Branches/add", "Branches/scale"]
    assert [list(found[f"output/output.{i}"].input) for i in (1, 2)] == [
        ["Branches/mul"], ["Branches/max_dim.1"],
    ]  # fmt: skip
    assert "output/output.1 = IO Node(Branches/mul)" in capsys.readouterr().out


def test_drawing_leaves_nothing_behind(tmp_path):
    class Failing(rl.nn.Module):
        def forward(self, x):
            raise ValueError("not today")

    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match="not today"):
            writer.add_graph(rl.nn.Sequential(Failing()), rl.ones(1))
        with rl.autocast("cpu"):
            writer.add_graph(rl.nn.Linear(2, 2), rl.ones(1, 2))
            assert rl.nn.Linear(2, 2)(rl.ones(1, 2)).dtype is rl.bfloat16
    from rushlight.autograd import watch

    assert not watch._watchers and not watch._own
    assert not rl.nn.modules.hooks._global_forward_hooks


def test_videos(tmp_path):
    pytest.importorskip("moviepy", reason="encodes videos")
    from PIL import Image

    clips = rl.zeros(3, 2, 3, 4, 6)
    clips[1, 1] = 1
    with SummaryWriter(tmp_path) as writer:
        writer.add_video("clips", clips, 1, fps=2)
        with pytest.raises(ValueError, match="unsqueeze"):
            writer.add_video("clips", clips[0])
    ((_, value),) = values(tmp_path)
    assert value.tensor.string_val[:2] == [b"24", b"4"]  # four places in a row
    with Image.open(io.BytesIO(value.tensor.string_val[2])) as film:
        film.seek(1)
        pixels = np.asarray(film.convert("RGB"))
    assert pixels.shape == (4, 24, 3)
    assert (pixels[:, 6:12] > 200).all() and (pixels[:, 12:] < 50).all()


def test_onnx_graphs(tmp_path):
    onnx = pytest.importorskip("onnx", reason="reads ONNX files")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Softmax", ["y"], ["z"], axis=1)],
        "graph",
        [helper.make_tensor_value_info("x", kind, [2, 3])],
        [helper.make_tensor_value_info("z", kind, [2, 3])],
    )
    onnx.save(helper.make_model(made), str(tmp_path / "model.onnx"))
    with SummaryWriter(tmp_path / "run") as writer:
        writer.add_onnx_graph(str(tmp_path / "model.onnx"))
    found = nodes(tmp_path / "run")
    drawn = {name: (node.op, list(node.input)) for name, node in found.items()}
    assert drawn == {"x": ("Variable", []), "y": ("Relu", ["x"]), "z": ("Softmax", ["y"])}


@pytest.mark.parametrize("package, name", [("moviepy", "add_video"), ("onnx", "add_onnx_graph")])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, name):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.editor", None)
    with SummaryWriter(tmp_path) as writer, pytest.raises(ImportError, match=f"install {package}"):
        getattr(writer, name)(*(("v", rl.zeros(1, 1, 3, 2, 2)) if name == "add_video" else ("x",)))
