"""The workloads in plain JAX: the same arithmetic, the whole step one jitted function.

Parameters and optimizer state are donated, so that XLA may update them in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.numbers import integers, uniform

Step = Callable[[], tuple[Any, ...]]


def _array(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(uniform(np.arange, shape, seed).astype(np.float32))


def _layers(*sizes: int) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """(weight of (in, out), bias) per layer, with the values of the PyTorch form."""
    layers = []
    for seed, (inputs, outputs) in enumerate(pairwise(sizes)):
        width = np.float32(2 / inputs**0.5)
        weight = jnp.array(_array((outputs, inputs), 2 * seed).T * width)
        layers.append((weight, _array((outputs,), 2 * seed + 1) * width))
    return tuple(layers)


def _forward(layers: Any, x: jax.Array, activation: Callable[[jax.Array], jax.Array]) -> jax.Array:
    for weight, bias in layers[:-1]:
        x = activation(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def _class_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()


def _sgd(params: Any, grads: Any, state: Any, lr: float, momentum: float) -> tuple[Any, Any]:
    if not momentum:
        return jax.tree.map(lambda p, g: p - lr * g, params, grads), state
    state = jax.tree.map(lambda m, g: momentum * m + g, state, grads)
    return jax.tree.map(lambda p, m: p - lr * m, params, state), state


def _adam(params: Any, grads: Any, state: Any, lr: float) -> tuple[Any, Any]:
    count, first, second = state
    count = count + 1
    first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, grads)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
    size = lr / (1 - 0.9**count)
    root = jnp.sqrt(1 - 0.999**count)
    params = jax.tree.map(
        lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + 1e-8), params, first, second
    )
    return params, (count, first, second)


def _adam_state(params: Any) -> Any:
    zeros = partial(jax.tree.map, jnp.zeros_like)
    return jnp.zeros((), jnp.float32), zeros(params), zeros(params)


def _training_step(
    loss_of: Callable[..., jax.Array],
    update: Callable[[Any, Any, Any], tuple[Any, Any]],
    params: Any,
    state: Any,
    batch: tuple[jax.Array, jax.Array],
) -> Step:
    @partial(jax.jit, donate_argnums=0)
    def run(carried: Any, inputs: jax.Array, target: jax.Array) -> tuple[Any, jax.Array]:
        params, state = carried
        loss, grads = jax.value_and_grad(loss_of)(params, inputs, target)
        return update(params, grads, state), loss

    carried = (params, state)
    inputs, target = batch

    def step() -> tuple[Any, ...]:
        nonlocal carried
        carried, loss = run(carried, inputs, target)
        return (loss,)

    return step


def seed() -> Step:
    def loss_of(params: Any, inputs: jax.Array, target: jax.Array) -> jax.Array:
        return -(target * jax.nn.log_softmax(_forward(params, inputs, jnp.tanh))).sum()

    batch = _array((5,), 100), jnp.array([1, 2], jnp.float32)
    return _training_step(loss_of, partial(_sgd, lr=1e-3, momentum=0), _layers(5, 2), (), batch)


def small_mlp() -> Step:
    def loss_of(params: Any, inputs: jax.Array, target: jax.Array) -> jax.Array:
        return jnp.square(_forward(params, inputs, jnp.tanh) - target).mean()

    params = _layers(4, 64, 64, 2)
    batch = _array((32, 4), 100), _array((32, 2), 101)
    return _training_step(loss_of, partial(_adam, lr=1e-3), params, _adam_state(params), batch)


def _image_mlp(update: Any, make_state: Callable[[Any], Any]) -> Step:
    def loss_of(params: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        return _class_loss(_forward(params, inputs, jax.nn.relu), labels)

    params = _layers(784, 512, 512, 10)
    labels = jnp.asarray(integers(np.arange, (64,), 101) % 10)
    batch = _array((64, 784), 100), labels
    return _training_step(loss_of, update, params, make_state(params), batch)


def mlp_sgd() -> Step:
    return _image_mlp(partial(_sgd, lr=1e-3, momentum=0.9), partial(jax.tree.map, jnp.zeros_like))


def mlp_adam() -> Step:
    return _image_mlp(partial(_adam, lr=1e-4), _adam_state)


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

    operands = _array((1000, 1000), 0), _array((1000,), 1) + 1, _array((1000,), 2)
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
}
