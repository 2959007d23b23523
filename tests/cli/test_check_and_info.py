"""`rushlight check` and `rushlight info`."""

from __future__ import annotations

import ast
import sys

import pytest

import rushlight
from rushlight.cli import main
from rushlight.cli.check import _absent, _Reader

SCRIPT = '''\
import torch, torch.nn as nn
import torch.nn.functional as F
from torch import optim as O
from torch.utils.data import DataLoader, Nope
import torchvision
import torch.distributed as dist

f = F
x = f.relu(torch.zeros(3))
y = f.nope(x)
nn.functional.linear.__name__
torch.onnx.export(x)
torch.float32.is_floating_point


class Model(nn.Module):
    def layer(self):
        return nn.Linear(3, 3), nn.NoLayer()


if dist.is_available():
    dist.no_such_function("gloo")
try:
    from torch._six import string_classes
except ImportError:
    pass
O.SGD, O.lr_scheduler.StepLR, O.Nothing, torch.Tensor.nothing
x.rename("N")
other.nn.Missing
'''


def test_missing_names_with_their_lines(tmp_path, capsys):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    assert main(["check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    found = {tuple(line[len(str(path)) + 1 :].split(": ", 1)) for line in lines[:-1]}
    missing = {(number, text.split(" ")[0]) for number, text in found if "note" not in text}
    assert missing == {
        ("4", "torch.utils.data.Nope"),
        ("10", "torch.nn.functional.nope"),
        ("12", "torch.onnx.export"),
        ("18", "torch.nn.NoLayer"),
        ("27", "torch.optim.Nothing"),
        ("27", "torch.Tensor.nothing"),
    }
    notes = {number for number, text in found if text.startswith("note")}
    assert notes == {"5", "22", "24", "28"}
    assert lines[-1].endswith("6 missing")


def test_all_lists_what_is_used(tmp_path, capsys):
    (tmp_path / "a.py").write_text("from torch import nn\nnn.Linear(1, 2)\nnn.Linear(2, 1)\n")
    (tmp_path / "b.py").write_text("print('no torch here')\n")
    assert main(["check", "--all", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "torch.nn.Linear: line 2, 3" in out and "0 missing" in out and "b.py" not in out


def test_files_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "wrong.py").write_text("x = (")
    assert main(["check", str(tmp_path / "wrong.py")]) == 2
    assert main(["check", str(tmp_path / "nowhere.py")]) == 2
    assert capsys.readouterr().err.count("cannot be read") == 2
    assert main(["check"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import torch as t; t.nn.Linear", {"torch.nn.Linear"}),
        ("import torch.nn; torch.nn.Linear", {"torch.nn", "torch.nn.Linear"}),
        ("from torch.nn import Linear as L; L(1, 2)", {"torch.nn.Linear"}),
        ("import torch; a = torch.nn; a.Linear", {"torch.nn", "torch.nn.Linear"}),
        ("from torch.nn import *\nLinear.x", {"torch.nn", "torch.nn.Linear.x"}),
        ("from .torch import nn; nn.Linear", set()),
        ("torch = 3; torch.nn", set()),
    ],
)
def test_names_are_followed(code, names):
    reader = _Reader()
    reader.visit(ast.parse(code))
    assert {use.name for use in reader.uses} - {"torch"} >= names
    if not names:
        assert not reader.uses


def test_names_that_are_there():
    for name in ("torch.nn.Linear.forward", "torch.float32.itemsize", "torch.zeros.anything"):
        assert _absent(name) is None
    assert _absent("torch.nn.modules.nothing.here") == "torch.nn.modules.nothing"


@pytest.mark.parametrize(
    "code",
    [
        "import torch.utils.data; torch.utils.data._utils.collate.default_collate",
        "from torch.nn.attention import SDPBackend",
        "import torch; torch.nn.attention.SDPBackend",
        "from torch.serialization import safe_globals",
        "import torch; torch.Tensor.of_mine = 1; torch.Tensor.of_mine",
        "from torch.utils.tensorboard import SummaryWriter",
    ],
)
def test_no_false_alarms(code, tmp_path, capsys, monkeypatch):
    # As where the extra is not installed.
    monkeypatch.delitem(sys.modules, "rushlight.utils.tensorboard", raising=False)
    monkeypatch.delitem(vars(rushlight.utils), "tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    (tmp_path / "a.py").write_text(code)
    assert main(["check", str(tmp_path / "a.py")]) == 0
    assert ", 0 missing" in capsys.readouterr().out


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    rows = {line[:17].strip(): line[17:] for line in out.splitlines()}
    assert rows["rushlight"].startswith(rushlight.version.rushlight)
    assert rows["threads"] == str(rushlight.get_num_threads())
    assert "OpenBLAS" in rows["BLAS"] and "GiB" in rows["memory"]
    assert rows["instruction set"][:2] in ("v2", "v3", "v4", "ge")
