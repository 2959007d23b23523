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


def test_streams_and_devices_are_names() -> None:
    """Libraries annotate with them and wrap blocks in them; without CUDA as PyTorch does."""
    cuda = torch.cuda
    for make in (cuda.Stream, cuda.Event, cuda.CUDAGraph):
        with pytest.raises(RuntimeError, match="CUDA"):
            make()
    with cuda.device(-1), cuda.device_of(torch.ones(1)), cuda.stream(None):
        pass
    with pytest.raises(RuntimeError, match="CUDA"), cuda.device(0):
        pass
    assert cuda.OutOfMemoryError is torch.OutOfMemoryError
    assert issubclass(torch.OutOfMemoryError, RuntimeError)
    assert not cuda._initialized and not cuda.is_current_stream_capturing()
    assert cuda.default_generators == () and not cuda.memory_stats()
    with pytest.raises(RuntimeError):
        cuda.current_stream()


def test_marks_raise_where_they_are_set() -> None:
    from rushlight.cuda import nvtx, profiler

    assert torch.cuda.nvtx is nvtx and torch.cuda.profiler is profiler
    for call in (nvtx.range_push, nvtx.mark, nvtx.range_start, nvtx.range_end):
        with pytest.raises(RuntimeError, match="NVTX functions not installed"):
            call("x")
    for make in (lambda: nvtx.range("x"), profiler.profile):
        with pytest.raises(RuntimeError, match="NVTX|cuda"), make():
            pass
    for call in (nvtx.range_pop, profiler.start, profiler.stop):
        with pytest.raises(RuntimeError, match="NVTX|cuda"):
            call()
