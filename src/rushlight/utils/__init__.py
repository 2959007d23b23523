"""Tools around training: data loading, hooks."""

from __future__ import annotations

_LATER = (
    "_pytree", "benchmark", "checkpoint", "data", "dlpack", "hooks", "model_zoo", "resume",
    "tensorboard",
)  # fmt: skip


def __getattr__(name: str):
    """Load a submodule when it is first used, so that `import rushlight` stays quick."""
    if name in _LATER:
        import importlib

        return importlib.import_module(f"rushlight.utils.{name}")
    raise AttributeError(f"module 'rushlight.utils' has no attribute {name!r}")
