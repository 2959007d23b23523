"""What a CPU library answers to questions about GPUs, compilers and clusters; global settings."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight import nn


def test_nothing_is_available():
    for module in (torch.cuda, torch.mps, torch.xpu, torch.accelerator, torch.distributed):
        assert module.is_available() is False
    for module in (torch.mps, torch.xpu, torch.accelerator):
        assert module.device_count() == 0
    backends = torch.backends
    for module in (backends.cudnn, backends.mkldnn, backends.mkl, backends.mps, backends.openmp):
        assert module.is_available() is False
    assert backends.cuda.is_built() is False and backends.mps.is_built() is False
    assert not torch.distributed.is_initialized() and torch.cpu.is_available()
    assert torch.accelerator.current_accelerator() is None
    assert backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")


def test_switches_are_accepted():
    cudnn = torch.backends.cudnn
    cudnn.benchmark = True
    with cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        assert cudnn.deterministic and not cudnn.benchmark
    assert cudnn.benchmark and not cudnn.deterministic and cudnn.version() is None
    cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.cuda.manual_seed_all(1)
    torch.mps.manual_seed(1)
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() == 0 and torch.cuda.get_rng_state_all() == []


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: torch.cuda.get_device_name(0), RuntimeError),
        (lambda: torch.cuda.set_device(0), RuntimeError),
        (lambda: torch.accelerator.synchronize(), RuntimeError),
        (lambda: torch.mps.synchronize(), RuntimeError),
        (lambda: torch.distributed.init_process_group("nccl"), RuntimeError),
        (lambda: torch.distributed.TCPStore("localhost", 1), AttributeError),
        (lambda: torch.hub.load("some/where", "model"), NotImplementedError),
        (lambda: torch.onnx.export(nn.Linear(1, 1), (), "x"), NotImplementedError),
        (lambda: torch.jit.load("x"), NotImplementedError),
        (lambda: torch.fx.symbolic_trace(nn.Linear(1, 1)), NotImplementedError),
        (lambda: torch.fx.GraphModule(), NotImplementedError),
        (lambda: torch.jit.save(nn.Linear(1, 1), "x"), NotImplementedError),
        (lambda: torch._C._jit_set_profiling_mode(False), AttributeError),
        (lambda: torch.set_default_device("cuda"), RuntimeError),
        (lambda: torch.utils._python_dispatch.TorchDispatchMode().__enter__(), NotImplementedError),
        (lambda: torch.ao.quantization.quantize_dynamic(nn.Linear(1, 1)), NotImplementedError),
        (lambda: torch.export.export(nn.Linear(1, 1), ()), NotImplementedError),
        (lambda: torch._subclasses.FakeTensorMode(), NotImplementedError),
        (lambda: torch.profiler.emit_nvtx(), RuntimeError),
    ],
)
def test_what_cannot_be_done_says_so(call, kind):
    with pytest.raises(kind, match="rushlight|torch"):
        call()


def test_compile_gives_the_function():
    @torch.compile
    def one(x):
        return x + 1

    @torch.compile(mode="max-autotune", fullgraph=True)
    def two(x):
        return x + 2

    model = nn.Linear(2, 2)
    assert torch.compile(model, disable=True) is model
    assert one(1) == 2 and two(1) == 3
    assert torch.compiler.disable(one) is one and not torch.compiler.is_compiling()
    with pytest.raises(RuntimeError, match="mode or options"):
        torch.compile(model, mode="default", options={})


def test_scripts_are_the_functions():
    model = nn.Linear(2, 2)
    assert torch.jit.script(model) is model and torch.jit.trace(model, torch.ones(1, 2)) is model

    @torch.jit.script
    def double(x: int) -> int:
        return 2 * x

    @torch.jit.ignore(drop=True)
    def other(x):
        return x

    assert double(2) == 4 and other(3) == 3
    assert not torch.jit.is_scripting() and not torch.jit.is_tracing()
    assert not isinstance(model, torch.jit.ScriptModule)
    assert torch.jit.freeze(model.eval()) is model
    with pytest.raises(RuntimeError, match="eval"):
        torch.jit.freeze(model.train())


def test_settings():
    assert not torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_deterministic_debug_mode("default")
    assert torch.get_deterministic_debug_mode() == 0
    assert torch.get_float32_matmul_precision() == "highest"
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="'low'"):
        torch.set_float32_matmul_precision("low")
    assert torch.get_num_interop_threads() == 1 and torch.set_flush_denormal(True) is False
    torch.set_default_device("cpu")
    assert torch.get_default_device() == torch.device("cpu")
    torch.set_default_tensor_type("torch.DoubleTensor")
    assert torch.ones(1).dtype is torch.float64
    torch.set_default_tensor_type("torch.FloatTensor")
    assert "OpenBLAS" in torch.__config__.show() and "threads" in torch.__config__.parallel_info()


def test_storage():
    x = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    storage = x.untyped_storage()
    assert storage.nbytes() == len(storage) == 24 and storage == x.t().untyped_storage()
    assert x[1].data_ptr() == x.data_ptr() + 12 == storage.data_ptr() + 12
    assert storage != x.clone().untyped_storage() and torch.empty(0).data_ptr() == 0
    assert storage[4:8].nbytes() == 4 and storage[6] == 128  # of 1.0


def test_storage_from_file(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(16)))
    private = torch.UntypedStorage.from_file(str(path), False, 16)
    assert private.tolist() == list(range(16))
    assert torch.asarray(private[8:12], dtype=torch.uint8).tolist() == [8, 9, 10, 11]
    shared = torch.UntypedStorage.from_file(str(path), True, 32)
    assert shared.nbytes() == 32 and path.stat().st_size == 32
