"""`rushlight run`: a script as Python would run it, with rushlight under the name of torch."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any

__all__ = ["run"]

_HELP = """\
usage: rushlight run SCRIPT [ARGUMENT ...]
       rushlight run -m MODULE [ARGUMENT ...]
       rushlight run - [ARGUMENT ...]

Runs a PyTorch script without a change: in its process, and in worker processes that it starts,
`import torch` gives rushlight. An installed PyTorch is not touched. `-` reads the script from the
standard input.

Everything behind the script belongs to the script. Its exit status is the status of the command;
2 if there is no such script, 130 after Ctrl-C. Options of Python go to Python:
`python -u -m rushlight run SCRIPT`.
"""


class _Program:
    """What is to be run: its code, and what the module `__main__` says about itself."""

    def __init__(self, code: CodeType | None, facts: dict[str, Any]) -> None:
        self.code = code
        self.facts = facts


class _NoProgram(Exception):
    """The command line names nothing that can be run."""


def run(arguments: list[str]) -> int:
    """Runs the script that the arguments name; returns the exit status.

    A script that calls `sys.exit` leaves this function by SystemExit, as it leaves Python.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    if not arguments or (arguments[0] == "-m" and len(arguments) == 1):
        print(_HELP, end="", file=sys.stderr)
        return 2
    if arguments[0].startswith("-") and arguments[0] not in ("-", "-m"):
        print(
            f"rushlight run: no option {arguments[0]}; options of the script go behind it\n\n"
            f"{_HELP}",
            end="",
            file=sys.stderr,
        )
        return 2

    from rushlight.as_torch import install_as_torch

    install_as_torch()
    main = ModuleType("__main__")
    try:
        if arguments[0] == "-m":
            sys.argv[:] = ["-m", *arguments[2:]]
            _enter(os.getcwd())
            program = _module(arguments[1])
        else:
            sys.argv[:] = arguments
            program = _script(arguments[0])
    except _NoProgram as missing:
        print(f"rushlight run: {missing}", file=sys.stderr)
        return 2
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        return 1
    if program.code is not None and _names(program.code, "__torch_function__"):
        from rushlight.overrides import _activate

        _activate()  # what the script takes out of torch before its class is there asks too
    main.__dict__.update(program.facts)
    main.__dict__.setdefault("__annotations__", {})
    sys.modules["__main__"] = main
    return _execute(program.code, main)


def _names(code: CodeType, name: str) -> bool:
    """Whether code, or what is defined in it, uses or defines a name."""
    return name in code.co_names or any(
        _names(inner, name) for inner in code.co_consts if isinstance(inner, CodeType)
    )


def _path_is_ours() -> bool:
    """Whether sys.path[0] is there because of how this command was started.

    `python -m` puts the working directory first, a console script its own folder; with Python's
    option -P, or -I, there is neither.
    """
    return not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated


def _enter(folder: str) -> None:
    if _path_is_ours():
        sys.path[0] = folder
    else:
        sys.path.insert(0, folder)


def _script(path: str) -> _Program:
    facts: dict[str, Any] = {"__builtins__": __builtins__, "__spec__": None, "__package__": None}
    if path == "-":
        _enter("")
        return _Program(compile(sys.stdin.read(), "<stdin>", "exec", dont_inherit=True), facts)
    if os.path.isdir(path):
        inner = os.path.join(path, "__main__.py")
        if not os.path.isfile(inner):
            raise _NoProgram(f"{path} is a folder without a __main__.py")
        _enter(os.path.abspath(path))
        path = inner
    else:
        _enter(os.path.dirname(os.path.realpath(path)))
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise _NoProgram(f"cannot read {path}: {error.strerror}") from None
    from importlib.machinery import SourceFileLoader

    absolute = os.path.abspath(path)
    facts |= {
        "__file__": absolute,
        "__cached__": None,
        "__loader__": SourceFileLoader("__main__", absolute),
    }
    return _Program(compile(source, absolute, "exec", dont_inherit=True), facts)


def _module(name: str) -> _Program:
    """A module or a package's `__main__`, as `python -m` finds it."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        spec = None
    if spec is None or spec.loader is None:
        raise _NoProgram(f"no module named {name}")
    code = spec.loader.get_code(name) if hasattr(spec.loader, "get_code") else None
    if code is None:
        raise _NoProgram(f"the module {name} has no code to run")
    sys.argv[0] = spec.origin or name
    return _Program(
        code,
        {
            "__builtins__": __builtins__,
            "__spec__": spec,
            "__package__": spec.parent,
            "__file__": spec.origin,
            "__cached__": spec.cached,
            "__loader__": spec.loader,
        },
    )


def _execute(code: Any, main: ModuleType) -> int:
    try:
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        _flush()
        return 130  # what a shell reports of a program that Ctrl-C ended
    except BaseException as error:
        return _report(error, main)
    return 0


def _report(error: BaseException, main: ModuleType) -> int:
    """Shows the traceback from the script's first frame on, and what else helps."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is not main.__dict__:
        trace = trace.tb_next
    error = error.with_traceback(trace)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    sys.excepthook(type(error), error, trace)
    if missing := _missing(error):
        print(
            f"\n{missing} is not in rushlight: docs/differences.md lists what is not there and "
            "why,\nand `rushlight check` finds all such names in a script.",
            file=sys.stderr,
        )
    _flush()
    return 1


def _missing(error: BaseException) -> str | None:
    """The name of PyTorch's whose absence the error is, if it is that."""
    if isinstance(error, AttributeError) and error.name:
        home = error.obj
        if isinstance(home, ModuleType):
            path = home.__name__
        else:
            kind = home if isinstance(home, type) else type(home)
            path = "rushlight.Tensor" if kind.__name__ == "Tensor" else ""
            if kind.__module__ not in ("rushlight.tensor", "torch"):
                path = ""
        return _torch_name(f"{path}.{error.name}")
    if isinstance(error, ModuleNotFoundError):
        return _torch_name(error.name or "")
    if isinstance(error, ImportError):  # cannot import name 'x' from 'y'
        module = error.name or ""
        name = getattr(error, "name_from", None) or error.msg.partition("'")[2].partition("'")[0]
        return _torch_name(f"{module}.{name}")
    return None


def _torch_name(path: str) -> str | None:
    top, _, rest = path.partition(".")
    return f"torch.{rest}" if top in ("rushlight", "torch") and rest else None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
