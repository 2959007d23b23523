"""Module: attributes and registration, the tree, state_dict, conversion, copies, text."""

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import pytest

import rushlight as rl
from rushlight import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 3)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(3, 2, bias=False)
        self.register_buffer("steps", rl.zeros(1, dtype=rl.int64))
        self.register_buffer("scratch", rl.zeros(2), persistent=False)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Double(nn.Module):
    def forward(self, x):
        return 2 * x


def named(pairs):
    return [name for name, _ in pairs]


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


# ------------------------------------------------------------------ attributes


def test_assignment_registers():
    net = Net()
    assert list(net._modules) == ["fc1", "act", "fc2"]
    assert list(net.fc1._parameters) == ["weight", "bias"]
    assert list(net._buffers) == ["steps", "scratch"]
    assert net.fc2.bias is None and "bias" in net.fc2._parameters
    assert net.fc1.weight is net.fc1._parameters["weight"]
    assert net.training is True


def test_the_dicts_can_be_changed_directly():
    net = Net()
    other = nn.Parameter(rl.zeros(3, 4))
    net.fc1._parameters["weight"] = other
    assert net.fc1.weight is other
    del net.fc1._parameters["bias"]
    assert not hasattr(net.fc1, "bias")
    net._modules.update(act=nn.Tanh())
    assert isinstance(net.act, nn.Tanh)
    assert net._modules.pop("act") and not hasattr(net, "act")
    assert net._modules.pop("act", None) is None
    with pytest.raises(KeyError):
        net._modules.pop("act")
    net._modules |= {"act": Double()}
    assert isinstance(net.act, Double)
    assert net._modules.setdefault("more", Double()) is net.more
    assert net._modules.popitem()[0] == "more" and not hasattr(net, "more")
    net._buffers.clear()
    assert not hasattr(net, "steps")
    copied = net._modules.copy()
    assert type(copied) is dict
    del copied["fc1"]
    assert hasattr(net, "fc1")
    with pytest.raises(KeyError):
        net._buffers.popitem()


def test_the_dicts_can_be_replaced():
    net = Net()
    net._modules = OrderedDict(only=Double())
    assert net.only is net._modules["only"] and not hasattr(net, "fc1")
    twin = type(net).__new__(type(net))
    twin.__dict__.update(net.__dict__)
    twin._modules = net._modules.copy()
    twin._modules["only"] = nn.Tanh()
    assert isinstance(net.only, Double) and isinstance(twin.only, nn.Tanh)


def test_a_property_and_a_class_attribute_come_first():
    class Doubled(nn.Module):
        label = "of the class"

        @property
        def weight(self):
            return self._parameters["weight"] * 2

    m = Doubled()
    m._parameters["weight"] = nn.Parameter(rl.ones(2))
    assert same(m.weight.detach(), rl.full((2,), 2.0))
    m._modules["label"] = Double()
    assert m.label == "of the class"
    del Doubled.weight
    assert m.weight is m._parameters["weight"]


