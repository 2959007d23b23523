"""`python -m torch.utils.collect_env`: what a report of a bug needs to say about the machine."""

from __future__ import annotations

import platform
import sys
from typing import NamedTuple

_PACKAGES = ("numpy", "scipy", "scipy-openblas32", "torch", "torchvision", "jax")


class SystemEnv(NamedTuple):
    """The facts of :func:`get_env_info`."""

    torch_version: str
    is_debug_build: str
    cuda_compiled_version: str
    os: str
    libc_version: str
    python_version: str
    python_platform: str
    is_cuda_available: str
    cpu_info: str
    threads: str
    pip_packages: str


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in _PACKAGES:
        try:
            found.append(f"[pip3] {name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return "\n".join(found)


def _processor() -> str:
    import os

    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1] for line in file if line.startswith("model name")]
        model = names[0].strip() if names else model
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} logical"


def get_env_info() -> SystemEnv:
    """Versions of rushlight, Python and packages, the system and its processor."""
    import rushlight

    return SystemEnv(
        torch_version=f"{rushlight.__version__} (rushlight)",
        is_debug_build="False",
        cuda_compiled_version="N/A",
        os=f"{platform.system()} {platform.release()} ({platform.machine()})",
        libc_version="-".join(platform.libc_ver()),
        python_version=f"{sys.version} ({64 if sys.maxsize > 2**32 else 32}-bit runtime)",
        python_platform=platform.platform(),
        is_cuda_available="False",
        cpu_info=_processor(),
        threads=str(rushlight.get_num_threads()),
        pip_packages=_versions(),
    )


def pretty_str(envinfo: SystemEnv) -> str:
    """The facts as text."""
    lines = [
        f"PyTorch version: {envinfo.torch_version}",
        f"Is debug build: {envinfo.is_debug_build}",
        f"CUDA used to build PyTorch: {envinfo.cuda_compiled_version}",
        "",
        f"OS: {envinfo.os}",
        f"Libc version: {envinfo.libc_version}",
        "",
        f"Python version: {envinfo.python_version}",
        f"Python platform: {envinfo.python_platform}",
        f"Is CUDA available: {envinfo.is_cuda_available}",
        "",
        f"CPU: {envinfo.cpu_info}",
        f"Threads: {envinfo.threads}",
        "",
        "Versions of relevant libraries:",
        envinfo.pip_packages,
    ]
    return "\n".join(lines)


def get_pretty_env_info() -> str:
    """The text of :func:`get_env_info`."""
    return pretty_str(get_env_info())


def main() -> None:
    """Prints it."""
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
