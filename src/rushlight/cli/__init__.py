"""The command `rushlight`: runs PyTorch scripts, looks through them, tells about this machine."""

from __future__ import annotations

import sys

__all__ = ["main"]

_HELP = """\
usage: rushlight COMMAND ...

PyTorch's training loop, rebuilt for the CPU.

commands:
  run SCRIPT [ARGUMENT ...]   run a PyTorch script on rushlight, unmodified
  check PATH [PATH ...]       list the torch names that scripts use and rushlight lacks
  info                        version, threads, instruction set, BLAS, memory

  rushlight COMMAND --help    tells more; rushlight --version the version
"""


def main(argv: list[str] | None = None) -> int:
    """Runs a command line (by default the process's own); returns its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments:
        print(_HELP, end="", file=sys.stderr)
        return 2
    command, rest = arguments[0], arguments[1:]
    if command in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0
    if command in ("-V", "--version"):
        from rushlight.version import rushlight

        print(f"rushlight {rushlight}")
        return 0
    if command == "run":
        from rushlight.cli.run import run

        return run(rest)
    if command == "check":
        from rushlight.cli.check import check

        return check(rest)
    if command == "info":
        from rushlight.cli.info import info

        return info(rest)
    print(f"rushlight: there is no command {command!r}\n\n{_HELP}", end="", file=sys.stderr)
    return 2
