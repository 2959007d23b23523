"""Seeding and the state of random numbers: PyTorch's ``torch.random``.

There is one default generator, on the CPU. Functions that draw take `generator=` for another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from rushlight._core import Generator, default_generator
from rushlight.autograd.mode import _Mode
from rushlight.dtypes import CPU, device

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rushlight.tensor import Tensor

__all__ = [
    "set_rng_state",
    "get_rng_state",
    "manual_seed",
    "seed",
    "initial_seed",
    "fork_rng",
    "thread_safe_generator",
]


def manual_seed(seed: Any) -> Generator:
    """Starts the default generator's stream that belongs to `seed`, and returns the generator.

    Args:
        seed: from -2^63 to 2^64 - 1; a negative one stands for seed + 2^64. Other types are
            converted by ``int``.
    """
    default_generator.manual_seed(int(seed))
    return default_generator


def seed() -> int:
    """Starts the default generator from a seed of the operating system, and returns that seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, uint8 (5056): exchangeable with PyTorch's."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continues the default generator from a state that `get_rng_state` gave.

    Raises RuntimeError for another size or dtype.
    """
    default_generator.set_state(new_state)


class fork_rng(_Mode):
    """Puts the default generator back, at the end of the block, to where it was at its start.

    A context manager, and a decorator.

    Args:
        devices: further devices whose generators are put back. There is none but the CPU, so an
            empty sequence or None.
        enabled: False for a block that does nothing.
        device_type: the type of those devices; for "meta" nothing is put back.
    """

    def __init__(
        self,
        devices: Iterable[Any] | None = None,
        enabled: bool = True,
        _caller: str = "fork_rng",
        _devices_kw: str = "devices",
        device_type: str | None = None,
    ) -> None:
        if device_type is not None:
            device(device_type)  # raises for what is no type of device
        others = [] if devices is None else list(devices)
        self.enabled = enabled and device_type != "meta"
        if self.enabled and others:
            raise RuntimeError(
                f"{_caller}: there are no devices but the CPU, got {_devices_kw}={others}; leave "
                f"{_devices_kw} away, the CPU's generator is always forked"
            )

    def clone(self) -> fork_rng:
        """A new context with the same arguments."""
        return fork_rng(enabled=self.enabled)

    def __enter__(self) -> None:
        self._before = default_generator.get_state() if self.enabled else None

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            default_generator.set_state(self._before)


def thread_safe_generator() -> Generator | None:
    """The generator of a DataLoader worker that is a thread; None anywhere else.

    Workers here are processes, each with a default generator of its own, so it is always None:
    what ``generator=`` takes to mean the default one.
    """
    return None


# ---- what a Generator on the CPU has beside its stream


def _no_offset(self: Generator, offset: int | None = None) -> NoReturn:
    """Raises RuntimeError: generators of the CPU have no offset."""
    raise RuntimeError("CPU Generator does not use offset; use get_state() and set_state()")


def _no_graphs(self: Generator, *args: Any) -> NoReturn:
    """Raises NotImplementedError: there are no CUDA graphs."""
    raise NotImplementedError(
        "graphsafe states are for generators of CUDA graphs; use get_state() and set_state()"
    )


Generator.__doc__ = """A stream of random numbers: the Mersenne Twister, as in PyTorch.

Matsumoto and Nishimura 1998. `Generator(device="cpu")` starts from seed 67280421310721. The same
seed gives the numbers that PyTorch's generator of the CPU gives. `get_state()` is a uint8 tensor
(5056) that either takes.
"""
Generator.device = property(lambda self: CPU, doc="Always the CPU.")
Generator.get_offset = Generator.set_offset = _no_offset
Generator.graphsafe_get_state = Generator.graphsafe_set_state = _no_graphs