def test_setting_over_what_is_there():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign '.*' as parameter 'weight' \(torch.nn.Par"):
        net.fc1.weight = rl.zeros(3, 4)
    with pytest.raises(TypeError, match="as child module 'act'"):
        net.act = 3
    with pytest.raises(TypeError, match="as buffer 'steps'"):
        net.steps = 3
    net.fc1.weight = None
    assert net.fc1.weight is None and "weight" in net.fc1._parameters
    net.act = None
    assert net.act is None and "act" in net._modules
    net.scratch = rl.ones(2)
    assert "scratch" in net._non_persistent_buffers_set
    net.steps = nn.Parameter(rl.zeros(2))  # moves from the buffers to the parameters
    assert "steps" in net._parameters and "steps" not in net._buffers
    with pytest.raises(TypeError, match="as parameter 'steps'"):
        net.steps = Double()
    net.scratch = Double()  # and from the buffers to the children
    assert "scratch" in net._modules and "scratch" not in net._buffers
    assert not net._non_persistent_buffers_set
    net.plain = 3
    net.plain = nn.Parameter(rl.zeros(1))
    assert net.plain is net._parameters["plain"]
    net.tensor = rl.zeros(1)
    assert "tensor" not in net._buffers and "tensor" not in net._parameters


def test_deleting():
    net = Net()
    del net.fc1.bias, net.scratch, net.act
    assert list(net.fc1._parameters) == ["weight"]
    assert list(net._buffers) == ["steps"] and not net._non_persistent_buffers_set
    assert list(net._modules) == ["fc1", "fc2"]
    net.x = 1
    del net.x
    with pytest.raises(AttributeError):
        del net.x


def test_missing_attribute():
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'fc3'"):
        _ = Net().fc3


def test_before_init():
    class Early(nn.Module):
        def __init__(self, value):
            self.value = value

    assert Early(3).value == 3
    for value, kind in ((nn.ReLU(), "module"), (nn.Parameter(rl.zeros(1)), "parameters")):
        with pytest.raises(AttributeError, match=rf"cannot assign {kind} before Module.__init__"):
            Early(value)
    with pytest.raises(AttributeError, match=r"cannot assign buffer before Module.__init__"):
        Early(nn.Buffer(rl.zeros(1)))


def test_getattr_of_a_subclass_can_call_that_of_module():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("module"), name)

    net = Net()
    wrapped = Wrapper(net)
    assert wrapped.module is net and wrapped.fc1 is net.fc1
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nothing'"):
        _ = wrapped.nothing
    assert Net().fc1.weight.shape == (3, 4)


def test_getattr_of_a_subclass_is_asked_for_every_entry():
    asked = []

    class Watched(nn.Linear):
        def __getattr__(self, name):
            asked.append(name)
            return super().__getattr__(name)

    layer = Watched(2, 3)
    layer.register_buffer("count", rl.zeros(1))
    layer.inner = nn.ReLU()
    for name in ("weight", "count", "inner"):
        asked.clear()
        assert getattr(layer, name) is not None and asked == [name]
    asked.clear()
    layer(rl.ones(1, 2))
    assert asked == ["weight", "bias"]
    layer.weight = nn.Parameter(rl.ones(3, 2))
    assert "weight" not in layer.__dict__ and layer.weight.sum() == 6.0
    assert "weight" not in copy.deepcopy(layer).__dict__
    del layer.inner
    with pytest.raises(AttributeError, match="'Watched' object has no attribute 'inner'"):
        _ = layer.inner

    plain = nn.Linear(2, 3)  # a class that is given later decides as well
    plain.__class__ = Watched
    asked.clear()
    assert plain.weight.shape == (3, 2) and asked == ["weight"]
    plain.__class__ = nn.Linear
    assert plain.weight.shape == (3, 2) and asked == ["weight"]


def test_registration_errors():
    m = nn.Module()
    cases = [
        (m.register_parameter, (3, None), TypeError, "parameter name should be a string"),
        (m.register_parameter, ("a.b", None), KeyError, "parameter name can.+t contain"),
        (m.register_parameter, ("", None), KeyError, "parameter name can.+t be empty"),
        (m.register_parameter, ("forward", None), KeyError, "attribute 'forward' already exists"),
        (m.register_parameter, ("p", rl.zeros(1)), TypeError, "to parameter 'p'"),
        (m.register_buffer, ("a.b", None), KeyError, "buffer name can.+t contain"),
        (m.register_buffer, ("b", 3), TypeError, "to buffer 'b'"),
        (m.add_module, ("c", 3), TypeError, "int is not a Module subclass"),
        (m.add_module, ("a.b", None), KeyError, "module name can.+t contain .* got: a.b"),
        (m.register_module, ("train", None), KeyError, "attribute 'train' already exists"),
    ]
    for call, args, kind, text in cases:
        with pytest.raises(kind, match=text):
            call(*args)
    x = rl.ones(2, requires_grad=True)
    with pytest.raises((ValueError, TypeError)):
        m.register_parameter("p", x * 2)


