"""The command line: python -m benchmarks --help"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import footprint, imports, machine, peaks, report, side_by_side
from benchmarks.peers import TITLES
from benchmarks.sweeps import SWEEPS
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
        "--peers", nargs="+", choices=list(TITLES), metavar="PEER",
        help=f"of {', '.join(TITLES)} (default: all; for --sweep rushlight alone)",
    )  # fmt: skip
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PATH",
        help="the interpreter that has torch and jax (default: this one)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--rounds", type=int, default=9, help="timed turns of each peer")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a turn")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a first step")
    parser.add_argument(
        "--sweep", nargs="+", choices=list(SWEEPS), metavar="AXIS",
        help=f"one size varied, instead of the table: of {', '.join(SWEEPS)}",
    )  # fmt: skip
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="what --sweep measures; cpu, with --threads 1, for a machine that is not calm",
    )  # fmt: skip
    parser.add_argument("--footprint", action="store_true", help="sizes on disk, instead of times")
    parser.add_argument("--wheel", type=Path, help="for --footprint; built where not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything measured")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="a chart of the ratios")
    options = parser.parse_args()
    if options.peers is None:
        options.peers = ["rushlight"] if options.sweep else list(TITLES)
    if options.plot and (options.sweep or options.footprint or "rushlight" not in options.peers):
        parser.error("--plot shows ratios to peers: not with --sweep, --footprint")
    if options.sweep and not {"torch", "compile", "rushlight"}.issuperset(options.peers):
        parser.error("--sweep has rushlight, torch and compile as peers")
    return options


def show_steps(measured: dict[str, Any], peers: list[str], peak: dict[str, Any]) -> None:
    titles = {name: f"{name}: {WORKLOADS[name].title}" for name in measured}
    sections: list[tuple[str, str, Callable[[float], str]]] = [
        ("One step, median", "step", report.duration),
        ("The first step, with compilation", "first", report.duration),
        ("Peak memory of the process", "peak", report.megabytes),
    ]
    base = TITLES[report.base_of(peers)]
    column = report.share_column(measured, report.base_of(peers), peak) if peak else None
    for title, key, show in sections:
        print(f"\n{title} (in brackets: times that of {base})\n")
        last = column if key == "step" else None
        print(report.compare(measured, titles, peers, key, show, last))
    for heading, lines in (
        ("Failed", report.failures(measured)),
        ("Goals", report.goals(measured, peak)),
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


def show_sweep(axis: str, measured: list[dict[str, Any]], peers: list[str]) -> None:
    own = SWEEPS[axis]
    print(f"\n{own.title}: a CLIFF is cost that grows {own.factor} times as much as the work\n")
    print(report.sweep(axis, measured, peers))
    failed = {point["label"]: point["peers"] for point in measured}
    print("".join(f"\n* {line}" for line in report.failures(failed)))
    sys.stdout.flush()


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


def say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def run_sweeps(options: argparse.Namespace, pythons: dict[str, str]) -> dict[str, Any]:
    found = {}
    for axis in options.sweep:
        points = side_by_side.sweep(
            axis, pythons, threads=options.threads, clock=options.clock, say=say
        )
        found[axis] = {"clock": options.clock, "factor": SWEEPS[axis].factor, "points": points}
        show_sweep(axis, points, options.peers)
    return found


def run_footprint(options: argparse.Namespace, pythons: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"rushlight": footprint.of_rushlight(options.wheel)}
    for peer in (peer for peer in ("torch", "jax") if peer in pythons):
        if sizes := footprint.packages(pythons[peer], peer):
            found[peer] = {"packages": sizes}
    show_footprint(found)
    return found


def run_table(
    options: argparse.Namespace, pythons: dict[str, str], results: dict[str, Any]
) -> None:
    """Fills `results` and shows them."""
    names = options.only or [*WORKLOADS, "import"]
    peak: dict[str, Any] = {}
    if names != ["import"]:
        say("what the machine can do")
        libraries = dict.fromkeys(peaks.LIBRARIES, sys.executable)
        peak = results["peaks"] = peaks.measure(libraries, options.threads)
        if peak:
            print(f"\n{report.peaks(peak)}\n", flush=True)
    steps: dict[str, Any] = {}
    for name in names:
        say(name)
        if name == "import":
            results["import"] = imports.measure(pythons, options.threads, options.rounds)
            continue
        found = steps[name] = side_by_side.measure(
            name,
            pythons,
            threads=options.threads,
            rounds=options.rounds,
            round_seconds=options.seconds,
            first_step_limit=options.limit,
        )
        for result in found.values():
            result["shares"] = report.shares(name, result, peak)
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
        show_steps(steps, options.peers, peak)
        if options.plot:
            from benchmarks import plot

            plot.ratios(steps, options.peers, options.plot)
    if "import" in results:
        show_imports(results["import"], options.peers)


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
        results["footprint"] = run_footprint(options, pythons)
        save(results, options.json)
        return 0
    rounds = "" if options.sweep else f", {options.rounds} rounds of {options.seconds} s"
    print(f"{options.threads} threads{rounds}")
    if machine.is_busy() and not (options.sweep and options.clock == "cpu"):
        print("WARNING: other work runs on this machine; its times and ratios are worth little")
    sys.stdout.flush()
    if options.sweep:
        results["sweeps"] = run_sweeps(options, pythons)
    else:
        run_table(options, pythons, results)
    save(results, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
