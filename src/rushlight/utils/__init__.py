"""Tools around training: data loading, hooks."""

from __future__ import annotations


def __getattr__(name: str):
    """Load a submodule when it is first used, so that `import rushlight` stays quick."""
    if name == "data":
        import importlib

        return importlib.import_module("rushlight.utils.data")
    raise AttributeError(f"module 'rushlight.utils' has no attribute {name!r}")
