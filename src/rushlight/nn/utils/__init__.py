"""Tools around modules; PyTorch's ``torch.nn.utils``."""

from __future__ import annotations

from typing import Any

# At once: a later import of the files of these names would hide the functions.
from rushlight.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from rushlight.nn.utils.weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]

# Imported when first asked for: name, and the file that it is or stands in.
_LATER = {
    "rnn": "",
    "clip_grad": "",
    "convert_parameters": "",
    "fusion": "",
    "init": "",
    "memory_format": "",
    "parametrizations": "",
    "parametrize": "",
    "prune": "",
    "stateless": "",
    "clip_grad_norm": "clip_grad",
    "clip_grad_norm_": "clip_grad",
    "clip_grad_value_": "clip_grad",
    "clip_grads_with_norm_": "clip_grad",
    "get_total_norm": "clip_grad",
    "convert_conv2d_weight_memory_format": "memory_format",
    "convert_conv3d_weight_memory_format": "memory_format",
    "fuse_conv_bn_eval": "fusion",
    "fuse_conv_bn_weights": "fusion",
    "fuse_linear_bn_eval": "fusion",
    "fuse_linear_bn_weights": "fusion",
    "parameters_to_vector": "convert_parameters",
    "vector_to_parameters": "convert_parameters",
    "skip_init": "init",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}. If PyTorch has torch.nn.utils.{name}, "
            "it is not in rushlight yet: see docs/differences.md"
        )
    from importlib import import_module

    home = _LATER[name]
    module = import_module(f"{__name__}.{home or name}")
    if name in ("clip_grads_with_norm_", "get_total_norm"):  # public here, private in their file
        value = getattr(module, f"_{name}")
    else:
        value = getattr(module, name) if home else module
    globals()[name] = value
    return value
