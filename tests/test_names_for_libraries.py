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
    torch._check_tensor_all_with(ValueError, torch.tensor([True, True]))
    with pytest.raises(ValueError, match="told"):
        torch._check_tensor_all_with(ValueError, torch.tensor([True, False]), "told")
    with pytest.raises(TypeError, match=r"dtype torch\.bool"):
        torch._check_tensor_all_with(ValueError, torch.tensor([1, 1]))


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


def test_tensors_by_dtype():
    from rushlight.utils import _foreach_utils

    x, y, z = torch.ones(2), torch.ones(2, dtype=torch.float64), torch.zeros(1)
    group = _foreach_utils._group_tensors_by_device_and_dtype
    groups = group([[x, y, z], [None, y, z], []], with_indices=True)
    (single, places), (double, place) = (
        groups[torch.device("cpu"), dtype] for dtype in (torch.float32, torch.float64)
    )
    assert places == [0, 2] and place == [1]
    assert single[0][1] is z and single[1] == [None, z] and single[2] == []
    assert double[0][0] is y and group([[x]])[torch.device("cpu"), x.dtype][1] == []
    for wrong in ([[]], [[None]], [[x, y], [x]]):
        with pytest.raises(RuntimeError, match="first list"):
            group(wrong)
    assert _foreach_utils._has_foreach_support([x, None], x.device)
    assert not _foreach_utils._has_foreach_support([nn.Parameter(x)], x.device)


def test_tuples_of_trees():
    pair = pytree.SequenceKey(3)
    for flatten, unflatten, tree in (
        (pytree._tuple_flatten, pytree._tuple_unflatten, (1, 2)),
        (pytree._namedtuple_flatten, pytree._namedtuple_unflatten, pair),
    ):
        children, context = flatten(tree)
        again = unflatten(children, context)
        assert children == list(tree) and again == tree and type(again) is type(tree)
    assert pytree.tree_is_leaf(None) and not pytree.tree_is_leaf(pair)
    assert pytree.tree_is_leaf((1,), is_leaf=lambda tree: isinstance(tree, tuple))


def test_pieces_of_the_multivariate_normal():
    from rushlight.distributions import multivariate_normal as pieces

    precision = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    factor = pieces._precision_to_scale_tril(precision)
    torch.testing.assert_close(factor @ factor.mT, precision.inverse())
    apart = torch.tensor([1.0, -2.0])
    expected = apart @ pieces._batch_mv(precision, apart)
    torch.testing.assert_close(pieces._batch_mahalanobis(factor, apart), expected)


def test_reductions_as_numbers():
    from rushlight.nn import _reduction

    assert [_reduction.get_enum(name) for name in ("none", "mean", "sum")] == [0, 1, 2]
    with pytest.raises(ValueError, match="not a valid value"):
        _reduction.get_enum("all")
    with pytest.warns(UserWarning, match="reduction='mean'"):
        assert _reduction.legacy_get_string(None, None) == "mean"
    assert _reduction.legacy_get_string(False, None, emit_warning=False) == "sum"
    assert _reduction.legacy_get_enum(True, False, emit_warning=False) == 0


def test_files_are_no_names_of_nn():
    """nn.attention is the package of kernels, not the file of nn.MultiheadAttention."""
    assert nn.attention.SDPBackend.MATH is not None
    assert not hasattr(nn, "activation") and hasattr(nn.modules, "activation")


def test_an_optimizer_around_another(tmp_path):
    """One that skips Optimizer.__init__ still runs its hooks, and none twice."""

    class Around(torch.optim.Optimizer):
        def __init__(self, inner):
            self._optimizer_step_pre_hooks = {}
            self._optimizer_step_post_hooks = {}
            self.inner = inner
            self._patch_step_function()

        def step(self, closure=None):
            self._cuda_graph_capture_health_check()
            return self.inner.step(closure)

    p = nn.Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    around = Around(torch.optim.SGD([p], lr=0.5))
    seen = []
    around.register_step_post_hook(lambda *args: seen.append("after"))
    around.step()
    assert p.item() == 0.5 and seen == ["after"]


def test_what_optimizers_import():
    from rushlight.optim import optimizer

    real, complex_ = torch.ones(2), torch.ones(2, dtype=torch.complex64)
    params, grads = [real, complex_], [torch.ones(2), complex_ * 2]
    optimizer._view_as_real(params, grads)
    assert params[0] is real and params[1].shape == grads[1].shape == (2, 2)
    assert optimizer._get_value(real.sum()) == 2.0 and optimizer._get_value(3) == 3
    assert optimizer._default_to_fused_or_foreach([real], False) == (False, False)
    assert optimizer._default_to_fused_or_foreach([real], False, True) == (True, False)
    assert optimizer._get_scalar_dtype() is torch.float32
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = optimizer.nothing_like_it


