"""The workloads in plain JAX: the same arithmetic, the whole step one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import jax_models
from benchmarks.definition import Step
from benchmarks.jax_training import (
    Fill,
    adam,
    adam_state,
    array,
    class_loss,
    classes,
    dense,
    sgd,
    training_step,
    zeros,
)


def _layers(*sizes: int) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """(weight of (in, out), bias) per layer, with the values of the PyTorch form."""
    fill = Fill()
    return tuple(fill.linear(*pair) for pair in pairwise(sizes))


def _forward(layers: Any, x: jax.Array, activation: Callable[[jax.Array], jax.Array]) -> jax.Array:
    for layer in layers[:-1]:
        x = activation(dense(x, layer))
    return dense(x, layers[-1])


def seed() -> Step:
    def loss_of(params: Any, inputs: jax.Array, target: jax.Array) -> jax.Array:
        return -(target * jax.nn.log_softmax(_forward(params, inputs, jnp.tanh))).sum()

    batch = array((5,), 100), jnp.array([1, 2], jnp.float32)
    return training_step(loss_of, partial(sgd, lr=1e-3, momentum=0), _layers(5, 2), (), batch)


def small_mlp() -> Step:
    def loss_of(params: Any, inputs: jax.Array, target: jax.Array) -> jax.Array:
        return jnp.square(_forward(params, inputs, jnp.tanh) - target).mean()

    params = _layers(4, 64, 64, 2)
    batch = array((32, 4), 100), array((32, 2), 101)
    return training_step(loss_of, partial(adam, lr=1e-3), params, adam_state(params), batch)


def _image_mlp(update: Any, make_state: Callable[[Any], Any]) -> Step:
    def loss_of(params: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        return class_loss(_forward(params, inputs, jax.nn.relu), labels)

    params = _layers(784, 512, 512, 10)
    batch = array((64, 784), 100), classes((64,), 101, 10)
    return training_step(loss_of, update, params, make_state(params), batch)


def mlp_sgd() -> Step:
    return _image_mlp(partial(sgd, lr=1e-3, momentum=0.9), zeros)


def mlp_adam() -> Step:
    return _image_mlp(partial(adam, lr=1e-4), adam_state)


def scalar() -> Step:
    w = jnp.float32(0.5)
    x = jnp.float32(3)
    run = jax.jit(jax.value_and_grad(lambda x: x * w))
    return lambda: run(x)


def pointwise() -> Step:
    def chain(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        h = jnp.tanh(x * scale + bias)
        gate = jax.nn.sigmoid(h * 1.5)
        bump = jnp.exp(-(h * h))
        return (h * gate + bump).mean()

    operands = array((1000, 1000), 0), array((1000,), 1) + 1, array((1000,), 2)
    run = jax.jit(jax.value_and_grad(chain, argnums=(0, 1, 2)))

    def step() -> tuple[Any, ...]:
        loss, grads = run(*operands)
        return (loss, *grads)

    return step


BUILDERS = {
    "seed": seed,
    "small-mlp": small_mlp,
    "mlp-sgd": mlp_sgd,
    "mlp-adam": mlp_adam,
    "scalar": scalar,
    "pointwise": pointwise,
    **jax_models.BUILDERS,
}
