"""Damaged and hostile files, and saves that are killed: `mutations.py` and `killed_saves.py`.

Short here; RUSHLIGHT_LONG_TESTS=1 runs 10,000 files and 200 kills.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rushlight as rl
from rushlight.io import verify

HERE = Path(__file__).parent
LONG = os.environ.get("RUSHLIGHT_LONG_TESTS", "") not in ("", "0")


def run(name, *arguments):
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_mutated_files():
    count = 10_000 if LONG else 500
    text = run("mutations.py", "--count", count)
    assert f"{count} files, 0 failures" in text
    assert len(re.findall("Error", text)) >= 10, "the changes do nothing"


def test_killed_saves():
    assert "none lost" in run("killed_saves.py", "--kills", 200 if LONG else 20)


# ---- mapped files


def test_verify_reads_what_a_mapped_load_leaves(tmp_path):
    path = tmp_path / "a.pt"
    rl.save({"weight": rl.arange(100.0)}, path)
    verify(path)
    verify(io.BytesIO(path.read_bytes()))
    data = bytearray(path.read_bytes())
    data[data.index(rl.arange(100.0).numpy().tobytes()) + 6] ^= 1
    path.write_bytes(data)
    assert rl.load(path, mmap=True)["weight"].shape == (100,)
    with pytest.raises(RuntimeError, match=r"record 'a/data/0' does not match its checksum"):
        verify(path)
    path.write_bytes(data[:-30])
    with pytest.raises(RuntimeError, match="truncated"):
        verify(path)
    path.write_bytes(b"")
    with pytest.raises(EOFError):
        verify(path)


# ---- other packages


def test_safetensors(tmp_path):
    """Through its own library: `safetensors.torch` imports torch, which `rushlight run` gives."""
    pytest.importorskip("safetensors", reason="needs the 'safetensors' extra")
    script = tmp_path / "script.py"
    script.write_text(SAFETENSORS)
    command = [sys.executable, "-m", "rushlight", "run", str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "rushlight True True True True (set(), []) tensor([[0., 1., 2.]])\n"
    from safetensors.numpy import load_file

    assert load_file(tmp_path / "x.safetensors")["a"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


SAFETENSORS = """
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model

kinds = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16]
kinds += [torch.int8, torch.uint8, torch.bool, torch.uint16, torch.uint32, torch.uint64]
tensors = {str(kind): torch.arange(7).to(kind) for kind in kinds}
tensors["a"], tensors["empty"] = torch.arange(6.0).reshape(2, 3), torch.zeros(0, 3)
save_file(tensors, "x.safetensors", metadata={"by": "a test"})

def same(others):
    return all(torch.equal(tensors[name], other) for name, other in others.items())

half = {"half": torch.rand(5).bfloat16()}
print(torch.nn.Linear.__module__.split(".")[0], end=" ")
print(same(load_file("x.safetensors")), same(load(save(tensors))), end=" ")
print(torch.equal(load(save(half))["half"], half["half"]), end=" ")
one, other = torch.nn.LSTM(3, 4), torch.nn.LSTM(3, 4)
save_model(one, "m.safetensors")
missing = load_model(other, "m.safetensors")
pairs = zip(one.parameters(), other.parameters())
print(all(torch.equal(p, q) for p, q in pairs), missing, end=" ")
with safe_open("x.safetensors", framework="pt", device="cpu") as file:
    assert file.metadata() == {"by": "a test"}
    print(file.get_slice("a")[0:1])
"""
