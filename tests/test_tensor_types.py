"""The old names of tensor types, typename, and tensors of subclasses."""

import warnings

import numpy as np
import pytest

import rushlight as rl
from rushlight import warned

NAMES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "bool": "Bool",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


@pytest.mark.parametrize("dtype", NAMES)
def test_type(dtype):
    name = f"torch.{NAMES[dtype]}Tensor"
    tensor = rl.ones(2, dtype=getattr(rl, dtype))
    assert tensor.type() == rl.typename(tensor) == name
    assert rl.ones(2).type(name).dtype == rl.ones(2).type(getattr(rl, dtype)).dtype == tensor.dtype


def test_type_errors():
    with pytest.raises(ValueError, match="invalid type: 'float'"):
        rl.ones(2).type("float")
    with pytest.raises(TypeError, match="must be a type, str, or dtype"):
        rl.ones(2).type(3)


def test_typename_of_other_objects():
    assert rl.typename(3) == rl.typename(int) == "int"
    assert rl.typename(None) == "NoneType"
    assert rl.typename(rl.nn.ReLU()) == "rushlight.nn.modules.activation.ReLU"


def test_as_subclass_keeps_memory_and_history():
    class Distance(rl.Tensor):
        pass

    x = rl.ones(2, requires_grad=True)
    distance = x.as_subclass(Distance)
    assert type(distance) is Distance and distance.data_ptr() == x.data_ptr()
    (distance * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert not rl.ones(2).as_subclass(Distance).requires_grad
    with pytest.raises(TypeError, match="subclass of Tensor"):
        x.as_subclass(int)


def test_numbers_of_numpy_keep_their_dtype():
    def dtype(*data):
        return rl.tensor(list(data)).dtype

    assert dtype(np.int8(1), np.int8(2)) == rl.int8
    assert dtype(np.float16(1), 2) == rl.float16
    assert dtype(np.float64(1), 2.0) == rl.float64
    assert dtype(np.bool_(True)) == rl.bool
    assert dtype(np.complex64(1)) == rl.complex64
    assert dtype(np.array(3, np.int16)) == dtype(np.array([3], np.int16)) == rl.int16
    assert rl.tensor([2, np.array(3.5)]).tolist() == [2, 3.5]


# ---- the types and the old constructors


def test_types_make_tensors_and_know_them():
    made = rl.LongTensor([1, 2])
    assert made.dtype is rl.int64 and made.tolist() == [1, 2]
    assert isinstance(made, rl.LongTensor) and not isinstance(made, rl.FloatTensor)
    assert not isinstance(3, rl.LongTensor) and repr(rl.LongTensor) == "<class 'torch.LongTensor'>"
    assert rl.FloatTensor(2, 3).shape == rl.FloatTensor(rl.Size([2, 3])).shape == (2, 3)
    assert rl.DoubleTensor().shape == (0,) and rl.DoubleTensor.dtype is rl.float64
    assert made.type(rl.DoubleTensor).dtype is rl.float64
    assert made.new([3]).dtype is made.new(2).dtype is rl.int64


def test_the_constructor_of_tensor_takes_sizes_and_values():
    assert rl.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert rl.Tensor(2, 3).shape == (2, 3) and rl.Tensor().shape == (0,)
    assert rl.Tensor(np.ones((2, 2))).dtype is rl.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.Tensor(3.0), "must be a sequence"),
        (lambda: rl.FloatTensor(2, "a"), "takes sizes"),
        (lambda: rl.FloatTensor(rl.ones(2).double()), "expected a tensor of torch.float32"),
    ],
)
def test_constructor_errors(call, message):
    with pytest.raises(TypeError, match=message):
        call()


# ---- methods of few users


def test_a_python_function_for_each_element():
    x = rl.arange(6).reshape(2, 3)
    assert x.apply_(lambda v: v + 1.5).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert x.map_(rl.tensor([1, 0, 2]), lambda a, b: a * b).tolist() == [[1, 0, 6], [4, 0, 12]]
    with pytest.raises(RuntimeError, match="requires grad"):
        rl.ones(2, requires_grad=True).apply_(abs)
    with pytest.raises(TypeError, match="map_"):
        x.map_(rl.ones(3), max)


def test_other_memory():
    x, whole = rl.ones(2), rl.arange(6.0)
    assert x.set_(whole, 1, (2, 2), (2, 1)).tolist() == [[1, 2], [3, 4]]
    x[0, 0] = 9
    assert whole[1] == 9 and not x.is_set_to(whole)
    assert rl.empty(0).set_(whole.untyped_storage(), 4, (2,)).tolist() == [4, 5]
    assert rl.empty(0).set_(whole).is_set_to(whole) and x.set_().shape == (0,)
    with pytest.raises(RuntimeError, match="float64"):
        x.set_(rl.ones(2).double())


def test_dim_order():
    assert rl.ones(2, 3, 4).dim_order() == (0, 1, 2)
    assert rl.ones(2, 3, 4).permute(2, 0, 1).dim_order() == (1, 2, 0)
    assert rl.ones(1, 2, 1, 3).permute(3, 2, 1, 0).dim_order() == (3, 2, 1, 0)
    with pytest.raises(RuntimeError, match="unique"):
        rl.ones(2, 1).dim_order(ambiguity_check=True)


