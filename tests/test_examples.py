"""The examples run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def values(text: str, label: str) -> list[list[float]]:
    """The numbers of each tensor printed after `label`, in order of appearance."""
    printed = re.findall(rf"^{re.escape(label)} = tensor\((.*?)\)$", text, re.S | re.M)
    return [[float(n) for n in re.findall(r"-?\d+\.\d+", tensor)] for tensor in printed]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_first_line_is_the_import(path: Path) -> None:
    assert path.read_text().startswith("import rushlight as torch\n")


def test_seed(tmp_path: Path) -> None:
    text = run("seed.py", cwd=tmp_path)
    before, _, after = text.partition("backward() fills them")
    assert before.count(".grad = None") == 2
    assert after.count(".grad = None") == 2  # after zero_grad()
    for label, count in (("weight.grad", 10), ("bias.grad", 2)):
        first, doubled = values(text, label)[:2]
        assert len(first) == count
        assert doubled == pytest.approx([2 * value for value in first], abs=1.1e-4)
    # What PyTorch prints for this seed.
    assert values(text, "inputs") == [[1.5410, -0.2934, -2.1788, 0.5684, -1.0845]]
    assert values(text, "bias.grad")[0] == [-0.4043, 0.4043]
    losses = [float(loss) for loss in re.findall(r"step +\d+ +loss (\S+)", text)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.1
    assert "right 64 of 64" in text


def test_digits(tmp_path: Path) -> None:
    for module in ("sklearn", "tqdm", "matplotlib"):
        pytest.importorskip(module, reason="the digits need the 'demo' extra")
    text = run("digits.py", cwd=tmp_path)
    reached = re.search(r"test accuracy (\S+)%", text)
    assert reached and float(reached[1]) >= 97
    assert re.search(r"\d+ steps per second", text)
    assert (tmp_path / "digits-loss.png").read_bytes().startswith(b"\x89PNG")


def test_resume(tmp_path: Path) -> None:
    whole = run("resume.py", "--file", "whole.pt", cwd=tmp_path)
    stopped = subprocess.run(
        [sys.executable, str(EXAMPLES / "resume.py"), "--stop-at", "37"], cwd=tmp_path, check=False
    )
    assert stopped.returncode == 1
    text = run("resume.py", cwd=tmp_path)
    assert text.startswith("from step 30\n")
    assert text.splitlines()[1:] == whole.splitlines()[4:]
    assert re.search(r"^weights \w{16}$", text, re.M)
