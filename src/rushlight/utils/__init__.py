"""Tools around training: data loading, hooks."""

from __future__ import annotations


def __getattr__(name: str):
    """Load a submodule when it is first used, so that `import rushlight` stays quick."""
    if name in ("checkpoint", "data", "dlpack", "resume", "tensorboard"):
        import importlib

        return importlib.import_module(f"rushlight.utils.{name}")
    raise AttributeError(f"module 'rushlight.utils' has no attribute {name!r}")
