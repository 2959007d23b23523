"""Tensors in the hands of other libraries: NumPy, DLPack, pickle and copy."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import rushlight as rl
from rushlight.utils import dlpack

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]

# ---- NumPy


def test_arrays_share_memory_both_ways():
    tensor = rl.arange(6.0).reshape(2, 3)
    array = np.asarray(tensor.t())
    assert array.tolist() == [[0, 3], [1, 4], [2, 5]]
    array[0, 1] = 7
    assert tensor[1, 0] == 7
    assert np.array(tensor, dtype=np.int32).dtype == np.int32
    copied = np.array(tensor, copy=True)
    copied[0, 0] = 9
    assert tensor[0, 0] == 0
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(rl.ones(2, requires_grad=True))


def test_parameters_are_read_under_no_grad():
    p = rl.ones(3, requires_grad=True)
    for read in (lambda: p.numpy(), lambda: np.asarray(p), lambda: np.add(p, 1)):
        with pytest.raises(RuntimeError, match="requires grad"):
            read()
        with rl.no_grad():
            assert read().sum() > 0
    assert p.numpy(force=True).sum() == 3.0


def test_functions_of_numpy_give_tensors():
    tensor = rl.arange(4.0)
    for result in (np.sqrt(tensor), np.add(tensor, tensor), np.add.reduce(tensor), np.exp(tensor)):
        assert type(result) is rl.Tensor
        assert result.dtype == rl.float32
    assert np.sqrt(tensor).tolist() == np.sqrt(tensor.numpy()).tolist()
    assert np.greater(tensor, 1).dtype == rl.uint8  # as PyTorch has it
    whole, rest = np.divmod(tensor, 2)
    assert (whole * 2 + rest).tolist() == [0, 1, 2, 3]
    out = np.zeros(4)
    assert np.add(np.ones(4), tensor, out=out) is out
    assert isinstance(np.concatenate([tensor, tensor]), np.ndarray)


def test_operators_with_arrays():
    tensor, array = rl.arange(3.0), np.array([1.0, 2.0, 2.0])
    for result, wanted in (
        (tensor + array, [1.0, 3.0, 4.0]),
        (tensor * array, [0.0, 2.0, 4.0]),
        (tensor / array, [0.0, 0.5, 1.0]),
        (np.float64(2) * tensor, [0.0, 2.0, 4.0]),
        (np.float64(2) - tensor, [2.0, 1.0, 0.0]),
        (tensor ** np.float32(2), [0.0, 1.0, 4.0]),
    ):
        assert type(result) is rl.Tensor
        assert result.tolist() == wanted
    assert (tensor + array).dtype == rl.float64
    assert (np.float64(2) * tensor).dtype == rl.float32
    assert tensor[np.array([2, 0])].tolist() == [2, 0]
    assert np.arange(5)[rl.tensor([1, 3])].tolist() == [1, 3]
    assert tensor[np.int64(1)] == 1


# ---- DLPack


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_and_back_through_dlpack(dtype):
    tensor = rl.arange(6).reshape(2, 3).to(getattr(rl, dtype)).t()
    array = np.from_dlpack(tensor)
    assert array.dtype.name == dtype
    assert array.strides == tensor.numpy().strides
    assert array.tolist() == tensor.tolist()
    back = rl.from_dlpack(array)
    assert back.data_ptr() == tensor.data_ptr()
    assert back.dtype == tensor.dtype
    assert back.tolist() == tensor.tolist()


def test_memory_is_shared_and_outlives_the_tensor():
    tensor = rl.ones(3)
    array = np.from_dlpack(tensor)
    if array.flags.writeable:  # since NumPy 2.1
        array[0] = 5
        assert tensor.tolist() == [5, 1, 1]
    other = rl.from_dlpack(tensor)
    other[1] = 6
    assert tensor[1] == 6
    del tensor, other
    assert array[1] == 6


def test_shapes_without_elements_or_dimensions():
    assert np.from_dlpack(rl.tensor(3.0)).shape == ()
    assert np.from_dlpack(rl.zeros(0, 3)).shape == (0, 3)
    assert rl.from_dlpack(np.zeros((0, 3))).shape == (0, 3)
    assert rl.from_dlpack(np.full((), 2.0)).item() == 2


def test_capsules_and_keywords():
    tensor = rl.arange(3, dtype=rl.bfloat16)
    assert rl.from_dlpack(rl.to_dlpack(tensor)).tolist() == [0, 1, 2]
    assert dlpack.from_dlpack(dlpack.to_dlpack(tensor)).dtype == rl.bfloat16
    assert tensor.__dlpack_device__() == (dlpack.DLDeviceType.kDLCPU, 0) == (1, 0)
    for options in (
        {"stream": None},
        {"stream": -1},
        {"max_version": (1, 0)},
        {"dl_device": (1, 0)},
    ):
        assert rl.from_dlpack(tensor.__dlpack__(**options)).data_ptr() == tensor.data_ptr()
    assert rl.from_dlpack(tensor.__dlpack__(copy=True)).data_ptr() != tensor.data_ptr()
    assert rl.from_dlpack(tensor, copy=True).data_ptr() != tensor.data_ptr()
    whole = rl.arange(3.0)
    assert "versioned" in repr(whole.__dlpack__(max_version=(1, 0))) or np.__version__ < "2.1"
    assert "versioned" not in repr(whole.__dlpack__(max_version=(0, 8)))
    with pytest.raises(AssertionError, match="on cpu"):
        tensor.__dlpack__(stream=1)
    with pytest.raises(TypeError, match="int or None"):
        tensor.__dlpack__(stream="0")
    with pytest.raises(BufferError, match="cannot go to"):
        tensor.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="detach"):
        rl.ones(2, requires_grad=True).__dlpack__()


def test_what_cannot_be_shared():
    with pytest.raises(TypeError, match="int has no __dlpack__"):
        rl.from_dlpack(3)
    with pytest.raises(ValueError, match="negative"):
        rl.from_dlpack(np.arange(3.0)[::-1])
    with pytest.raises(TypeError, match="supported types"):
        rl.from_dlpack(np.array(["a", "b"]))
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert rl.from_dlpack(fixed).tolist() == [0, 1, 2]
    assert rl.from_dlpack(fixed, copy=True).tolist() == [0, 1, 2]


# ---- pickle and copy


def double(epoch):
    return 2.0**-epoch


def parts():
    """Everything that a script may hold, by name; with a state that is not the first."""
    from rushlight import nn
    from rushlight.optim import lr_scheduler as schedulers

    model = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten()
    )
    model(rl.rand(3, 2, 6))
    net = nn.ModuleDict(
        {
            "rnn": nn.LSTM(2, 3, 2),
            "attention": nn.MultiheadAttention(4, 2),
            "layer": nn.TransformerEncoderLayer(4, 2, 8),
            "embedding": nn.Embedding(5, 3, padding_idx=0),
            "list": nn.ParameterList([nn.Parameter(rl.ones(2))]),
        }
    )
    generator = rl.Generator().manual_seed(5)
    rl.rand(7, generator=generator)
    parameter = nn.Parameter(rl.ones(2))
    parameter.tag = "mine"
    (parameter**3).sum().backward()
    found = {
        "model": model,
        "net": net,
        "parameter": parameter,
        "generator": generator,
        "dtype": rl.float16,
        "device": rl.device("cpu"),
        "size": rl.Size([2, 3]),
        "layout": rl.strided,
        "format": rl.channels_last,
    }
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "LBFGS"):
        weight = nn.Parameter(rl.ones(2))
        optimizer = getattr(rl.optim, name)([weight], lr=0.1)

        def loss(weight=weight, optimizer=optimizer):
            optimizer.zero_grad()
            value = (weight**2).sum()
            value.backward()
            return value

        optimizer.step(loss)
        found[name] = optimizer
    optimizer = rl.optim.SGD([nn.Parameter(rl.ones(2))], lr=0.1, momentum=0.9)
    for name, make in {
        "LambdaLR": lambda: schedulers.LambdaLR(optimizer, double),
        "StepLR": lambda: schedulers.StepLR(optimizer, 2),
        "MultiStepLR": lambda: schedulers.MultiStepLR(optimizer, [2, 3]),
        "OneCycleLR": lambda: schedulers.OneCycleLR(optimizer, 0.1, total_steps=9),
        "CyclicLR": lambda: schedulers.CyclicLR(optimizer, 0.01, 0.1),
        "CosineAnnealingLR": lambda: schedulers.CosineAnnealingLR(optimizer, 5),
        "ReduceLROnPlateau": lambda: schedulers.ReduceLROnPlateau(optimizer),
    }.items():
        found[name] = make()
    return found


def state(part):
    """What there is to compare, as text."""
    if hasattr(part, "state_dict"):
        part = part.state_dict()
    if isinstance(part, rl.Generator):
        part = part.get_state()
    if isinstance(part, rl.Tensor):
        return str((part.dtype, part.tolist(), part.requires_grad))
    if isinstance(part, dict):
        return str({key: state(value) for key, value in part.items()})
    if isinstance(part, (list, tuple)) and type(part) is not rl.Size:
        return str([state(value) for value in part])
    if hasattr(part, "__dict__") and not callable(part):
        return str({key: state(value) for key, value in vars(part).items()})
    return str(part)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_everything_is_pickled_and_copied(way):
    rl.manual_seed(0)
    for name, part in parts().items():
        if way == "pickle":
            other = pickle.loads(pickle.dumps(part))
        else:
            other = copy.deepcopy(part)
        assert type(other) is type(part), name
        assert state(other) == state(part), name


def test_a_copied_optimizer_goes_on_alone():
    weight = rl.nn.Parameter(rl.ones(2))
    pair = (weight, rl.optim.Adam([weight], lr=0.1))
    other, optimizer = copy.deepcopy(pair)
    assert optimizer.param_groups[0]["params"][0] is other
    other.grad = rl.ones(2)
    optimizer.step()
    assert weight.tolist() == [1, 1]
    assert other.tolist() != [1, 1]


def test_a_copied_generator_draws_the_same():
    generator = rl.Generator().manual_seed(3)
    rl.randn(5, generator=generator)
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        numbers = rl.randn(5, generator=other)
        again = copy.deepcopy(generator)
        assert numbers.tolist() == rl.randn(5, generator=again).tolist()


def test_arrays_compare_elementwise_and_multiply():
    t, n = rl.arange(6.0).view(2, 3), np.arange(6.0).reshape(2, 3)
    for found in (t == n, n == t):
        assert type(found) is rl.Tensor and found.all()
    assert (t == n[0]).tolist() == [[True] * 3, [False] * 3]
    assert (t == "a") is False and (t != n) is True  # as in PyTorch
    product = t @ n.T
    assert type(product) is rl.Tensor and product.tolist() == (n @ n.T).tolist()


def test_matmul_leaves_others_to_their_own_operator():
    class Scaling:
        def __rmatmul__(self, other):
            return ("right", other.shape)

    assert rl.ones(2, 3) @ Scaling() == ("right", (2, 3))
    with pytest.raises(TypeError):
        rl.ones(2, 2) @ "a"
