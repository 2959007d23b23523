"""save and load: round trips, a file of PyTorch's, damage, malice, and what is left on disk."""

import base64
import io
import os
import pickle
import random
import stat
import struct
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict
from contextlib import suppress

import pytest

import rushlight as rl
from rushlight.io import (
    add_safe_globals,
    archive,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from rushlight.io.archive import ALIGNMENT, ArchiveWriter

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


def saved(obj, **options):
    file = io.BytesIO()
    rl.save(obj, file, **options)
    file.seek(0)
    return file


def round_trip(obj, **options):
    return rl.load(saved(obj), **options)


def same(a, b):
    """Equal in everything that is saved."""
    assert type(a) is type(b)
    if isinstance(a, rl.Tensor):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.stride() == b.stride()
        assert a.storage_offset() == b.storage_offset()
        assert a.requires_grad == b.requires_grad
        assert a.tolist() == b.tolist()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert a == b
    return True


# ---- round trips


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype):
    tensor = rl.arange(7).to(getattr(rl, dtype))
    same(tensor, round_trip(tensor))


@pytest.mark.parametrize(
    "make",
    [
        lambda: rl.tensor(3.5),
        lambda: rl.zeros(0),
        lambda: rl.zeros(3, 0, 2),
        lambda: rl.arange(6.0).reshape(2, 3).t(),
        lambda: rl.arange(10)[2:9:3],
        lambda: rl.ones(1, 3).expand(4, 3),
        lambda: rl.arange(24).reshape(2, 3, 4).permute(2, 0, 1)[1:],
        lambda: rl.ones(2, requires_grad=True),
        lambda: rl.nn.Parameter(rl.ones(2, 2)),
        lambda: rl.nn.Parameter(rl.ones(2, 2), requires_grad=False),
        lambda: rl.tensor([float("inf"), -0.0, 1e-45]),
    ],
)
def test_layouts(make):
    tensor = make()
    same(tensor, round_trip(tensor))


def test_plain_objects():
    objects = {
        "numbers": [0, -1, 255, 65536, -(2**31), 2**70, 1.5, float("inf"), True, None, 1 - 2j],
        "text": ["", "é", "\ud83d", "x" * 300],
        "bytes": [b"", b"\x00\xff", bytearray(b"ab")],
        "sets": [set(), {1, "a"}, frozenset({(1, 2)})],
        (1, ("a", None)): ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "counter": Counter("abca"),
        "ordered": OrderedDict([("b", 1), ("a", 2)]),
        "size": rl.Size([2, 3]),
        "dtypes": [getattr(rl, dtype) for dtype in DTYPES],
        "device": rl.device("cpu"),
    }
    same(objects, round_trip(objects))


def test_storages_are_shared_again():
    base = rl.arange(10)
    views, whole = round_trip(([base[2:5], base[::2]], base))
    whole[2] = 77
    assert views[0].tolist() == [77, 3, 4]
    assert views[1].tolist() == [0, 77, 4, 6, 8]


def test_a_shared_storage_is_written_once():
    base = rl.arange(1000)
    one, many = saved(base), saved([base[i:] for i in range(10)])
    assert len(many.getvalue()) < len(one.getvalue()) + 4000


def test_objects_that_are_one_stay_one():
    tensor, items = rl.ones(2), []
    items.append(items)
    loaded = round_trip([tensor, tensor, items])
    assert loaded[0] is loaded[1]
    assert loaded[2][0] is loaded[2]


def test_a_loaded_tensor_stands_on_its_own():
    weight, bias = round_trip([rl.ones(3, requires_grad=True), rl.ones(3)])
    assert weight.is_leaf
    (weight * 2).sum().backward()
    assert weight.grad.tolist() == [2.0, 2.0, 2.0]
    bias.add_(1)
    assert weight.tolist() == [1.0, 1.0, 1.0]


def test_state_dict_with_metadata():
    model = rl.nn.Sequential(rl.nn.Linear(3, 2), rl.nn.BatchNorm1d(2))
    state = model.state_dict()
    loaded = round_trip(state)
    same(state, loaded)
    assert loaded._metadata == state._metadata
    model.load_state_dict(loaded)


