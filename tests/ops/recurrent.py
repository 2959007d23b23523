"""Rows of rushlight.ops.recurrent: the references go through the steps one by one."""

import numpy as np

from ops.row import Row, case

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(name, x, h, c, weights):
    """The new state (before a projection) and cell."""
    w_ih, w_hh, *biases = weights
    b_ih, b_hh = biases[:2] if len(biases) > 1 else (0, 0)
    given, joined = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    if name == "gru":
        (r, z, n), (r2, z2, n2) = np.split(given, 3, -1), np.split(joined, 3, -1)
        z = sigmoid(z + z2)
        return (1 - z) * np.tanh(n + sigmoid(r + r2) * n2) + z * h, None
    if name == "lstm":
        i, f, g, o = np.split(given + joined, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    return (np.tanh if name == "rnn_tanh" else lambda v: np.maximum(v, 0))(given + joined), None


def layer(name, steps, h, c, weights, reverse):
    """Over a list of steps, each with the rows of the sequences that are not over."""
    projection = weights[-1] if len(weights) in (3, 5) else None
    h, c = h.copy(), None if c is None else c.copy()
    outputs = [None] * len(steps)
    for t in reversed(range(len(steps))) if reverse else range(len(steps)):
        n = len(steps[t])
        new, cell = step(name, steps[t], h[:n], None if c is None else c[:n], weights)
        h[:n] = new if projection is None else new @ projection.T
        if c is not None:
            c[:n] = cell
        outputs[t] = h[:n].copy()
    return outputs, h, c


def network(name):
    def ref(*args):
        packed = isinstance(args[2 if name != "lstm" else 1], np.ndarray)
        data, batch_sizes, state, params, _, layers, _, _, both, *batch_first = (
            args if packed else (args[0], None, *args[1:])
        )
        if packed:
            steps = np.split(data, np.cumsum(batch_sizes)[:-1])
        else:
            steps = list(data.swapaxes(0, 1) if batch_first[0] else data)
        h, c = state if name == "lstm" else (state, None)
        directions = 2 if both else 1
        count = len(params) // (layers * directions)
        states, cells = [], []
        for at in range(layers):
            found = []
            for direction in range(directions):
                k = at * directions + direction
                own = params[k * count : (k + 1) * count]
                out, last, cell = layer(
                    name, steps, h[k], None if c is None else c[k], own, bool(direction)
                )
                found.append(out)
                states.append(last)
                cells.append(cell)
            steps = [np.concatenate(parts, -1) for parts in zip(*found)]
        output = np.concatenate(steps) if packed else np.stack(steps)
        if not packed and batch_first[0]:
            output = output.swapaxes(0, 1)
        return (output, np.stack(states)) + ((np.stack(cells),) if name == "lstm" else ())

    return ref


def arguments(name, make, batch, features, hidden, layers, both, biases, projected=0):
    """The first states and the weights."""
    directions, width, state = 2 if both else 1, GATES[name] * hidden, projected or hidden

    def some(*shape):
        return make(*shape, low=-0.4, high=0.4)

    params = []
    for at in range(layers):
        for _ in range(directions):
            params += [some(width, state * directions if at else features), some(width, state)]
            params += [some(width), some(width)] if biases else []
            params += [some(state, hidden)] if projected else []
    h = some(layers * directions, batch, state)
    return (h, some(layers * directions, batch, hidden)) if name == "lstm" else h, params


def batched(name, make, steps, batch, features, hidden, layers=1, both=False, biases=True,
            first=False, projected=0):  # fmt: skip
    state, params = arguments(name, make, batch, features, hidden, layers, both, biases, projected)
    shape = (batch, steps, features) if first else (steps, batch, features)
    x = make(*shape, low=-1, high=1)
    return case(x, state, params, biases, layers, 0.0, True, both, first)


def packed(name, make, sizes, features, hidden, layers=1, both=False, biases=True, projected=0):
    state, params = arguments(
        name, make, sizes[0], features, hidden, layers, both, biases, projected
    )
    x = make(sum(sizes), features, low=-1, high=1)
    return case(x, np.array(sizes), state, params, biases, layers, 0.0, True, both)


def samples(name):
    def found(make):
        cases = [
            batched(name, make, 3, 2, 4, 5),
            batched(name, make, 1, 18, 3, 20, both=True),
            batched(name, make, 4, 13, 3, 37, layers=2, both=True, biases=False, first=True),
            batched(name, make, 2, 3, 1, 1, layers=3),
            packed(name, make, (4, 3, 3, 1), 3, 6, layers=2, both=True),
            packed(name, make, (30, 29, 2), 5, 9, biases=False),
        ]
        if name == "lstm":
            cases += [batched(name, make, 3, 2, 4, 6, 2, True, projected=2),
                      packed(name, make, (3, 1), 2, 5, biases=False, projected=3)]  # fmt: skip
        return cases

    return found


def grad_samples(name):
    def found(make):
        cases = [
            batched(name, make, 2, 2, 2, 1, both=True),
            packed(name, make, (2, 1), 1, 2, both=True, biases=False),
        ]
        if name == "lstm":
            cases += [batched(name, make, 2, 1, 1, 2, projected=1)]
        return cases

    return found


def errors(name):
    def call(rl, features=3, hidden=4, count=4, **changed):
        width = GATES[name] * 4
        params = [rl.ones(width, 3), rl.ones(width, 4), rl.ones(width), rl.ones(width)][:count]
        h = rl.ones(1, 2, hidden)
        x = changed.get("x", rl.ones(5, 2, features))
        state = (h, rl.ones(1, 2, 4)) if name == "lstm" else h
        return getattr(rl, name)(x, state, params, True, 1, 0.0, True, False, False)

    return (
        (RuntimeError, "weight_ih", lambda rl: call(rl, features=2)),
        (RuntimeError, "hx", lambda rl: call(rl, hidden=5)),
        (RuntimeError, "parameters", lambda rl: call(rl, count=3)),
        (RuntimeError, "larger than 0", lambda rl: call(rl, x=rl.ones(0, 2, 3))),
        (RuntimeError, "one dtype", lambda rl: call(rl, x=rl.ones(5, 2, 3).double())),
        (TypeError, "takes", lambda rl: getattr(rl, name)(rl.ones(5, 2, 3))),
    )


for _name in GATES:
    Row(
        _name, samples(_name), network(_name), tol=20, exact=False,
        covers=("_recurrent_layer",), grad_samples=grad_samples(_name), errors=errors(_name),
    )  # fmt: skip


# ---- cells


def cell(name):
    def ref(x, state, *weights):
        h, c = state if name == "lstm" else (state, None)
        given = [w for w in weights if w is not None]
        if len(given) == 3:  # one bias without the other
            given = [0 * given[2] if w is None else w for w in weights]
        h, c = step(name, x, h, c, given)
        return (h, c) if name == "lstm" else h

    return ref


def cell_samples(name, batches=((3, 4, 5), (20, 7, 17), (None, 3, 4))):
    def found(make):
        cases = []
        for batch, features, hidden in batches:
            lead, width = (batch,) if batch else (), GATES[name] * hidden

            def some(*shape):
                return make(*shape, low=-1, high=1)

            x, w_ih, w_hh = some(*lead, features), some(width, features), some(width, hidden)
            h = some(*lead, hidden)
            state = (h, some(*lead, hidden)) if name == "lstm" else h
            cases += [case(x, state, w_ih, w_hh), case(x, state, w_ih, w_hh, *(some(width),) * 2)]
        return [*cases, case(x, state, w_ih, w_hh, None, some(width))]

    return found


def cell_errors(name):
    def call(rl, features, hidden):
        width = GATES[name] * 4
        h = rl.ones(2, hidden)
        state = (h, rl.ones(2, 4)) if name == "lstm" else h
        x = rl.ones(2, features)
        return getattr(rl, f"{name}_cell")(x, state, rl.ones(width, 3), rl.ones(width, 4))

    return (
        (RuntimeError, "input_size", lambda rl: call(rl, 2, 4)),
        (RuntimeError, "hx", lambda rl: call(rl, 3, 5)),
    )


for _name in GATES:
    Row(
        f"{_name}_cell", cell_samples(_name), cell(_name), tol=20, exact=False,
        grad_samples=cell_samples(_name, ((2, 1, 2), (None, 2, 1))), errors=cell_errors(_name),
    )  # fmt: skip
