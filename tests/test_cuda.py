"""Scripts that look for a GPU find none, and go on."""

import pytest

import rushlight as torch


def test_the_usual_question():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert device.type == "cpu" and torch.cuda.device_count() == 0
    assert torch.ones(2, device=device).to(device).device == device
    torch.cuda.manual_seed_all(0)


def test_a_cuda_device_is_refused_with_the_way_out():
    with pytest.raises(RuntimeError, match="is_available"):
        torch.ones(2).to("cuda")
    with pytest.raises(RuntimeError, match="cuda"):
        torch.cuda.current_device()