def test_optimizer_state():
    model = rl.nn.Linear(3, 2)
    optimizer = rl.optim.Adam(model.parameters(), lr=0.01)
    model(rl.ones(1, 3)).sum().backward()
    optimizer.step()
    same(optimizer.state_dict(), round_trip(optimizer.state_dict()))


def test_history_is_not_saved():
    product = rl.ones(2, requires_grad=True) * 3
    loaded = round_trip(product)
    assert loaded.is_leaf
    assert loaded.requires_grad
    assert loaded.tolist() == [3.0, 3.0]


def test_attributes_of_tensors():
    parameter = rl.nn.Parameter(rl.ones(2))
    parameter.tag = "embedding"
    tensor = rl.ones(1)
    tensor.weights = [1, 2]
    first, second = round_trip([parameter, tensor])
    assert first.tag == "embedding"
    assert second.weights == [1, 2]
    assert type(first) is rl.nn.Parameter


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(protocol):
    objects = {"t": rl.arange(3), "b": b"\xff", "s": {1}, "f": frozenset({2}), "x": [1.5, "é"]}
    file = saved(objects, pickle_protocol=protocol)
    same(objects, rl.load(file))


def test_a_file_that_pytorch_wrote():
    loaded = rl.load(io.BytesIO(zlib.decompress(base64.b64decode(FROM_PYTORCH))))
    assert list(loaded["state"]) == ["weight", "bias"]
    assert loaded["state"]._metadata == {"": {"version": 1}}
    assert loaded["state"]["bias"].dtype == rl.bfloat16
    assert loaded["state"]["bias"].tolist() == [0.5, -0.5]
    assert isinstance(loaded["param"], rl.nn.Parameter)
    assert loaded["param"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    loaded["param"].data.zero_()
    assert loaded["state"]["weight"].sum().item() == 0
    assert [view.tolist() for view in loaded["views"]] == [[1, 2, 3], [0, 2, 4]]
    assert loaded["turned"].tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert loaded["turned"].stride() == (1, 2)
    assert loaded["conj"].tolist() == [1 - 2j]
    assert loaded["plain"] == (1, 2.5, None, True, "text", b"\xff", {3}, 2**40)
    assert loaded["size"] == rl.Size([4, 5])
    assert loaded["dtype"] is rl.int8
    assert loaded["empty"].shape == (0, 3)


# Written by torch.save of PyTorch 2.13, compressed with zlib.
FROM_PYTORCH = (
    "eNqlVktsG0UYHj/jLCGvFpIGCAEKuJC68SN2kqaNuwlbYEObbgiYQlg262m8sPHm947zqBQpEkoaOBEJcURw4AACiR"
    "vHHpDgDFy5IA4IIfE4c2Fmdu3sbuqmtJOsx+ud7/H/M/9vz8mRKEKJBDo0ulEv0mp6xVjDZ8oa0VKr75iS2Imu+sZ2"
    "eAtQshSjAJtoBENI1y3TxDoxrKotXK6VcQ2XZwydCBA+pUAkWYrTtevYWK4QiOrEohIptU4M0xbUGl6qG2ZZJbhqWz"
    "V1LSNALJkstXF2q6YtY4g7EEEyLY3MOx8K0FYK0TUjkChF6Kyv1qFdjhMQrshIDsuRXbhPjsihXeh4r8Jc3E+gU4Gu"
    "Eg0dLRmaDd0VqlNpcIucPJ1v0vdw+jT0VtrlMIFjnHYHjsuhHXjAoXyQQJ8C/fUtOFFqp4vVFUw0ljcY4M8fKrGkws"
    "Nb8AiPZw3XbJoiGJRDtm0v8QyuajVtBR5tkRT+FBNcE2DIsVtpqyQqPNDHmoE+7gT6hOPqJIEnFXhqj988fQOSCpzi"
    "UmsGXrfhmUV4NukLfdaqLjfDHuZhZ+C0I5K6IofkyA6cYWGPOAJpAhkFsq6f4Yq7NMf80KWjLE15Z2mBwJgC45gfAF"
    "KvVXEZJnziM1Z9ycRN+bNcPguTlDNK4JwTY3gXzlMfdJpyeIsELigg8s3UrerbMO0jnbZWVk284T8vM5w6B89R6hAB"
    "iVHToC6yl+cd2he24MUDTnnPJjCrwEvORpmaUYVLSTl0sRh1yuXSHl9M8AaBy7qqW2Ws2wKusjcCzJXC9OG3N+EKj9"
    "7UiFFNg7IL8wq8rKsq22H6kaoKNqaVsrAIr8gRbQdeVaD0fpwLUJuvcQnbuI7hqhvdPL0R4HU5Ksd24Y0dWFTgTW6x"
    "TDZXMajuMqNKxgR4iz/BK6tkE7TGEeKZGIUlmglEQGeZQOwglZ2DhJ1sXCOwrEClnpqT2xL7idk//qGFxq65lg2kDw"
    "nNBpK6ZtVWNKK6p14S424fSTO+b/76+V3mgl2t+QZQ4YDPbQeqZhrL1RVcJZKYDbSmOxr5HDMwtQ6/sw0K39ZAD5pq"
    "GljaJNhizU0Sz96NbmOYBiEmZh52zv16gu10/LYeOtF5X1c+MyKJE/dgwGHdnqIvRfpPr216fVJkjvo++G2/nz7oP8"
    "LRsN9RWhKTd+yIpvQm0/ryp68W2OGOHqFV9GtlJHHyXtJ/tcEccuewO0fc2a1uFHNn5rXj++8+HWFfN0d4Pe73mpXE"
    "btRK3xl/T7lvis6U4Pvw+fqfvwzRu6Ej9E769XKSOISOjt/Ze6az9tlUihEnmjroljqTfp1RSRy76z1oHU8XOtbUab"
    "aNrqBQVmDOf/h4eeHo+h1EmYMGwq3buGbQDnJdY79WVKMsian/GUk6kx8bzRey4/nxfI7+ZfLp9EghPzpeyOYK2UJu"
    "JD02nktnx5nLiS8mppPUR5K7DPGj1vDpbandh5wHf4cF0d4G2udDXoiiVk04SOJtggM+kn0vyaHOG+TxNrIeH09vDB"
    "1uoEG4t+t0+uAfxVCg9wWx3i7ixybjAWw6iPVWtR/7YRCbCWK9FerHFtsC2GwQ6606P/brIDbXwN66Lr2jPxHAjgZ1"
    "vTXT5cNue7Atzor3KA/6wD96wLcusjk5Hh9ulGTkdBPZEZj/dXvxRnuj9cbZD2dkdxy07Dk5FncwHXy9s/Y/nSfarA"
    "=="
)


# ---- the file


def test_records_and_alignment(tmp_path):
    path = tmp_path / "model.v2.pt"
    rl.save({"a": rl.arange(3), "b": rl.ones(2)}, path)
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        names = [entry.filename for entry in file.infolist()]
        assert names[0] == "model.v2/data.pkl"
        assert {"byteorder", "data/0", "data/1", "version", ".data/serialization_id"} <= {
            name.removeprefix("model.v2/") for name in names
        }
        assert file.read("model.v2/byteorder").decode() == sys.byteorder
        assert file.read("model.v2/version") == b"3\n"
        for entry in file.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            sizes = struct.unpack_from("<HH", raw, entry.header_offset + 26)
            assert (entry.header_offset + 30 + sum(sizes)) % ALIGNMENT == 0


def test_the_same_object_gives_the_same_file():
    assert saved({"a": rl.ones(3)}).getvalue() == saved({"a": rl.ones(3)}).getvalue()


def test_records_that_need_64_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_LARGE", 1000)
    objects = {"a": rl.arange(500.0), "b": rl.arange(3), "c": rl.arange(700.0)}
    path = tmp_path / "large.pt"
    rl.save(objects, path)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
    same(objects, rl.load(path))


class Dribble(io.RawIOBase):
    """A file that takes at most 100 bytes at a time and cannot seek."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data[:100])
        self.data += part
        return len(part)


def test_a_file_that_takes_a_little_at_a_time():
    file = Dribble()
    rl.save(rl.arange(1000), file)
    assert rl.load(io.BytesIO(bytes(file.data))).tolist() == list(range(1000))


class ReadOnly:
    """The least that load asks for."""

    def __init__(self, data):
        self._file = io.BytesIO(data)
        self.read, self.seek, self.tell = self._file.read, self._file.seek, self._file.tell


def test_a_file_without_readinto():
    data = saved(rl.arange(1000)).getvalue()
    assert rl.load(ReadOnly(data)).tolist() == list(range(1000))


def test_mapped_storages_are_copy_on_write(tmp_path):
    path = tmp_path / "a.pt"
    objects = {dtype: rl.arange(5).to(getattr(rl, dtype)) for dtype in DTYPES}
    rl.save(objects, path)
    loaded = rl.load(path, mmap=True)
    same(objects, loaded)
    loaded["float32"].zero_()
    same(objects, rl.load(path, mmap=True))
    with pytest.raises(ValueError, match="path"):
        rl.load(saved(1), mmap=True)


# ---- saving to a path


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.pt"
    rl.save(rl.ones(2), path)
    before = path.read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError)):
        rl.save({"t": rl.zeros(2), "f": lambda: 0}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.pt"]


def test_a_save_that_dies_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    rl.save(rl.ones(2), path)

    def full(self):
        raise OSError("disk full")

    monkeypatch.setattr(ArchiveWriter, "close", full)
    with pytest.raises(OSError, match="disk full"):
        rl.save(rl.zeros(2), path)
    monkeypatch.undo()
    assert rl.load(path).tolist() == [1.0, 1.0]
    assert os.listdir(tmp_path) == ["a.pt"]


def test_everything_is_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def noted(*arguments, name=name, original=original):
            steps.append(name)
            return original(*arguments)

        monkeypatch.setattr(os, name, noted)
    rl.save(rl.ones(2), tmp_path / "a.pt")
    assert steps == ["fsync", "replace", "fsync"]


def test_mode_and_link_are_kept(tmp_path):
    real, link = tmp_path / "real.pt", tmp_path / "link.pt"
    rl.save(rl.ones(1), real)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~_umask()
    real.chmod(0o600)
    link.symlink_to(real)
    rl.save(rl.zeros(1), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert rl.load(real).item() == 0


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_wrong_arguments(tmp_path):
    with pytest.raises(AttributeError, match="path"):
        rl.save("a.pt", rl.ones(1))
    with pytest.raises(RuntimeError, match="parent folder"):
        rl.save(rl.ones(1), tmp_path / "no" / "a.pt")
    with pytest.raises(AttributeError, match="seek"):
        rl.load(3)
    with pytest.raises(TypeError, match="binary"):
        rl.load(io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        rl.load(tmp_path / "no.pt")
    with pytest.raises(RuntimeError, match="share one storage"):
        x = rl.ones(2)
        rl.save([x, x.view(rl.int32)], io.BytesIO())


# ---- damage


@pytest.fixture(scope="module")
def small():
    return saved({"weight": rl.arange(5.0), "inner": {"bias": rl.arange(3)}}).getvalue()


LOAD_ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError)


def test_every_truncation_is_noticed(small):
    for size in range(len(small)):
        with pytest.raises(LOAD_ERRORS):
            rl.load(io.BytesIO(small[:size]))


def test_every_flipped_bit_is_noticed_or_harmless(small):
    expected = rl.load(io.BytesIO(small))
    noticed = 0
    for position in range(len(small)):
        damaged = bytearray(small)
        damaged[position] ^= 1 << position % 8
        try:
            same(expected, rl.load(io.BytesIO(bytes(damaged))))
        except LOAD_ERRORS:
            noticed += 1
    assert noticed > 400


@pytest.mark.parametrize(("values", "name"), [(rl.arange(5.0), "weight"), (rl.arange(3), "bias")])
def test_a_flipped_bit_in_a_tensor_names_record_and_tensor(small, values, name):
    damaged = bytearray(small)
    damaged[small.index(values.numpy().tobytes()) + 9] ^= 4
    with pytest.raises(RuntimeError, match=rf"archive/data/\d.*{name}.*checksum"):
        rl.load(io.BytesIO(bytes(damaged)))


def test_files_of_another_kind(tmp_path):
    with pytest.raises(EOFError, match="empty"):
        rl.load(io.BytesIO(b""))
    with pytest.raises(pickle.UnpicklingError, match="not a file that save wrote"):
        rl.load(io.BytesIO(b"hello, world"))
    for name, message in [("a/other", r"no record data\.pkl"), ("a/constants.pkl", "TorchScript")]:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as content:
            content.writestr(name, "x")
        with pytest.raises(RuntimeError, match=message):
            rl.load(file)


def test_compressed_records_are_refused(small):
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(small)) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(RuntimeError, match="without compression"):
        rl.load(packed)


def test_two_records_of_one_name_are_refused():
    file = io.BytesIO()
    writer = ArchiveWriter(file.write, "archive")
    for value in (b"\x80\x02K\x01.", b"\x80\x02K\x02."):
        writer.record("data.pkl", value)
    writer.close()
    with pytest.raises(RuntimeError, match="two records"):
        rl.load(file)


# ---- malice


def packed(pickled, records=None, byteorder=b"little"):
    """A file with this pickle and these storages, all checksums right."""
    file = io.BytesIO()
    writer = ArchiveWriter(file.write, "archive")
    writer.record("data.pkl", pickled)
    writer.record("byteorder", byteorder)
    for key, data in (records or {}).items():
        writer.record(f"data/{key}", data)
    writer.record("version", b"3\n")
    writer.close()
    return file


FIVE = {"0": struct.pack("<5f", *range(5))}


def long(value):
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def tensor_pickle(
    offset=0, shape=(5,), strides=(1,), kind=b"FloatStorage", key=b"0", numel=5, requires_grad=0
):
    """A pickle of one tensor, with whatever geometry."""

    def numbers(values):
        return b"(" + b"".join(map(long, values)) + b"t"

    storage = b"(U\x07storagectorch\n" + kind + b"\nU\x01" + key + b"U\x03cpu" + long(numel) + b"tQ"
    flag = b"\x88" if requires_grad else b"\x89"
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + (storage + long(offset) + numbers(shape) + numbers(strides) + flag)
        + b"ccollections\nOrderedDict\n)RtR."
    )


def typed_pickle(numel=11, offset=0, shape=(5,), kind=b"storage\nUntyped", dtype=b"uint16"):
    """A pickle of one tensor that names its dtype, on a storage of bytes."""
    plain = tensor_pickle(offset, shape, (1,) * len(shape), numel=numel)
    storage = b"ctorch\nFloatStorage\n"
    assert storage in plain
    module, name = kind.split(b"\n")
    renamed = b"c" + b".".join([b"torch", module] if module else [b"torch"]) + b"\n" + name
    return (
        plain.replace(storage, renamed + b"Storage\n")
        .replace(b"_tensor_v2", b"_tensor_v3")
        .replace(b"OrderedDict\n)RtR.", b"OrderedDict\n)Rctorch\n" + dtype + b"\ntR.")
    )


BYTES = {"0": struct.pack("<5Hx", 1, 2, 3, 4, 65535)}


def test_tensors_that_name_their_dtype():
    loaded = rl.load(packed(typed_pickle(), BYTES))
    assert loaded.dtype is rl.uint16 and loaded.tolist() == [1, 2, 3, 4, 65535]
    assert rl.load(packed(typed_pickle(dtype=b"uint8", shape=(11,)), BYTES))[9].item() == 255
    assert rl.load(packed(typed_pickle(4, 0, (1,), dtype=b"uint32"), {"0": b"abcd"})).shape == (1,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (6,)}, "reaches element 5"),
        ({"offset": 1}, "reaches element 5"),
        ({"dtype": b"uint32"}, "reaches element 4"),
        ({"numel": 12}, "has 11 bytes"),
        ({"kind": b"\nShort"}, "has 11 bytes"),
        ({"kind": b"\nByte"}, "no storage of bytes"),
        ({"dtype": b"Size"}, "dtype of a tensor"),
        ({"dtype": b"float8_e5m2"}, r"torch\.float8"),
    ],
)
def test_tensors_that_name_their_dtype_wrongly(change, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        rl.load(packed(typed_pickle(**change), BYTES))


def test_the_handmade_pickle_is_right():
    assert rl.load(packed(tensor_pickle(), FIVE)).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert rl.load(packed(tensor_pickle(4, (3,), (0,)), FIVE)).tolist() == [4.0, 4.0, 4.0]
    assert rl.load(packed(tensor_pickle(99, (0,)), FIVE)).tolist() == []


@pytest.mark.parametrize(
    "geometry",
    [
        {"shape": (6,)},
        {"offset": 1},
        {"offset": -1},
        {"offset": 2**63},
        {"shape": (2,), "strides": (5,)},
        {"shape": (2,), "strides": (-1,)},
        {"shape": (-2,)},
        {"shape": (2, 2)},
        {"shape": (2**40, 2**40), "strides": (0, 0)},
        {"shape": (2, 2), "strides": (2**62, 2**62)},
        {"shape": (1,) * 65, "strides": (1,) * 65},
        {"numel": 6},
        {"numel": -1},
        {"numel": 2**62},
        {"kind": b"DoubleStorage"},
        {"kind": b"IntStorage", "requires_grad": 1},
        {"kind": b"QInt8Storage"},
    ],
    ids=str,
)
def test_tensors_outside_their_storage_are_refused(geometry):
    with pytest.raises(pickle.UnpicklingError):
        rl.load(packed(tensor_pickle(**geometry), FIVE))


def test_a_missing_storage_is_named():
    with pytest.raises(RuntimeError, match="data/7"):
        rl.load(packed(tensor_pickle(key=b"7"), FIVE))


class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (os.system, "touch {}", "never handed"),
        (eval, "open({!r}, 'w')", r"builtins\.eval.*add_safe_globals.*weights_only=False"),
        (exec, "open({!r}, 'w')", r"builtins\.exec"),
        (open, "{}", r"refers to"),
    ],
)
def test_nothing_is_run(tmp_path, function, argument, message):
    target = tmp_path / "pwned"
    hostile = {"model": [Runs(function, argument.format(str(target)))]}
    with pytest.raises(pickle.UnpicklingError, match=message):
        rl.load(packed(pickle.dumps(hostile, protocol=2)))
    assert not target.exists()


def _nested_sets(depth):
    """frozenset({x, (x,)}) of x, again and again; the same object twice each time."""
    steps = (b"q%c(h%ch%c\x85\x91" % (i, i, i) for i in range(depth))
    return b"(K\x01\x91" + b"".join(steps)


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b".",
        b"\x80\x02",
        b"\x80\x02u.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x06N.",
        b"\x80\x02I01\n.",
        b"\x80\x02h\x05.",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x02K\x01K\x02\x86K\x01R.",
        b"\x80\x02ctorch\nTensor\n)R.",
        b"\x80\x02ctorch\nTensor\n)\x81.",
        b"\x80\x02ctorch\nload\n)R.",
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x7f\x85R.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.",
        b"\x80\x02ccollections\nOrderedDict\n)R}U\x05itemsK\x01sb.",
        b"\x80\x02]}U\x01aK\x01sb.",
        b"\x80\x02]K\x01K\x02s.",
        b"\x80\x02U\x01aQ.",
        b"\x80\x02(U\x06moduleU\x01aU\x01bU\x01cK\x01tQ.",
        # a key of 2 ** 100 parts, all the same object
        b"\x80\x02})" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(100)) + b"K\x01s.",
        # a key so deep that hashing it would overflow the stack
        b"\x80\x02})" + b"\x85" * 100000 + b"K\x01s.",
        # two equal sets, which it takes 2 ** 60 steps to compare
        b"\x80\x04}(" + _nested_sets(60) + b"K\x01" + _nested_sets(60) + b"K\x02u.",
        # a size that it takes 2 ** 60 characters to show
        b"\x80\x02ctorch\nSize\n)"
        + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))
        + b"\x85R.",
    ],
    ids=range(25),
)
def test_broken_and_hostile_pickles(pickled):
    with pytest.raises(pickle.UnpicklingError, match="load: the pickle"):
        rl.load(packed(pickled))


def test_random_damage_to_a_pickle_never_does_anything_else(small):
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        pickled = file.read("archive/data.pkl")
        records = {key: file.read(f"archive/data/{key}") for key in "01"}
    rng = random.Random(0)
    for _ in range(3000):
        damaged = bytearray(pickled)
        for _ in range(rng.choice([1, 1, 2, 4])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with suppress(*LOAD_ERRORS):
            rl.load(packed(bytes(damaged), records))


def test_attributes_from_a_file_cannot_replace_methods():
    tensor = rl.ones(2)
    tensor.tag = 1
    data = saved(tensor).getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        pickled = file.read("archive/data.pkl").replace(
            b"\x03\x00\x00\x00tag", b"\x03\x00\x00\x00add"
        )
        records = {"0": file.read("archive/data/0")}
    with pytest.raises(pickle.UnpicklingError, match="attribute 'add'"):
        rl.load(packed(pickled, records))


def test_pytorch_parts_that_do_not_exist_here_say_what_to_do():
    for name, message in [
        (b"torch._utils\n_rebuild_sparse_tensor", "three or four parts"),
        (b"torch._utils\n_rebuild_tensor_v3", "dtype"),
        (b"torch.nn.modules.linear\nLinear", "state_dict"),
        (b"torch\nQInt8Storage", "no counterpart"),
    ]:
        with pytest.raises(pickle.UnpicklingError, match=message):
            rl.load(packed(b"\x80\x02c" + name + b"\n)R."))


# ---- what the caller allows


class Config:
    def __init__(self, width):
        self.width = width


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


@pytest.fixture
def nothing_allowed():
    clear_safe_globals()
    yield
    clear_safe_globals()


@pytest.mark.usefixtures("nothing_allowed")
def test_allowed_classes_are_loaded():
    file = saved({"config": Config(3), "slotted": Slotted(4)})
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        rl.load(file)
    with safe_globals([Config, Slotted, object]):
        with pytest.raises(pickle.UnpicklingError, match="copyreg"):
            rl.load(saved(Runs(__import__("copyreg")._reconstructor, Config, object, None)))
        loaded = rl.load(file)
    assert (loaded["config"].width, loaded["slotted"].value) == (3, 4)
    assert get_safe_globals() == []
    add_safe_globals([(Config, f"{Config.__module__}.Config")])
    assert rl.load(saved(Config(5))).width == 5


@pytest.mark.usefixtures("nothing_allowed")
def test_some_modules_cannot_be_allowed():
    add_safe_globals([os.getcwd])
    with pytest.raises(pickle.UnpicklingError, match="never handed"):
        rl.load(saved(Runs(os.getcwd)))


def test_weights_only_false_runs_everything():
    loaded = rl.load(saved({"config": Config(3), "t": rl.ones(2)}), weights_only=False)
    assert loaded["config"].width == 3
    assert loaded["t"].tolist() == [1.0, 1.0]
    assert rl.load(saved(Runs(os.getcwd)), weights_only=False) == os.getcwd()


def test_options_of_the_unpickler_warn_where_they_do_nothing():
    with pytest.warns(UserWarning, match="encoding"):
        rl.load(saved(1), encoding="latin1")


# ---- devices and byte order


def on_cuda():
    return packed(tensor_pickle().replace(b"U\x03cpu", b"U\x06cuda:0"), FIVE)


def test_tensors_of_other_devices_need_a_map_location():
    with pytest.raises(RuntimeError, match=r"cuda:0.*map_location"):
        rl.load(on_cuda())
    for place in ("cpu", rl.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert rl.load(on_cuda(), map_location=place).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    for place in ("cuda", {"cuda:0": "cuda:1"}, lambda storage, location: None):
        with pytest.raises(RuntimeError, match="cuda"):
            rl.load(on_cuda(), map_location=place)


def test_files_of_the_other_byte_order():
    records = {"0": struct.pack(">5f", *range(5))}
    file = packed(tensor_pickle(), records, byteorder=b"big")
    assert rl.load(file).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="byte order"):
        rl.load(packed(tensor_pickle(), FIVE, byteorder=b"middle"))
    with pytest.raises(pickle.UnpicklingError, match="byte order"):
        rl.load(packed(typed_pickle(), BYTES, byteorder=b"big"))
