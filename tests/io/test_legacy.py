"""The format before PyTorch 1.6: round trips, what PyTorch wrote, damage and malice."""

import base64
import io
import os
import pickle
import zlib
from collections import OrderedDict
from importlib import import_module

import pytest

import rushlight as rl
from rushlight.as_torch import own_name
from rushlight.io import verify


def saved(obj, **options):
    file = io.BytesIO()
    rl.save(obj, file, _use_new_zipfile_serialization=False, **options)
    return file.getvalue()


@pytest.fixture(params=["restricted", "trusting"])
def weights_only(request):
    return request.param == "restricted"


@pytest.mark.parametrize("protocol", [2, 4])
def test_round_trip(tmp_path, weights_only, protocol):
    base = rl.arange(12)
    parameter = rl.nn.Parameter(rl.ones(2))
    parameter.tag = "x"
    kinds = ["bool", "uint8", "int16", "uint32", "float16", "bfloat16", "float64", "complex64"]
    given = {
        "kinds": [rl.arange(3).to(getattr(rl, kind)) for kind in kinds],
        "views": [base[2:5], base.reshape(3, 4).t(), base],
        "empty": rl.zeros(0, 3),
        "sparse": rl.eye(2).to_sparse(),
        "conj": rl.tensor([1 + 2j]).conj(),
        "parameter": parameter,
        "state": rl.nn.Linear(2, 1).state_dict(),
        "plain": [1, "é", None, (2.5, {3})],
    }
    path = tmp_path / "a.pt"
    path.write_bytes(saved(given, pickle_protocol=protocol))
    with open(path, "rb") as opened:
        sources = [path, opened, io.BytesIO(path.read_bytes())]
        for source in sources:
            loaded = rl.load(source, weights_only=weights_only)
            assert str(loaded) == str(given)
            assert [item.dtype for item in loaded["kinds"]] == [t.dtype for t in given["kinds"]]
            assert loaded["views"][1].stride() == (1, 4)
            assert loaded["parameter"].tag == "x" and loaded["parameter"].requires_grad
            loaded["views"][2].fill_(7)
            assert loaded["views"][0].tolist() == [7, 7, 7]


def test_whole_modules():
    loaded = rl.load(io.BytesIO(saved(rl.nn.Linear(3, 2))), weights_only=False)
    assert repr(loaded) == "Linear(in_features=3, out_features=2, bias=True)"
    with pytest.raises(pickle.UnpicklingError, match="a whole module"):
        rl.load(io.BytesIO(saved(rl.nn.Linear(3, 2))))


def test_what_pytorch_wrote(weights_only):
    loaded = rl.load(io.BytesIO(_data(LEGACY)), weights_only=weights_only)
    assert loaded["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and loaded["n"].tolist() == [1, -2]
    loaded["a"][1] = 9
    assert loaded["row"].tolist() == [9, 9, 9]


def test_plain_pickles_of_pytorch():
    """Of `pickle.dumps`: what they name is there under the names of torch."""

    class AsTorch(pickle.Unpickler):
        def find_class(self, module, name):
            return getattr(import_module(own_name(module) or module), name)

    tensor, parameter = AsTorch(io.BytesIO(_data(PLAIN))).load()
    assert tensor.tolist() == [[0, 1, 2], [3, 4, 5]] and tensor.is_leaf
    assert isinstance(parameter, rl.nn.Parameter) and not parameter.requires_grad


def test_locations():
    data = saved(rl.ones(2))
    seen = []
    rl.load(io.BytesIO(data), map_location=lambda flat, where: seen.append((flat.tolist(), where)))
    assert seen == [([1, 1], "cpu")]
    elsewhere = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert rl.load(io.BytesIO(elsewhere), map_location="cpu").tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="map_location"):
        rl.load(io.BytesIO(elsewhere))


