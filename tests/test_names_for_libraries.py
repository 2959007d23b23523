"""Names inside torch that libraries use, and what they do."""

from __future__ import annotations

import gc

import pytest

import rushlight as torch
from rushlight import _utils, checks, hub, nn
from rushlight._jit_internal import boolean_dispatch
from rushlight.ao.nn.quantized import FloatFunctional
from rushlight.ao.quantization import DeQuantStub, QuantStub
from rushlight.nn.utils._named_member_accessor import swap_tensor
from rushlight.utils import _pytree as pytree
from rushlight.utils._contextlib import _NoParamDecoratorContextManager, context_decorator
from rushlight.utils._device import DeviceContext
from rushlight.utils.weak import TensorWeakRef, WeakIdKeyDictionary


def test_checkpoints_by_address(tmp_path, monkeypatch):
    path = tmp_path / "model-0.pth"
    torch.save({"x": torch.ones(2)}, path)
    monkeypatch.setattr(hub, "_folder", str(tmp_path / "hub"))
    for _ in range(2):  # downloaded, then found
        found = hub.load_state_dict_from_url(path.as_uri(), progress=False)
        assert found["x"].tolist() == [1.0, 1.0]
    assert (tmp_path / "hub" / "checkpoints" / "model-0.pth").exists()
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.download_url_to_file(path.as_uri(), str(tmp_path / "y"), "ff" * 9, progress=False)
    assert not (tmp_path / "y").exists() and len(list(tmp_path.iterdir())) == 2


def test_models_of_a_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "def double(x):\n    'Twice.'\n    return 2 * x\ndef _own(): ...\n"
    )
    assert hub.load(tmp_path, "double", 4, source="local") == 8
    assert hub.list(tmp_path, source="local") == ["double"]
    assert hub.help(tmp_path, "double", source="local") == "Twice."
    with pytest.raises(RuntimeError, match="Cannot find callable triple"):
        hub.load(tmp_path, "triple", source="local")
    with pytest.raises(NotImplementedError, match="source='local'"):
        hub.list("owner/name")


def test_paths_in_trees():
    tree = {"x": [1, (2, 3)], "y": 4}
    found = [pytree.keystr(path) for path, _ in pytree.tree_leaves_with_path(tree)]
    assert found == ["['x'][0]", "['x'][1][0]", "['x'][1][1]", "['y']"]
    mapped = pytree.tree_map_with_path(lambda path, leaf: (len(path), leaf), tree)
    assert mapped == {"x": [(2, 1), ((3, 2), (3, 3))], "y": (1, 4)}
    assert pytree.key_get(tree, pytree.tree_leaves_with_path(tree)[2][0]) == 3
    result = torch.ones(2).max(0)
    assert pytree.is_structseq_instance(result) and not pytree.is_namedtuple(result)
    assert pytree.is_namedtuple(pytree.SequenceKey(0))


def test_dictionaries_by_tensor():
    x, y = torch.ones(1), torch.ones(1)
    names = WeakIdKeyDictionary({x: "x"})
    names[y] = "y"
    assert names[x] == "x" and len(names) == 2 and x in names and torch.ones(1) not in names
    reference = TensorWeakRef(y)
    del y
    gc.collect()
    assert [*names.values()] == ["x"] and reference() is None


def test_buffers_of_tensors():
    tensors = [torch.arange(4.0).view(2, 2), torch.ones(3)]
    flat = _utils._flatten_dense_tensors(tensors)
    assert flat.tolist() == [0, 1, 2, 3, 1, 1, 1]
    parts = _utils._unflatten_dense_tensors(flat * 2, tensors)
    assert parts[0].tolist() == [[0, 2], [4, 6]] and parts[1].shape == (3,)
    groups = list(_utils._take_tensors([*tensors, torch.ones(2, dtype=torch.int64)], 20))
    assert [len(group) for group in groups] == [1, 1, 1]


def test_errors_of_other_places():
    try:
        {}["key"]
    except KeyError:
        wrapped = _utils.ExceptionWrapper(where="in thread 1")
    with pytest.raises(KeyError, match="Caught KeyError in thread 1"):
        wrapped.reraise()


def test_checks():
    torch._check(True)
    for check, kind in (
        (torch._check, RuntimeError), (torch._check_index, IndexError),
        (torch._check_value, ValueError), (torch._check_type, TypeError),
        (torch._check_not_implemented, NotImplementedError),
    ):  # fmt: skip
        with pytest.raises(kind, match="told"):
            check(False, lambda: "told")
    with pytest.raises(TypeError, match="cond must be a bool"):
        torch._check(1)
    with pytest.raises(AssertionError, match="why"):
        torch._assert(torch.tensor(False), "why")
    torch._assert_async(torch.tensor(True))
    with pytest.raises(RuntimeError, match="why"):
        torch._assert_async(torch.tensor(0), "why")
    checks._check_is_size(3, max=4)
    with pytest.raises(RuntimeError):
        checks._check_tensor_all(torch.tensor([True, False]))


