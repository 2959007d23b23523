"""torch.utils.cpp_extension: names for scripts that import them and build nothing on a CPU."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "BuildExtension",
    "CUDAExtension",
    "CUDA_HOME",
    "CppExtension",
    "ROCM_HOME",
    "load",
    "load_inline",
]

CUDA_HOME: str | None = None
ROCM_HOME: str | None = None


def _nothing_to_build(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.utils.cpp_extension.{name}: an extension is compiled against PyTorch's own C++ "
        "library, which rushlight has not. Take the code's way without it, or write the operation "
        "with torch.autograd.Function"
    )


def load(name: str, *args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _nothing_to_build("load")


def load_inline(name: str, *args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _nothing_to_build("load_inline")


class BuildExtension:
    """For `setup.py`; raises NotImplementedError when a build begins."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _nothing_to_build("BuildExtension")

    @classmethod
    def with_options(cls, **options: Any) -> type[BuildExtension]:
        """The class itself."""
        return cls


def CppExtension(name: str, sources: Any, *args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _nothing_to_build("CppExtension")


def CUDAExtension(name: str, sources: Any, *args: Any, **kwargs: Any) -> Any:
    """Raises NotImplementedError."""
    _nothing_to_build("CUDAExtension")
