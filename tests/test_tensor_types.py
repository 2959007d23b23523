"""The old names of tensor types, typename, and tensors of subclasses."""

import numpy as np
import pytest

import rushlight as rl

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
