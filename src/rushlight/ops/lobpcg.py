"""A few extreme eigenvalues of large symmetric matrices by a preconditioned iteration.

LOBPCG (Knyazev 2001), with a basis that is made orthonormal anew in each step and drops directions
that are in it already (Stathopoulos and Wu 2002; Duersch et al. 2018).
"""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.dtypes import finfo
from rushlight.ops.decompositions import linalg_eigh
from rushlight.ops.join import cat, stack
from rushlight.ops.linalg import _t, matmul
from rushlight.ops.matrix import check_dtype, check_square
from rushlight.tensor import Tensor


def _orthonormal(S: Tensor, B: Tensor | None) -> Tensor:
    """Columns that span S and are orthonormal with respect to B; fewer where some depend."""
    from rushlight.ops.decompositions import linalg_eigh

    for _ in range(2):  # the second time takes away what rounding left
        gram = matmul(_t(S), S if B is None else matmul(B, S))
        lengths = gram.diagonal().abs().clamp(min=finfo(S.dtype).tiny).rsqrt()
        gram = gram * lengths * lengths.unsqueeze(-1)
        values, vectors = linalg_eigh(gram)
        kept = values > values[-1] * (finfo(S.dtype).eps * S.shape[1])
        vectors = vectors[:, kept] * values[kept].rsqrt()
        S = matmul(S * lengths, vectors)
    return S


def _without(S: Tensor, X: Tensor, BX: Tensor) -> Tensor:
    """S without its part in the span of X."""
    S = S - matmul(X, matmul(_t(BX), S))
    return S - matmul(X, matmul(_t(BX), S))


def _iterate(
    A: Tensor, B: Tensor | None, X: Tensor, k: int, iK: Tensor | None, niter: int, tol: float,
    largest: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The eigenvalues and vectors of one matrix."""
    from rushlight.ops.decompositions import linalg_eigh

    n = X.shape[1]
    # Rough sizes of A and B, from what they do to the first vectors.
    size_a = (matmul(A, X).norm() / X.norm()).item()
    size_b = 1.0 if B is None else (matmul(B, X).norm() / X.norm()).item()
    S, P, step = _orthonormal(X, B), None, 0
    while True:
        values, Z = linalg_eigh(matmul(_t(S), matmul(A, S)))
        if largest:
            values, Z = values.flip(-1), Z.flip(-1)
        values, Z = values[:n], Z[:, :n]
        before = X if step else None
        X = matmul(S, Z)
        BX = X if B is None else matmul(B, X)
        if before is not None:
            P = _without(X, before, before if B is None else matmul(B, before))
        R = matmul(A, X) - BX * values
        allowed = X.norm(dim=0) * (size_a + values.abs() * size_b) * tol
        if step >= niter or bool((R.norm(dim=0) <= allowed)[:k].all().item()):
            return values[:k], X[:, :k]
        W = R if iK is None else matmul(iK, R)
        beside = _without(W if P is None else cat((W, P), 1), X, BX)
        S = _orthonormal(cat((X, _orthonormal(beside, B)), 1), B)
        step += 1


@op(public=False, method=False)
def _lobpcg(
    A: Tensor, k: int, B: Tensor | None, X: Tensor, iK: Tensor | None, niter: int, tol: float,
    largest: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    m = A.shape[-1]
    batch = tuple(A.shape[:-2])

    def flat(value: Any) -> list:
        if value is None:
            return [None] * count
        return list(value.expand(*batch, *value.shape[-2:]).reshape(count, m, -1).unbind(0))

    count = 1
    for size in batch:
        count *= size
    found = [
        _iterate(*matrices[:3], k, matrices[3], niter, tol, largest)
        for matrices in zip(flat(A), flat(B), flat(X), flat(iK))
    ]
    values = stack([E for E, _ in found], 0)
    vectors = stack([V for _, V in found], 0)
    return values.reshape(*batch, k), vectors.reshape(*batch, m, k)


def _lobpcg_gradient(
    grads: tuple, A: Tensor, k: int, B: Tensor | None, largest: bool, result: tuple
) -> Tensor:
    if grads[1] is not None or B is not None:
        raise NotImplementedError(
            "lobpcg: only the eigenvalues for B=None have a gradient; take linalg.eigh of A, or of "
            "inverse(L) @ A @ inverse(L).mH with L = linalg.cholesky(B), for the others"
        )
    X = result[1]
    if _core.is_grad_enabled():  # vectors that are functions of A
        vectors = linalg_eigh(A)[1]
        X = vectors.flip(-1)[..., :k] if largest else vectors[..., :k]
    return matmul(X * grads[0].unsqueeze(-2), _t(X))


_lobpcg.vjp(A=_lobpcg_gradient)


@composed()
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: dict | None = None,
    ortho_fparams: dict | None = None,
    ortho_bparams: dict | None = None,
) -> tuple[Tensor, Tensor]:
    """(E, X): k eigenvalues, the largest first (or the smallest), and vectors, of A x = e B x.

    Args:
        A: (*, m, m), symmetric or Hermitian.
        k: how many; the columns of X, or 1, by default.
        B: (*, m, m), positive definite; the identity by default.
        X: (*, m, n) to start from; random by default.
        n: columns of a random X; k by default.
        iK: (*, m, m), about the inverse of A: the preconditioner.
        niter: the most iterations; 1000 by default.
        tol: of the residual, relative to the size of A; the root of the epsilon by default.
        largest: False for the smallest eigenvalues.
        method: "ortho" or "basic": both are the same here.
        tracker, ortho_iparams, ortho_fparams, ortho_bparams: have no effect; a tracker is refused.

    Knyazev 2001. Returns shapes (*, k) and (*, m, k).

    Raises:
        ValueError: m < 3 n.
    """
    from rushlight.ops.random import randn

    check_square("lobpcg", A)
    check_dtype("lobpcg", A)
    if tracker is not None:
        raise NotImplementedError("lobpcg: tracker= is not supported: the iteration has no worker")
    if method not in (None, "ortho", "basic"):
        raise ValueError(f"lobpcg: method must be 'ortho' or 'basic', got {method!r}")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if n is None else n) if X is None else X.shape[-1]
    if m < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than "
            f"3 x the number of requested eigenpairs (={n})"
        )
    if not 0 < k <= n:
        raise ValueError(f"lobpcg: 0 < k <= n is required, got k={k} and n={n}")
    start = randn(*A.shape[:-2], m, n, dtype=A.dtype) if X is None else X
    largest = True if largest is None else largest
    tol = finfo(A.dtype).eps ** 0.5 if tol is None else tol
    return _lobpcg(A, k, B, start, iK, 1000 if niter is None else niter, tol, largest)
