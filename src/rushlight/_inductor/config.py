"""Switches of PyTorch's compiler, which change nothing: any name can be set."""

from __future__ import annotations

from types import SimpleNamespace

from rushlight._dynamo.config import patch_of

aot_inductor = SimpleNamespace()
compile_threads = 1
conv_1x1_as_mm = False
coordinate_descent_check_all_directions = False
coordinate_descent_tuning = False
cpp = SimpleNamespace(threads=-1)
debug = False
disable_progress = True
epilogue_fusion = True
fallback_random = False
force_fuse_int_mm_with_mul = False
freezing = False
fx_graph_cache = True
max_autotune = max_autotune_gemm = False
split_reductions = True
trace = SimpleNamespace(enabled=False)
triton = SimpleNamespace(cudagraphs=False, unique_kernel_names=True)
use_mixed_mm = False

patch = patch_of(globals())
