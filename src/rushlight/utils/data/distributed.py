"""DistributedSampler: each of several processes takes its own share of the samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import rushlight
from rushlight.utils.data.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, beginning with `rank`, of one order common to all processes.

    All processes get equally many indices: the first ones are repeated at the end, or the last
    ones dropped.

    Args:
        dataset: anything with a length.
        num_replicas: the number of processes; that of `torch.distributed`'s group if left out.
        rank: the number of this one, from 0; likewise.
        shuffle: permute the indices, with `seed` plus the epoch as seed.
        seed: the same in all processes.
        drop_last: drop the tail instead of repeating the head.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            from rushlight import distributed

            if not distributed.is_initialized():
                raise RuntimeError(
                    "Requires distributed package to be available, or num_replicas and rank to be "
                    "given: DistributedSampler(dataset, num_replicas=..., rank=...)"
                )
            num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
            rank = distributed.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        if self.shuffle:
            generator = rushlight.Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = rushlight.randperm(n, generator=generator).tolist()
        else:
            indices = list(range(n))
        repeats = math.ceil(self.total_size / n) if n else 0
        indices = (indices * repeats)[: self.total_size]
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of the next pass. Without it every pass has the same."""
        self.epoch = epoch
