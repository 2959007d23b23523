"""The code in README.md and docs/ runs, and prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_CODE = {page.name: re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.S | re.M)
             for page in PAGES}  # fmt: skip


def test_there_is_code() -> None:
    assert WITH_CODE["README.md"] and WITH_CODE["autograd.md"] and WITH_CODE["index.md"]


@pytest.mark.parametrize("page", [name for name, blocks in WITH_CODE.items() if blocks])
def test_code(page: str, tmp_path: Path) -> None:
    """A page's blocks follow each other in one program. A comment behind a print is its output."""
    code = "\n".join(WITH_CODE[page])
    if "from scipy" in code:  # older ones, of Python 3.10, ask for the namespace in fewer places
        pytest.importorskip("scipy", minversion="1.16")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "RUSHLIGHT_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.M)
    assert done.stdout.splitlines() == promised
