"""Spectral norm as a hook: the older form of `parametrizations.spectral_norm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import rushlight
from rushlight.nn import functional as F
from rushlight.nn.parameter import Parameter, UninitializedParameter

if TYPE_CHECKING:
    from rushlight.nn.modules.module import Module
    from rushlight.tensor import Tensor

    M = TypeVar("M", bound=Module)

__all__ = [
    "SpectralNorm",
    "SpectralNormLoadStateDictPreHook",
    "SpectralNormStateDictHook",
    "remove_spectral_norm",
    "spectral_norm",
]


def output_dim(module: Module) -> int:
    """The dimension of a weight that counts outputs: 1 for transposed convolutions, else 0."""
    names = {"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"}
    return int(any(cls.__name__ in names for cls in type(module).__mro__))


class SpectralNorm:
    """The hook that divides a weight by its largest singular value before a forward.

    The value is estimated by power iteration, whose vectors are buffers; training forwards go on
    with it.
    """

    _version: int = 1  # of the state_dict: 0 had no v
    name: str
    dim: int
    n_power_iterations: int
    eps: float

    def __init__(
        self,
        name: str = "weight",
        n_power_iterations: int = 1,
        dim: int = 0,
        eps: float = 1e-12,
    ) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name, self.dim, self.eps = name, dim, eps
        self.n_power_iterations = n_power_iterations

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """The weight with one row for each output."""
        if self.dim != 0:
            weight = weight.movedim(self.dim, 0)
        return weight.reshape(weight.size(0), -1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight from ``<name>_orig``, and better estimates in ``<name>_u`` and ``_v``."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with rushlight.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(rushlight.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(rushlight.mv(matrix, v), dim=0, eps=self.eps))
                # The next forward writes to the buffers; this one's backward still reads them.
                u, v = u.clone(), v.clone()
        return weight / rushlight.dot(u, rushlight.mv(matrix, v))

    def remove(self, module: Module) -> None:
        """Leave the weight as it is now, as a parameter."""
        with rushlight.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        weight = self.compute_weight(module, do_power_iteration=module.training)
        setattr(module, self.name, weight)

    def _solve_v_and_rescale(self, matrix: Tensor, u: Tensor, sigma: Tensor) -> Tensor:
        """The v with ``u = normalize(W v)`` and ``u.T W v = sigma``, by least squares."""
        inverse = rushlight.linalg.pinv(matrix.t().mm(matrix))  # type: ignore[attr-defined]
        v = inverse @ (matrix.t() @ u)
        return v * (sigma / rushlight.dot(u, rushlight.mv(matrix, v)))

    @staticmethod
    def apply(
        module: Module, name: str, n_power_iterations: int, dim: int, eps: float
    ) -> SpectralNorm:
        """What `spectral_norm` does; gives the hook."""
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm) and hook.name == name:
                raise RuntimeError(
                    f"Cannot register two spectral_norm hooks on the same parameter {name}"
                )
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if isinstance(weight, UninitializedParameter):
            raise ValueError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. Make "
                "sure to run the dummy forward before applying spectral normalization"
            )
        with rushlight.no_grad():
            rows, columns = hook.reshape_weight_to_matrix(weight).size()
            u = F.normalize(weight.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(weight.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
        delattr(module, name)
        module.register_parameter(name + "_orig", weight)
        setattr(module, name, weight.data)  # until the first forward
        module.register_buffer(name + "_u", u)
        module.register_buffer(name + "_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        module._register_load_state_dict_pre_hook(SpectralNormLoadStateDictPreHook(hook))
        return hook


class SpectralNormLoadStateDictPreHook:
    """Makes the ``v`` that a state_dict of version 0 lacks."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list,
        unexpected_keys: list,
        error_msgs: list,
    ) -> None:
        fn = self.fn
        version = local_metadata.get("spectral_norm", {}).get(fn.name + ".version")
        if version is not None and version >= 1:
            return
        key = prefix + fn.name
        present = [suffix for suffix in ("", "_orig", "_u", "_v") if key + suffix in state_dict]
        if version is None and present == ["_orig", "_u", "_v"]:
            return  # no metadata, but of version 1
        missing = [key + suffix for suffix in ("_orig", "", "_u") if suffix not in present]
        if missing:
            if strict:
                missing_keys += missing
            return
        with rushlight.no_grad():
            original = state_dict[key + "_orig"]
            sigma = (original / state_dict.pop(key)).mean()
            matrix = fn.reshape_weight_to_matrix(original)
            v = fn._solve_v_and_rescale(matrix, state_dict[key + "_u"], sigma)
            state_dict[key + "_v"] = v


class SpectralNormStateDictHook:
    """Notes the version in the metadata of a state_dict."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(self, module: Module, state_dict: dict, prefix: str, local_metadata: dict) -> None:
        versions = local_metadata.setdefault("spectral_norm", {})
        key = self.fn.name + ".version"
        if key in versions:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.fn._version


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide a weight by its largest singular value before each forward.

    Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

    The parameter becomes ``<name>_orig``; the buffers ``<name>_u`` and ``<name>_v`` are the
    estimates of the singular vectors. The same as a parametrization is
    `rushlight.nn.utils.parametrizations.spectral_norm`.

    Args:
        module: the module.
        name: the name of the parameter.
        n_power_iterations: improvements of the estimate in each training forward.
        eps: the smallest norm that is divided by.
        dim: the dimension of the outputs; None means 0, and 1 for transposed convolutions.
    """
    SpectralNorm.apply(
        module, name, n_power_iterations, output_dim(module) if dim is None else dim, eps
    )
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undoes `spectral_norm`; the weight keeps its value. Returns the module.

    Raises ValueError if there is none.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            break
    else:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    for hooks in (module._state_dict_hooks, module._load_state_dict_pre_hooks):
        for key, hook in list(hooks.items()):
            own = getattr(hook, "fn", None) or getattr(getattr(hook, "hook", None), "fn", None)
            if isinstance(own, SpectralNorm) and own.name == name:
                del hooks[key]
    return module
