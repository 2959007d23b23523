"""What the parity tools count, against tests/parity/floors.json: figures that may only rise.

The tools are in ../shared/parity, or where RUSHLIGHT_PARITY says. A figure above its floor is
printed (pytest -s); with RUSHLIGHT_RAISE_FLOORS=1 it becomes the floor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is what the tools compare with")

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("RUSHLIGHT_PARITY", ROOT.parent / "shared" / "parity"))
FILE = Path(__file__).with_name("floors.json")
FLOORS = json.loads(FILE.read_text())

if not (TOOLS / "ops.py").is_file():
    pytest.skip(f"the parity tools are not at {TOOLS}", allow_module_level=True)


def label_of(row: dict[str, Any]) -> str:
    return row.get("label") or " ".join(row[k] for k in ("module", "name", "case") if k in row)


def figures(report: dict[str, Any], unsteady: list[str]) -> dict[str, int]:
    """The counts of a report; what hangs on the rounding of this machine's LAPACK is left out."""
    if "names" in report:
        spaces = report["names"].values()
        return {
            "names": sum(len(space["present"]) for space in spaces),
            "signatures": sum(space["compared"] - len(space["signatures"]) for space in spaces),
        }
    rows = report.get("entries") or report.get("modules") or report["cases"]
    steady = [row for row in rows if label_of(row) not in unsteady]
    found = {"passed": sum(row["status"] == "pass" for row in steady)}
    if "modules" in report:
        found["repr"] = sum(row["checks"]["repr"][0] for row in steady)
    if any(row.get("errors") for row in steady):
        found["errors"] = sum(row["errors_raised"] for row in steady)
    return found


@pytest.mark.parametrize("command", FLOORS["floors"])
def test_floor(command: str, tmp_path: Path) -> None:
    tool, *options = command.split()
    path = tmp_path / "report.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, str(TOOLS / tool), "--module", "rushlight", *options, "--json", str(path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert path.is_file(), f"{command} gave no report:\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
    report = json.loads(path.read_text())
    found = figures(report, FLOORS["unsteady"])
    floors = FLOORS["floors"][command]
    for figure, count in found.items():
        if count > floors.get(figure, 0):
            print(f"\n{command}: {figure} {count}, floor {floors.get(figure, 0)}: raise it")
    below = {f: (found.get(f, 0), floor) for f, floor in floors.items() if found.get(f, 0) < floor}
    assert not below, f"{command}: (found, floor) {below}\n{run.stdout[-3000:]}"
    if os.environ.get("RUSHLIGHT_RAISE_FLOORS"):
        FLOORS["floors"][command] = found
        FILE.write_text(json.dumps(FLOORS, indent=2) + "\n")
