"""Who lists what is in torch.optim finds every optimizer."""

from __future__ import annotations

import inspect
import subprocess
import sys


def test_listing_the_module():
    code = (
        "import rushlight.optim as o;"
        "print('rushlight.optim.adagrad' in __import__('sys').modules);"
        "print('Adagrad' in vars(o), 'LBFGS' in dir(o));"
        "print(sum(isinstance(v, type) and issubclass(v, o.Optimizer) for v in vars(o).values()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:2] == ["False", "True True"]
    assert int(done.stdout.splitlines()[2]) >= 14


def test_members():
    import rushlight.optim as optim

    names = [name for name, _ in inspect.getmembers(optim, inspect.isclass)]
    assert {"ASGD", "Adam", "LBFGS", "SGD", "SparseAdam"} <= set(names)