def test_init_takes_no_arguments_unless_told():
    with pytest.raises(TypeError, match=r"Module.__init__\(\) takes 1 positional argument but 2"):
        nn.Module(3)
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'width'"):
        nn.Module(width=3)

    class Other:
        def __init__(self, width):
            self.width = width

    class Both(nn.Module, Other):
        call_super_init = True

    assert Both(7).width == 7


def test_dir_lists_what_can_be_read():
    names = dir(Net())
    assert {"fc1", "steps", "forward", "training"} <= set(names)
    assert names == sorted(set(names))
    assert "0" not in dir(nn.Sequential(nn.ReLU()))


def test_buffer_class():
    class WithBuffers(nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = nn.Buffer(rl.ones(2))
            self.temporary = nn.Buffer(rl.ones(2), persistent=False)

    m = WithBuffers()
    assert isinstance(m.kept, nn.Buffer) and isinstance(m.kept, rl.Tensor)
    assert not isinstance(rl.ones(2), nn.Buffer)
    assert list(m.state_dict()) == ["kept"]
    m.kept = rl.zeros(2)
    assert "kept" in m._buffers


def test_parameter_class():
    source = rl.ones(2, 2)
    p = nn.Parameter(source)
    assert p.requires_grad and p.is_leaf and isinstance(p, rl.Tensor)
    assert p.data_ptr() == source.data_ptr()
    assert not nn.Parameter(source, requires_grad=False).requires_grad
    assert nn.Parameter().numel() == 0
    assert not isinstance(source, nn.Parameter)
    assert repr(p).startswith("Parameter containing:\ntensor(")
    assert type(p * 2) is rl.Tensor
    q = copy.deepcopy(p)
    assert type(q) is nn.Parameter and same(p, q) and q.data_ptr() != p.data_ptr()
    with pytest.raises(AttributeError, match="expected a Tensor, got list"):
        nn.Parameter([1.0])


def test_parameter_pickles():
    p = nn.Parameter(rl.arange(3.0), requires_grad=False)
    q = pickle.loads(pickle.dumps(p))
    assert type(q) is nn.Parameter and same(p, q) and not q.requires_grad
    p.note = "kept"
    assert pickle.loads(pickle.dumps(p)).note == "kept"


# ------------------------------------------------------------------ reaching by name


def test_get_and_set_submodule():
    net = nn.Sequential(Net(), nn.Sequential(nn.ReLU()))
    assert net.get_submodule("") is net
    assert net.get_submodule("0.fc1") is net[0].fc1
    assert net.get_parameter("0.fc1.weight") is net[0].fc1.weight
    assert net.get_buffer("0.steps") is net[0].steps
    for call, target, text in (
        (net.get_submodule, "0.fc9", "Net has no attribute `fc9`"),
        (net.get_submodule, "0.training", "`training` is not an nn.Module"),
        (net.get_parameter, "0.fc1.nope", "Linear has no attribute `nope`"),
        (net.get_parameter, "0.steps", "`steps` is not an nn.Parameter"),
        (net.get_buffer, "0.fc1.weight", "`weight` is not a buffer"),
    ):
        with pytest.raises(AttributeError, match=text):
            call(target)
    tanh = nn.Tanh()
    net.set_submodule("1.0", tanh)
    assert net[1][0] is tanh
    net.set_submodule("1.1", tanh)
    assert len(net[1]) == 2
    with pytest.raises(AttributeError, match="has no attribute `7`"):
        net.set_submodule("1.7", tanh, strict=True)
    with pytest.raises(AttributeError, match=r"`training` is not an nn.Module"):
        net.set_submodule("1.training", tanh)
    with pytest.raises(ValueError, match="without a target name"):
        net.set_submodule("", tanh)
    with pytest.raises(ValueError, match=r"`module` is not an nn.Module"):
        net.set_submodule("1.0", 3)


# ------------------------------------------------------------------ the tree


def test_names_and_shared_members():
    shared = nn.Linear(2, 2)
    net = nn.Sequential(OrderedDict(a=shared, b=nn.Sequential(shared, nn.ReLU()), c=shared))
    assert named(net.named_parameters()) == ["a.weight", "a.bias"]
    every = named(net.named_parameters(remove_duplicate=False))
    assert every == [f"{p}.{n}" for p in ("a", "b.0", "c") for n in ("weight", "bias")]
    assert named(net.named_parameters("net", recurse=False)) == []
    assert named(shared.named_parameters(prefix="net")) == ["net.weight", "net.bias"]
    assert named(net.named_modules()) == ["", "a", "b", "b.1"]
    assert named(net.named_modules(remove_duplicate=False)) == ["", "a", "b", "b.0", "b.1", "c"]
    assert named(net.named_modules(prefix="x"))[:2] == ["x", "x.a"]
    assert named(net.named_children()) == ["a", "b"]
    assert list(net.children()) == [shared, net.b]
    assert len(list(net.modules())) == 4
    assert len(list(net.modules(remove_duplicate=False))) == 6
    assert [p.shape for p in net.parameters()] == [(2, 2), (2,)]
    seen = {net.b}
    assert named(net.named_modules(seen)) == ["", "a"]


def test_named_buffers():
    net = nn.Sequential(Net(), Net())
    assert named(net.named_buffers()) == [f"{i}.{n}" for i in (0, 1) for n in ("steps", "scratch")]
    assert len(list(net.buffers())) == 4
    assert list(net.buffers(recurse=False)) == []


def test_apply_visits_children_first():
    net, seen = Net(), []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Net"]


def test_train_eval_requires_grad():
    net = Net()
    assert net.eval() is net and not net.training and not net.fc1.training
    assert net.train().fc1.training
    with pytest.raises(ValueError, match="expected to be boolean"):
        net.train(1)
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad():
    net = Net()
    net(rl.ones(1, 4)).sum().backward()
    assert net.fc2.weight.grad is not None
    net.zero_grad(set_to_none=False)
    assert same(net.fc2.weight.grad, rl.zeros(2, 3))
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


# ------------------------------------------------------------------ state_dict


def test_state_dict_round_trip():
    a, b = Net(), Net()
    state = a.state_dict()
    assert list(state) == ["steps", "fc1.weight", "fc1.bias", "fc2.weight"]
    assert not any(t.requires_grad for t in state.values())
    assert state["fc1.weight"].data_ptr() == a.fc1.weight.data_ptr()
    assert state._metadata == {name: {"version": 1} for name in ("", "fc1", "act", "fc2")}
    assert a.state_dict(keep_vars=True)["fc1.weight"] is a.fc1.weight
    a.steps += 5
    keys = b.load_state_dict(a.state_dict())
    assert repr(keys) == "<All keys matched successfully>" == str(keys)
    assert int(b.steps) == 5 and same(a.fc1.weight, b.fc1.weight)
    assert b.fc1.weight.requires_grad
    into = a.state_dict(destination={}, prefix="net.")
    assert "net.fc2.weight" in into
    with pytest.warns(FutureWarning, match="positional"):
        assert "q.fc2.weight" in a.state_dict(None, "q.")


def test_load_state_dict_reports_everything_at_once():
    net = Net()
    state = net.state_dict()
    state["fc1.weight"] = rl.zeros(3, 9)
    state["extra"] = rl.zeros(1)
    state["fc1.deep.er"] = rl.zeros(1)
    del state["fc2.weight"]
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "fc2.weight". \n'
        '\tUnexpected key(s) in state_dict: "extra", "fc1.deep.er". \n'
        "\tsize mismatch for fc1.weight: copying a param with shape "
        f"{rl.Size([3, 9])} from checkpoint, the shape in current model is {rl.Size([3, 4])}."
    )
    del state["fc1.weight"]
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["fc1.weight", "fc2.weight"]
    assert keys.unexpected_keys == ["extra", "fc1.deep.er"]
    assert repr(keys).startswith("_IncompatibleKeys(missing_keys=['fc1.weight'")
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        net.load_state_dict([])
    with pytest.raises(RuntimeError, match=r"expected torch.Tensor or Tensor-like object"):
        net.load_state_dict({**net.state_dict(), "steps": 3})


