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
    with SummaryWriter(tmp_path) as writer:
        for kind in kinds:
            writer.add_tensor(str(kind), rl.arange(6).reshape(2, 3).to(kind), 1)
        with pytest.raises(ValueError, match="complex64"):
            writer.add_tensor("c", rl.ones(2, dtype=rl.complex64))
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


def test_what_is_not_there_says_so(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for name in ("add_graph", "add_embedding", "add_video", "add_pr_curve", "add_mesh"):
            with pytest.raises(NotImplementedError, match=f"SummaryWriter.{name}: "):
                getattr(writer, name)(rl.nn.Linear(1, 1))
