"""Inner and old names of tensors, nodes and storages that libraries look for."""

from __future__ import annotations

import copy
from collections import OrderedDict

import pytest

import rushlight as torch
from rushlight import nn


def test_subclasses_made_of_data():
    class Own(torch.Tensor):
        pass

    data = torch.ones(2)
    made = torch.Tensor._make_subclass(Own, data, True)
    assert type(made) is Own and made.requires_grad and made.is_leaf
    data.fill_(3)
    assert made.tolist() == [3.0, 3.0]
    parameter = torch.Tensor._make_subclass(nn.Parameter, (data * 1).requires_grad_() * 2)
    assert type(parameter) is nn.Parameter and not parameter.requires_grad and parameter.is_leaf


def test_what_autograd_keeps_by_its_inner_names():
    x = torch.ones(2, requires_grad=True)
    assert x._grad is None and x._backward_hooks is None and x._post_accumulate_grad_hooks is None
    x._grad = torch.zeros(2)
    assert x.grad is x._grad
    handle = x.register_hook(lambda grad: 2 * grad)
    assert list(x._backward_hooks) == [handle.id]
    x._backward_hooks = OrderedDict()
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    x.register_post_accumulate_grad_hook(lambda leaf: None)
    assert len(x._post_accumulate_grad_hooks) == 1
    assert x.grad_dtype is torch.float32
    with pytest.raises(RuntimeError, match="leaf"):
        _ = (x * 1).grad_dtype


def test_nodes_have_classes_of_their_names():
    x = torch.ones(2, requires_grad=True)
    product = x * 2
    node = (product + 1).grad_fn
    assert type(node).__name__ == "AddBackward0" == type(node).__qualname__
    assert isinstance(node, torch.autograd.graph.Node)
    assert type(node) is type((x + 1).grad_fn)
    (before, number), *_ = node.next_functions
    assert type(before).__name__ == "MulBackward0" and before is product.grad_fn and number == 0
    assert type(before.next_functions[0][0]).__name__ == "AccumulateGrad"

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    assert type(Double.apply(x).grad_fn).__name__ == "DoubleBackward"
    assert before._sequence_nr() < node._sequence_nr() and node.requires_grad
    product.sum().backward()  # after somebody has looked
    assert x.grad.tolist() == [2.0, 2.0]


def test_hooks_of_nodes_in_a_dict_of_the_caller():
    x = torch.ones(2, requires_grad=True)
    product = x * 2
    hooks = OrderedDict()
    product.grad_fn._register_hook_dict(hooks)
    hooks[0] = lambda grad: 3 * grad
    product.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_leaves_in_the_graph():
    x = torch.ones(2, 3, requires_grad=True)
    leaf = (x * 1).grad_fn.next_functions[0][0]
    assert leaf.metadata == {} and leaf.requires_grad
    (info,) = leaf._input_metadata
    assert (info.shape, info.dtype, str(info.device)) == ((2, 3), torch.float32, "cpu")


def test_old_and_inner_forms():
    x = torch.arange(4.0)
    with pytest.warns(UserWarning, match="deprecated"):
        assert x.resize(2, 2).tolist() == [[0, 1], [2, 3]]
    with pytest.warns(UserWarning, match="deprecated"):
        assert x.resize_as(torch.ones(2, 2)).shape == (2, 2)
    assert torch.ones(2).map2_(x[:2], x[2:], lambda a, b, c: a + b + 10 * c).tolist() == [21, 32]
    assert x._neg_view().tolist() == (-x).tolist()
    assert torch.tensor([1 + 2j])._conj().tolist() == [1 - 2j]
    assert torch.tensor([True, False])._is_any_true() and not x._is_zerotensor()
    assert isinstance(x._cdata, int) and x._cdata != torch.ones(1)._cdata
    assert x.half().dequantize().dtype is torch.float32
    assert not x.is_distributed() and torch.ones(1).__nonzero__() is True


