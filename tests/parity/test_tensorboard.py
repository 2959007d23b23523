"""SummaryWriter beside PyTorch's: the same calls write the same events and files."""

from __future__ import annotations

import numpy as np
import pytest

import rushlight
from rushlight.utils.tensorboard import SummaryWriter

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
_events = "tensorboard.backend.event_processing"
_reason = "needs the 'tensorboard' extra"
EventAccumulator = pytest.importorskip(
    f"{_events}.event_accumulator", reason=_reason
).EventAccumulator
LegacyEventFileLoader = pytest.importorskip(
    f"{_events}.event_file_loader", reason=_reason
).LegacyEventFileLoader
TheirWriter = pytest.importorskip("torch.utils.tensorboard").SummaryWriter

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.random((3, 6, 8), np.float32)
MANY = RANDOM.random((5, 3, 4, 7), np.float32)
LABELS = RANDOM.integers(0, 2, 50)
CHANCES = RANDOM.random(50, np.float32)
POINTS = RANDOM.random((2, 5, 3), np.float32)
FACES = RANDOM.integers(0, 5, (2, 4, 3)).astype(np.int32)
COUNTS = [RANDOM.random(9) for _ in range(6)]


def tensors(make):
    """Calls whose arguments are tensors of a library."""
    t = make
    yield "add_scalar", ("a", t(np.float32(0.3)), 4), {}
    yield "add_scalar", ("b", t([[7]]), np.int64(5)), {"walltime": 12.5}
    yield "add_scalar", ("c", t([0.1], "bfloat16"), 1), {"new_style": True}
    yield "add_scalar", ("d", t(0.1, "float64")), {"new_style": True, "double_precision": True}
    yield "add_scalars", ("m/n", {"x": t(1.0), "y": 2.0}, 3), {}
    for dtype in ("float32", "float64", "int8", "int16", "int32", "int64", "bool"):
        yield "add_tensor", (dtype, t(FACES[0], dtype), 2), {}
    yield "add_tensor", ("complex", t([1 + 2j, 3 - 4j], "complex64"), 2), {}
    yield "add_tensor", ("complex", t([[1 + 2j]], "complex128"), 2), {}
    yield "add_tensor", ("empty", t(np.zeros((0, 3), np.float32)), 2), {}
    for bins in ("tensorflow", "auto", "fd", [0.1, 0.2, 0.9]):
        yield "add_histogram", ("h", t(CHANCES), 1), {"bins": bins}
    yield "add_histogram", ("h", t(CHANCES), 1), {"bins": np.linspace(0, 1, 40), "max_bins": 7}
    yield "add_histogram", ("h", t(LABELS, "bool"), 1), {}
    yield "add_histogram_raw", ("r", 0.0, 1.0, 3, 1.5, 1.25, [0.5, 1.0], [1, 2], 5), {}
    yield "add_image", ("i", t(PIXELS), 1), {}
    yield "add_image", ("i", t(PIXELS * 300, "uint8"), 1), {}
    yield "add_image", ("i", t(PIXELS[:1]), 1), {}
    yield "add_image", ("i", t(PIXELS.transpose(1, 2, 0)), 1), {"dataformats": "HWC"}
    yield "add_image", ("i", t(PIXELS.transpose(2, 1, 0)), 1), {"dataformats": "WHC"}
    yield "add_image", ("i", t(PIXELS[0]), 1), {"dataformats": "HW"}
    yield "add_image", ("i", t(PIXELS[0].T), 1), {"dataformats": "wh"}
    yield "add_image", ("i", t(np.concatenate([PIXELS, PIXELS[:1]])), 1), {}
    yield "add_images", ("n", t(MANY), 1), {}
    yield "add_images", ("n", t(MANY[:, :1]), 1), {}
    yield "add_images", ("n", t(MANY.transpose(0, 2, 3, 1)), 1), {"dataformats": "NHWC"}
    boxes = [[1, 1, 5, 4], [0, 2, 7, 5]]
    yield "add_image_with_boxes", ("x", t(PIXELS), t(boxes), 1), {}
    labels = {"labels": ["a", "long"], "rescale": 3}
    yield "add_image_with_boxes", ("x", t(PIXELS), t(boxes, "float32"), 1), labels
    yield "add_image_with_boxes", ("x", t(PIXELS), t(boxes[:1]), 1), {"labels": "one"}
    yield "add_image_with_boxes", ("x", t(PIXELS), t(boxes), 1), {"labels": ["too few"]}
    yield "add_audio", ("s", t(CHANCES[None] * 2 - 1), 1), {"sample_rate": 8000}
    yield "add_audio", ("s", t(CHANCES * 4 - 2), 1), {}
    yield "add_text", ("t", "**bold** é", 3), {"walltime": 1.0}
    yield "add_pr_curve", ("p", t(LABELS), t(CHANCES), 1), {}
    yield "add_pr_curve", ("p", t(LABELS, "bool"), t(CHANCES, "float64"), 1), {}
    more = {"num_thresholds": 300, "weights": CHANCES[::-1].copy(), "walltime": 3.0}
    yield "add_pr_curve", ("p", t(LABELS), t(CHANCES), 1), more
    yield "add_pr_curve", ("p", t(LABELS), t(np.ones(50)), 1), {"num_thresholds": 5}
    yield "add_pr_curve_raw", ("q", *map(t, COUNTS), 1), {"num_thresholds": 9}
    yield "add_pr_curve_raw", ("q", *COUNTS, 1), {"num_thresholds": 9}
    yield "add_mesh", ("mesh", t(POINTS)), {"global_step": 2, "walltime": 5.0}
    colors = t(FACES[:, [0, 1, 2, 3, 0]])
    config = {"camera": {"cls": "PerspectiveCamera", "fov": 75}}
    yield "add_mesh", ("mesh", t(POINTS), colors, t(FACES), config), {}
    layout = {
        "A": {"one": ["Multiline", ["a", "b"]], "two": ["Margin", ["a", "b", "c"]]},
        "B": {"three": ["Multiline", ["a"]]},
    }
    yield "add_custom_scalars", (layout,), {}
    yield "add_custom_scalars_multilinechart", (["a", "b"],), {}
    yield "add_custom_scalars_marginchart", (["a", "b", "c"], "cat", "title"), {}
    hyper = {"lr": 0.1, "name": "adam", "nesterov": True, "layers": 3, "none": None}
    run = {"run_name": "first", "global_step": 9}
    yield "add_hparams", (hyper, {"accuracy": t(0.75)}, {"name": ["adam", "sgd"]}), run


