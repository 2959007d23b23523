"""torch.linalg, torch.fft and spectra beside PyTorch: what the operation database does not ask."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch")


def both(call, *arrays):
    """The results of one call in the two libraries, as lists of NumPy arrays."""
    found = []
    for lib in (torch, rl):
        result = call(lib, *(lib.tensor(a) for a in arrays))
        parts = result if isinstance(result, (tuple, list)) else [result]
        found.append([part.detach().resolve_conj().numpy() for part in parts])
    return found


def close(call, *arrays, tol=1e-9):
    theirs, ours = both(call, *arrays)
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=tol, atol=tol)


def random(*shape, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    if dtype.startswith("complex"):
        values = values + 1j * rng.normal(size=shape)
    return values.astype(dtype)


def gradients(call, *arrays):
    """The gradients of sum(cos(parts)) in the two libraries, and their second derivatives."""
    found = []
    for lib in (torch, rl):
        leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
        result = call(lib, *leaves)
        parts = result if isinstance(result, (tuple, list)) else [result]
        real = [(p.real, p.imag) if p.is_complex() else (p,) for p in parts if p.requires_grad]
        total = sum(part.cos().sum() for pair in real for part in pair)
        first = lib.autograd.grad(total, leaves, create_graph=True)
        size = sum((g * g.conj()).real.sum() for g in first)
        second = lib.autograd.grad(size, leaves)
        found.append([g.detach().resolve_conj().numpy() for g in (*first, *second)])
    return found


def spd(lib, A):
    return A @ A.mH + lib.eye(A.shape[-1], dtype=A.dtype)


CALLS = {
    "cholesky": lambda lib, A: lib.linalg.cholesky(spd(lib, A)),
    "cholesky upper": lambda lib, A: lib.linalg.cholesky(spd(lib, A), upper=True),
    "inv": lambda lib, A: lib.linalg.inv(A),
    "det": lambda lib, A: lib.linalg.det(A),
    "slogdet": lambda lib, A: lib.linalg.slogdet(A),
    "solve": lambda lib, A: lib.linalg.solve(A, A.sin()),
    "solve right": lambda lib, A: lib.linalg.solve(A, A.sin(), left=False),
    "lu": lambda lib, A: lib.linalg.lu(A)[1:],
    "lu_factor": lambda lib, A: lib.linalg.lu_factor(A)[0],
    "qr": lambda lib, A: lib.linalg.qr(A),
    "eigh": lambda lib, A: (lambda w, v: (w, v.abs()))(*lib.linalg.eigh(A + A.mH)),
    "eigvalsh": lambda lib, A: lib.linalg.eigvalsh(A + A.mH),
    "svd": lambda lib, A: (lambda u, s, v: (s, u @ v, u.abs()))(*lib.linalg.svd(A)),
    "svdvals": lambda lib, A: lib.linalg.svdvals(A),
    "pinv": lambda lib, A: lib.linalg.pinv(A),
    "matrix_exp": lambda lib, A: lib.linalg.matrix_exp(A * 0.5),
    "matrix_power": lambda lib, A: lib.linalg.matrix_power(A, -2),
    "matrix_norm": lambda lib, A: lib.linalg.matrix_norm(A, "nuc"),
    "cond": lambda lib, A: lib.linalg.cond(A),
    "solve_triangular": lambda lib, A: lib.linalg.solve_triangular(A, A.sin(), upper=True),
    "householder_product": lambda lib, A: lib.linalg.householder_product(A, A[..., 0]),
    "fft": lambda lib, A: lib.fft.fft2(A),
    "hfft": lambda lib, A: lib.fft.hfft(A, 7),
}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3)])
def test_values_and_gradients(name, dtype, shape):
    A = random(*shape, dtype=dtype)
    if name == "qr" and dtype == "complex128":
        pytest.skip("the sign of a complex R depends on the LAPACK")
    close(CALLS[name], A)
    for theirs, ours in zip(*gradients(CALLS[name], A)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
def test_lstsq(shape, driver):
    A, B = random(*shape), random(shape[0], 2, seed=1)
    close(lambda lib, a, b: tuple(lib.linalg.lstsq(a, b, driver=driver)), A, B)
    for theirs, ours in zip(*gradients(lambda lib, a, b: lib.linalg.lstsq(a, b)[0], A, B)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_determinant_of_singular_matrices():
    """The derivative is that of the cofactors, also where the determinant is exactly 0."""
    rng = np.random.default_rng(0)
    for trial in range(5):
        a = rng.integers(-3, 4, (4, 4)).astype(float)
        a[3] = a[0] + a[1]
        A = rl.tensor(a, requires_grad=True)
        rl.linalg.det(A).backward()
        cofactors = np.empty((4, 4))
        for i, j in itertools.product(range(4), range(4)):
            minor = np.delete(np.delete(a, i, 0), j, 1)
            cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
        np.testing.assert_allclose(A.grad.numpy(), cofactors, atol=1e-10, err_msg=str(trial))


def message(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return None


@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.linalg.inv(lib.zeros(2, 3, 3)),
        lambda lib: lib.linalg.cholesky(-lib.eye(3)),
        lambda lib: lib.linalg.solve(lib.zeros(2, 2), lib.ones(2)),
        lambda lib: lib.linalg.svd(lib.full((2, 2), float("nan"))),
        lambda lib: lib.linalg.lstsq(
            lib.eye(3, 2) * lib.tensor([1.0, 0]), lib.ones(3, 1), driver="gels"
        ),
    ],
)
def test_errors_of_matrices(call):
    """LinAlgError, and the matrix or the element that caused it."""
    theirs, ours = message(lambda: call(torch)), message(lambda: call(rl))
    assert theirs[0].strip("_") == ours[0]
    assert issubclass(rl.linalg.LinAlgError, RuntimeError)
    assert ("Batch element 0" in theirs[1]) == ("Batch element 0" in ours[1])


def test_results_have_names():
    names = {"qr": "QR", "svd": ("U", "S", "Vh"), "eigh": ("eigenvalues", "eigenvectors"),
             "slogdet": ("sign", "logabsdet"), "lu": "PLU", "lu_factor": ("LU", "pivots"),
             "inv_ex": ("inverse", "info"), "cholesky_ex": ("L", "info"),
             "ldl_factor": ("LD", "pivots")}  # fmt: skip
    for lib in (torch, rl):
        A = spd(lib, lib.tensor(random(3, 3)))
        for name, fields in names.items():
            result = getattr(lib.linalg, name)(A)
            assert all(getattr(result, field) is part for field, part in zip(fields, result))
            assert type(result).__name__ == f"linalg_{name}"


WINDOWS = ("hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window")


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows(name, dtype):
    for length, periodic in itertools.product((0, 1, 2, 5, 16, 401), (True, False)):
        close(lambda lib, n=length, p=periodic: getattr(lib, name)(n, p, dtype=getattr(lib, dtype)),
              tol=2e-6 if dtype == "float32" else 1e-12)  # fmt: skip


@pytest.mark.parametrize("options", [
    {}, {"hop_length": 5, "win_length": 12}, {"normalized": True}, {"center": False},
    {"onesided": False}, {"pad_mode": "constant"}, {"win_length": 12, "center": False},
    {"win_length": 12, "center": False, "align_to_window": True},
])  # fmt: skip
def test_stft_and_back(options):
    x = random(2, 64)

    def there(lib, x):
        size = options.get("win_length", 16)
        return lib.stft(x, 16, window=lib.hann_window(size, dtype=x.dtype), return_complex=True,
                        **options)  # fmt: skip

    def back(lib, x):
        known = {k: v for k, v in options.items() if k not in ("pad_mode", "align_to_window")}
        size = options.get("win_length", 16)
        window = lib.hamming_window(size, dtype=x.dtype)
        X = lib.stft(x, 16, window=window, return_complex=True, **known)
        return lib.istft(X, 16, window=window, **known)

    close(there, x)
    if options.get("win_length") != 12 or options.get("center", True):
        close(back, x)
        for theirs, ours in zip(*gradients(back, x)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["svd_lowrank", "pca_lowrank"])
def test_low_rank_draws_the_same_numbers(name):
    A = random(20, 3) @ random(3, 15, seed=1)
    found = []
    for lib in (torch, rl):
        lib.manual_seed(3)
        U, S, V = getattr(lib, name)(lib.tensor(A), 4)
        found.append([S.numpy(), ((U[:, :3] * S[:3]) @ V[:, :3].mT).numpy(), lib.rand(3).numpy()])
    for a, b in zip(*found):
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-9)
