"""`rushlight run`: a script under the name of torch, as Python would run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest


def rushlight(*arguments, cwd, stdin=None, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "rushlight", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.fixture
def script(tmp_path):
    def write(code: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(code))
        return path

    return write


def run(path: Path, *arguments, **options) -> subprocess.CompletedProcess:
    return rushlight("run", path.name, *arguments, cwd=path.parent, **options)


# ------------------------------------------------------------------------------ what torch is


def test_modules_are_the_same_objects(script):
    path = script("""
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from torch import optim
        from torch.optim.lr_scheduler import StepLR
        from torch.utils.data import DataLoader
        import torch.utils.data.dataloader
        import rushlight, sys
        assert torch is rushlight and nn is rushlight.nn and F is rushlight.nn.functional
        assert optim is rushlight.optim and DataLoader is rushlight.utils.data.DataLoader
        assert StepLR is rushlight.optim.lr_scheduler.StepLR
        assert nn.__spec__.name == "rushlight.nn"
        assert sys.modules["torch.nn.functional"] is sys.modules["rushlight.nn.functional"]
        print("same")
    """)
    done = run(path)
    assert (done.stdout, done.stderr, done.returncode) == ("same\n", "", 0)


def test_an_installed_torch_is_not_touched(script):
    script("raise SystemExit('PyTorch was imported')", "site/torch/__init__.py")
    script("raise SystemExit('PyTorch was imported')", "site/torch/nn/__init__.py")
    script("raise SystemExit('PyTorch was imported')", "site/torch/only_there.py")
    meta = "Metadata-Version: 2.1\nName: torch\nVersion: 1.0\n"
    path = script(meta, "site/torch-1.0.dist-info/METADATA").parent.parent
    done = run(
        script("""
            import sys
            sys.path.insert(0, "site")
            import importlib.metadata, importlib.util
            import torch, torch.nn
            print(torch.__spec__.name, importlib.metadata.version("torch") == torch.__version__)
            print(importlib.util.find_spec("torch.only_there"))
            try:
                import torch.only_there
            except ModuleNotFoundError as error:
                print(error)
        """),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(path)])},
    )
    assert done.stdout == "rushlight True\nNone\nNo module named 'torch.only_there'\n", done.stderr


def test_versions(script):
    path = script("""
        import importlib.metadata, importlib.util, torch
        assert torch.__version__ == torch.version.__version__ == importlib.metadata.version("torch")
        assert torch.__version__ >= "2.0" and torch.__version__ > (1, 13)
        assert torch.__version__ < "3"
        assert torch.__version__ >= (2, 13) and not torch.__version__ < "2.13.0"
        assert [int(n) for n in torch.__version__.split("+")[0].split(".")] >= [2, 13, 0]
        assert torch.version.cuda is None and torch.version.hip is None
        assert importlib.util.find_spec("torch") and importlib.util.find_spec("torch.nn")
        assert importlib.util.find_spec("torch.no_such_module") is None
    """)
    done = run(path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_know_the_name(script, method):
    path = script(f"""
        import multiprocessing
        import torch
        from torch import nn

        def work(queue, x):
            total = (x + nn.Linear(2, 2).weight * 0).sum()
            queue.put((torch.__spec__.name, torch.__version__, total.detach()))

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            queue = context.Queue()
            process = context.Process(target=work, args=(queue, torch.ones(2, 2)))
            process.start()
            name, version, total = queue.get(timeout=30)
            print(name, version == torch.__version__, total.item())
            process.join()
    """)
    done = run(path)
    assert (done.stdout, done.stderr) == ("rushlight True 4.0\n", "")


# ---------------------------------------------------------------------------- as Python does it

ABOUT = """
    import sys
    print(sys.argv, sys.path[0], __name__, __file__, __package__, __spec__ is None)
    print(sys.modules["__main__"].__dict__ is globals(), sys.flags.optimize)
