"""What the JAX forms of the workloads share: numbers, weights, updates and the jitted step.

Parameters and optimizer state are donated, so that XLA may update them in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.definition import Step
from benchmarks.numbers import integers, uniform


def array(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(uniform(np.arange, shape, seed).astype(np.float32))


class Fill:
    """Parameters with the numbers of definition.fill, in the order in which the model has them."""

    def __init__(self) -> None:
        self.seed = 0

    def weight(self, *shape: int) -> jax.Array:
        values = array(shape, self.seed) * np.float32(2 / np.prod(shape[1:]) ** 0.5)
        self.seed += 1
        return values

    def bias(self, size: int) -> jax.Array:
        values = array((size,), self.seed) * np.float32(0.1)
        self.seed += 1
        return values

    def ones(self, size: int) -> jax.Array:
        self.seed += 1
        return jnp.ones((size,), jnp.float32)

    def linear(self, inputs: int, outputs: int) -> tuple[jax.Array, jax.Array]:
        return jnp.array(self.weight(outputs, inputs).T), self.bias(outputs)

    def kernel(self, outputs: int, inputs: int, size: int = 3) -> jax.Array:
        """(height, width, in, out)."""
        return jnp.array(self.weight(outputs, inputs, size, size).transpose(2, 3, 1, 0))


def classes(shape: tuple[int, ...], seed: int, count: int) -> jax.Array:
    return jnp.asarray(integers(np.arange, shape, seed) % count)


def dense(x: jax.Array, layer: tuple[jax.Array, jax.Array]) -> jax.Array:
    return x @ layer[0] + layer[1]


def zeros(params: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, params)


def class_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()


def sgd(params: Any, grads: Any, state: Any, lr: float, momentum: float) -> tuple[Any, Any]:
    if not momentum:
        return jax.tree.map(lambda p, g: p - lr * g, params, grads), state
    state = jax.tree.map(lambda m, g: momentum * m + g, state, grads)
    return jax.tree.map(lambda p, m: p - lr * m, params, state), state


def adam(params: Any, grads: Any, state: Any, lr: float) -> tuple[Any, Any]:
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


def adam_state(params: Any) -> Any:
    return jnp.zeros((), jnp.float32), zeros(params), zeros(params)


def training_step(
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
