"""The command line: python -m benchmarks --help"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import footprint, imports, machine, report, side_by_side
from benchmarks.peers import TITLES
from benchmarks.workloads import WORKLOADS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times the same training steps on rushlight, PyTorch and JAX, in turns.",
    )
    parser.add_argument(
        "--only", nargs="+", choices=[*WORKLOADS, "import"], metavar="NAME",
        help=f"of {', '.join(WORKLOADS)}, import",
    )  # fmt: skip
    parser.add_argument(
        "--peers", nargs="+", choices=list(TITLES), default=list(TITLES), metavar="PEER",
        help=f"of {', '.join(TITLES)}",
    )  # fmt: skip
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PATH",
        help="the interpreter that has torch and jax (default: this one)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--rounds", type=int, default=9, help="timed turns of each peer")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a turn")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a first step")
    parser.add_argument("--footprint", action="store_true", help="sizes on disk, instead of times")
    parser.add_argument("--wheel", type=Path, help="for --footprint; built where not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything measured")
    return parser.parse_args()


def show_steps(measured: dict[str, Any], peers: list[str]) -> None:
    titles = {name: f"{name}: {WORKLOADS[name].title}" for name in measured}
    sections: list[tuple[str, str, Callable[[float], str]]] = [
        ("One step, median", "step", report.duration),
        ("The first step, with compilation", "first", report.duration),
        ("Peak memory of the process", "peak", report.megabytes),
    ]
    base = TITLES[report.base_of(peers)]
    for title, key, show in sections:
        print(f"\n{title} (in brackets: times that of {base})\n")
        print(report.compare(measured, titles, peers, key, show))
    for heading, lines in (
        ("Failed", report.failures(measured)),
        ("Goals", report.goals(measured)),
    ):
        if lines:
            print(f"\n{heading}\n")
            print("\n".join(f"* {line}" for line in lines))


def show_imports(measured: dict[str, Any], peers: list[str]) -> None:
    shown = [peer for peer in peers if peer in measured]
    base = TITLES[report.base_of(shown)]
    print(f"\nImport, in a fresh interpreter (in brackets: times that of {base})\n")
    rows = {"import": measured}
    print(report.compare(rows, {"import": "time"}, shown, "seconds", report.duration))
    print()
    print(report.compare(rows, {"import": "resident memory"}, shown, "bytes", report.megabytes))


def show_footprint(measured: dict[str, Any]) -> None:
    own = measured["rushlight"]
    print(f"\nwheel: {report.megabytes(own['wheel'])}")
    print(
        f"virtual environment: {report.megabytes(own['venv'])} "
        f"(empty, with pip: {report.megabytes(own['venv_before'])})"
    )
    print("\nInstalled packages with all that they require\n")
    rows = []
    for name, found in measured.items():
        sizes = found["packages"]
        largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
        parts = ", ".join(f"{package} {report.megabytes(sizes[package])}" for package in largest)
        rows.append([name, report.megabytes(sum(sizes.values())), parts])
    print(report.table(["", "size", "largest"], rows))


def save(results: dict[str, Any], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(results, indent=1) + "\n")


def main() -> int:
    options = arguments()
    described = machine.describe()
    results: dict[str, Any] = {"machine": described, "threads": options.threads}
    print(", ".join(f"{key} {value}" for key, value in described.items()))
    pythons = {
        peer: sys.executable if peer == "rushlight" else options.peer_python
        for peer in options.peers
    }
    if options.footprint:
        found = {"rushlight": footprint.of_rushlight(options.wheel)}
        for peer in (peer for peer in ("torch", "jax") if peer in pythons):
            if sizes := footprint.packages(pythons[peer], peer):
                found[peer] = {"packages": sizes}
        results["footprint"] = found
        show_footprint(found)
    else:
        print(f"{options.threads} threads, {options.rounds} rounds of {options.seconds} s")
        if machine.is_busy():
            print("WARNING: other work runs on this machine; its times and ratios are worth little")
        sys.stdout.flush()
        steps: dict[str, Any] = {}
        names = options.only or [*WORKLOADS, "import"]
        for name in names:
            print(f"... {name}", file=sys.stderr, flush=True)
            if name == "import":
                results["import"] = imports.measure(pythons, options.threads, options.rounds)
                continue
            steps[name] = side_by_side.measure(
                name,
                pythons,
                threads=options.threads,
                rounds=options.rounds,
                round_seconds=options.seconds,
                first_step_limit=options.limit,
            )
            save({**results, "steps": steps}, options.json)  # a long run may be interrupted
        if steps:
            results["steps"] = steps
            versions = {
                peer: result["version"]
                for by_peer in steps.values()
                for peer, result in by_peer.items()
                if "version" in result
            }
            print(", ".join(f"{TITLES[peer]} {version}" for peer, version in versions.items()))
            show_steps(steps, options.peers)
        if "import" in results:
            show_imports(results["import"], options.peers)
    save(results, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
