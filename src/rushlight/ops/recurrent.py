"""Recurrent networks: layers of tanh, relu, LSTM and GRU cells over whole sequences, and the cells.

One op is one layer in all of its directions. Its kernel keeps what the backward kernel needs; where
the backward pass is itself recorded, the layer is unrolled into ops and those are differentiated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.backward import grad as gradients
from rushlight.autograd.op import composed, op
from rushlight.ops.activation import relu
from rushlight.ops.dropout import dropout as drop
from rushlight.ops.elementary import sigmoid, tanh
from rushlight.ops.join import cat, stack
from rushlight.ops.linalg import linear
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The kernel's numbers of the modes.
TANH, RELU, LSTM, GRU = range(4)
_NAMES = ("rnn_tanh", "rnn_relu", "lstm", "gru")
_GATES = (1, 1, 4, 3)


# ---- one layer


@op(_core.recurrent_layer, method=False, public=False)
def _recurrent_layer(
    input: Tensor,
    hx: Tensor | None,
    cx: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None,
    w_ih_reverse: Tensor | None,
    w_hh_reverse: Tensor | None,
    b_ih_reverse: Tensor | None,
    b_hh_reverse: Tensor | None,
    w_hr_reverse: Tensor | None,
    mode: int,
    batch_sizes: list[int] | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The output of all steps and the last states; with `keep`, what the backward kernel needs."""


def _layer_gradient(
    grads: tuple,
    input: Tensor,
    hx: Tensor | None,
    cx: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None,
    w_ih_reverse: Tensor | None,
    w_hh_reverse: Tensor | None,
    b_ih_reverse: Tensor | None,
    b_hh_reverse: Tensor | None,
    w_hr_reverse: Tensor | None,
    mode: int,
    batch_sizes: list[int] | None,
    result: tuple,
    needs: tuple,
) -> tuple:
    weights = (
        w_ih, w_hh, b_ih, b_hh, w_hr,
        w_ih_reverse, w_hh_reverse, b_ih_reverse, b_hh_reverse, w_hr_reverse,
    )  # fmt: skip
    # Views stand for the tensors, so that one that was computed from another does not count twice.
    taken = [
        x.view_as(x) if x is not None and needed else x
        for x, needed in zip((input, hx, cx, *weights), needs)
    ]
    outputs = _unrolled_layer(taken, mode, batch_sizes)
    pairs = zip(outputs, grads)
    used = [(out, grad) for out, grad in pairs if out is not None and grad is not None]
    found = iter(
        gradients(
            [out for out, _ in used],
            [x for x, needed in zip(taken, needs) if needed and x is not None],
            [grad for _, grad in used],
            create_graph=True,
            allow_unused=True,
        )
    )
    return tuple(next(found) if needed else None for needed in needs)


def _layer_gradient_kernel(grads: tuple, input: Tensor, hx: Tensor, cx: Any, *rest: Any) -> tuple:
    *weights, mode, batch_sizes, result, needs = rest
    return tuple(
        _core.recurrent_layer_backward(  # type: ignore[call-arg]  # of one length, always
            *grads[:3], input, *weights, mode, batch_sizes, *result[3:], needs
        )
    )


_recurrent_layer.vjp_all(
    _recurrent_layer.arguments[:13], _layer_gradient, kernel=_layer_gradient_kernel
)


# ---- the same, made of ops