def test_projections_of_attention():
    F = nn.functional
    x, y = torch.randn(3, 2, 4), torch.randn(3, 2, 4)
    weight, bias = torch.randn(12, 4), torch.randn(12)
    for query, key, value in ((x, x, x), (x, y, y), (x, y, x)):
        found = F._in_projection_packed(query, key, value, weight, bias)
        parts = zip((query, key, value), weight.chunk(3), bias.chunk(3), strict=True)
        for projection, (of, w, b) in zip(found, parts, strict=True):
            torch.testing.assert_close(projection, F.linear(of, w, b))
    assert F._none_or_dtype(None) is None and F._none_or_dtype(x) is torch.float32
    assert F._mha_shape_check(x, x, x, None, None, 2)


def test_older_names(tmp_path):
    x = torch.arange(2)
    assert x.type(torch.Tensor).dtype is torch.float32
    assert nn.init._no_grad_fill_(torch.empty(1), 2.0).item() == 2.0

    class Sign(torch.autograd.function.InplaceFunction):
        @staticmethod
        def forward(ctx, value):
            return value.sign()

        @staticmethod
        def backward(ctx, grad):
            return grad

    w = torch.tensor([-2.0], requires_grad=True)
    Sign.apply(w).backward()
    assert w.grad.item() == 1.0
    torch.save(w, tmp_path / "w")
    restore = torch.serialization.default_restore_location
    kept = torch.load(tmp_path / "w", map_location=lambda storage, _: restore(storage, "cpu"))
    assert kept.item() == -2.0
    hooked = nn.ReLU()
    hooked.register_forward_hook(print)
    assert repr(hooked._forward_hooks).startswith("OrderedDict(")


def test_extensions_are_not_built():
    from rushlight.utils import cpp_extension

    assert cpp_extension.CUDA_HOME is None
    for make in (cpp_extension.load, cpp_extension.load_inline, cpp_extension.BuildExtension):
        with pytest.raises(NotImplementedError, match="compiled against PyTorch"):
            make("name")
    for make in (cpp_extension.CppExtension, cpp_extension.CUDAExtension):
        with pytest.raises(NotImplementedError, match="compiled against PyTorch"):
            make("name", [])


def test_copies_on_the_same_memory():
    import copy
    import pickle

    w = torch.ones(2, requires_grad=True)
    y = w * 2
    shared, again = copy.copy(y), pickle.loads(pickle.dumps(y))
    for found in (shared, again):
        assert found.is_leaf and found.requires_grad and found.tolist() == [2.0, 2.0]
    shared.data[0] = 7.0
    assert y.tolist() == [7.0, 2.0] and again.tolist() == [2.0, 2.0]
    p = nn.Parameter(torch.ones(1))
    p.extra, p.grad = "kept", torch.ones(1)
    other = copy.copy(p)
    assert type(other) is nn.Parameter and other.extra == "kept" and other.grad is None
    lazy = copy.copy(nn.LazyLinear(3).weight)
    assert isinstance(lazy, nn.UninitializedParameter)


def test_sizes_are_ints():
    size = torch.Size([torch.tensor(3), True, 2])
    assert size == (3, 1, 2) and all(type(part) is int for part in size)
    assert type(size[1:]) is torch.Size and torch.Size() == ()
    with pytest.raises(TypeError, match="item 1 is 'float'"):
        torch.Size([1, 2.0])


def test_a_pickle_module_asks_for_everything(tmp_path):
    import pickle
    from fractions import Fraction

    path = tmp_path / "file"
    torch.save({"part": Fraction(1, 3)}, path)
    assert torch.load(path, pickle_module=pickle) == {"part": Fraction(1, 3)}
    with pytest.raises(RuntimeError, match="leave pickle_module out"):
        torch.load(path, pickle_module=pickle, weights_only=True)
    with pytest.raises(pickle.UnpicklingError, match="Fraction"):
        torch.load(path)


def test_what_tensordict_asks_for():
    from rushlight import _C, _guards
    from rushlight.nn.modules import hooks, module

    assert module._global_parameter_registration_hooks is hooks._global_parameter_registration_hooks
    assert isinstance(torch.ones(2).untyped_storage(), torch.StorageBase)
    assert _guards.active_fake_mode() is None
    assert not _C._is_torch_function_mode_enabled()
    with torch.overrides.BaseTorchFunctionMode():
        assert _C._is_torch_function_mode_enabled()
