"""torch.hub: checkpoints by address, and models of a folder on this machine.

Files are downloaded once into a folder of their own, by default ~/.cache/torch/hub, the one that
PyTorch uses. Code is never downloaded: `load` takes `source="local"` only.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url",
    "set_dir",
]  # fmt: skip

ENV_TORCH_HOME = "TORCH_HOME"
ENV_XDG_CACHE_HOME = "XDG_CACHE_HOME"
DEFAULT_CACHE_DIR = "~/.cache"
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # resnet18-f37072fd.pth
READ_DATA_CHUNK = 128 * 1024

_folder: str | None = None


def _get_torch_home() -> str:
    cache = os.getenv(ENV_XDG_CACHE_HOME, DEFAULT_CACHE_DIR)
    return os.path.expanduser(os.getenv(ENV_TORCH_HOME, os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder of downloaded files: $TORCH_HOME/hub, unless `set_dir` was called."""
    return _folder if _folder is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Sets the folder of downloaded files."""
    global _folder
    _folder = os.path.expanduser(str(d))


# ---------------------------------------------------------------------------- files


def download_url_to_file(
    url: str, dst: str, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Downloads a file; the path holds the whole file or what it held before.

    Args:
        url: where it is: http(s), or file.
        dst: the path to write to.
        hash_prefix: what its SHA-256 must begin with.
        progress: show a bar, where tqdm is installed.

    Raises RuntimeError for another hash, and what urllib raises for an address that fails.
    """
    import hashlib
    import tempfile
    from contextlib import suppress
    from urllib.request import Request, urlopen

    dst = os.path.expanduser(dst)
    request = Request(url, headers={"User-Agent": "torch.hub"})
    handle, part = tempfile.mkstemp(dir=os.path.dirname(dst) or ".", prefix=".download-")
    try:
        checksum = hashlib.sha256()
        with os.fdopen(handle, "wb") as file, urlopen(request) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            bar = __getattr__("tqdm")(
                total=size or None, disable=not progress, unit="B", unit_scale=True
            )
            with bar:
                while chunk := answer.read(READ_DATA_CHUNK):
                    file.write(chunk)
                    checksum.update(chunk)
                    bar.update(len(chunk))
        digest = checksum.hexdigest()
        if hash_prefix is not None and not digest.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest}")')
        os.replace(part, dst)
    finally:
        with suppress(FileNotFoundError):
            os.remove(part)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Reads a checkpoint by its address; downloads it if it is not on this machine yet.

    Args:
        url: where it is.
        model_dir: the folder to keep it in; `get_dir()`/checkpoints without it.
        map_location: of `load`.
        progress: show a bar, where tqdm is installed.
        check_hash: the file's SHA-256 must begin with the digits behind "-" in its name.
        file_name: its name on this machine; that of the address without it.
        weights_only: as of `load`, whose safe reading is used in both cases.
    """
    from urllib.parse import urlparse

    import rushlight

    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found[1] if found else None, progress)
    return rushlight.load(path, map_location=map_location, weights_only=True)


# ---------------------------------------------------------------------------- models of a folder


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"torch.hub.{name} is not in rushlight for other sources than 'local': it downloads code "
        "and runs it. Download the repository yourself and pass its folder, with source='local'"
    )


def _hubconf(name: str, folder: Any, source: str) -> ModuleType:
    if source != "local":
        _refuse(name)
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.join(folder, "hubconf.py")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"torch.hub.{name}: there is no {path}")
    sys.path.insert(0, os.fspath(folder))
    try:
        spec = spec_from_file_location("hubconf.py", path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(os.fspath(folder))
    return module


def _entry(module: ModuleType, model: str) -> Any:
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    found = getattr(module, model, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return found


def load(
    repo_or_dir: Any,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = None,
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What the function `model` of a folder's hubconf.py returns.

    Args:
        repo_or_dir: the folder.
        model: the function's name.
        args, kwargs: what it is called with.
        source: "local"; "github" raises NotImplementedError.
        trust_repo, force_reload, verbose, skip_validation: of no effect for a folder.
    """
    return _entry(_hubconf("load", repo_or_dir, source), model)(*args, **kwargs)


def list(
    github: Any,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = None,
    verbose: bool = True,
    *,
    source: str = "github",
) -> Any:
    """The names of the functions of a folder's hubconf.py.

    Args:
        github: the folder.
        force_reload, skip_validation, trust_repo, verbose: of no effect for a folder.
        source: "local"; "github" raises NotImplementedError.
    """
    module = _hubconf("list", github, source)
    return [
        name for name in dir(module)
        if callable(getattr(module, name)) and not name.startswith("_")
    ]  # fmt: skip


def help(
    github: Any,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = None,
    *,
    source: str = "github",
) -> Any:
    """The docstring of a function of a folder's hubconf.py.

    Args:
        github: the folder.
        model: the function's name.
        force_reload, skip_validation, trust_repo: of no effect for a folder.
        source: "local"; "github" raises NotImplementedError.
    """
    return _entry(_hubconf("help", github, source), model).__doc__


# ---------------------------------------------------------------------------- names of others


class _NoBar:
    """tqdm where it is not installed: goes through the values and shows no bar."""

    def __init__(self, iterable: Any = None, *args: Any, **kwargs: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Any:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """Shows nothing."""

    update = close = set_postfix = set_postfix_str = _nothing
    set_description = set_description_str = _nothing


def __getattr__(name: str) -> Any:
    if name in ("Request", "urlopen"):
        import urllib.request

        return getattr(urllib.request, name)
    if name == "urlparse":
        from urllib.parse import urlparse

        return urlparse
    if name != "tqdm":
        raise AttributeError(f"module 'torch.hub' has no attribute {name!r}")
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar
    return tqdm
