"""Kills a process that saves in a loop, `kill -9` at random instants: no checkpoint may be lost.

    python tests/io/killed_saves.py --kills 200

After each kill the file must load, be one that was written whole, and be at least as new as the
last one that the process reported as saved.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import tempfile
import time
from pathlib import Path

import rushlight as rl


def save_on(path: Path, number: int, report: int) -> None:
    """Saves until it is killed, and reports each number when it is saved."""
    rl.set_num_threads(1)
    while True:
        number += 1
        # Sizes differ, so that a mixture of two files could not look whole.
        values = rl.full((20_000 + 1000 * (number % 50),), float(number))
        rl.save({"number": number, "values": values, "views": [values[1:5], values[::2]]}, path)
        os.write(report, f"{number}\n".encode())


def is_whole(saved: dict) -> bool:
    number, values = saved["number"], saved["values"]
    return (
        values.numel() == 20_000 + 1000 * (number % 50)
        and bool((values == number).all())
        and saved["views"][0].data_ptr() == values.data_ptr() + 4
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    last, saves = 0, 0
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        for _ in range(options.kills):
            ours, theirs = os.pipe()
            process = context.Process(target=save_on, args=(path, last, theirs))
            process.start()
            os.close(theirs)
            with open(ours) as reports:
                first = int(reports.readline())  # it saves now
                time.sleep(rng.uniform(0, 0.03))
                process.kill()
                process.join()
                reported = [first, *(int(line) for line in reports)]
            saved = rl.load(path)
            number = saved["number"]
            assert is_whole(saved), f"save {number} is not whole"
            assert number >= reported[-1], f"save {reported[-1]} is lost, {number} is there"
            last, saves = number, saves + len(reported)
        left = sum(1 for name in Path(folder).iterdir() if name != path)
    print(f"{saves} saves reported, none lost; {left} kills were in the middle of one")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
