"""The ratios of a run as a chart. Matplotlib is loaded only when a chart is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import TITLES
from benchmarks.workloads import WORKLOADS

COLOURS = {"torch": "#d9622b", "compile": "#8c4bb0", "compile-all": "#c79adf", "jax": "#3a7ca8"}


def bars(
    measured: dict[str, dict[str, Any]], peers: Sequence[str]
) -> dict[str, list[tuple[int, float, float]]]:
    """By peer: (place of the workload, how many times rushlight's step it takes, goal or 0)."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    for place, (name, results) in enumerate(measured.items()):
        own = results.get("rushlight", {}).get("step")
        for peer in peers:
            theirs = results.get(peer, {}).get("step")
            if peer != "rushlight" and own and theirs:
                goal = WORKLOADS[name].goals.get(peer, 0.0)
                found.setdefault(peer, []).append((place, theirs / own, goal))
    return found


def ratios(measured: dict[str, dict[str, Any]], peers: Sequence[str], path: Path) -> None:
    """One group of bars per workload, one bar per peer, a mark at each goal; a log scale."""
    import matplotlib as mpl

    mpl.use("Agg")  # a file, whatever display there is
    from matplotlib import pyplot

    by_peer = bars(measured, peers)
    figure, axes = pyplot.subplots(figsize=(2 + 0.9 * len(measured), 5), layout="constrained")
    width = 0.8 / max(1, len(by_peer))
    for at, (peer, found) in enumerate(by_peer.items()):
        places = [place + (at - (len(by_peer) - 1) / 2) * width for place, _, _ in found]
        heights = [ratio for _, ratio, _ in found]
        # From 1 upwards where rushlight is faster, downwards where it is slower.
        axes.bar(
            places, [height - 1 for height in heights], width * 0.92, bottom=1,
            color=COLOURS[peer], label=TITLES[peer],
        )  # fmt: skip
        for place, height in zip(places, heights):
            axes.annotate(
                f"{height:.2g}" if height < 10 else f"{height:.0f}", (place, height), (0, 2),
                textcoords="offset points", ha="center", fontsize=6,
                va="bottom", rotation=90,
            )  # fmt: skip
        aims = [(place, goal) for place, (_, _, goal) in zip(places, found) if goal]
        for place, goal in aims:
            axes.plot([place - width / 2, place + width / 2], [goal, goal], color="black", lw=1.5)
    axes.plot([], [], color="black", lw=1.5, label="goal")
    axes.axhline(1, color="gray", lw=0.8)
    axes.set_yscale("log")
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xticks(range(len(measured)), list(measured), rotation=30, ha="right")
    axes.set_ylabel("times rushlight's median step")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
