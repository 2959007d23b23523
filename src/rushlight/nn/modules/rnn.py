"""Recurrent layers (RNN, LSTM, GRU) and the cells that do a single step."""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops import recurrent

from .. import init
from ..parameter import Parameter
from .module import Module

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_MODES = {
    "RNN_TANH": recurrent.TANH,
    "RNN_RELU": recurrent.RELU,
    "LSTM": recurrent.LSTM,
    "GRU": recurrent.GRU,
}
_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


def _reset(module: Module, hidden_size: int) -> None:
    bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters, checks, and the call of the layers.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers on top of each other, each reading the outputs of the one below.
        bias: whether to have bias_ih and bias_hh.
        batch_first: input and output are (B, T, ...) instead of (T, B, ...); states are not.
        dropout: the probability of dropout after each layer but the last.
        bidirectional: a second set of weights reads the sequence backwards.
        proj_size: of an LSTM, the features that its state is projected to; 0 for none.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: (gates * hidden_size, features),
            (gates * hidden_size, state), (gates * hidden_size,) twice, at first uniform in
            +-1/sqrt(hidden_size); weight_hr_l0 (proj_size, hidden_size) of a projection. Of
            layer k the name ends in lk, of the second direction in lk_reverse.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in _MODES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        _check_arguments(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        directions = 2 if bidirectional else 1
        state, width = proj_size or hidden_size, _GATES[mode] * hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            features = input_size if layer == 0 else state * directions
            shapes: dict[str, Any] = {"weight_ih": (width, features), "weight_hh": (width, state)}
            if bias:
                shapes.update(bias_ih=width, bias_hh=width)
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[:directions]:
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values()):
                    setattr(
                        self, name, Parameter(rushlight.empty(shape, device=device, dtype=dtype))
                    )
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        _reset(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing: it is for GPUs, where parameters are laid out one after the other."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def __setstate__(self, state: dict) -> None:
        # In files the list of weights is part of the state; here it is made when it is asked for.
        lists = ("_flat_weights", "_flat_weights_names")
        super().__setstate__({name: state[name] for name in state if name not in lists})

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def extra_repr(self) -> str:
        given = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            if value != default:
                given.append(f"{name}={value}")
        return ", ".join(given)

    # ---- checks that subclasses may replace

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raises for an input of the wrong dtype, number of dimensions or features."""
        dtype = self._flat_weights[0].dtype
        if input.dtype is not dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        ndim = 2 if batch_sizes is not None else 3
        if input.ndim != ndim:
            raise RuntimeError(f"input must have {ndim} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _expected(
        self, input: Tensor, batch_sizes: Tensor | None, size: int
    ) -> tuple[int, int, int]:
        batch = input.shape[0 if self.batch_first else 1] if batch_sizes is None else batch_sizes[0]
        return self.num_layers * (2 if self.bidirectional else 1), int(batch), size

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the first states for this input."""
        return self._expected(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raises unless `hx` has that shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raises for a wrong input or wrong first states."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states in another order of the sequences."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # ---- the call; of an LSTM `states` is a pair, and these two say what that changes

    def _with_batch(self, states: Any) -> Any:
        """The first states of a single sequence, with a batch of one."""
        if states.ndim != 2:
            raise RuntimeError(
                f"For unbatched 2-D input, hx should also be 2-D but got {states.ndim}-D tensor"
            )
        return states.unsqueeze(1)

    def _check_batched(self, states: Any) -> None:
        if states.ndim != 3:
            raise RuntimeError(
                f"For batched 3-D input, hx should also be 3-D but got {states.ndim}-D tensor"
            )

    def _run(self, input: Any, states: Any) -> tuple[Any, Any, Any]:
        """The output, the last states and the last cells, as forward() returns them."""
        packed: Any = input if isinstance(input, tuple) else None  # as a PackedSequence is
        batch_sizes = sorted_indices = unsorted_indices = None
        batched, batch_dim = True, 0 if self.batch_first else 1
        if packed is not None:
            input, batch_sizes, sorted_indices, unsorted_indices = packed
        else:
            if input.ndim not in (2, 3):
                raise ValueError(
                    f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D "
                    "instead"
                )
            batched = input.ndim == 3
            if not batched:
                input = input.unsqueeze(batch_dim)
            if states is not None:
                if batched:
                    self._check_batched(states)
                else:
                    states = self._with_batch(states)
        if states is None:
            self.check_input(input, batch_sizes)
        else:
            states = self.permute_hidden(states, sorted_indices)
            self.check_forward_args(input, states, batch_sizes)
        hx, cx = states if self.mode == "LSTM" and states is not None else (states, None)
        output, state, cell = recurrent.recurrent_network(
            _MODES[self.mode],
            input,
            None if batch_sizes is None else batch_sizes.tolist(),
            hx,
            cx,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first and packed is None,
        )
        if packed is not None:
            output = type(packed)(output, batch_sizes, sorted_indices, unsorted_indices)
        elif not batched:
            output, state = output.squeeze(batch_dim), state.squeeze(1)
            cell = cell.squeeze(1) if self.mode == "LSTM" else cell
        return output, state, cell


def _check_arguments(
    input_size: Any,
    hidden_size: Any,
    num_layers: int,
    bias: Any,
    batch_first: Any,
    dropout: Any,
    proj_size: int,
) -> None:
    if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1], the probability of an element being set "
            f"to 0; got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
            )
    for name, value in (
        ("input_size", input_size),
        ("hidden_size", hidden_size),
        ("num_layers", num_layers),
    ):
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero, got {value}")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(
            "proj_size should be 0 (no projection) or a positive integer, and has to be smaller "
            f"than hidden_size; got proj_size={proj_size} and hidden_size={hidden_size}"
        )


