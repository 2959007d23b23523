"""The order in memory of copies and of what is made like a tensor; versions of fresh tensors; out=.

Beside PyTorch: tests/parity/test_layouts.py.
"""

from __future__ import annotations

import copy

import pytest

import rushlight as torch

TURNED = torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)


@pytest.mark.parametrize(
    "make",
    [
        torch.Tensor.clone, torch.Tensor.double, torch.zeros_like, torch.ones_like,
        torch.empty_like, torch.rand_like, copy.deepcopy, lambda x: torch.full_like(x, 3),
        lambda x: x.to(torch.int64), lambda x: torch.nn.Parameter(x).clone(),
    ],
)  # fmt: skip
def test_the_order_of_axes_is_kept(make):
    assert make(TURNED).stride() == TURNED.stride() == (1, 12, 4)
    gaps = TURNED[::2]
    assert make(gaps).stride() == ((1, 6, 2) if make is not copy.deepcopy else gaps.stride())
    wide = torch.ones(3, 1).expand(3, 4)
    if make is not copy.deepcopy:
        assert make(wide).stride() == (4, 1)


@pytest.mark.parametrize("size", [10, 20_000])
def test_copies_of_what_has_not_run_yet(size):
    pending = torch.arange(2.0 * size).reshape(2, size).t() * 2
    copied = pending.clone()
    assert copied.stride() == pending.stride() == (1, size)
    assert torch.equal(copied, pending) and copied.data_ptr() != pending.data_ptr()
    rows = (pending + 1).contiguous()
    assert rows.stride() == (2, 1) and torch.equal(rows, pending + 1)
    assert torch.equal(copied + pending, 2 * pending)


def test_channels_last():
    x = torch.arange(120.0).reshape(2, 3, 4, 5)
    last = x.to(memory_format=torch.channels_last)
    assert last.stride() == (60, 1, 15, 3) and torch.equal(last, x)
    assert last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous()
    assert last.contiguous(memory_format=torch.channels_last) is last
    assert last.to(memory_format=torch.channels_last) is last
    assert last.contiguous().stride() == x.stride()
    assert (last * 2).stride() == torch.zeros_like(last).stride() == last.stride()
    model = torch.nn.Conv2d(3, 2, 3)
    expected = model(x)
    model.to(memory_format=torch.channels_last)
    assert model.weight.stride() == (27, 1, 9, 3)
    torch.testing.assert_close(model(last), expected)
    model(last).sum().backward()
    assert model.weight.grad.stride() == model.weight.stride()
    for call in (torch.Tensor.contiguous, torch.Tensor.to, torch.empty_like):
        with pytest.raises(RuntimeError, match="required rank 4"):
            call(TURNED, memory_format=torch.channels_last)
    with pytest.raises(RuntimeError, match="unsupported"):
        torch.empty(2, memory_format=torch.preserve_format)


def test_what_views_are_called_on_lies_in_rows():
    assert TURNED.masked_fill(TURNED > 3, 0).view(-1).shape == (24,)
    assert TURNED.repeat_interleave(2, 0).view(-1).shape == (48,)
    assert torch.transpose_copy(TURNED, 0, 1).is_contiguous()
    assert torch.view_copy(TURNED, (24,)).tolist() == TURNED.reshape(24).tolist()


def test_steps_of_parameters_in_any_order():
    def trained(turn):
        weight = torch.arange(12.0).reshape(3, 4)
        p = torch.nn.Parameter(weight.t().contiguous().t() if turn else weight)
        optimizer = torch.optim.Adam([p], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (p * torch.arange(12.0).reshape(3, 4)).square().sum().backward()
            optimizer.step()
        assert p.grad.stride() == p.stride() == optimizer.state[p]["exp_avg"].stride()
        return p.detach()

    assert torch.equal(trained(True), trained(False))


def test_fresh_tensors_have_not_been_written_to():
    x = torch.ones(3)
    for made in (
        x, torch.zeros(2), torch.full((2,), 1.0), torch.rand(2), torch.randint(3, (2,)),
        torch.normal(x, x), torch.bernoulli(x), x.clone(), x.double(), torch.zeros_like(x),
        x.index_fill(0, torch.tensor([0]), 1.0), torch.rand_like(x), x.new_zeros(2),
    ):  # fmt: skip
        assert made._version == 0
    assert torch.empty(2).normal_()._version == 1 == torch.rand(2, out=torch.empty(2))._version


def test_dtypes_of_out():
    x, place = torch.arange(4.0), torch.tensor([1, 0])
    wide = torch.empty(0, dtype=torch.float64)
    for call in (
        lambda: torch.gather(x, 0, place, out=wide),
        lambda: torch.mm(torch.eye(2), torch.eye(2), out=wide),
        lambda: torch.sort(x, out=(wide, place)),
        lambda: torch.aminmax(x, out=(wide, wide)),
        lambda: torch.complex(x, x, out=torch.empty(0, dtype=torch.complex128)),
        lambda: torch.argmax(x, out=wide),
    ):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype"):
            call()
    assert torch.exp(x, out=wide) is wide and torch.sum(x, 0, out=wide).item() == 6
    assert torch.cat([x, x], out=wide).dtype is torch.float64