def test_numbers_of_tracers():
    assert torch.sym_max(1, 2.5) == 2.5 and type(torch.sym_min(1, 2.0)) is float
    assert torch.sym_not(0) and torch.sym_int(2.7) == 2 and not isinstance(1, torch.SymInt)
    assert torch.sym_ite(True, 1, 2) == 1 and torch.sym_sum([1, 2]) == 3


def test_a_function_that_calls_one_of_two():
    call = boolean_dispatch("both", 1, False, lambda x, both: "two", lambda x, both=False: "one",
                            "here", "call")  # fmt: skip
    assert (call(0), call(0, True), call(0, both=True)) == ("one", "two", "two")


def test_contexts_that_decorate():
    seen = []

    class Marked(_NoParamDecoratorContextManager):
        def __enter__(self):
            seen.append("in")

        def __exit__(self, *exception):
            seen.append("out")

    @Marked
    def run():
        seen.append("run")

    run()
    context_decorator(lambda: Marked(), run)()
    assert seen == ["in", "run", "out", "in", "in", "run", "out", "out"]


def test_layers_of_quantized_models_are_floats():
    x = torch.tensor([-1.0, 2.0])
    layer = FloatFunctional()
    assert QuantStub()(x) is x and DeQuantStub()(x) is x
    assert layer.add_relu(x, x).tolist() == [0.0, 4.0] and layer.cat([x, x]).shape == (4,)
    assert layer.mul_scalar(x, 3).tolist() == [-3.0, 6.0] and not layer.state_dict()


def test_exchanging_a_tensor():
    layer = nn.BatchNorm1d(2)
    old = layer.weight
    assert swap_tensor(layer, "weight", torch.zeros(2)) is old and layer.weight.sum() == 0
    swap_tensor(layer, "running_mean", torch.ones(2))
    assert layer.running_mean.tolist() == [1.0, 1.0]
    with pytest.raises(AttributeError, match="nothing"):
        swap_tensor(layer, "nothing", None)
    with pytest.raises(KeyError):
        swap_tensor(layer, "a.b", None)


def test_the_device_of_a_block():
    with DeviceContext("cpu") as mode:
        assert torch.ones(1).device == mode.device
    with pytest.raises(RuntimeError, match="CPU alone"):
        DeviceContext("cuda")


def test_items_of_a_vmap_pick():
    table = torch.arange(6.0).reshape(3, 2)
    index = torch.tensor([2, 0])
    assert torch.vmap(lambda i: table[i])(index).tolist() == [[4, 5], [0, 1]]
    assert torch.vmap(lambda i: table[i, 1])(index).tolist() == [5, 1]
    nested = torch.vmap(torch.vmap(lambda i, j: table[i, j], (None, 0)), (0, None))
    assert nested(index, torch.tensor([1, 0])).tolist() == [[5, 4], [1, 0]]


def test_sizes_by_name():
    for make in (torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn):
        assert make(size=(2, 3)).shape == (2, 3) and make(size=torch.Size([2])).shape == (2,)
        with pytest.raises(TypeError):
            make(2, size=(2,))
    x = torch.arange(6)
    assert x.reshape(shape=(2, 3)).shape == (2, 3) and x.resize_(size=(4,)).shape == (4,)
    assert x.new_zeros(size=(1,)).tolist() == [0] and x.view(size=(2, 2)).shape == (2, 2)


def test_arguments_by_name():
    assert torch.arange(1, end=6).tolist() == [1, 2, 3, 4, 5]
    assert torch.arange(start=1, end=6, step=2).tolist() == [1, 3, 5]
    x = torch.arange(12).reshape(3, 4)
    for parts in (torch.tensor_split(x, sections=2, dim=1), torch.hsplit(x, sections=2)):
        assert [part.shape for part in parts] == [(3, 2)] * 2
    assert [len(part) for part in x.vsplit(indices=[1])] == [1, 2]
    assert [len(part) for part in x.split(split_size=2)] == [2, 1]
    assert x.swapaxes(axis0=0, axis1=1).shape == torch.swapaxes(x, 0, 1).shape == (4, 3)
    with pytest.raises(TypeError, match="indices_or_sections"):
        torch.hsplit(x)
