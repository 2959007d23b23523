"""`import torch` gives rushlight: for scripts and libraries that name PyTorch.

    import rushlight
    rushlight.install_as_torch()

    import torch.nn.functional as F        # rushlight.nn.functional, the very same module

`rushlight run script.py` does this before the script begins. An installed PyTorch is neither
imported nor changed; only this process, and worker processes that it starts, see the other name.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.version import TORCH_VERSION, TorchVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

__all__ = ["TorchFinder", "install_as_torch", "is_installed_as_torch"]

# Modules that have another name here; functorch is a package beside torch, installed with it.
_ELSEWHERE = {
    "functorch": "rushlight.func.functorch",
    "torch._dynamo.utils": "rushlight._dynamo.support",
    "torch._functorch.eager_transforms": "rushlight.func",
    "torch._tensor": "rushlight.tensor",
    "torch._tensor_str": "rushlight.printing",
    "torch.nn.quantized": "rushlight.ao.nn.quantized",
    "torch.quantization": "rushlight.ao.quantization",
    "torch.autograd.anomaly_mode": "rushlight.autograd.graph",
    "torch.autograd.grad_mode": "rushlight.autograd.mode",
    "torch.autograd.profiler": "rushlight.profiler",
    "torch.autograd.profiler_util": "rushlight.profiler.table",
    "torch.profiler.profiler": "rushlight.profiler",
    "torch.jit.annotations": "rushlight._jit_internal",
    "torch.multiprocessing.pool": "rushlight.multiprocessing",
    "torch.nn.modules.channelshuffle": "rushlight.nn",
    "torch.nn.modules.pixelshuffle": "rushlight.nn",
    "torch.nn.modules.utils": "rushlight.nn.modules.sizes",
    "torch.serialization": "rushlight.io",
    "torch.torch_version": "rushlight.version",
    "torch.distributed._tensor": "rushlight.distributed.tensor",
    "torch.utils.data._utils": "rushlight.utils.data",
    "torch.utils.data._utils.collate": "rushlight.utils.data.collate",
    "torch.utils.data._utils.worker": "rushlight.utils.data.worker_info",
}

# Classes whose full name scripts print: <class 'torch.Tensor'>.
_SHOWN = (
    "Size", "Tensor", "device", "dtype", "finfo", "iinfo", "layout", "memory_format",
)  # fmt: skip


class TorchFinder:
    """Finds `torch` and `torch.x.y` as `rushlight` and `rushlight.x.y`, for `sys.meta_path`."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How `import torch...` finds the module: that of the same name here; None for others."""
        own = own_name(fullname)
        if own is None:
            return None
        if own not in sys.modules:
            from importlib.util import find_spec

            try:
                found = find_spec(own)
            except ModuleNotFoundError:  # of its parent
                found = None
            if found is None:
                return None
        module = sys.modules.get(own)
        package = module is None or hasattr(module, "__path__")
        origin = getattr(module, "__file__", None)
        spec = ModuleSpec(fullname, _SameModule(own), origin=origin, is_package=package)  # type: ignore[arg-type]
        spec.has_location = False
        return spec

    @staticmethod
    def find_distributions(context: Any = None) -> Iterator[Any]:
        """What `importlib.metadata` asks: torch is installed, in the version that we stand for."""
        if (getattr(context, "name", None) or "").lower() == "torch":
            yield _distribution()


def own_name(name: str) -> str | None:
    """The module that `import name` is to give, whether there is one or not."""
    known = name
    while known:  # the module itself, or a package that it is in
        if known in _ELSEWHERE:
            return _ELSEWHERE[known] + name[len(known) :]
        known = known.rpartition(".")[0]
    if name == "torch" or name.startswith("torch."):
        return "rushlight" + name[len("torch") :]
    return None


class _SameModule:
    """Loads a module by putting another one, which is imported as usual, in its place."""

    def __init__(self, own: str) -> None:
        self.own = own

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # an empty module, thrown away below: the other one keeps its own __spec__

    def exec_module(self, module: ModuleType) -> None:
        from importlib import import_module

        name, own = module.__name__, self.own
        sys.modules[name] = import_module(own)
        if own != "rushlight" + name[len("torch") :]:
            return
        # What a package has imported by itself must not be found again later: an import sets the
        # package's attribute, and nn.utils.spectral_norm is a function, not its module.
        for child in [child for child in sys.modules if child.startswith(own + ".")]:
            sys.modules.setdefault(name + child[len(own) :], sys.modules[child])


def _distribution() -> Any:
    from importlib.metadata import Distribution

    class TorchDistribution(Distribution):
        """Metadata of the package that rushlight stands in for."""

        def read_text(self, filename: str) -> str | None:
            if filename not in ("METADATA", "PKG-INFO"):
                return None
            return (
                f"Metadata-Version: 2.1\nName: torch\nVersion: {TORCH_VERSION}\n"
                f"Summary: rushlight {rushlight.version.rushlight}, under the name of torch\n"
            )

        def locate_file(self, path: Any) -> Any:
            from pathlib import Path

            return Path(__file__).parent.parent / path

    return TorchDistribution()


def is_installed_as_torch() -> bool:
    """Whether `import torch` gives rushlight in this process."""
    return TorchFinder in sys.meta_path  # type: ignore[comparison-overlap]


def install_as_torch() -> None:
    """Makes `import torch` give rushlight, in this process and in the workers that it starts.

    Call it before anything imports torch. Every `torch.x.y` is then the module `rushlight.x.y`
    itself, so objects from either name are the same; `torch.__version__`, which is also
    `rushlight.__version__` from then on, is the version of PyTorch that rushlight follows, as
    libraries compare it. A second call does nothing.

    Raises:
        RuntimeError: if PyTorch itself is already imported.

    Example:
        >>> import rushlight
        >>> rushlight.install_as_torch()
        >>> import torch.nn
        >>> torch.nn is rushlight.nn
        True
    """
    if is_installed_as_torch():
        return
    present = sys.modules.get("torch")
    if present is not None:
        raise RuntimeError(
            f"install_as_torch: torch is already imported, from {present.__file__}. Call it before "
            "the first import of torch, or run the program with: rushlight run script.py"
        )
    sys.meta_path.insert(0, TorchFinder)  # type: ignore[arg-type]
    sys.modules["torch"] = rushlight
    rushlight.__version__ = TorchVersion(TORCH_VERSION)
    rushlight.__name__ = "torch"
    rushlight.torch = rushlight  # type: ignore[attr-defined]  # as PyTorch's own name is in it
    for name in _SHOWN:
        getattr(rushlight, name).__module__ = "torch"
    _teach_workers()


# ---- worker processes


class _Install:
    """Pickles to a call of install_as_torch: done where it is unpickled."""

    def __reduce__(self) -> tuple:
        return _install, ()


def _install() -> None:
    install_as_torch()


def _teach_workers() -> None:
    """Has processes that `multiprocessing` starts afresh install the name as well.

    Forked ones have it already. A spawned one first unpickles a dict that tells it how to import
    the main script; an entry of ours in that dict is there before the script's `import torch`.
    """
    from multiprocessing import forkserver, spawn


    given = spawn.get_preparation_data
    if isinstance(given, _WithInstall):
        return
    spawn.get_preparation_data = _WithInstall(given)  # type: ignore[assignment]
    # The server would import the main script itself, before any such dict reaches it.
    forkserver.set_forkserver_preload(["rushlight"])


class _WithInstall:
    def __init__(self, given: Any) -> None:
        self._given = given

    def __call__(self, name: str) -> dict[str, Any]:
        return {"rushlight": _Install(), **self._given(name)}