def test_load_state_dict_assign():
    net = Net()
    state = {name: t.double() for name, t in net.state_dict().items()}
    net.fc1.weight.requires_grad_(False)
    net.load_state_dict(state, assign=True)
    assert net.fc1.weight.dtype == rl.float64 and isinstance(net.fc1.weight, nn.Parameter)
    assert not net.fc1.weight.requires_grad and net.fc2.weight.requires_grad
    assert net.fc2.weight.data_ptr() == state["fc2.weight"].data_ptr()
    assert net.steps.dtype == rl.float64


def test_load_converts_a_one_element_tensor_to_a_scalar():
    class Scalar(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(rl.tensor(0.0))

    m = Scalar()
    m.load_state_dict({"value": rl.tensor([3.0])})
    assert m.value.item() == 3


def test_extra_state():
    class Counting(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net = nn.Sequential(Counting())
    net[0].count = 4
    state = net.state_dict()
    assert state == {"0._extra_state": {"count": 4}}
    fresh = nn.Sequential(Counting())
    fresh.load_state_dict(state)
    assert fresh[0].count == 4
    with pytest.raises(RuntimeError, match=r'Missing key.* "0._extra_state"'):
        fresh.load_state_dict({})
    with pytest.raises(RuntimeError, match=r'Unexpected key.* "0._extra_state"'):
        nn.Sequential(nn.ReLU()).load_state_dict(state)


def test_versions_reach_the_class_that_loads():
    seen = []

    class Newer(nn.Module):
        _version = 3

        def _load_from_state_dict(self, state, prefix, metadata, *args):
            seen.append((prefix, metadata.get("version")))
            super()._load_from_state_dict(state, prefix, metadata, *args)

    net = nn.Sequential(Newer())
    net.load_state_dict(net.state_dict())
    net.load_state_dict(dict(net.state_dict()))
    assert seen == [("0.", 3), ("0.", None)]


def test_state_dict_hooks():
    net, calls = nn.Sequential(nn.Linear(1, 1)), []
    net.register_state_dict_pre_hook(lambda m, prefix, keep: calls.append(("pre", prefix, keep)))

    def post(module, state, prefix, metadata):
        calls.append(("post", len(state), metadata["version"]))
        state["added"] = rl.ones(1)

    handle = net.register_state_dict_post_hook(post)
    assert list(net.state_dict()) == ["0.weight", "0.bias", "added"]
    assert calls == [("pre", "", False), ("post", 2, 1)]
    with pytest.raises(RuntimeError, match="Cannot register the same function"):
        net._register_state_dict_hook(post)
    handle.remove()
    replaced = net._register_state_dict_hook(lambda *args: {"other": 1})
    assert net.state_dict() == {"other": 1}
    replaced.remove()
    net.register_state_dict_post_hook(lambda *args: {})
    with pytest.raises(RuntimeError, match="must return None"):
        net.state_dict()


def test_load_state_dict_hooks():
    net, calls = nn.Sequential(nn.Linear(1, 1)), []

    def rename(module, state, prefix, *rest):
        calls.append((type(module).__name__, prefix))
        state[prefix + "weight"] = state.pop(prefix + "kernel")

    def forgive(module, keys):
        keys.missing_keys.clear()

    net[0].register_load_state_dict_pre_hook(rename)
    handle = net.register_load_state_dict_post_hook(forgive)
    net.load_state_dict({"0.kernel": rl.full((1, 1), 7.0)})
    assert net[0].weight.item() == 7 and calls == [("Linear", "0.")]
    handle.remove()
    with pytest.raises(RuntimeError, match="Missing"):
        net.load_state_dict({"0.kernel": rl.zeros(1, 1)})
    net.register_load_state_dict_post_hook(lambda module, keys: keys)
    with pytest.raises(AssertionError, match="not expected to return"):
        net.load_state_dict({"0.kernel": rl.zeros(1, 1)}, strict=False)


# ------------------------------------------------------------------ conversion


def test_dtype_conversion_keeps_parameters_and_integers():
    net = Net()
    weight = net.fc1.weight
    net(rl.ones(1, 4)).sum().backward()
    assert net.double() is net
    assert net.fc1.weight is weight and weight.dtype == rl.float64
    assert weight.grad.dtype == rl.float64
    assert net.steps.dtype == rl.int64 and net.scratch.dtype == rl.float64
    for call, dtype in (
        (net.half, rl.float16),
        (net.bfloat16, rl.bfloat16),
        (net.float, rl.float32),
        (lambda: net.to(rl.float64), rl.float64),
        (lambda: net.to("cpu", rl.float32), rl.float32),
        (lambda: net.to(device="cpu", dtype=rl.float64, non_blocking=True), rl.float64),
        (lambda: net.to(rl.zeros(1)), rl.float32),
        (lambda: net.to(tensor=rl.zeros(1, dtype=rl.float64)), rl.float64),
        (lambda: net.type(rl.float32), rl.float32),
        (lambda: net.to(), rl.float32),
        (lambda: net.to(None), rl.float32),
        (net.cpu, rl.float32),
    ):
        assert call() is net
        assert weight.dtype == dtype
    assert net.steps.dtype == rl.float32  # type() converts integers too


def test_conversion_errors():
    net = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="only accepts floating point or complex dtypes"):
        net.to(rl.int32)
    for bad in ((rl.float32, rl.float32), ("cpu", 3), ("cpu", rl.float32, False, False, 1)):
        with pytest.raises(TypeError, match="invalid combination of arguments"):
            net.to(*bad)
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        net.to(other=net.weight)
    with pytest.raises(RuntimeError, match="does not accept copy"):
        net.to(rl.float32, copy=True)
    for call in (net.cuda, net.xpu, net.ipu, net.mtia, lambda: net.to("cuda"), nn.ReLU().cuda):
        with pytest.raises(AssertionError, match="computes on the CPU only"):
            call()


def test_to_empty():
    net = Net()
    net.to_empty(device="cpu")
    assert net.fc1.weight.shape == (3, 4) and isinstance(net.fc1.weight, nn.Parameter)


def test_parameters_stay_tied_after_conversion():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    net = nn.Sequential(a, b).double()
    assert a.weight is b.weight and len(list(net.parameters())) == 3


# ------------------------------------------------------------------ copies, life time


def test_pickle_and_deepcopy():
    net = Net()
    net.scratch.fill_(3)
    for copied in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert repr(copied) == repr(net)
        assert copied.fc1.weight is copied._modules["fc1"]._parameters["weight"]
        assert copied.fc1.weight is not net.fc1.weight
        assert same(copied.fc1.weight, net.fc1.weight) and same(copied.scratch, net.scratch)
        assert list(copied.state_dict()) == list(net.state_dict())
        copied._modules["act"] = nn.Tanh()
        assert isinstance(copied.act, nn.Tanh) and isinstance(net.act, nn.ReLU)
        copied(rl.ones(1, 4)).sum().backward()
        assert net.fc1.weight.grad is None


def test_deepcopy_keeps_tied_parameters_tied():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.weight = a.weight
    copied = copy.deepcopy(nn.Sequential(a, b))
    assert copied[0].weight is copied[1].weight is not a.weight


def test_shallow_copy_shares_the_registries():
    net = Net()
    twin = copy.copy(net)
    assert twin.fc1 is net.fc1
    twin.act = nn.Tanh()
    assert isinstance(net.act, nn.Tanh)
    net.register_forward_hook(lambda m, args, out: out * 0)
    assert bool((net(rl.ones(1, 4)) == 0).all())


def test_hooks_survive_copies():
    net = Net()
    net.register_forward_hook(times_three)
    for copied in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), copy.copy(net)):
        assert same(copied(rl.ones(1, 4)), net(rl.ones(1, 4)))
        copied._forward_hooks.clear()
        again = copied(rl.ones(1, 4))
        copied._forward_hooks[0] = times_three
        assert same(copied(rl.ones(1, 4)), again * 3)


