"""models.py in plain JAX: the same arithmetic on the same numbers, a step one jitted function.

Images are channels-last, which XLA prefers on a CPU.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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
from benchmarks.models import (
    EPISODE,
    GPT,
    RESNET,
    VOCABULARY,
    cart_pole,
    returns_of,
)
from benchmarks.numbers import integers


def convolution(x: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((padding, padding),) * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip


def dropout(key: jax.Array, x: jax.Array, p: float) -> jax.Array:
    return jnp.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0)


def drawing_step(loss_of: Any, update: Any, params: Any, state: Any, batch: Any) -> Step:
    """training_step of a loss whose first argument is a key of random numbers."""

    @partial(jax.jit, donate_argnums=0)
    def run(carried: Any, inputs: jax.Array, target: jax.Array) -> tuple[Any, jax.Array]:
        key, params, state = carried
        key, own = jax.random.split(key)
        loss, grads = jax.value_and_grad(partial(loss_of, own))(params, inputs, target)
        return (key, *update(params, grads, state)), loss

    carried = (jax.random.key(0), params, state)

    def step() -> tuple[Any, ...]:
        nonlocal carried
        carried, loss = run(carried, *batch)
        return (loss,)

    return step


def adadelta(params: Any, grads: Any, state: Any, lr: float) -> tuple[Any, Any]:
    squares, deltas = state
    squares = jax.tree.map(lambda s, g: 0.9 * s + 0.1 * g * g, squares, grads)
    moves = jax.tree.map(
        lambda g, s, d: jnp.sqrt(d + 1e-6) / jnp.sqrt(s + 1e-6) * g, grads, squares, deltas
    )
    deltas = jax.tree.map(lambda d, m: 0.9 * d + 0.1 * m * m, deltas, moves)
    return jax.tree.map(lambda p, m: p - lr * m, params, moves), (squares, deltas)


def cnn() -> Step:
    fill = Fill()
    params = {
        "conv1": (fill.kernel(32, 1), fill.bias(32)),
        "conv2": (fill.kernel(64, 32), fill.bias(64)),
    }
    fc1 = fill.weight(128, 9216).reshape(128, 64, 12, 12).transpose(2, 3, 1, 0).reshape(9216, 128)
    params["fc1"] = (jnp.array(fc1), fill.bias(128))
    params["fc2"] = fill.linear(128, 10)

    def loss_of(key: jax.Array, p: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        first, second = jax.random.split(key)
        x = jax.nn.relu(convolution(x, p["conv1"][0], 1, 0) + p["conv1"][1])
        x = jax.nn.relu(convolution(x, p["conv2"][0], 1, 0) + p["conv2"][1])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = dropout(first, x, 0.25).reshape(64, -1)
        x = jax.nn.relu(dense(x, p["fc1"]))
        return class_loss(dense(dropout(second, x, 0.5), p["fc2"]), labels)

    images = array((64, 1, 28, 28), 100).transpose(0, 2, 3, 1)
    batch = jnp.array(images), classes((64,), 101, 10)
    state = zeros(params), zeros(params)
    return drawing_step(loss_of, partial(adadelta, lr=1e-3), params, state, batch)


def resnet() -> Step:
    fill = Fill()
    blocks = [
        (fill.kernel(outputs, inputs), fill.ones(outputs), fill.bias(outputs))
        for inputs, outputs, _ in RESNET
    ]
    params = {"blocks": blocks, "fc": fill.linear(128, 10)}
    # Running statistics are kept, as in PyTorch, though training does not read them.
    running = [(jnp.zeros(outputs), jnp.ones(outputs)) for _, outputs, _ in RESNET]

    def loss_of(p: Any, running: Any, x: jax.Array, labels: jax.Array) -> Any:
        kept = []
        for (inputs, outputs, stride), (kernel, scale, shift), (old_mean, old_var) in zip(
            RESNET, p["blocks"], running, strict=True
        ):
            y = convolution(x, kernel, stride, 1)
            mean, var = y.mean((0, 1, 2)), y.var((0, 1, 2))
            count = y.size / outputs
            kept.append(
                (0.9 * old_mean + 0.1 * mean, 0.9 * old_var + 0.1 * var * (count / (count - 1)))
            )
            y = (y - mean) * (scale * lax.rsqrt(var + 1e-5)) + shift
            x = jax.nn.relu(y + x if inputs == outputs and stride == 1 else y)
        return class_loss(dense(x.mean((1, 2)), p["fc"]), labels), kept

    @partial(jax.jit, donate_argnums=0)
    def run(carried: Any, inputs: jax.Array, target: jax.Array) -> tuple[Any, jax.Array]:
        params, momenta, running = carried
        (loss, running), grads = jax.value_and_grad(loss_of, has_aux=True)(
            params, running, inputs, target
        )
        params, momenta = sgd(params, grads, momenta, lr=1e-3, momentum=0.9)
        return (params, momenta, running), loss

    images = jnp.array(array((32, 3, 32, 32), 100).transpose(0, 2, 3, 1))
    labels = classes((32,), 101, 10)
    carried = (params, zeros(params), running)

    def step() -> tuple[Any, ...]:
        nonlocal carried
        carried, loss = run(carried, images, labels)
        return (loss,)

    return step


def layer_norm(x: jax.Array, layer: tuple[jax.Array, jax.Array]) -> jax.Array:
    mean = x.mean(-1, keepdims=True)
    var = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * layer[0] + layer[1]


def gpt() -> Step:
    fill = Fill()
    width, heads, context = GPT["width"], GPT["heads"], GPT["context"]

    def norm() -> tuple[jax.Array, jax.Array]:
        return fill.ones(width), fill.bias(width)

    def block() -> dict[str, Any]:
        names = {
            "ln_1": norm, "c_attn": partial(fill.linear, width, 3 * width),
            "c_proj": partial(fill.linear, width, width), "ln_2": norm,
            "up": partial(fill.linear, width, 4 * width),
            "down": partial(fill.linear, 4 * width, width),
        }  # fmt: skip
        return {name: make() for name, make in names.items()}

    params = {"wte": fill.weight(GPT["vocabulary"], width), "wpe": fill.weight(context, width)}
    params["blocks"] = [block() for _ in range(GPT["layers"])]
    params["ln_f"] = norm()
    mask = jnp.tril(jnp.ones((context, context), bool))

    def attention(x: jax.Array, p: Any) -> jax.Array:
        B, T, C = x.shape
        q, k, v = (
            part.reshape(B, T, heads, C // heads).transpose(0, 2, 1, 3)
            for part in jnp.split(dense(x, p["c_attn"]), 3, axis=2)
        )
        scores = q @ k.transpose(0, 1, 3, 2) / (C // heads) ** 0.5
        weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
        return dense((weights @ v).transpose(0, 2, 1, 3).reshape(B, T, C), p["c_proj"])

    def loss_of(p: Any, index: jax.Array, target: jax.Array) -> jax.Array:
        x = p["wte"][index] + p["wpe"]
        for own in p["blocks"]:
            x = x + attention(layer_norm(x, own["ln_1"]), own)
            hidden = jax.nn.gelu(dense(layer_norm(x, own["ln_2"]), own["up"]), approximate=False)
            x = x + dense(hidden, own["down"])
        logits = layer_norm(x, p["ln_f"]) @ p["wte"].T
        return class_loss(logits.reshape(-1, GPT["vocabulary"]), target.reshape(-1))

    def update(params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        kept = jax.tree.map(lambda p: p * (1 - 1e-3 * 0.1), params)
        return adam(kept, grads, state, lr=1e-3)

    shape = GPT["batch"], context
    batch = tuple(classes(shape, 100 + i, GPT["vocabulary"]) for i in (0, 1))
    return training_step(loss_of, update, params, adam_state(params), batch)


def recurrent_layer(fill: Fill, inputs: int, hidden: int, gates: int) -> Any:
    ih, hh = fill.weight(gates * hidden, inputs), fill.weight(gates * hidden, hidden)
    return jnp.array(ih.T), jnp.array(hh.T), fill.bias(gates * hidden), fill.bias(gates * hidden)


def lstm_layer(x: jax.Array, layer: Any) -> jax.Array:
    """x (steps, batch, inputs); the input products of all steps are one."""
    ih, hh, b_ih, b_hh = layer
    zero = jnp.zeros((x.shape[1], hh.shape[0]), jnp.float32)

    def cell(carried: Any, gates: jax.Array) -> Any:
        h, c = carried
        i, f, g, o = jnp.split(gates + h @ hh, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return lax.scan(cell, (zero, zero), x @ ih + (b_ih + b_hh))[1]


def lstm() -> Step:
    fill = Fill()
    params = {"encoder": fill.weight(VOCABULARY, 200)}
    params["rnn"] = [recurrent_layer(fill, 200, 200, 4) for _ in range(2)]
    params["decoder"] = fill.linear(200, VOCABULARY)

    def loss_of(p: Any, index: jax.Array, target: jax.Array) -> jax.Array:
        x = p["encoder"][index]
        for layer in p["rnn"]:
            x = lstm_layer(x, layer)
        return class_loss(dense(x, p["decoder"]).reshape(-1, VOCABULARY), target)

    def update(params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
        factor = jnp.minimum(0.25 / (norm + 1e-6), 1)
        grads = jax.tree.map(lambda g: g * factor, grads)
        return sgd(params, grads, state, lr=0.1, momentum=0)

    words = [classes((35, 20), 100 + i, VOCABULARY) for i in (0, 1)]
    return training_step(loss_of, update, params, (), (words[0], words[1].reshape(-1)))


def gru() -> Step:
    fill = Fill()
    params = {"rnn": recurrent_layer(fill, 8, 64, 3), "head": fill.linear(64, 10)}

    def loss_of(p: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        ih, hh, b_ih, b_hh = p["rnn"]

        def cell(h: jax.Array, gates: jax.Array) -> Any:
            own = h @ hh + b_hh
            r = jax.nn.sigmoid(gates[:, :64] + own[:, :64])
            z = jax.nn.sigmoid(gates[:, 64:128] + own[:, 64:128])
            n = jnp.tanh(gates[:, 128:] + r * own[:, 128:])
            return (1 - z) * n + z * h, None

        zero = jnp.zeros((32, 64), jnp.float32)
        last, _ = lax.scan(cell, zero, x.transpose(1, 0, 2) @ ih + b_ih)
        return class_loss(dense(last, p["head"]), labels)

    batch = array((32, 100, 8), 100), classes((32,), 101, 10)
    return training_step(loss_of, partial(adam, lr=1e-3), params, adam_state(params), batch)


def vae() -> Step:
    fill = Fill()
    sizes = {
        "fc1": (784, 400), "fc21": (400, 20), "fc22": (400, 20), "fc3": (20, 400),
        "fc4": (400, 784),
    }  # fmt: skip
    params = {name: fill.linear(*size) for name, size in sizes.items()}

    def loss_of(key: jax.Array, p: Any, x: jax.Array, target: jax.Array) -> jax.Array:
        h = jax.nn.relu(dense(x, p["fc1"]))
        mu, logvar = dense(h, p["fc21"]), dense(h, p["fc22"])
        z = mu + jax.random.normal(key, mu.shape) * jnp.exp(0.5 * logvar)
        out = jax.nn.sigmoid(dense(jax.nn.relu(dense(z, p["fc3"])), p["fc4"]))
        logs = target * jnp.maximum(jnp.log(out), -100)
        error = -(logs + (1 - target) * jnp.maximum(jnp.log1p(-out), -100)).sum()
        return error - 0.5 * (1 + logvar - jnp.square(mu) - jnp.exp(logvar)).sum()

    images = array((128, 784), 100) + np.float32(0.5)
    update = partial(adam, lr=1e-3)
    return drawing_step(loss_of, update, params, adam_state(params), (images, images))


def pinn() -> Step:
    fill = Fill()
    params = [fill.linear(*size) for size in ((2, 32), (32, 32), (32, 32), (32, 1))]

    def u(p: Any, points: jax.Array) -> jax.Array:
        for layer in p[:-1]:
            points = jnp.tanh(dense(points, layer))
        return dense(points, p[-1])

    def loss_of(p: Any, points: jax.Array, _: jax.Array) -> jax.Array:
        def slopes(points: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            values, pull = jax.vjp(partial(u, p), points)
            first = pull(jnp.ones_like(values))[0]
            return first[:, 0].sum(), (values[:, 0], first)

        second, (value, first) = jax.grad(slopes, has_aux=True)(points)
        residual = first[:, 1] + value * first[:, 0] - 0.01 / jnp.pi * second[:, 0]
        return jnp.square(residual).mean()

    points = array((1000, 2), 100) * 2
    update = partial(adam, lr=1e-3)
    return training_step(loss_of, update, params, adam_state(params), (points, points))


def factorisation() -> Step:
    fill = Fill()
    params = {"users": fill.weight(10000, 32), "items": fill.weight(10000, 32)}

    def loss_of(p: Any, index: jax.Array, ratings: jax.Array) -> jax.Array:
        found = (p["users"][index[0]] * p["items"][index[1]]).sum(1)
        return jnp.square(found - ratings).mean()

    batch = classes((2, 1024), 100, 10000), array((1024,), 101)
    return training_step(loss_of, partial(adam, lr=1e-3), params, adam_state(params), batch)


def reinforce() -> Step:
    fill = Fill()
    params: Any = [fill.linear(4, 128), fill.linear(128, 2)]
    chances = ((integers(np.arange, (EPISODE,), 100) % 1000) / 1000).tolist()

    def policy(p: Any, states: jax.Array) -> jax.Array:
        return jax.nn.softmax(dense(jax.nn.relu(dense(states, p[0])), p[1]))

    def loss_of(p: Any, states: jax.Array, actions: jax.Array, returns: jax.Array) -> jax.Array:
        chosen = jnp.take_along_axis(policy(p, states), actions[:, None], axis=1)[:, 0]
        returns = (returns - returns.mean()) / (returns.std(ddof=1) + 1e-6)
        return -(jnp.log(chosen) * returns).sum()

    @partial(jax.jit, donate_argnums=(0, 1))
    def learn(params: Any, state: Any, *episode: jax.Array) -> tuple[Any, Any, jax.Array]:
        loss, grads = jax.value_and_grad(loss_of)(params, *episode)
        return *adam(params, grads, state, lr=1e-3), loss

    act = jax.jit(policy)
    state_of_adam = adam_state(params)

    def step() -> tuple[Any, ...]:
        nonlocal params, state_of_adam
        state, states, actions, rewards = [0.0, 0.0, 0.01, 0.0], [], [], []
        for chance in chances:
            states.append(state)
            probabilities = act(params, np.array([state], np.float32))
            actions.append(int(float(probabilities[0, 1]) > chance))
            state = cart_pole(state, actions[-1])
            rewards.append(1.0 - abs(state[2]))
        params, state_of_adam, loss = learn(
            params, state_of_adam, np.array(states, np.float32), np.array(actions),
            np.array(returns_of(rewards), np.float32),
        )  # fmt: skip
        return (loss,)

    return step


BUILDERS = {
    "cnn": cnn, "resnet": resnet, "gpt": gpt, "lstm": lstm, "gru": gru, "vae": vae, "pinn": pinn,
    "factorisation": factorisation, "reinforce": reinforce,
}  # fmt: skip