def test_what_a_module_loads():
    here, there = torch.zeros(2, requires_grad=True), nn.Parameter(torch.ones(2))
    with torch.no_grad():
        assert here.module_load(there).tolist() == [1.0, 1.0] == here.tolist()
    assert here.module_load(there, assign=True).data_ptr() == there.data_ptr()


@pytest.mark.parametrize("name", ["reinforce", "eig", "symeig", "lstsq", "solve"])
def test_what_is_gone(name):
    with pytest.raises(RuntimeError, match=f"{name}.* was removed"):
        getattr(torch.ones(2, 2), name)()


@pytest.mark.parametrize("name", ["q_scale", "qscheme", "int_repr", "q_per_channel_axis"])
def test_nothing_is_quantized(name):
    with pytest.raises(NotImplementedError, match="quantized"):
        getattr(torch.ones(2), name)()


@pytest.mark.parametrize("name", ["xpu", "ipu", "mtia", "to_mkldnn"])
def test_other_places(name):
    with pytest.raises(RuntimeError, match=r"device|layout"):
        getattr(torch.ones(2), name)()
    with pytest.raises(RuntimeError, match="streams"):
        torch.ones(2).record_stream(None)


def test_adjoints():
    assert torch.tensor(2 + 1j).mH.item() == 2 - 1j == torch.tensor(2 + 1j).H.item()
    with pytest.raises(RuntimeError, match="mH is only supported"):
        _ = torch.ones(2).mH
    with pytest.raises(RuntimeError, match="H is only supported"):
        _ = torch.ones(1, 2, 2).H


def test_sizes_after_tuples():
    assert type((1,) + torch.Size([2])) is torch.Size


def test_storages_are_copied_and_written_to():
    x = torch.tensor([1.0, 2.0])
    for storage in (x.untyped_storage(), x.storage()):
        other = storage.clone()
        assert type(other) is type(storage) and other.tolist() == storage.tolist()
        assert other.data_ptr() != storage.data_ptr() == x.data_ptr()
        for made in (copy.copy(storage), copy.deepcopy(storage)):
            assert made.tolist() == storage.tolist() and made.data_ptr() != x.data_ptr()
        other.fill_(0)
        assert storage.copy_(other) is storage and x.tolist() == [0.0, 0.0]
        x[:] = torch.tensor([1.0, 2.0])
        assert storage.cpu() is storage and not storage.is_pinned() and not storage.resizable()
        assert storage.resize_(len(storage)) is storage
        with pytest.raises(RuntimeError, match="not resizable"):
            storage.resize_(1)
        with pytest.raises(RuntimeError, match="no device .cuda."):
            storage.cuda()
    assert x.storage().int().tolist() == [1, 2] and x.storage().double().dtype is torch.float64
    assert x.storage().type() == "torch.FloatStorage" and x.storage()._size() == 2
    raw = x.untyped_storage()
    raw[0] = 5
    assert raw[0] == 5 and raw.float().tolist() == [float(byte) for byte in raw]
    assert str(torch.ones(1, dtype=torch.uint8).untyped_storage()) == (
        " 1\n[torch.storage.UntypedStorage(device=cpu) of size 1]"
    )


def test_copies_of_storages_and_tensors_stay_together():
    x = torch.arange(3.0)
    storage, tensor = copy.deepcopy([x.storage(), x])
    storage[0] = 7
    assert tensor.tolist() == [7, 1, 2] and x.tolist() == [0, 1, 2]


def test_optimizers_written_for_pytorch():
    class Own(torch.optim.Optimizer):
        @torch.no_grad()
        def step(self, closure=None):
            self._cuda_graph_capture_health_check()
            for p in self.param_groups[0]["params"]:
                p -= p.grad

    p = nn.Parameter(torch.ones(1))
    optimizer = Own([p], {})
    p.sum().backward()
    optimizer.step()
    assert p.item() == 0 and optimizer._zero_grad_profile_name.endswith("Own.zero_grad")
    assert callable(torch.optim.Optimizer.profile_hook_step(Own.step))
