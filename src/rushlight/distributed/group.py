"""The group of processes: at most one, of this process alone."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import Any

__all__ = [
    "Backend",
    "GroupMember",
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "destroy_process_group",
    "get_backend",
    "get_backend_config",
    "get_global_rank",
    "get_group_rank",
    "get_node_local_rank",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "is_backend_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_ucc_available",
    "is_xccl_available",
    "member_of",
    "new_group",
    "reduce_op",
]

_UNINITIALIZED = (
    "Default process group has not been initialized, please make sure to call init_process_group."
)


class ReduceOp(IntEnum):
    """How `all_reduce` and its kin put values together; among one process all are the same."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8


reduce_op = ReduceOp


class Backend(str):
    """The name of what carries messages between processes, in small letters."""

    UNDEFINED = "undefined"
    GLOO = "gloo"
    NCCL = "nccl"
    UCC = "ucc"
    MPI = "mpi"
    XCCL = "xccl"
    backend_list = (UNDEFINED, GLOO, NCCL, XCCL, UCC, MPI)

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, got {name!r}")
        return super().__new__(cls, name.lower())


class ProcessGroup:
    """This process, as a group. Made by `init_process_group` and `new_group`."""

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def rank(self) -> int:
        """0."""
        return 0

    def size(self) -> int:
        """1."""
        return 1

    def name(self) -> str:
        """The name of the backend that was asked for."""
        return self._backend


class Work:
    """What an `async_op=True` call gives: it is done already."""

    def wait(self, timeout: Any = None) -> bool:
        """True, at once."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True

    def is_success(self) -> bool:
        """True."""
        return True

    def synchronize(self) -> None:
        """Nothing to wait for."""


class _World:
    """`group.WORLD`: the default group, or None before there is one."""

    group: ProcessGroup | None = None

    @property
    def WORLD(self) -> ProcessGroup | None:
        return _World.group

    @WORLD.setter
    def WORLD(self, value: ProcessGroup | None) -> None:
        _World.group = value


group = _World()


class GroupMember(_World):
    """`WORLD`, and what stands for a group that this process is not in."""

    WORLD = None  # type: ignore[assignment]
    NON_GROUP_MEMBER = -100


def member_of(group: Any = None) -> ProcessGroup | None:
    """The group that an argument names, None for one that this process is not in.

    Raises:
        ValueError: there is no default group yet.
    """
    if _World.group is None:
        raise ValueError(_UNINITIALIZED)
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    return _World.group if group is None else group


def _from_environment(name: str) -> int:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(
            "Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set"
        )
    return int(value)


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: Any = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
    _ranks: Any = None,
) -> None:
    """Makes the default group, of this process alone.

    Args:
        backend: "gloo", "mpi" or None; what is for other devices is not there.
        init_method: a URL. With "env://", the default, RANK and WORLD_SIZE come from the
            environment where they are not given, and MASTER_ADDR and MASTER_PORT must be set.
        timeout, group_name, pg_options, device_id: nothing depends on them.
        world_size: the number of processes: 1.
        rank: the number of this one: 0.
        store: used in place of `init_method`.

    Raises:
        NotImplementedError: more than one process.
        ValueError: there is a group already, or the environment does not say who we are.
        RuntimeError: the backend is for other devices.
    """
    if _World.group is not None:
        raise ValueError("trying to initialize the default process group twice!")
    if store is not None and init_method is not None:
        raise AssertionError("Cannot specify both init_method and store.")
    name = Backend("gloo" if backend is None else backend.partition(",")[0].rpartition(":")[2])
    if name in (Backend.NCCL, Backend.XCCL, Backend.UCC):
        raise RuntimeError(
            f"Distributed package doesn't have {name.upper()} built in: rushlight runs on the CPU "
            'alone. Use backend="gloo"'
        )
    if store is None and (init_method is None or init_method.startswith("env://")):
        rank = rank if rank >= 0 else _from_environment("RANK")
        world_size = world_size if world_size > 0 else _from_environment("WORLD_SIZE")
        for variable in ("MASTER_ADDR", "MASTER_PORT"):
            if variable not in os.environ:
                raise ValueError(
                    "Error initializing torch.distributed using env:// rendezvous: environment "
                    f"variable {variable} expected, but not set"
                )
    if world_size < 1 or rank < 0:
        raise ValueError(
            "init_process_group: rank and world_size must be given, got "
            f"rank={rank} and world_size={world_size}"
        )
    if world_size != 1:
        raise NotImplementedError(
            f"init_process_group: world_size={world_size}, but rushlight trains in one process, on "
            "all cores (torch.set_num_threads). Start one process instead of several"
        )
    if rank != 0:
        raise ValueError(f"init_process_group: rank {rank} is not below world_size 1")
    _World.group = ProcessGroup(name)
    GroupMember.WORLD = _World.group  # type: ignore[assignment]


def destroy_process_group(group: Any = None) -> None:
    """Ends the default group, or another one.

    Raises:
        AssertionError: there is no default group.
    """
    if _World.group is None:
        raise AssertionError(_UNINITIALIZED)
    if group is None or group is _World.group:
        _World.group = GroupMember.WORLD = None  # type: ignore[assignment]


def is_initialized() -> bool:
    """Whether there is a default group."""
    return _World.group is not None


def get_rank(group: Any = None) -> int:
    """0; -1 for a group that this process is not in. ValueError before `init_process_group`."""
    return -1 if member_of(group) is None else 0


def get_world_size(group: Any = None) -> int:
    """1; -1 for a group that this process is not in. ValueError before `init_process_group`."""
    return -1 if member_of(group) is None else 1


def get_backend(group: Any = None) -> Backend:
    """The name of the backend that was asked for."""
    member = member_of(group)
    if member is None:
        raise ValueError("Invalid process group specified")
    return Backend(member.name())


def get_backend_config(group: Any = None) -> str:
    """The backend as "cpu:NAME"."""
    return f"cpu:{get_backend(group)}"


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """LOCAL_RANK of the environment, or the fallback; RuntimeError where there is neither."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("LOCAL_RANK is not in the environment. Pass fallback_rank")
    return int(fallback_rank)


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The ranks in a group: [0]."""
    member_of(group)
    return [0]


def get_global_rank(group: Any, group_rank: int) -> int:
    """The rank in the default group of one in another group."""
    if group_rank != 0:
        raise ValueError(f"Group rank {group_rank} is not part of group {group}")
    return 0


def get_group_rank(group: Any, global_rank: int) -> int:
    """The rank in a group of one in the default group."""
    if global_rank != 0:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}")
    return 0


def new_group(
    ranks: Any = None,
    timeout: Any = None,
    backend: Any = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: Any = None,
    device_id: Any = None,
) -> Any:
    """A group of the given ranks, which can be 0 alone."""
    default = member_of()
    chosen = [0] if ranks is None else list(ranks)
    if any(rank != 0 for rank in chosen):
        raise ValueError(f"new_group: ranks {chosen}, but the default group has rank 0 alone")
    if not chosen:
        return GroupMember.NON_GROUP_MEMBER
    return ProcessGroup(backend or default.name())  # type: ignore[union-attr]


def is_gloo_available() -> bool:
    """True: a group of one process goes by that name."""
    return True


def is_nccl_available() -> bool:
    """False: it is for CUDA devices."""
    return False


def is_mpi_available() -> bool:
    """False."""
    return False


def is_ucc_available() -> bool:
    """False."""
    return False


def is_xccl_available() -> bool:
    """False."""
    return False


def is_backend_available(backend: str) -> bool:
    """Whether it is "gloo"."""
    return backend.lower() == Backend.GLOO
