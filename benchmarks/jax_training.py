"""What the JAX forms of the workloads share: numbers, updates and the jitted step.

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
from benchmarks.numbers import uniform


def array(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(uniform(np.arange, shape, seed).astype(np.float32))


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
