"""Bytes on disk: the wheel, and a fresh virtual environment with it and all that it requires."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT

# Sums the files of a distribution and of everything that it requires, and names the large ones.
CLOSURE = """
import json, re, sys
from importlib import metadata
from pathlib import Path
todo, sizes = [sys.argv[1]], {}
while todo:
    name = re.sub("[-_.]+", "-", todo.pop()).lower()
    if name in sizes:
        continue
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue
    paths = (Path(distribution.locate_file(f)) for f in distribution.files or ())
    sizes[name] = sum(path.stat().st_size for path in paths if path.is_file())
    for line in distribution.requires or ():
        if "extra ==" not in line:
            todo.append(re.match("[A-Za-z0-9._-]+", line)[0])
print(json.dumps(sizes))
"""


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def of_rushlight(wheel: Path | None) -> dict[str, Any]:
    """Builds a wheel, if none is given, and installs it into an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
            _run(*pip, "--wheel-dir", folder, ROOT)
            wheel = next(Path(folder).glob("rushlight-*.whl"))
        venv = Path(folder, "venv")
        _run(sys.executable, "-m", "venv", venv)
        python = venv / "bin" / "python"
        bare = _size(venv)
        _run(python, "-m", "pip", "install", "--quiet", wheel)
        return {
            "wheel": wheel.stat().st_size,
            "venv": _size(venv),
            "venv_before": bare,
            "packages": packages(str(python), "rushlight"),
        }


def packages(python: str, name: str) -> dict[str, int]:
    """Bytes of `name` and of each package that it requires, as installed for `python`."""
    done = subprocess.run(
        [python, "-c", CLOSURE, name], capture_output=True, text=True, check=True, cwd="/"
    )
    return json.loads(done.stdout)
