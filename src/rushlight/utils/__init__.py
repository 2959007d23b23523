"""Tools around training: data loading, hooks."""

from __future__ import annotations

_LATER = (
    "_device", "_foreach_utils", "_python_dispatch", "_pytree", "benchmark", "checkpoint",
    "collect_env", "cpp_extension", "data", "dlpack", "flop_counter", "hooks", "model_zoo",
    "module_tracker", "resume", "tensorboard", "weak",
)  # fmt: skip


def __getattr__(name: str):
    """Load a submodule when it is first used, so that `import rushlight` stays quick."""
    if name in _LATER:
        import importlib

        return importlib.import_module(f"rushlight.utils.{name}")
    if name == "swap_tensors":
        from rushlight.utils.swap import swap_tensors

        return swap_tensors
    raise AttributeError(f"module 'rushlight.utils' has no attribute {name!r}")
