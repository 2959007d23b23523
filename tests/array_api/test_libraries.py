"""SciPy, scikit-learn and others take tensors through the namespace, where they are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from array_api.compare import same

import rushlight as rl
import rushlight.array_api as xp

SCIPY = """
import numpy as np, rushlight as rl, rushlight.array_api as xp
import scipy.fft, scipy.signal, scipy.special, scipy.stats

x = rl.randn(20, 3, dtype=rl.float64)
for function in (
    lambda x: scipy.special.logsumexp(x, axis=1),
    lambda x: scipy.special.softmax(x, axis=0),
    lambda x: scipy.special.expit(x),
    lambda x: scipy.stats.zscore(x),
    lambda x: scipy.stats.skew(x, axis=1),
    lambda x: scipy.stats.ttest_1samp(x, 0.1).pvalue,
    lambda x: scipy.fft.rfftn(x),
    lambda x: scipy.signal.hilbert(x, axis=0),
    lambda x: scipy.signal.fftconvolve(x, x),
):
    for given in (x, xp.asarray(x)):
        found = function(given)
        assert type(found) is xp.Array, type(found)
        np.testing.assert_allclose(found.numpy(), function(x.numpy()), rtol=1e-9, atol=1e-12)
w = rl.randn(5, requires_grad=True)
scipy.special.logsumexp(w).backward()
assert rl.allclose(w.grad, w.detach().softmax(0))
"""


def test_scipy():
    """In a process of its own: SciPy reads the variable when it is imported."""
    pytest.importorskip("scipy", minversion="1.16")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCIPY],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


SKLEARN = """
import numpy as np, rushlight as rl, rushlight.array_api as xp
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import MinMaxScaler, StandardScaler

rl.manual_seed(0)
X = rl.randn(60, 4, dtype=rl.float64)
y = (X[:, 0] > 0).to(rl.int64)
with config_context(array_api_dispatch=True):
    for make in (
        lambda X, y: LinearDiscriminantAnalysis().fit(X, y).predict(X),
        lambda X, y: np.abs(PCA(2, svd_solver="full").fit_transform(X)) if type(X) is np.ndarray
        else abs(PCA(2, svd_solver="full").fit_transform(X)),
        lambda X, y: Ridge(solver="svd").fit(X, X[:, 1]).predict(X),
        lambda X, y: MinMaxScaler().fit_transform(X),
    ):
        found = make(X, y)
        assert type(found) is xp.Array, type(found)
        np.testing.assert_allclose(found.numpy(), make(X.numpy(), y.numpy()), atol=1e-9)
    assert accuracy_score(y, y) == 1.0
    assert abs(r2_score(X[:, 0], X[:, 0] * 1.0) - 1) < 1e-12
"""


def test_scikit_learn():
    pytest.importorskip("sklearn", minversion="1.6")
    pytest.importorskip("scipy", minversion="1.14")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SKLEARN],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_array_api_compat():
    name = next(
        (n for n in ("array_api_compat", "sklearn.externals.array_api_compat")
         if importlib.util.find_spec(n.partition(".")[0])), None
    )  # fmt: skip
    compat = pytest.importorskip(name or "array_api_compat")
    x = rl.arange(6.0).reshape(2, 3)
    assert compat.is_array_api_obj(x)
    assert compat.array_namespace(x) is compat.array_namespace(x, xp.ones(2)) is xp
    assert (compat.size(x), compat.size(xp.asarray(x))) == (6, 6)
    assert compat.device(x) == x.device
    assert compat.to_device(x, "cpu") is x


def test_einops():
    einops = pytest.importorskip("einops.array_api")
    x = rl.arange(6.0).reshape(2, 3)
    same(einops.rearrange(x, "a b -> b a"), x.numpy().T)
    same(einops.reduce(x, "a b -> b", "sum"), x.numpy().sum(0))


def test_arrays_of_other_libraries():
    array = np.arange(3.0, dtype="float32")
    x = xp.asarray(array)
    for found in (x + array, x * np.float32(2), array * x.numpy()):
        assert len(found) == 3
    assert np.from_dlpack(x).tolist() == [0, 1, 2]
    assert np.asarray(x).tolist() == [0, 1, 2]
    assert type(np.sqrt(x)) is rl.Tensor
    assert xp.from_dlpack(np.from_dlpack(x)).data_ptr() == x.data_ptr()
    capsule = x.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=True)
    assert rl.from_dlpack(capsule).tolist() == [0, 1, 2]
    assert x.__dlpack_device__() == (1, 0)