def _cell_step(
    mode: int, given: Tensor, state: Tensor, cell: Tensor | None, w_hh: Tensor, b_hh: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The new state (before a projection) and cell; `given` is the product with the input."""
    joined = linear(state, w_hh, b_hh)
    if mode == GRU:
        r, z, n = given.chunk(3, -1)
        state_r, state_z, state_n = joined.chunk(3, -1)
        update = sigmoid(z + state_z)
        fresh = tanh(n + sigmoid(r + state_r) * state_n)
        return fresh + update * (state - fresh), None
    sums = given + joined
    if mode == LSTM:
        assert cell is not None
        i, f, g, o = sums.chunk(4, -1)
        cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(cell), cell
    return (tanh(sums) if mode == TANH else relu(sums)), None


def _replaced(all_rows: Tensor, rows: Tensor) -> Tensor:
    """The first rows replaced; sequences that are over keep theirs."""
    count = rows.shape[0]
    return rows if count == all_rows.shape[0] else cat([rows, all_rows[count:]])


def _unrolled_layer(
    tensors: Sequence[Any], mode: int, batch_sizes: list[int] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """_recurrent_layer, one op after the other."""
    input, hx, cx, *weights = tensors
    sizes = [input.shape[1]] * input.shape[0] if batch_sizes is None else batch_sizes
    outputs, states, cells = [], [], []
    for direction in range(1 if weights[5] is None else 2):
        w_ih, w_hh, b_ih, b_hh, w_hr = weights[5 * direction : 5 * direction + 5]
        width, hidden = w_hh.shape[1], w_ih.shape[0] // _GATES[mode]
        state = hx[direction] if hx is not None else input.new_zeros(sizes[0], width)
        cell = None
        if mode == LSTM:
            cell = cx[direction] if cx is not None else input.new_zeros(sizes[0], hidden)
        given = linear(input.reshape(-1, input.shape[-1]), w_ih, b_ih).split(sizes)
        steps = range(len(sizes))
        rows: list[Any] = [None] * len(sizes)
        for step in reversed(steps) if direction else steps:
            active = sizes[step]
            before = None if cell is None else cell[:active]
            fresh, cell_rows = _cell_step(mode, given[step], state[:active], before, w_hh, b_hh)
            rows[step] = fresh if w_hr is None else linear(fresh, w_hr)
            state = _replaced(state, rows[step])
            if cell is not None and cell_rows is not None:
                cell = _replaced(cell, cell_rows)
        outputs.append(cat(rows))
        states.append(state)
        cells.append(cell)
    output = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
    return (
        output.reshape(*input.shape[:-1], output.shape[-1]),
        stack(states),
        stack(cells) if mode == LSTM else None,
    )


# ---- layers on top of each other


def _weights_of_layers(
    name: str, params: Sequence[Tensor], has_biases: bool, layers: int, directions: int
) -> Iterator[list[Tensor | None]]:
    """The ten weights of each layer, None for those that are not there."""
    count, rest = divmod(len(params), layers * directions)
    plain = 4 if has_biases else 2
    if rest or count - plain not in (0, 1) or (count > plain and name != "lstm"):
        raise RuntimeError(
            f"{name}: got {len(params)} parameters for {layers} layer(s) in {directions} "
            f"direction(s), expected {plain} for each"
            + (f", or {plain + 1} with a projection" if name == "lstm" else "")
        )
    for layer in range(layers):
        weights: list[Tensor | None] = []
        for direction in range(directions):
            begin = (layer * directions + direction) * count
            own = params[begin : begin + count]
            biases = own[2:4] if has_biases else (None, None)
            weights += [*own[:2], *biases, own[plain] if count > plain else None]
        yield weights + [None] * (10 - len(weights))


def recurrent_network(
    mode: int,
    input: Tensor,
    batch_sizes: list[int] | None,
    hx: Tensor | None,
    cx: Tensor | None,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """The output of the last layer, and the last states and cells of all of them.

    Args:
        mode: TANH, RELU, LSTM or GRU.
        input: (T, B, features); packed (rows, features).
        batch_sizes: the rows of each step of a packed input.
        hx: (layers * directions, B, state); zeros if None.
        cx: (layers * directions, B, hidden) of an LSTM; zeros if None.
        params: of each layer and direction weight_ih, weight_hh, bias_ih and bias_hh (with
            `has_biases`), weight_hr (of a projection).
        dropout: the probability of what goes from one layer to the next being set to 0.
        train: whether that happens.
        batch_first: input and output are (B, T, ...).
    """
    name, directions = _NAMES[mode], 2 if bidirectional else 1
    if batch_first:
        input = input.transpose(0, 1)
    if hx is not None and (hx.ndim != 3 or hx.shape[0] != num_layers * directions):
        raise RuntimeError(
            f"{name}: expected hx of shape ({num_layers * directions}, batch, hidden), got "
            f"{tuple(hx.shape)}"
        )
    keep = _core.is_grad_enabled() and (
        input.requires_grad
        or any(weight.requires_grad for weight in params)
        or (hx is not None and hx.requires_grad)
        or (cx is not None and cx.requires_grad)
    )
    states, cells = [], []
    layers = _weights_of_layers(name, params, has_biases, num_layers, directions)
    for layer, weights in enumerate(layers):
        h, c = hx, cx
        if num_layers > 1:
            begin = layer * directions
            h = None if h is None else h.narrow(0, begin, directions)
            c = None if c is None else c.narrow(0, begin, directions)
        input, state, cell, *_ = _recurrent_layer(input, h, c, *weights, mode, batch_sizes, keep)
        states.append(state)
        cells.append(cell)
        if dropout and train and layer + 1 < num_layers:
            input = drop(input, dropout, True)
    if batch_first:
        input = input.transpose(0, 1)
    if num_layers == 1:
        return input, states[0], cells[0]
    return input, cat(states), cat(cells) if mode == LSTM else cells[0]


_BATCHED = (
    "input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional",
    "batch_first",
)  # fmt: skip
_PACKED = ("data", "batch_sizes", "hx", *_BATCHED[2:-1])


def _called(mode: int, args: tuple, kwargs: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Both ways to call PyTorch's functions: with a batch, or with packed sequences."""
    name = _NAMES[mode]
    at = 1 if mode == LSTM else 2  # where only a packed call has a tensor
    packed = (len(args) > at and isinstance(args[at], Tensor)) or "batch_sizes" in kwargs
    names = _PACKED if packed else _BATCHED
    given = dict(zip(names, args))
    if len(args) + len(kwargs) != len(names) or set(given) | set(kwargs) != set(names):
        raise TypeError(f"{name}() takes {', '.join(_BATCHED)}; or packed, {', '.join(_PACKED)}")
    given.update(kwargs)
    state = given["hx"]
    if mode == LSTM and len(state) != 2:
        raise RuntimeError(f"lstm expects two hidden states, got {len(state)}")
    hx, cx = state if mode == LSTM else (state, None)
    return recurrent_network(
        mode,
        given["data" if packed else "input"],
        given["batch_sizes"].tolist() if packed else None,
        hx,
        cx,
        given["params"],
        given["has_biases"],
        given["num_layers"],
        given["dropout"],
        given["train"],
        given["bidirectional"],
        not packed and given["batch_first"],
    )


@composed()
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Layers of long short-term memory (Hochreiter and Schmidhuber 1997) over sequences.

    lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)

    Args:
        input: (T, B, features), or (B, T, features) with `batch_first`.
        data, batch_sizes: those of a PackedSequence.
        hx: the first states (layers * directions, B, state) and cells (.., .., hidden).
        params: of each layer and direction weight_ih (4 hidden, features), weight_hh
            (4 hidden, state); with `has_biases` bias_ih and bias_hh (4 hidden); with a
            projection weight_hr (state, hidden).

    Returns the output (T, B, directions * state), the last states and the last cells.
    """
    return _called(LSTM, args, kwargs)


@composed()
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Layers of gated recurrent units (Cho et al. 2014) over sequences.

    gru(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    gru(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)

    Arguments as of :func:`lstm`, but that `hx` is the states alone, and weights have 3 hidden rows.
    Returns the output and the last states.
    """
    return _called(GRU, args, kwargs)[:2]


