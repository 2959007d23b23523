"""get_worker_info: how code of a dataset learns in which worker process it runs."""

from __future__ import annotations

from typing import Any

__all__ = ["WorkerInfo", "get_worker_info"]


class WorkerInfo:
    """Which worker of a loader this process is.

    Attributes:
        id: from 0 to num_workers - 1.
        num_workers: how many there are.
        seed: what this worker's generators were seeded with.
        dataset: the copy of the dataset in this process.
    """

    __slots__ = ("dataset", "id", "num_workers", "rng", "seed", "worker_method")

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any
    worker_method: str | None

    def __init__(
        self,
        id: int,
        num_workers: int,
        seed: int,
        dataset: Any,
        rng: Any = None,
        worker_method: str | None = "multiprocessing",
    ) -> None:
        given = (id, num_workers, seed, dataset, rng, worker_method)
        names = ("id", "num_workers", "seed", "dataset", "rng", "worker_method")
        for name, value in zip(names, given, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r} of a WorkerInfo")

    def __repr__(self) -> str:
        return (
            f"WorkerInfo(id={self.id}, num_workers={self.num_workers}, seed={self.seed}, "
            f"dataset={self.dataset!r}, rng={self.rng!r}, worker_method={self.worker_method!r})"
        )


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process its WorkerInfo (id, num_workers, seed, dataset).

    None in the main process.
    """
    return _worker_info


def set_worker_info(info: WorkerInfo) -> None:
    """Says, once, which worker this process is."""
    global _worker_info
    _worker_info = info


def _generate_state(base_seed: int, worker_id: int) -> list[int]:
    """What a worker seeds NumPy's generator with."""
    import numpy

    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return [int(word) for word in numpy.random.SeedSequence(words).generate_state(4)]