def ours(value, dtype=None):
    if dtype is not None:
        return rushlight.as_tensor(value).to(getattr(rushlight, dtype))
    return rushlight.as_tensor(value)


def theirs(value, dtype=None):
    if dtype is not None:
        return torch.as_tensor(value).to(getattr(torch, dtype))
    return torch.as_tensor(value)


def arrays(value, dtype=None):
    return np.asarray(value) if dtype in (None, "bfloat16") else np.asarray(value).astype(dtype)


def written(folder):
    """All events by the folder that they are in, without times of their own."""
    found = {}
    for path in sorted(folder.rglob("events.out.tfevents*")):
        events = list(LegacyEventFileLoader(str(path)).Load())
        for event in events:
            if event.wall_time > 1e9:
                event.wall_time = 0
            event.ClearField("source_metadata")
        found[str(path.parent.relative_to(folder))] = events
    return found


def test_the_same_events(tmp_path):
    calls = {
        "tensors": (tensors(ours), tensors(theirs)),
        "arrays": (
            (call for call in tensors(arrays) if call[0] not in ("add_tensor",)),
            (call for call in tensors(arrays) if call[0] not in ("add_tensor",)),
        ),
    }
    for kind, (mine, torchs) in calls.items():
        for number, (one, other) in enumerate(zip(mine, torchs, strict=True)):
            folders = tmp_path / f"{kind}{number}" / "ours", tmp_path / f"{kind}{number}" / "theirs"
            for make, folder, (name, args, keywords) in zip(
                (SummaryWriter, TheirWriter), folders, (one, other), strict=True
            ):
                with make(str(folder), purge_step=7 if number % 2 else None) as writer:
                    getattr(writer, name)(*args, **keywords)
            found, wanted = map(written, folders)
            assert sum(map(len, found.values())) > 1
            assert found == wanted, (kind, number, one[0], one[1][:1], one[2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": ["a", "é", 3, 4.5, None], "tag": "x/y%z\\w", "global_step": 12},
        {"metadata": [[i, "n"] for i in range(5)], "metadata_header": ["number", "name"]},
        {"label_img": MANY},
        {"label_img": MANY[:, :1], "metadata": list("abcde")},
    ],
)
def test_the_same_files_of_embeddings(tmp_path, options):
    matrix = RANDOM.random((5, 4), np.float32)
    for make, library, name in (
        (SummaryWriter, ours, "ours"),
        (TheirWriter, theirs, "theirs"),
    ):
        given = dict(options)
        if "label_img" in given:
            given["label_img"] = library(given["label_img"])
        with make(str(tmp_path / name)) as writer:
            writer.add_embedding(library(matrix), **given)
            writer.add_embedding(library(matrix[:2] * 7), tag="second")
    listed = [
        {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and "tfevents" not in path.name
        }
        for name in ("ours", "theirs")
    ]
    assert listed[0].keys() == listed[1].keys()
    for path, content in listed[0].items():
        assert content == listed[1][path], path


def ops(folder):
    """The operators of a graph, with those of their inputs that are operators, in order."""
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    nodes = {node.name: node for node in accumulator.Graph().node}
    assert accumulator.Tags()["run_metadata"] == ["step1"]

    def shape(node):
        shapes = node.attr["_output_shapes"].list.shape
        return [dim.size for dim in shapes[0].dim] if shapes else None

    def scope(name):
        return name.rsplit("/", 1)[0]

    return [
        (
            scope(node.name),
            node.op,
            shape(node),
            [nodes[i].op for i in node.input if nodes[i].op.startswith("aten::")],
        )
        for node in nodes.values()
        if node.op.startswith("aten::")
    ]


def test_the_same_graph(tmp_path):
    def module(library):
        class Block(library.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = library.nn.Linear(4, 4)

            def forward(self, x):
                return library.relu(self.fc(x)) + x * 2

        class Net(library.nn.Module):
            def __init__(self):
                super().__init__()
                self.first = Block()
                self.rest = library.nn.Sequential(Block(), library.nn.Linear(4, 2))
                self.drop = library.nn.Dropout(0.5)

            def forward(self, x, y):
                x = self.rest(self.first(x)).tanh()
                return x.softmax(-1) @ y.t()

        return Net()

    for make, library, name in (
        (SummaryWriter, rushlight, "ours"),
        (TheirWriter, torch, "theirs"),
    ):
        model = module(library)
        with make(str(tmp_path / name)) as writer:
            writer.add_graph(model, (library.ones(3, 4), library.ones(5, 2)))
        assert model.training and model.rest[0].training
    assert ops(tmp_path / "ours") == ops(tmp_path / "theirs")
