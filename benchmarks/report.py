"""Results as Markdown tables that also read well as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers import TITLES
from benchmarks.workloads import WORKLOADS


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
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
    unit = next((name for name, scale in units.items() if seconds >= scale), "us")
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
) -> str:
    """One row per workload; in brackets how many times the first peer's value another's is."""
    base = base_of(peers)
    rows = [
        [titles[name], *(_cell(results, peer, key, show, base) for peer in peers)]
        for name, results in measured.items()
    ]
    return table(["", *(TITLES[peer] for peer in peers)], rows)


def goals(measured: dict[str, dict[str, Any]]) -> list[str]:
    """What the project aims at beside what was measured, one line each."""
    lines = []
    for name, results in measured.items():
        for peer, least in WORKLOADS[name].goals.items():
            if "step" in results.get("rushlight", {}) and "step" in results.get(peer, {}):
                ratio = results[peer]["step"] / results["rushlight"]["step"]
                verdict = "reached" if ratio >= least else "MISSED"
                lines.append(f"{name}: {ratio:.2f} times {TITLES[peer]}, goal {least:g}: {verdict}")
    return lines


def failures(measured: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{name} on {TITLES[peer]}: {result['error']}"
        for name, results in measured.items()
        for peer, result in results.items()
        if "error" in result
    ]
