"""Results as Markdown tables that also read well as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers import TITLES
from benchmarks.sweeps import SWEEPS, cliffs
from benchmarks.workloads import WORKLOADS

SHARES = {"gemm": 0.8, "copy": 0.7}  # of the peak that bounds a row, that it should reach
FIRST_STEPS = 20  # medians that a first step may take


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = [("-" * w) if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def duration(seconds: float) -> str:
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    unit = next((name for name, scale in units.items() if seconds >= scale), "ns")
    value = seconds / units[unit]
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e7 else f"{count / 1e6:.0f} MB"


def _cell(
    results: dict[str, Any], peer: str, key: str, show: Callable[[float], str], base: str
) -> str:
    result = results.get(peer, {})
    if "error" in result:
        return "failed"
    if key not in result:
        return "-"
    text = show(result[key])
    own = results.get(base, {}).get(key)
    if peer != base and own:
        text += f" ({result[key] / own:.2f}x)"
    return text


def base_of(peers: Sequence[str]) -> str:
    """The peer that the others are held against."""
    return "rushlight" if "rushlight" in peers else peers[0]


def compare(
    measured: dict[str, dict[str, Any]],
    titles: dict[str, str],
    peers: Sequence[str],
    key: str,
    show: Callable[[float], str],
    last: tuple[str, dict[str, str]] | None = None,
) -> str:
    """One row per workload; in brackets how many times the first peer's value another's is.

    `last` is one more column: its heading, and the cells by name of the workload.
    """
    base = base_of(peers)
    rows = [
        [titles[name], *(_cell(results, peer, key, show, base) for peer in peers)]
        for name, results in measured.items()
    ]
    header = ["", *(TITLES[peer] for peer in peers)]
    if last:
        header.append(last[0])
        for row, name in zip(rows, measured):
            row.append(last[1].get(name, "-"))
    return table(header, rows)


def peaks(found: dict[str, Any]) -> str:
    """What the machine does at best: a row per library, the rates of the products by size."""
    by_library = found["by_library"]
    sizes = next(iter(by_library.values()))["gemm"]
    rows = [
        [
            library,
            *(f"{one['gemm'][size] / 1e9:.0f} GFLOP/s" for size in sizes),
            f"{one['copy'] / 1e9:.1f} GB/s",
        ]
        for library, one in by_library.items()
    ]
    header = ["", *(f"product of {size}x{size}" for size in sizes), "copy of 256 MiB"]
    return table(header, rows)


def shares(name: str, result: dict[str, Any], peak: dict[str, Any]) -> dict[str, float]:
    """Which part of each peak the median step reaches, by the counted FLOPs and bytes."""
    counted = {"gemm": WORKLOADS[name].flops, "copy": WORKLOADS[name].bytes}
    if "step" not in result or not peak:
        return {}
    return {
        kind: amount / result["step"] / peak[kind] for kind, amount in counted.items() if amount
    }


def share_column(
    measured: dict[str, dict[str, Any]], peer: str, peak: dict[str, Any]
) -> tuple[str, dict[str, str]]:
    """The last column of `compare`."""
    cells = {}
    for name, results in measured.items():
        found = shares(name, results.get(peer, {}), peak)
        if found:
            cells[name] = ", ".join(f"{100 * part:.0f} % {kind}" for kind, part in found.items())
    return f"{TITLES[peer]} of the peak", cells


def goals(measured: dict[str, dict[str, Any]], peak: dict[str, Any] | None = None) -> list[str]:
    """What the project aims at beside what was measured, one line each.

    Of first steps and memory only what is missed.
    """
    lines = []
    for name, results in measured.items():
        for peer, least in WORKLOADS[name].goals.items():
            if "step" in results.get("rushlight", {}) and "step" in results.get(peer, {}):
                ratio = results[peer]["step"] / results["rushlight"]["step"]
                verdict = "reached" if ratio >= least else "MISSED"
                lines.append(f"{name}: {ratio:.2f} times {TITLES[peer]}, goal {least:g}: {verdict}")
        own = results.get("rushlight", {})
        bound = WORKLOADS[name].bound
        if bound and bound in (found := shares(name, own, peak or {})):
            verdict = "reached" if found[bound] >= SHARES[bound] else "MISSED"
            lines.append(
                f"{name}: {100 * found[bound]:.0f} % of the {bound} peak, "
                f"goal {100 * SHARES[bound]:.0f} %: {verdict}"
            )
        if "step" in own and own["first"] > FIRST_STEPS * own["step"]:
            took = own["first"] / own["step"]
            lines.append(f"{name}: first step {took:.0f} medians, at most {FIRST_STEPS}: MISSED")
        theirs = results.get("torch", {})
        if "peak" in own and own["peak"] > theirs.get("peak", float("inf")):
            lines.append(
                f"{name}: {megabytes(own['peak'])} of memory, "
                f"{TITLES['torch']} {megabytes(theirs['peak'])}: MISSED"
            )
    return lines


def sweep(axis: str, measured: list[dict[str, Any]], peers: Sequence[str]) -> str:
    """A row per point: the step, the step per unit of work, and where the cost outgrows it."""
    own = SWEEPS[axis]
    header = ["", *(TITLES[peer] for peer in peers)]
    header += [f"{TITLES[peer]} per {own.unit}" for peer in peers]
    flags = {id(point): found for point, found in flagged(axis, measured, base_of(peers))}
    rows = []
    for point in measured:
        found = [point["peers"].get(peer, {}) for peer in peers]
        steps = [one.get("step") for one in found]
        row = [point["label"]]
        row += [
            "failed" if "error" in one else duration(step) if step else "-"
            for one, step in zip(found, steps)
        ]
        row += [duration(step / point["work"]) if step else "-" for step in steps]
        growth = flags.get(id(point), 0.0)
        rows.append([*row, f"CLIFF {growth:.2f}" if growth else ""])
    return table([*header, "growth"], rows)


def flagged(
    axis: str, measured: list[dict[str, Any]], peer: str
) -> list[tuple[dict[str, Any], float]]:
    """The points at which the peer's cost outgrows the work, and how many times as much."""
    series: dict[str, list[dict[str, Any]]] = {}
    for point in measured:
        if "step" in point["peers"].get(peer, {}):
            series.setdefault(point["series"], []).append(point)
    found = []
    for line in series.values():
        costs = [point["peers"][peer]["step"] for point in line]
        growths = cliffs(costs, [point["work"] for point in line], SWEEPS[axis].factor)
        found += [(point, growth) for point, growth in zip(line, growths) if growth]
    return found


def failures(measured: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{name} on {TITLES[peer]}: {result['error']}"
        for name, results in measured.items()
        for peer, result in results.items()
        if "error" in result
    ]
