"""Saving and loading in PyTorch's file format.

A file is an uncompressed zip archive (``archive``): ``data.pkl`` is a pickle that names tensors by
shape, strides and storage, ``data/0``, ``data/1``, ... are the bytes of the storages. ``saving``
writes it, ``unpickler`` and ``rebuild`` turn the pickle back into objects without running code from
the file, ``loading`` drives them, ``storages`` is where tensors become bytes and bytes tensors.

The parts are imported at the first call, so that ``import rushlight`` does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.io.allowlist import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)

if TYPE_CHECKING:
    from rushlight.io.loading import Readable
    from rushlight.io.saving import Writable

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "safe_globals",
    "save",
    "verify",
]

DEFAULT_PROTOCOL = 2  # of pickles in a file


def save(
    obj: Any,
    f: Writable,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object to a file that :func:`load` and PyTorch's ``torch.load`` read.

    Tensors and Parameters keep dtype, shape, strides and ``requires_grad``; tensors that share a
    storage share it again when they are loaded, and the whole storage is written even where a
    tensor shows only a part of it (``tensor.clone()`` is saved small). Hooks and history are not
    saved.

    A path is written to a temporary file beside it, synced, and renamed: whatever happens on the
    way, the path holds either the old file or the whole new one.

    Args:
        obj: tensors, ``state_dict``s, numbers, strings, lists, tuples, dicts, sets, nested at will.
            Instances of other classes are pickled as usual; to load them takes
            :func:`add_safe_globals` or ``weights_only=False``.
        f: a path, or an object with a ``write`` method that takes bytes.
        pickle_module: not available; there is one format.
        pickle_protocol: 2 to 5; PyTorch's loader is sure of 2 only.

    Raises:
        RuntimeError: the parent folder is missing, or tensors of different dtypes share a storage.
        pickle.PicklingError: an object cannot be pickled.

    Example:
        >>> import io
        >>> import rushlight as torch
        >>> file = io.BytesIO()
        >>> torch.save({"weight": torch.ones(2)}, file)
        >>> torch.load(file)
        {'weight': tensor([1., 1.])}
    """
    from rushlight.io.saving import save_object

    if pickle_module is not None and getattr(pickle_module, "__name__", "") != "pickle":
        raise NotImplementedError(
            f"save: pickle_module={pickle_module!r} is not supported; leave it out"
        )
    save_object(
        obj,
        f,
        pickle_protocol,
        byteorder_record=not _disable_byteorder_record,
        legacy=not _use_new_zipfile_serialization,
    )


def load(
    f: Readable,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read an object that :func:`save` or PyTorch's ``torch.save`` wrote.

    Nothing in the file is run: tensors and plain Python objects are created by code of this
    package, all else is refused. The checksum of every record is verified, and a tensor is made
    only if it lies inside its storage.

    Args:
        f: a path, or a binary file object with ``read`` and ``seek``.
        map_location: where tensors go: ``"cpu"`` (or a device, dict or function that says so)
            matters for files that were saved on another device; with ``"meta"`` tensors have a
            shape and a dtype alone, and no values are read.
        pickle_module: None, or the module `pickle`, which asks for ``weights_only=False``.
        weights_only: False unpickles everything, **which runs whatever code the file asks for**:
            only for files of your own. None is True, unless there is a `pickle_module`.
        mmap: leave the storages in the file and map them into memory (copy on write). ``f`` must be
            a path, and the file must stay as it is. **The checksums of the storages are not
            verified**, since that would read them all: :func:`verify` does when it suits.
        pickle_load_args: handed to the unpickler of ``weights_only=False``.

    Raises:
        pickle.UnpicklingError: the file asks for something that is not allowed, or its pickle is
            damaged or malicious; the message names it and says what to do.
        RuntimeError: the archive is truncated or damaged (the message names the record), or tensors
            were saved on another device and ``map_location`` is not given.
        EOFError: the file is empty.

    Example:
        >>> import io
        >>> import rushlight as torch
        >>> file = io.BytesIO()
        >>> torch.save([torch.arange(3), "text"], file)
        >>> torch.load(file)
        [tensor([0, 1, 2]), 'text']
    """
    from rushlight.io.loading import load_object

    if pickle_module is not None and weights_only:
        raise RuntimeError(
            "load: weights_only=True reads a file without a pickle module: leave pickle_module out"
        )
    if pickle_module is not None and getattr(pickle_module, "__name__", "") != "pickle":
        raise NotImplementedError(
            f"load: pickle_module={pickle_module!r} is not supported; leave it out"
        )
    return load_object(
        f,
        map_location,
        weights_only=pickle_module is None if weights_only is None else weights_only,
        mmap=bool(mmap),
        pickle_load_args=pickle_load_args,
    )


def verify(f: Readable) -> None:
    """Read a file of :func:`save` or PyTorch's ``torch.save`` through and verify its checksums.

    Nothing is unpickled, and no more than 16 MiB are in memory at a time. :func:`load` verifies
    what it reads by itself; this is for files that are to be mapped (``mmap=True``), or copied.

    Args:
        f: a path, or a binary file object with ``read`` and ``seek``.

    Raises:
        RuntimeError: a record is damaged (the message names it), or the archive is truncated.
        pickle.UnpicklingError: it is no such file.
        EOFError: the file is empty.
    """
    from rushlight.io.loading import verify_file

    verify_file(f)


def _get_layout(name: str) -> Any:
    """The layout that prints as `name`, for pickles. Raises KeyError if it is not there."""
    import rushlight

    layouts = (
        rushlight.strided, rushlight.sparse_coo, rushlight.sparse_csr, rushlight.sparse_csc
    )  # fmt: skip
    return {str(layout): layout for layout in layouts}[name]


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage itself, for a `map_location`. Raises RuntimeError for another device.

    NotImplementedError for meta, which `map_location="meta"` asks for.
    """
    from rushlight.dtypes import check_device

    check_device(location)
    return storage


def __getattr__(name: str) -> Any:
    if name in ("FILE_LIKE", "MAP_LOCATION"):  # PyTorch's names of types, for annotations
        return Any
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