def test_memory_of_a_file(tmp_path):
    path = tmp_path / "numbers"
    rl.from_file(str(path), shared=True, size=3, dtype=rl.int32).copy_(rl.tensor([1, 2, 3]))
    private = rl.from_file(str(path), size=3, dtype=rl.int32)
    private[0] = 7
    assert np.fromfile(path, np.int32).tolist() == [1, 2, 3] and private[0] == 7


def test_numbers_where_tensors_belong():
    x = rl.ones(2)
    for call in (
        lambda: rl.maximum(x, 1), lambda: rl.eq(1, x), lambda: rl.pow(2, 3),
        lambda: rl.atan2(1.0, x), lambda: rl.special.zeta(2, 2),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="must be Tensor"):
            call()
    assert rl.add(1, x).tolist() == rl.mul(2, x).tolist() == rl.pow(2, x).tolist() == [2, 2]
    assert rl.remainder(3, x + 1).tolist() == [1, 1] and (7 // x).tolist() == [7, 7]
    with pytest.raises(RuntimeError, match="single memory location"):
        rl.add(x, x, out=rl.ones(1).expand(2))


def test_dtypes_that_are_not_there_say_so():
    assert rl.complex32 is rl.chalf and repr(rl.chalf) == "torch.complex32"
    for absent in (rl.complex32, rl.float8_e4m3fn, rl.qint8):  # named, and no tensor has them
        with pytest.raises(TypeError, match="dtype"):
            rl.ones(2).to(absent)
        with pytest.raises(TypeError, match="dtype"):
            rl.ones(2, dtype=absent)
    assert rl.finfo(rl.float8_e5m2).max == 57344 and rl.float8_e5m2.is_floating_point
    with pytest.raises(NotImplementedError, match="complex32"):
        rl.ones(2).chalf()


def test_storage_is_the_memory_in_elements() -> None:
    x = rl.arange(6.0).view(2, 3)
    memory = x[1].storage()
    assert len(memory) == memory.size() == 6 and memory.dtype is rl.float32
    assert memory.data_ptr() == x.data_ptr() and memory.nbytes() == 24
    memory[0] = 7.0
    assert x[0, 0].item() == 7.0 and list(memory)[:2] == [7.0, 1.0]
    assert memory.fill_(1.0).tolist() == [1.0] * 6 and memory.untyped().nbytes() == 24
    assert "TypedStorage(dtype=torch.float32, device=cpu) of size 6" in repr(memory)
    with pytest.raises(NotImplementedError, match="number"):
        memory[:2]
    import sys

    assert sys.getsizeof(x.untyped_storage()) >= 24


def test_old_constructors_take_few_keywords():
    assert rl.Tensor(size=(2, 3)).shape == rl.FloatTensor(size=(2, 3)).shape == (2, 3)
    assert rl.Tensor(data=[1.5]).tolist() == rl.Tensor(other=rl.tensor([1.5])).tolist() == [1.5]
    assert rl.Tensor([1.5], device="cpu").tolist() == [1.5]
    assert rl.LongTensor([1], device="cpu").tolist() == [1]
    for kind in (rl.Tensor, rl.FloatTensor):
        with pytest.raises(TypeError, match="'requires_grad'"):
            kind([1.0], requires_grad=True)
        with pytest.raises(TypeError, match="'dtype'"):
            kind(2, dtype=rl.float32)
        with pytest.raises(RuntimeError, match="cuda"):
            kind(device="cuda")


def test_python_numbers():
    for kind in (float, int, complex):
        for shape in (2, 0):
            with pytest.raises(ValueError, match="only one element tensors"):
                kind(rl.ones(shape))
        assert kind(rl.full((1, 1), 3.0)) == 3
    assert float(rl.tensor(2 + 0j)) == 2.0 and int(rl.tensor(2 + 0j)) == 2
    assert complex(rl.tensor(2 + 1j)) == 2 + 1j
    for kind in (float, int):
        with pytest.raises(RuntimeError, match="without overflow"):
            kind(rl.tensor(1 + 2j))
    with pytest.raises(OverflowError):
        int(rl.tensor(float("inf")))
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(rl.ones(2))


def test_numbers_of_tensors_with_history_warn_once(monkeypatch):
    monkeypatch.setattr(warned, "_said", set())
    wanted = rl.tensor(2.0, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert int(wanted) == 2 and wanted.item() == 2 and f"{wanted:.1f}" == "2.0"
        assert float(wanted.detach()) == 2
        with rl.no_grad():
            assert float(wanted) == 2
        with pytest.raises(UserWarning, match=r"requires_grad=True to a scalar"):
            float(wanted)
        assert float(wanted) == 2 and complex(wanted * 2) == 4


def test_old_constructors_share_the_memory_of_arrays(monkeypatch):
    for make, kind in (
        (rl.LongTensor, "i8"),
        (rl.Tensor, "f4"),
        (rl.ones(1).new, "f4"),
    ):
        array = np.arange(3).astype(kind)
        made = make(array)
        array[0] = 9
        assert made[0] == 9
    array = np.arange(3.0)
    made = rl.FloatTensor(array)  # of another dtype: a copy
    array[0] = 9
    assert made.tolist() == [0, 1, 2]
    # A read-only array is taken with a warning, as by from_numpy.
    monkeypatch.setattr(warned, "_said", set())
    array = np.arange(3)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        assert rl.LongTensor(array).tolist() == [0, 1, 2]
