"""How this build computes, as text."""

from __future__ import annotations

__all__ = ["parallel_info", "show"]


def show() -> str:
    """Version, instruction set, BLAS and threads, one a line."""
    from rushlight import _core, version

    _core.load_blas()
    _, config, core = _core.blas_info()
    return "\n".join(
        (
            f"rushlight {version.rushlight}, following PyTorch {version.TORCH_VERSION}:",
            f"  - instruction set: {_core.isa_name()}",
            f"  - BLAS: {config.strip()}, kernels for {core}",
            f"  - threads: {_core.get_num_threads()}",
            "",
        )
    )


def parallel_info() -> str:
    """How work is spread over threads."""
    import os

    from rushlight import _core

    return (
        f"threads of the pool: {_core.get_num_threads()}\n"
        f"processors: {os.cpu_count()}\n"
        "BLAS: one thread; products are cut into tiles for the pool\n"
    )