"""


def test_a_script_sees_what_python_would_show(script):
    path = script(ABOUT, "folder with blanks/script.py")
    own = run(path, "a", "-m", "--help")
    python = subprocess.run(
        [sys.executable, path.name, "a", "-m", "--help"],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert own.stdout == python.stdout and own.returncode == 0


def test_modules_beside_the_script(script):
    script("import torch\nfrom torch import nn\nvalue = nn.Linear(2, 3).weight.shape", "beside.py")
    done = run(script("import beside; print(tuple(beside.value))"))
    assert done.stdout == "(3, 2)\n", done.stderr


@pytest.mark.parametrize("name", ["tool.py", "tool/__main__.py"])
def test_modules_by_name(script, name):
    path = script(ABOUT.replace("__spec__ is None", "__spec__.name"), name)
    if "/" in name:
        script("", "tool/__init__.py")
    folder = path.parent if name == "tool.py" else path.parent.parent
    own = rushlight("run", "-m", "tool", "x", "--y", cwd=folder)
    python = subprocess.run(
        [sys.executable, "-m", "tool", "x", "--y"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert own.stdout == python.stdout, own.stderr


def test_a_folder_with_a_main(script):
    path = script("import inner; print(inner.x, __file__)", "tool/__main__.py")
    script("x = 3", "tool/inner.py")
    done = rushlight("run", "tool", cwd=path.parent.parent)
    assert done.stdout.startswith("3 ") and done.returncode == 0


def test_standard_input(tmp_path):
    code = "import sys, torch; print(sys.argv, torch.__spec__.name)"
    done = rushlight("run", "-", "a", cwd=tmp_path, stdin=code)
    assert done.stdout == "['-', 'a'] rushlight\n"


@pytest.mark.parametrize(
    ("code", "status", "err"),
    [
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit()", 0, ""),
        ("raise SystemExit('over')", 1, "over\n"),
        ("exit(3)", 3, ""),
        ("import os; os._exit(9)", 9, ""),
    ],
)
def test_exit_status(script, code, status, err):
    done = run(script(code))
    assert (done.returncode, done.stderr) == (status, err)


def test_what_is_done_at_the_end_is_done(script):
    path = script("""
        import atexit, threading, time
        atexit.register(print, "at exit")
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    """)
    assert run(path).stdout == "thread\nat exit\n"


def test_errors_are_the_scripts_own(script):
    path = script("""
        def f(x):
            return 1 / x

        try:
            f(0)
        except ZeroDivisionError as error:
            raise ValueError("wrong") from error
    """)
    own = run(path)
    python = subprocess.run(
        [sys.executable, path.name], cwd=path.parent, capture_output=True, text=True, check=False
    )
    assert own.stderr == python.stderr and own.returncode == 1


def test_syntax_errors(script):
    path = script("x = (1,\ny = 2\n")
    own = run(path)
    python = subprocess.run(
        [sys.executable, path.name], cwd=path.parent, capture_output=True, text=True, check=False
    )
    assert own.stderr == python.stderr and own.returncode == 1


def test_a_hook_for_errors(script):
    path = script("""
        import sys
        sys.excepthook = lambda kind, error, trace: print(kind.__name__, trace.tb_lineno)
        raise KeyError(1)
    """)
    done = run(path)
    assert (done.stdout, done.stderr, done.returncode) == ("KeyError 4\n", "", 1)


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        ("torch.no_such_thing(3)", "AttributeError", "torch.no_such_thing"),
        ("torch.nn.NoLayer(3)", "AttributeError", "torch.nn.NoLayer"),
        ("torch.nn.functional.no_loss(3)", "AttributeError", "torch.nn.functional.no_loss"),
        ("torch.ones(3).no_method()", "AttributeError", "torch.Tensor.no_method"),
        ("from torch import no_such_thing", "ImportError", "torch.no_such_thing"),
        ("from torch.nn import NoLayer", "ImportError", "torch.nn.NoLayer"),
        ("from torch.optim.sgd import Nothing", "ImportError", "torch.optim.sgd.Nothing"),
        ("import torch.no_module.inner", "ModuleNotFoundError", "torch.no_module"),
    ],
)
def test_what_is_missing_is_named_at_its_line(script, line, kind, name):
    done = run(script(f"import torch\n\n\n{line}\n"))
    assert done.returncode == 1
    assert "line 4" in done.stderr and kind in done.stderr
    assert f"\n{name} is not in rushlight" in done.stderr
    assert "cli/run.py" not in done.stderr


def test_other_errors_get_no_advice(script):
    done = run(script("import torch\nclass A: pass\nA().x\n"))
    assert "not in rushlight" not in done.stderr and done.returncode == 1


@pytest.mark.parametrize("code", ["time.sleep(60)", "while True: torch.rand(200, 200).exp().sum()"])
def test_ctrl_c_is_quiet(script, code):
    path = script(f"import time, torch\nprint('go', flush=True)\n{code}\n")
    program = subprocess.Popen(
        [sys.executable, "-m", "rushlight", "run", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout.readline() == "go\n"
        time.sleep(0.2)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=20)
        assert (program.returncode, err) == (130, "")
    finally:
        program.kill()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "nowhere.py"], "cannot read nowhere.py"),
        (["run", "-m", "no_such_module"], "no module named no_such_module"),
        (["run", "-m", "no_such.module"], "no module named no_such.module"),
        (["run", "."], "without a __main__.py"),
        (["run", "--fast", "x.py"], "no option --fast"),
        (["run"], "usage"),
        (["fly"], "no command 'fly'"),
        ([], "usage"),
    ],
)
def test_command_lines_that_cannot_be(tmp_path, arguments, text):
    done = rushlight(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr


def test_help(tmp_path):
    for arguments in (["--help"], ["run", "--help"], ["check", "--help"], ["info", "--help"]):
        done = rushlight(*arguments, cwd=tmp_path)
        assert done.stdout.startswith("usage: rushlight") and done.returncode == 0
    assert rushlight("--version", cwd=tmp_path).stdout.startswith("rushlight 0.")


# -------------------------------------------------------------------------- in a program


def test_install_as_torch(script):
    path = script("""
        import rushlight
        version = rushlight.__version__
        rushlight.install_as_torch()
        rushlight.install_as_torch()
        import torch.nn.functional
        assert torch is rushlight and torch.version.rushlight == version
        print(torch.nn.functional.relu(torch.ones(1)).item())
    """)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.stdout == "1.0\n", done.stderr


def test_install_as_torch_comes_first(script):
    path = script("""
        import sys, types
        sys.modules["torch"] = types.ModuleType("torch")
        sys.modules["torch"].__file__ = "elsewhere"
        import rushlight
        try:
            rushlight.install_as_torch()
        except RuntimeError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert "already imported, from elsewhere" in done.stdout, done.stderr
