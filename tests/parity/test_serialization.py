"""Files written here and read by PyTorch, and the other way round."""

import io
import pickle
import zipfile
from collections import OrderedDict

import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="the oracle is not installed")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
DTYPES += ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


def contents(lib):
    """The same object in either library."""
    base = lib.arange(12)
    model = lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.BatchNorm1d(2))
    with lib.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.fill_(i + 0.5)
    parameter = lib.nn.Parameter(lib.arange(3.0))
    parameter.tag = "x"
    return OrderedDict(
        dtypes=[lib.arange(5).to(getattr(lib, dtype)) for dtype in DTYPES],
        views=[base[2:5], base[::3], base.reshape(3, 4).t(), base],
        expanded=lib.ones(1, 3).expand(4, 3),
        empty=lib.zeros(3, 0),
        number=lib.tensor(2.5),
        tracked=lib.ones(2, requires_grad=True),
        parameter=parameter,
        state=model.state_dict(),
        plain=[1, -(2**40), 1.5, None, True, "é", b"\xff", {1, 2}, (1, (2,)), 1 - 2j],
        size=lib.Size([2, 3]),
        dtype=lib.float16,
        device=lib.device("cpu"),
    )


def plain(value, lib):
    """A value in terms that both libraries share."""
    if isinstance(value, lib.Tensor):
        return (
            type(value).__name__,
            str(value.dtype),
            tuple(value.shape),
            tuple(value.stride()),
            value.storage_offset(),
            value.requires_grad,
            value.tolist(),
            getattr(value, "tag", None),
        )
    if isinstance(value, lib.Size):
        return ("Size", tuple(value))
    if isinstance(value, dict):
        metadata = getattr(value, "_metadata", None)
        return [(key, plain(item, lib)) for key, item in value.items()], metadata
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item, lib) for item in value]
    if isinstance(value, (lib.dtype, lib.device)):
        return str(value)
    return value


@pytest.mark.parametrize("options", [{}, {"weights_only": False}, {"mmap": True}], ids=str)
@pytest.mark.parametrize("writer", [torch, rl], ids=["torch writes", "rushlight writes"])
def test_files_are_exchanged(tmp_path, writer, options):
    reader = rl if writer is torch else torch
    path = tmp_path / "a.pt"
    writer.save(contents(writer), path)
    loaded = reader.load(path, **options)
    assert plain(loaded, reader) == plain(contents(reader), reader)
    *views, base = loaded["views"]
    base[2] = 77
    assert views[0][0].item() == 77
    assert views[2][2, 0].item() == 77


def test_buffers_are_exchanged():
    for writer, reader in ((torch, rl), (rl, torch)):
        file = io.BytesIO()
        writer.save(contents(writer), file)
        file.seek(0)
        assert plain(reader.load(file), reader) == plain(contents(reader), reader)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_files_before_1_6_are_exchanged(weights_only):
    def without_unsigned(lib):  # PyTorch does not read what it writes of these
        made = contents(lib)
        made["dtypes"] = [t for t in made["dtypes"] if not str(t.dtype).startswith("torch.uint")]
        return made

    for writer, reader in ((torch, rl), (rl, torch)):
        file = io.BytesIO()
        writer.save(without_unsigned(writer), file, _use_new_zipfile_serialization=False)
        file.seek(0)
        loaded = reader.load(file, weights_only=weights_only)
        assert plain(loaded, reader) == plain(without_unsigned(reader), reader)
        file = io.BytesIO()
        writer.save(writer.nn.Linear(2, 3), file, _use_new_zipfile_serialization=False)
        file.seek(0)
        assert reader.load(file, weights_only=False).weight.shape == (3, 2)


def test_pickles_are_the_same_bytes():
    pickles = []
    for lib in (torch, rl):
        file = io.BytesIO()
        lib.save(contents(lib), file)
        with zipfile.ZipFile(file) as archive:
            pickles.append(archive.read("archive/data.pkl"))
    # The memo is numbered in another order, nothing else differs in length.
    assert abs(len(pickles[0]) - len(pickles[1])) <= 64


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Linear(2, 2),
        lambda: torch.zeros(2, dtype=torch.float8_e4m3fn),
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_exist_here_is_refused_by_name(make):
    file = io.BytesIO()
    torch.save(make(), file)
    with pytest.raises(pickle.UnpicklingError, match=r"refers to 'torch"):
        rl.load(file)
