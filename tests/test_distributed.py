"""torch.distributed with a group of one process, and what wraps a model for several."""

from __future__ import annotations

import pytest

import rushlight as torch
import rushlight.distributed as dist
from rushlight import nn
from rushlight.nn.parallel import DistributedDataParallel
from rushlight.utils.data import DistributedSampler


@pytest.fixture
def group():
    dist.init_process_group("gloo", init_method="tcp://localhost:1", rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_before_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not dist.is_available() and not dist.is_initialized()
    for call in (dist.get_rank, dist.get_world_size, dist.barrier, dist.get_backend):
        with pytest.raises(ValueError, match="not been initialized"):
            call()
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="RANK"):
        dist.init_process_group("gloo")
    with pytest.raises(NotImplementedError, match="world_size=2"):
        dist.init_process_group("gloo", init_method="tcp://localhost:1", rank=0, world_size=2)
    with pytest.raises(RuntimeError, match="NCCL"):
        dist.init_process_group("nccl")
    with pytest.raises(ValueError, match="not been initialized"):
        DistributedDataParallel(nn.Linear(2, 2))
    with pytest.raises(AttributeError, match="one process"):
        dist.TCPStore  # noqa: B018


def test_the_environment_says_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "x", "MASTER_PORT": "1"}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    dist.init_process_group("gloo")
    assert dist.is_initialized() and dist.group.WORLD is dist.GroupMember.WORLD
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo")
    dist.destroy_process_group()
    assert dist.group.WORLD is None


@pytest.mark.usefixtures("group")
def test_collectives_among_one() -> None:
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    values = torch.tensor([1.0, 2.0])
    assert dist.all_reduce(values, op=dist.ReduceOp.MAX) is None
    work = dist.broadcast(values, src=0, async_op=True)
    assert work.wait() and work.is_completed()
    parts, whole = [torch.zeros(2)], torch.zeros(2)
    dist.all_gather(parts, values)
    dist.all_gather_into_tensor(whole, values)
    assert torch.equal(parts[0], values) and torch.equal(whole, values)
    dist.reduce_scatter_tensor(whole, 2 * values)
    assert whole.tolist() == [2.0, 4.0]
    objects = [None]
    dist.all_gather_object(objects, {"loss": 1})
    assert objects == [{"loss": 1}]
    with pytest.raises(ValueError, match="current process"):
        dist.send(values, 0)
    with pytest.raises(ValueError, match="rank is 0"):
        dist.broadcast(values, src=1)
    assert dist.new_group([0]).size() == 1
    assert dist.get_rank(dist.new_group([])) == -1


@pytest.mark.usefixtures("group")
def test_gradients_through_collectives() -> None:
    from rushlight.distributed import nn as functional

    x = torch.ones(2, requires_grad=True)
    (functional.all_reduce(x) * functional.all_gather(x)[0]).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.usefixtures("group")
def test_wrapped_models() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(3, 2)
    inputs = torch.randn(4, 3)
    for wrap in (DistributedDataParallel, nn.DataParallel):
        model = wrap(plain)
        assert list(model.state_dict()) == ["module.weight", "module.bias"]
        assert model.module is plain and torch.equal(model(inputs), plain(inputs))
    model = DistributedDataParallel(plain)
    with model.no_sync():
        assert not model.require_backward_grad_sync
        model(inputs).sum().backward()
    assert model.require_backward_grad_sync and plain.weight.grad is not None
    with pytest.raises(RuntimeError, match="requires a gradient"):
        DistributedDataParallel(nn.ReLU())
    with pytest.raises(ValueError, match="device_ids"):
        DistributedDataParallel(plain, device_ids=[0])


def test_a_sampler_asks_the_group(group: None) -> None:
    sampler = DistributedSampler(range(5), shuffle=False)
    assert list(sampler) == [0, 1, 2, 3, 4]
    dist.destroy_process_group()
    with pytest.raises(RuntimeError, match="distributed"):
        DistributedSampler(range(5))


def test_what_needs_several_processes_says_so() -> None:
    from rushlight.distributed.fsdp import FullyShardedDataParallel
    from rushlight.distributed.optim import ZeroRedundancyOptimizer
    from rushlight.distributed.tensor import DTensor

    for kind in (FullyShardedDataParallel, ZeroRedundancyOptimizer, DTensor):
        with pytest.raises(NotImplementedError, match="one process"):
            kind()
    assert not isinstance(torch.ones(1), DTensor)
