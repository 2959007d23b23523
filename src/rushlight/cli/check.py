"""`rushlight check`: the torch names that scripts use, found without running them.

Names are followed from imports through aliases (`import torch.nn as nn`, `F = nn.functional`) and
attributes, and looked up in rushlight. What a variable holds is not known: a method that only
PyTorch's tensors have is a note, not a finding.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["check"]

_HELP = """\
usage: rushlight check [--all] PATH [PATH ...]

Looks through scripts, and all Python files of folders, without running them, and lists the names of
torch that they use and rushlight lacks, with line numbers. Code that asks first (is_available,
hasattr, try ... except ImportError) gives notes.

  --all   list every name of torch that is used

The exit status is 1 if a name is missing, 2 if a file cannot be read, otherwise 0.
"""

# Packages that are compiled against PyTorch itself.
_COMPILED = ("torchvision", "torchaudio", "torchtext", "torch_scatter", "torch_sparse", "xformers")

_PARTS = {
    "torchvision": "torchvision goes without its compiled part (nms, roi_align, files of images)",
}

# What only PyTorch's tensors have; looked up in ours before it is told.
_OTHER_METHODS = (
    "data_ptr", "dequantize", "int_repr", "ipu", "mkldnn_max_pool2d", "q_per_channel_axis",
    "q_per_channel_scales", "q_per_channel_zero_points", "q_scale", "q_zero_point", "qscheme",
    "record_stream", "refine_names", "rename", "rename_", "align_as", "align_to", "storage",
    "storage_type", "to_mkldnn", "to_padded_tensor", "unflatten_names", "untyped_storage", "xpu",
    "cuda", "mtia", "hpu",
)


class _Use:
    """One mention of a name."""

    def __init__(self, line: int, name: str, guarded: bool) -> None:
        self.line = line
        self.name = name
        self.guarded = guarded


def check(arguments: list[str]) -> int:
    """Checks the files that the arguments name; returns the exit status."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    show_all = "--all" in arguments
    paths = [argument for argument in arguments if argument != "--all"]
    unknown = [path for path in paths if path.startswith("-")]
    if not paths or unknown:
        if unknown:
            print(f"rushlight check: no option {unknown[0]}\n", file=sys.stderr)
        print(_HELP, end="", file=sys.stderr)
        return 2
    from pathlib import Path

    status = 0
    for path in _files(map(Path, paths)):
        status = max(status, _check_file(path, show_all))
    return status


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                inner
                for inner in path.rglob("*.py")
                if not any(part.startswith(".") for part in inner.relative_to(path).parts)
            )
        else:
            yield path


def _check_file(path: Path, show_all: bool) -> int:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"{path}: cannot be read: {reason}", file=sys.stderr)
        return 2
    reader = _Reader()
    reader.visit(tree)
    missing: list[tuple[int, str]] = []
    notes: list[tuple[int, str]] = []
    for use in reader.uses:
        absent = _absent(use.name)
        if absent is None or absent in reader.given:
            continue
        (notes if use.guarded else missing).append((use.line, absent))
    for line, name in sorted(set(missing)):
        print(f"{path}:{line}: {name} is not in rushlight")
    for line, name in sorted(set(notes)):
        print(f"{path}:{line}: note: {name} is not in rushlight; the code around it asks first")
    for line, text in sorted(set(reader.notes)):
        print(f"{path}:{line}: note: {text}")
    names = {use.name for use in reader.uses}
    if show_all:
        for name in sorted(names):
            lines = sorted({use.line for use in reader.uses if use.name == name})
            print(f"  {name}: line {', '.join(map(str, lines))}")
    absent_names = {name for _, name in missing}
    if names or reader.notes:
        print(f"{path}: {len(names)} names of torch, {len(absent_names)} missing")
    return 1 if missing else 0


