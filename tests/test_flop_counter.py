"""FlopCounterMode: the numbers are PyTorch's."""

from __future__ import annotations

import pytest

import rushlight as torch
import rushlight.nn.functional as F
from rushlight import nn
from rushlight.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)
from rushlight.utils.flop_counter import FlopCounterMode
from rushlight.utils.module_tracker import ModuleTracker


def leaf(*shape):
    return torch.ones(*shape, requires_grad=True)


@pytest.mark.parametrize(
    ("run", "forward", "both"),
    [
        (lambda: leaf(4, 3) @ leaf(3, 2), 48, 144),
        (lambda: leaf(4, 3) @ leaf(3), 0, 0),
        (lambda: torch.bmm(leaf(2, 4, 3), leaf(2, 3, 2)), 96, 288),
        (lambda: torch.baddbmm(torch.ones(4, 2), leaf(2, 4, 3), leaf(2, 3, 2)), 96, 288),
        (lambda: torch.addmm(torch.ones(2), leaf(4, 3), leaf(3, 2)), 48, 144),
        (lambda: leaf(2, 3, 4, 3) @ leaf(3, 3, 2), 288, 864),
        (lambda: F.linear(leaf(4, 3), leaf(5, 3), leaf(5)), 120, 360),
        (lambda: F.linear(torch.ones(4, 3), leaf(5, 3)), 120, 240),
        (lambda: F.conv2d(leaf(2, 4, 8, 8), leaf(6, 2, 3, 3), groups=2), 15552, 62208),
        (lambda: F.conv2d(torch.ones(2, 4, 8, 8), leaf(6, 4, 3, 3), padding=1, stride=2),
         13824, 27648),
        (lambda: F.conv_transpose2d(leaf(2, 4, 8, 8), leaf(4, 3, 3, 3)), 27648, 82944),
        (lambda: leaf(3) * leaf(3), 0, 0),
    ],
)  # fmt: skip
def test_counts(run, forward, both):
    with FlopCounterMode(display=False) as counter:
        result = run()
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        run().sum().backward()
    assert counter.get_total_flops() == both
    result.sum().backward()  # after the block: not counted
    assert counter.get_total_flops() == both


def test_modules_and_table(capsys):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
    with FlopCounterMode() as counter:
        net(torch.ones(2, 3, 8, 8)).sum().backward()
    counts = counter.get_flop_counts()
    aten = torch.ops.aten
    assert counts["Sequential.0"] == {aten.convolution: 55296, aten.convolution_backward: 55296}
    assert counts["Sequential.3"] == {aten.addmm: 20480, aten.mm: 40960}
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "Module                           FLOP    % Total",
        "---------------------------  --------  ---------",
        "Sequential                   172.032K    100.00%",
    ]
    with FlopCounterMode():
        torch.ones(1) + 1
    assert capsys.readouterr().out.splitlines()[-1].split() == ["Global", "0", "0%"]


def test_formulas_of_ones_own():
    mapping = {torch.ops.aten.relu: lambda shape, out_shape=None: 7 * shape[0]}
    with FlopCounterMode(custom_mapping=mapping, display=False) as counter:
        torch.relu(torch.ones(2))
    assert counter.get_total_flops() == 14


def test_parents_of_a_call():
    seen = []

    class Inner(nn.Module):
        def forward(self, x):
            seen.append(sorted(tracker.parents))
            return x

    with ModuleTracker() as tracker:
        nn.Sequential(Inner())(torch.ones(1))
    assert seen == [["Global", "Sequential", "Sequential.0"]] and tracker.parents == {"Global"}


def test_selective_checkpoints_give_the_same_gradients():
    weight = leaf(3, 3)

    def run(x):
        return torch.sigmoid(x @ weight @ weight)

    run(torch.ones(2, 3)).sum().backward()
    wanted, weight.grad = weight.grad, None
    policy = [torch.ops.aten.mm.default]
    x = leaf(2, 3)
    checkpoint(
        run, x, use_reentrant=False,
        context_fn=lambda: create_selective_checkpoint_contexts(policy),
    ).sum().backward()  # fmt: skip
    assert torch.equal(weight.grad, wanted)
    create_selective_checkpoint_contexts(lambda ctx, op, *args: CheckpointPolicy.MUST_SAVE)
    with pytest.raises(ValueError, match=r"aten\.mm\.default"):
        create_selective_checkpoint_contexts([torch.ops.aten.mm])
    with pytest.raises(TypeError, match="function or a list"):
        create_selective_checkpoint_contexts(3)
