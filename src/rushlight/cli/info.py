"""`rushlight info`: what runs here, for people and for reports of errors."""

from __future__ import annotations

import sys

__all__ = ["info"]

_HELP = """\
usage: rushlight info

Version, Python, processor, instruction set, threads, BLAS and memory, one a line.
"""

_ISA = {"v2": "SSE4.2", "v3": "AVX2 and FMA", "v4": "AVX-512", "generic": "plain C++"}


def info(arguments: list[str]) -> int:
    """Prints the table; returns the exit status."""
    if arguments:
        wanted = arguments[0] in ("-h", "--help")
        print(_HELP, end="", file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    rows = _rows()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _rows() -> list[tuple[str, str]]:
    import os
    import platform

    import rushlight
    from rushlight import _core, version

    isa = _core.isa_name()
    asked = os.environ.get("RUSHLIGHT_ISA")
    try:
        _core.load_blas()
        path, config, core = _core.blas_info()
        blas = f"{config.strip()}; kernels for {core}; {path}"
    except RuntimeError as error:
        blas = f"not found: {error}"
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return [
        ("rushlight", f"{version.rushlight}, following PyTorch {version.TORCH_VERSION}"),
        ("location", os.path.dirname(rushlight.__file__)),
        ("Python", f"{platform.python_version()}, {sys.executable}"),
        ("platform", platform.platform()),
        ("processor", f"{_processor()}; {usable} of {os.cpu_count()} processors usable"),
        (
            "instruction set",
            f"{isa} ({_ISA.get(isa, isa)})" + (f", RUSHLIGHT_ISA={asked}" if asked else ""),
        ),
        ("threads", str(rushlight.get_num_threads())),
        ("loops", "at once (RUSHLIGHT_EAGER)" if _is_eager() else "deferred and fused"),
        ("BLAS", blas),
        ("memory", _memory()),
        ("numpy", _version_of("numpy")),
        ("scipy", _version_of("scipy")),
        ("PyTorch", f"{_version_of('torch')} (never imported by rushlight)"),
    ]


def _is_eager() -> bool:
    import os

    return os.environ.get("RUSHLIGHT_EAGER", "0") not in ("", "0")


def _processor() -> str:
    import platform

    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    """What the machine has, and what a container leaves of it."""
    import os

    giga = 2**30
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    text = f"{total / giga:.1f} GiB, {free / giga:.1f} free"
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            limit = file.read().strip()
        if limit.isdigit():
            text += f", limited to {int(limit) / giga:.1f} here"
    except OSError:
        pass
    return text


def _version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