class _Reader(ast.NodeVisitor):
    """Collects the uses of torch names in one file."""

    def __init__(self) -> None:
        self.uses: list[_Use] = []
        self.notes: list[tuple[int, str]] = []
        self.given: set[str] = set()
        self._names: dict[str, str] = {}  # name in the script: path below torch
        self._guards = 0

    # ---- names

    def _use(self, node: ast.AST, path: str) -> None:
        line = getattr(node, "lineno", 0)
        self.uses.append(_Use(line, path, self._guards > 0))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._package(node, alias.name)
            if not _is_torch(alias.name):
                continue
            if alias.name != "torch":
                self._use(node, alias.name)
            if alias.asname:
                self._names[alias.asname] = alias.name
            else:
                self._names["torch"] = "torch"

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            return
        self._package(node, module)
        if not _is_torch(module):
            return
        for alias in node.names:
            if alias.name == "*":
                self._use(node, module)
                for name in _public(module):
                    self._names.setdefault(name, f"{module}.{name}")
                continue
            path = f"{module}.{alias.name}"
            self._use(node, path)
            self._names[alias.asname or alias.name] = path

    def _package(self, node: ast.AST, module: str) -> None:
        top = module.partition(".")[0]
        if top in _COMPILED:
            note = _PARTS.get(top, f"{top} is compiled against PyTorch")
            self.notes.append((getattr(node, "lineno", 0), note))

    def _path(self, node: ast.AST) -> str | None:
        """The torch path that an expression is, if it is one."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            base = self._path(node.value)
            return None if base is None else f"{base}.{node.attr}"
        return None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self._path(node)
        if path is not None:
            if isinstance(node.ctx, ast.Load):
                self._use(node, path)
            else:
                self.given.add(path)  # the script puts it there itself
            return  # the whole chain is one name
        if node.attr in _OTHER_METHODS and isinstance(node.ctx, ast.Load):
            self._method(node)
        self.generic_visit(node)

    def _method(self, node: ast.Attribute) -> None:
        from rushlight import Tensor

        if not hasattr(Tensor, node.attr):
            self.notes.append(
                (node.lineno, f".{node.attr}: a tensor of rushlight has no such method")
            )

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        path = self._path(node.value)
        if path is not None:
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self._names.setdefault(target.id, path)

    # ---- code that asks first

    def _guarded(self, nodes: Iterable[ast.AST]) -> None:
        self._guards += 1
        for node in nodes:
            self.visit(node)
        self._guards -= 1

    def _asks(self, test: ast.AST) -> bool:
        asking = ("is_available", "is_initialized", "hasattr", "device_count", "is_built")
        return any(
            (isinstance(node, ast.Attribute) and node.attr in asking)
            or (isinstance(node, ast.Name) and node.id in asking)
            for node in ast.walk(test)
        )

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        if self._asks(node.test):
            self._guarded(node.body)
        else:
            for inner in node.body:
                self.visit(inner)
        for inner in node.orelse:
            self.visit(inner)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        if self._asks(node.test):
            self._guarded([node.body])
        else:
            self.visit(node.body)
        self.visit(node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        caught = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"}
        names = {
            inner.id
            for handler in node.handlers
            if handler.type is not None
            for inner in ast.walk(handler.type)
            if isinstance(inner, ast.Name)
        }
        if names & caught or any(handler.type is None for handler in node.handlers):
            self._guarded(node.body)
        else:
            for inner in node.body:
                self.visit(inner)
        for rest in (node.handlers, node.orelse, node.finalbody):
            for other in rest:
                self.visit(other)


def _is_torch(module: str) -> bool:
    return module == "torch" or module.startswith("torch.")


# ---- looking up


def _module(path: str) -> Any:
    """The module of rushlight for one of torch; None if there is none."""
    from importlib import import_module

    from rushlight.as_torch import own_name

    try:
        return import_module(own_name(path) or path)
    except ImportError:
        return None


def _public(module: str) -> list[str]:
    """What `from module import *` gives."""
    found = _module(module)
    if found is None:
        return []
    names = getattr(found, "__all__", None)
    return list(names) if names is not None else [n for n in dir(found) if not n.startswith("_")]


def _absent(path: str) -> str | None:
    """The part of a path up to the first name that rushlight lacks; None if it has all."""
    from types import ModuleType

    import rushlight

    found: Any = rushlight
    known = "torch"
    for part in path.split(".")[1:]:
        known = f"{known}.{part}"
        try:
            inner = getattr(found, part)
        except ImportError:
            return None  # it is there, and its import says which package it needs
        except AttributeError:
            inner = _module(known) if isinstance(found, ModuleType) else None
            if inner is None:
                return known
        if (getattr(inner, "__doc__", None) or "").startswith("Raises NotImplementedError"):
            return known
        if not isinstance(inner, (ModuleType, type)):
            return None  # a function, a dtype, a number: what it has is not torch's surface
        found = inner
    return None