@composed()
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Layers of tanh(W x + U h + b) (Elman 1990) over sequences; called as :func:`gru` is."""
    return _called(TANH, args, kwargs)[:2]


@composed()
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Layers of max(0, W x + U h + b) over sequences; called as :func:`gru` is."""
    return _called(RELU, args, kwargs)[:2]


# ---- single steps


def _cell(
    mode: int,
    input: Tensor,
    hx: Tensor,
    cx: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name, single = _NAMES[mode], input.ndim == 1
    if input.shape[-1] != w_ih.shape[-1]:
        raise RuntimeError(
            f"{name}_cell: input has inconsistent input_size: got {input.shape[-1]} expected "
            f"{w_ih.shape[-1]}"
        )
    for which, value in (("hx", hx), ("cx", cx)):
        if value is not None and tuple(value.shape) != (*input.shape[:-1], w_hh.shape[-1]):
            raise RuntimeError(
                f"{name}_cell: expected {which} of shape "
                f"{(*input.shape[:-1], w_hh.shape[-1])} for an input of shape "
                f"{tuple(input.shape)}, got {tuple(value.shape)}"
            )
    if single:
        input, hx = input.unsqueeze(0), hx.unsqueeze(0)
        cx = None if cx is None else cx.unsqueeze(0)
    weights = (w_ih, w_hh, b_ih, b_hh)
    keep = _core.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (input, hx, cx, *weights)
    )
    nothing = (None,) * 6
    _, state, cell, *_ = _recurrent_layer(
        input.unsqueeze(0),
        hx.unsqueeze(0),
        None if cx is None else cx.unsqueeze(0),
        *weights,
        *nothing,
        mode,
        None,
        keep,
    )
    state = state.squeeze(0)
    cell = cell if cx is None else cell.squeeze(0)
    return (state.squeeze(0), cell if cx is None else cell.squeeze(0)) if single else (state, cell)


@composed()
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM.

    Args:
        input: (B, features) or (features).
        hx: state and cell, each (B, hidden) or (hidden).
        w_ih, w_hh: (4 hidden, features) and (4 hidden, hidden), the gates in the order input,
            forget, cell, output.
        b_ih, b_hh: (4 hidden); 0 if left out.

    Returns the new state and the new cell.
    """
    if len(hx) != 2:
        raise RuntimeError(f"lstm_cell expects two hidden states, got {len(hx)}")
    return _cell(LSTM, input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)


@composed()
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU, whose gates come in the order reset, update, new.

    Arguments as of :func:`lstm_cell`, with 3 hidden rows and a state alone. Returns the new state.
    """
    return _cell(GRU, input, hx, None, w_ih, w_hh, b_ih, b_hh)[0]


@composed()
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """tanh(w_ih x + b_ih + w_hh h + b_hh): (N, in), (N, hidden) -> (N, hidden).

    Arguments as of :func:`gru_cell`, with weights of `hidden` rows.
    """
    return _cell(TANH, input, hx, None, w_ih, w_hh, b_ih, b_hh)[0]


@composed()
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """max(0, w_ih x + b_ih + w_hh h + b_hh): (N, in), (N, hidden) -> (N, hidden).

    Arguments as of :func:`gru_cell`, with weights of `hidden` rows.
    """
    return _cell(RELU, input, hx, None, w_ih, w_hh, b_ih, b_hh)[0]