def times_three(module, args, output):
    return output * 3


def test_state_written_by_a_user():
    class Own(Net):
        def __setstate__(self, state):
            self.__dict__.update(state)

    net = copy.deepcopy(Own())
    assert net.fc1.weight.shape == (3, 4)
    net.fc1 = nn.Linear(1, 1)
    net._modules["fc2"] = nn.Linear(2, 2)
    assert net.fc1.weight.shape == (1, 1) and net.fc2.weight.shape == (2, 2)
    net.forward = lambda x: x
    net.register_forward_hook(lambda m, args, out: "hooked")
    assert net(1) == "hooked"


def test_a_module_dies_with_its_last_reference():
    gc.disable()
    try:
        net = Net()
        net.register_forward_hook(lambda *args: None)
        net.register_load_state_dict_pre_hook(lambda *args: None)
        dead = weakref.ref(net)
        weight = weakref.ref(net.fc1.weight)
        del net
        assert dead() is None and weight() is None
    finally:
        gc.enable()


# ------------------------------------------------------------------ text


def test_repr():
    assert repr(nn.Module()) == "Module()"
    assert repr(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"
    assert repr(nn.Sequential(Net(), nn.Identity())) == (
        "Sequential(\n"
        "  (0): Net(\n"
        "    (fc1): Linear(in_features=4, out_features=3, bias=True)\n"
        "    (act): ReLU()\n"
        "    (fc2): Linear(in_features=3, out_features=2, bias=False)\n"
        "  )\n"
        "  (1): Identity()\n"
        ")"
    )

    class Talking(nn.Module):
        def extra_repr(self):
            return "one\ntwo"

    assert repr(Talking()) == "Talking(\n  one\n  two\n)"
    talking = Talking()
    talking.child = nn.ReLU()
    talking.none = None
    assert repr(talking) == "Talking(\n  one\n  two\n  (child): ReLU()\n)"


def test_factory_kwargs():
    assert nn.factory_kwargs(None) == {}
    both = nn.factory_kwargs({"device": "cpu", "factory_kwargs": {"dtype": rl.float64}})
    assert both == {"device": "cpu", "dtype": rl.float64}
    with pytest.raises(TypeError, match="unexpected kwargs"):
        nn.factory_kwargs({"width": 3})
    with pytest.raises(TypeError, match="specified twice"):
        nn.factory_kwargs({"device": "cpu", "factory_kwargs": {"device": "cpu"}})


def test_plain_dicts_in_the_place_of_registries() -> None:
    """A subclass that sets attributes its own way may bypass ours: its parameters are found."""

    class Patched(nn.Linear):
        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)

    layer = Patched.__new__(Patched)
    nn.Module.__init__(layer)
    layer._parameters = {"weight": rl.ones(2, 3), "bias": None}
    assert layer.weight.shape == (2, 3) and layer.bias is None
    assert layer(rl.ones(1, 3)).tolist() == [[3.0, 3.0]]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        layer.nothing  # noqa: B018