def _without_projection(kwargs: dict) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Layers of h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh) (Elman, 1990).

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False, device=None, dtype=None)

    Args:
        nonlinearity: "tanh" or "relu".
        The others are those of :class:`RNNBase`.

    Shape: input (T, B, input_size), (T, input_size) or a PackedSequence; `hx`
    (layers * directions, B, hidden_size), zeros by default. Returns the output
    (T, B, directions * hidden_size) of the last layer, and the last states of all layers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _without_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, state, _ = self._run(input, hx)
        return output, self.permute_hidden(state, getattr(output, "unsorted_indices", None))


class GRU(RNNBase):
    """Layers of gated recurrent units (Cho et al., 2014).

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None)

    With the blocks of the weights in the order r, z, n:
    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h' = (1 - z) * n + z * h.

    Arguments are those of :class:`RNNBase`, shapes those of :class:`RNN`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _without_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, state, _ = self._run(input, hx)
        return output, self.permute_hidden(state, getattr(output, "unsorted_indices", None))


class LSTM(RNNBase):
    """Layers of long short-term memory (Hochreiter and Schmidhuber, 1997).

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0, device=None, dtype=None)

    With the blocks of the weights in the order i, f, g, o, and W_ih x + b_ih + W_hh h + b_hh cut
    into them: c' = sigmoid(f) * c + sigmoid(i) * tanh(g), h' = sigmoid(o) * tanh(c'). With
    `proj_size` (Sak et al., 2014) the state is weight_hr h' instead.

    Arguments are those of :class:`RNNBase`.

    Shape: input (T, B, input_size), (T, input_size) or a PackedSequence; `hx` is a pair, states
    (layers * directions, B, proj_size or hidden_size) and cells (.., B, hidden_size), zeros by
    default. Returns the output (T, B, directions * state) of the last layer, and the pair of the
    last states and cells of all layers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the first cells for this input."""
        return self._expected(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raises for a wrong input, or wrong first states or cells."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0],
            self.get_expected_hidden_size(input, batch_sizes),
            "Expected hidden[0] size {}, got {}",
        )
        self.check_hidden_size(
            hidden[1],
            self.get_expected_cell_size(input, batch_sizes),
            "Expected hidden[1] size {}, got {}",
        )

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states and cells in another order of the sequences."""
        if permutation is None:
            return hx
        return hx[0].index_select(1, permutation), hx[1].index_select(1, permutation)

    def _with_batch(self, states: Any) -> Any:
        if states[0].ndim != 2 or states[1].ndim != 2:
            raise RuntimeError(
                "For unbatched 2-D input, hx and cx should also be 2-D but got "
                f"({states[0].ndim}-D, {states[1].ndim}-D) tensors"
            )
        return states[0].unsqueeze(1), states[1].unsqueeze(1)

    def _check_batched(self, states: Any) -> None:
        if states[0].ndim != 3 or states[1].ndim != 3:
            raise RuntimeError(
                "For batched 3-D input, hx and cx should also be 3-D but got "
                f"({states[0].ndim}-D, {states[1].ndim}-D) tensors"
            )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        if hx is not None and len(hx) != 2:
            raise RuntimeError(f"LSTM: hx has to be a pair (state, cell), got {len(hx)} tensors")
        output, state, cell = self._run(input, hx)
        permutation = getattr(output, "unsorted_indices", None)
        return output, self.permute_hidden((state, cell), permutation)


class RNNCellBase(Module):
    """What the cells share.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether to have bias_ih and bias_hh.
        num_chunks: how many gates there are.

    Attributes:
        weight_ih, weight_hh: (num_chunks * hidden_size, input_size) and (.., hidden_size), at
            first uniform in +-1/sqrt(hidden_size), as the biases are.
        bias_ih, bias_hh: (num_chunks * hidden_size,) or None.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        width = num_chunks * hidden_size

        def parameter(*shape: int) -> Parameter:
            return Parameter(rushlight.empty(shape, device=device, dtype=dtype))

        self.weight_ih = parameter(width, input_size)
        self.weight_hh = parameter(width, hidden_size)
        if bias:
            self.bias_ih = parameter(width)
            self.bias_hh = parameter(width)
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        _reset(self, self.hidden_size)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _checked(self, input: Tensor, name: str, state: Tensor | None) -> Tensor:
        """The state, zeros if there is none."""
        for which, value in (("input", input), (name, state)):
            if value is not None and value.ndim not in (1, 2):
                raise ValueError(
                    f"{type(self).__name__}: Expected {which} to be 1D or 2D, got {value.ndim}D "
                    "instead"
                )
        if state is None:
            shape = (*input.shape[:-1], self.hidden_size)
            return rushlight.zeros(shape, dtype=input.dtype)
        return state


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        nonlinearity: "tanh" or "relu".
        The others are those of :class:`RNNCellBase`.

    Shape: input (B, input_size) or (input_size,); `hx` (B, hidden_size) or (hidden_size,), zeros
    by default. Returns the new state.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        hx = self._checked(input, "hidden", hx)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if self.nonlinearity == "tanh":
            return recurrent.rnn_tanh_cell(input, hx, *weights)
        if self.nonlinearity == "relu":
            return recurrent.rnn_relu_cell(input, hx, *weights)
        raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")


class GRUCell(RNNCellBase):
    """One step of a :class:`GRU`; arguments of :class:`RNNCellBase`, shapes of :class:`RNNCell`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        hx = self._checked(input, "hidden", hx)
        return recurrent.gru_cell(
            input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        )


class LSTMCell(RNNCellBase):
    """One step of an :class:`LSTM`; arguments of :class:`RNNCellBase`.

    Shape: input (B, input_size) or (input_size,); `hx` a pair of state and cell, each
    (B, hidden_size) or (hidden_size,), zeros by default. Returns the new pair.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        state, cell = (None, None) if hx is None else hx
        pair = (self._checked(input, "hx[0]", state), self._checked(input, "hx[1]", cell))
        return recurrent.lstm_cell(
            input, pair, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        )
