"""Parametrizations to register: orthogonal matrices, weight norm, spectral norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.nn import functional as F
from rushlight.nn.modules.module import Module
from rushlight.nn.utils.parametrize import register_parametrization
from rushlight.nn.utils.spectral_norm import output_dim
from rushlight.nn.utils.weight_norm import norm_except_dim, weight_from
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from typing import TypeVar

    M = TypeVar("M", bound=Module)

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _weight_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# ------------------------------------------------------------------------------------ orthogonal


def _with_positive_diagonal(tall: Tensor) -> Tensor:
    """The Q of ``tall = Q R`` whose R has a positive diagonal."""
    factored, tau = rushlight.geqrf(tall)  # type: ignore[attr-defined]
    q = rushlight.linalg.householder_product(factored, tau)  # type: ignore[attr-defined]
    return q * factored.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix of any values to one with orthonormal columns (rows, if it is wide).

    With a `base` B, an orthogonal matrix, the result is B times the map: the parameter then moves
    around -I, where every map is well conditioned (Lezcano-Casado, arxiv.org/abs/1909.09501).
    """

    base: Tensor

    def __init__(
        self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True
    ) -> None:
        super().__init__()
        # The reflectors of a unitary matrix do not determine it.
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        if wide:
            X = X.mT
        n, k = X.size(-2), X.size(-1)
        if self.orthogonal_map == "householder":
            reflectors = X.tril(-1)
            tau = 2.0 / (1.0 + (reflectors * reflectors).sum(dim=-2))
            linalg: Any = rushlight.linalg  # type: ignore[attr-defined]
            q = linalg.householder_product(reflectors, tau)
            q = q * X.detach().diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)  # signs
        else:
            q = self._of_skew(X.tril(), n, k)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def _of_skew(self, lower: Tensor, n: int, k: int) -> Tensor:
        if n != k:
            rest = lower.new_zeros((*lower.shape[:-2], n, n - k))
            lower = rushlight.cat([lower, rest], dim=-1)
        skew = lower - lower.mH
        if self.orthogonal_map == "matrix_exp":
            q = rushlight.matrix_exp(skew)  # type: ignore[attr-defined]
        else:
            eye = rushlight.eye(n, dtype=skew.dtype)
            linalg: Any = rushlight.linalg  # type: ignore[attr-defined]
            q = linalg.solve(eye - 0.5 * skew, eye + 0.5 * skew)
        return q[..., :k] if n != k else q

    @rushlight.no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """The parameter for a matrix, which is made orthogonal if it is not; sets the base."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {Q.shape}."
            )
        wide = Q.size(-2) < Q.size(-1)
        q = Q.mT if wide else Q
        n, k = q.size(-2), q.size(-1)
        if not hasattr(self, "base"):
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            reflectors, tau = rushlight.geqrf(q)  # type: ignore[attr-defined]
            diagonal = reflectors.diagonal(dim1=-2, dim2=-1)
            # LAPACK gives exactly 0 where it leaves a reflection out.
            diagonal.copy_(rushlight.where(tau == 0.0, -diagonal.sign(), diagonal.sign()))
            return reflectors.mT if wide else reflectors
        if n != k:
            fill = rushlight.randn((*q.shape[:-2], n, n - k), dtype=q.dtype)
            self.base = _with_positive_diagonal(rushlight.cat([q, fill], dim=-1))
        elif _is_orthogonal(q):
            self.base = q.clone()
        else:
            self.base = _with_positive_diagonal(q)
        start = rushlight.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.size(-2), q.size(-1)
    eye = rushlight.eye(k, dtype=q.dtype)
    return rushlight.allclose(q.mH @ q, eye, atol=10.0 * n * rushlight.finfo(q.dtype).eps)


def orthogonal(
    module: M,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> M:
    """Keep a weight orthogonal, or unitary, while it is trained.

    A tall matrix gets orthonormal columns, a wide one orthonormal rows; more dimensions are a
    stack of matrices. It starts at the weight itself if that is orthogonal, else at the Q of its
    QR decomposition.

    Args:
        module: the module.
        name: the name of the parameter, (..., m, n).
        orthogonal_map: "matrix_exp" or "cayley", ``(I + A/2) (I - A/2)^-1``, of a skew-symmetric
            matrix, or "householder", a product of reflections. None means matrix_exp for square
            and complex matrices, else householder.
        use_trivialization: multiply by a fixed orthogonal matrix, so that the map is used near
            the identity (https://arxiv.org/abs/1909.09501).

    Raises:
        ValueError: if there is no such tensor, it has less than two dimensions, or the map is
            unknown.
    """
    weight = _weight_of(module, name)
    if weight.ndim < 2:
        raise ValueError(
            "Expected a matrix or batch of matrices. Got a tensor of "
            f"{weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    register_parametrization(module, name, made, unsafe=True)
    return module


# ----------------------------------------------------------------------------------- weight norm


class _WeightNorm(Module):
    """Length and direction to a weight."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_from(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Train the length and the direction of a weight apart.

    Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868.

    ``parametrizations.<name>.original0`` is the length along `dim`, ``original1`` the direction. A
    state_dict of the older `rushlight.nn.utils.weight_norm` can be loaded.

    Args:
        module: the module.
        name: the name of the parameter.
        dim: the dimension that is not normalized over; None means one length for all.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: dict, prefix: str, *rest: Any) -> None:
        old = (f"{prefix}{name}_g", f"{prefix}{name}_v")
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


# --------------------------------------------------------------------------------- spectral norm


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iteration estimates."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:  # the norm of a vector needs no estimate
            self.n_power_iterations = n_power_iterations
            matrix = self._as_matrix(weight)
            rows, columns = matrix.size()
            u = matrix.new_empty(rows).normal_(0, 1)
            v = matrix.new_empty(columns).normal_(0, 1)
            self.register_buffer("_u", F.normalize(u.detach(), dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v.detach(), dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _as_matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    @rushlight.no_grad()
    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        for _ in range(n_power_iterations):
            self._u.copy_(F.normalize(rushlight.mv(matrix, self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(rushlight.mv(matrix.mH, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._as_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Copies: the next forward writes to the buffers, and a backward may still read these.
        u, v = self._u.clone(), self._v.clone()
        return weight / rushlight.vdot(u, rushlight.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide a weight by its largest singular value, a vector by its norm.

    Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    The value is estimated; each reading of the weight in training mode improves the estimate.

    Args:
        module: the module.
        name: the name of the parameter.
        n_power_iterations: improvements at each reading.
        eps: the smallest norm that is divided by.
        dim: the dimension of the outputs; None means 0, and 1 for transposed convolutions.
    """
    weight = _weight_of(module, name)
    dim = output_dim(module) if dim is None else dim
    register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