def test_what_it_cannot_do(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(saved([1]))
    with pytest.raises(RuntimeError, match="not aligned"):
        rl.load(path, mmap=True)
    with pytest.raises(pickle.UnpicklingError, match="no checksums"):
        verify(path)


def test_truncation_and_flipped_bits():
    data = saved({"a": rl.arange(5.0), "b": [rl.ones(2, 2), "text"]})
    for length in range(32, len(data)):
        with pytest.raises(pickle.UnpicklingError):
            rl.load(io.BytesIO(data[:length]))
    for place in range(20, len(data)):
        for bit in (0x01, 0x80):
            changed = bytearray(data)
            changed[place] ^= bit
            try:  # without checksums, another value is possible
                rl.load(io.BytesIO(changed))
            except (pickle.UnpicklingError, RuntimeError) as error:
                assert "load" in str(error) or "pickle" in str(error)


def test_a_storage_larger_than_the_file():
    data = saved(rl.zeros(3))
    where = data.index(b"cpu") + 3
    assert b"K\x03" in data[where : where + 8]
    changed = data[:where] + data[where:].replace(b"K\x03", b"J\xff\xff\xff\x7f", 1)
    with pytest.raises(pickle.UnpicklingError, match="ends within storage"):
        rl.load(io.BytesIO(changed))


def test_nothing_is_run(tmp_path):
    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        rl.load(io.BytesIO(saved(OrderedDict(a=rl.ones(1), b=Runs()))))
    assert not (tmp_path / "made").exists()


# ---- what PyTorch 2.13 wrote, compressed with zlib


def _data(text):
    return zlib.decompress(base64.b64decode(text))


# of torch.save with _use_new_zipfile_serialization=False
LEGACY = (
    "eNptkEtPwkAQx9ttAV3F9wtf8YgXQgQhnvRgvKwv8NKLabBsaE3TZbZbjCYmXCDqZ/Dg0a/mRzAx6pTi48Cks02ns7"
    "/5/6dLnqj/8Xz0vnX9ep4rdMnJm4HnPWh5a0bTtLYUSjjCtztchp4IQMcGK4t/fE8pn9s8aHqNAMiDRbGobtvcDr07"
    "HoJxD2beSmExdIVUkGLEMvDLCxSkmWmZMUMELcgwM4p+ZupYbYDuKCEdt2BHyvNDakt+FXl+01Y8CIW0OzsUSD5vZW"
    "I4djZaHIzkCj3yRUNdJEUKpjWFPXvl3WKlVKqWyruVYhFSAx1OO0Id6VMFmRrTGGFGH8aYwfQ+jD86aNnnjkLHIT2T"
    "TS5589BzFAW6XYcJBZN1yA4wUtzAlItqXMMdOW3aTabM1BBu9GCW6T2Ye3Rj0LyChTosDlwHsJRghkaOcTe/Ppb/yD"
    "uY1b2YvIJkguTcQH8PVmPyWkJeV7BRh814r5fxXkdc10epJbxAtCT04fvzK4m09j+6+3gc4IPZxXw5+AY3VZn+"
)

# of pickle.dumps, protocol 2
PLAIN = (
    "eNrdUctuEzEUnVeSYmhpy7M8JCQ2YROFpg91RRaoG4vXsPEGWVOP6QyajnNsp1KRKmWTQPkGFizhE5BYTX4MWwHxUP"
    "kBLPva9/ro2uecSfQKQVdYpUXR42NbVoZwLQ/GZZVzK2ujND/eJAh/YozbskNJeKWynL/W6ogfnFhpCCLBhcqlMETW"
    "/kAQs/thEDSTqPlAqvm35uP+/Ou9N83n5xs9V3wy/xL7/dR9gK0GQTDSyiqhKn4stSlVjdBD2LK7qkprK8llnZdZja"
    "h5z4ir2pOR5KZ8Kw3iUyRd1nJFUyht0aIRi11W1hZtmrDEN1H1ITo0GY/9s13W8egFHQQLemTf0bIvf3BEyFYcZm9r"
    "u78zGOwOtrZ3+n0sGovRGDFtP7VIXvh2TsbzwGHWawe/j2byyMWhm0Of+PBpiIR5VJXZsn6I1gztFJ0pllJcoAGNaD"
    "wDoTENZ7h4JpxClRTWCWTIM51LLfPHpbAElx6kWLZYSXH5H4aOMp0dSSs1wWoRdouoiNn6f2PRplu7e39bFJ1v0S+w"
    "syj60x4XsFY4G9ZTXJniaopr3oYprtNwihtnhVf6psVGiluL5PY73ElxV/a+A8xU+M4="
)
