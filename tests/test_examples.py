"""The examples run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rushlight

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


# ---- the others in short form; `approx` marks what PyTorch prints for the same seed


def number(text: str, pattern: str) -> float:
    """The last number that is printed in the place of {} in `pattern`."""
    found = re.findall(re.escape(pattern).replace(r"\{\}", r"(-?[\d.]+(?:e-?\d+)?)"), text)
    assert found, f"no {pattern!r} in\n{text}"
    return float(found[-1])


def needs(*modules: str) -> None:
    for module in modules:
        pytest.importorskip(module, reason="this example needs the 'examples' extra")


def is_plot(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_digits_cnn(tmp_path: Path) -> None:
    needs("sklearn")
    text = run("digits_cnn.py", "--epochs", 5, "--save", "digits.pt", cwd=tmp_path)
    assert number(text, "epoch  1   loss {} ") == pytest.approx(2.1918, rel=1e-3)
    assert number(text, "test accuracy {}%") >= 94
    state = rushlight.load(tmp_path / "digits.pt")
    assert state["conv2.weight"].shape == (32, 16, 3, 3)
    assert state["norm1.num_batches_tracked"] == 5 * 23


def test_char_lstm(tmp_path: Path) -> None:
    text = run("char_lstm.py", "--steps", 80, "--batch-size", 16, "--length", 40, cwd=tmp_path)
    assert number(text, "step   80   loss {} ") < 3  # of 4.6 where it knows nothing
    assert number(text, "test loss {},") < 3
    assert "\nThe " in text  # what it wrote


def test_char_gpt(tmp_path: Path) -> None:
    text = run("char_gpt.py", "--steps", 60, "--batch-size", 8, "--length", 20, cwd=tmp_path)
    assert number(text, "step    1   loss {} ") == pytest.approx(4.6, abs=0.4)  # knows nothing yet
    assert number(text, "val loss {}") < 3
    assert "\nThe " in text


def test_vae(tmp_path: Path) -> None:
    needs("sklearn", "tqdm", "matplotlib")
    text = run("vae.py", "--epochs", 6, cwd=tmp_path)
    assert number(text, "training loss {} ") == pytest.approx(26.673, rel=1e-3)
    assert number(text, "test loss {},") == pytest.approx(25.998, rel=1e-3)
    assert is_plot(tmp_path / "vae.png")


def test_dcgan(tmp_path: Path) -> None:
    needs("sklearn", "tqdm", "matplotlib")
    text = run("dcgan.py", "--epochs", 1, cwd=tmp_path)
    # One bit of a first weight moves these numbers by up to 0.7 %.
    assert number(text, "loss of D {},") == pytest.approx(1.497, rel=1e-2)
    assert number(text, "of G {};") == pytest.approx(1.094, rel=1e-2)
    assert is_plot(tmp_path / "dcgan.png")


def test_reinforce(tmp_path: Path) -> None:
    needs("gymnasium")
    text = run("reinforce.py", "--episodes", 60, cwd=tmp_path)
    assert number(text, "episode  10   loss {} ") == pytest.approx(0.9835, rel=1e-3)
    assert number(text, "stays up for {} steps") > 20


def test_dqn(tmp_path: Path) -> None:
    needs("gymnasium")
    text = run("dqn.py", "--episodes", 30, cwd=tmp_path)
    assert number(text, "episode  10   loss {} ") == pytest.approx(0.01047, rel=1e-3)
    assert number(text, "steps, {} on average") > 7  # it only begins


def test_lbfgs(tmp_path: Path) -> None:
    needs("sklearn")
    text = run("lbfgs.py", cwd=tmp_path)
    losses = [float(loss) for loss in re.findall(r"at its start (\S+)", text)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(1.08222856, abs=1e-7)
    assert number(text, "explains {} of") == pytest.approx(0.4915, abs=2e-4)
    assert number(text, "a straight line {}") == pytest.approx(0.4894, abs=2e-4)


def test_burgers(tmp_path: Path) -> None:
    needs("matplotlib")
    text = run("burgers.py", "--steps", 250, "--polish", 100, cwd=tmp_path)
    assert number(text, "step  100   loss {}") == pytest.approx(0.319193, rel=1e-3)
    assert number(text, "exact solution {}%") < 3
    assert is_plot(tmp_path / "burgers.png")


def test_sparsemax(tmp_path: Path) -> None:
    needs("sklearn")
    text = run("sparsemax.py", "--steps", 75, cwd=tmp_path)
    assert "gradcheck and gradgradcheck: True" in text
    assert number(text, "step  75   loss {}") == pytest.approx(0.06361, rel=1e-3)
    assert number(text, "test accuracy {}%") > 93


def test_karate(tmp_path: Path) -> None:
    text = run("karate.py", cwd=tmp_path)
    assert number(text, "step   1   loss {}") == pytest.approx(0.6923, rel=1e-3)
    assert number(text, "right for {} of the 32") >= 30


def test_sunspots(tmp_path: Path) -> None:
    needs("matplotlib")
    text = run("sunspots.py", "--epochs", 100, cwd=tmp_path)
    assert number(text, "epoch 100   loss {}") == pytest.approx(0.004953, rel=1e-3)
    assert number(text, "off by {} spots") < 18
    assert number(text, "'as last year' is off by {}") == pytest.approx(30.1)
    assert is_plot(tmp_path / "sunspots.png")
