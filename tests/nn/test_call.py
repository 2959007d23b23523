"""Calling a module: arguments, hooks of all kinds, and the place that an exception names."""

import gc
import inspect
import pickle
import sys

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn.modules import module as module_file


class Echo(nn.Module):
    """Returns its arguments."""

    def forward(self, *args, **kwargs):
        return (args, kwargs)


class Scale(nn.Module):
    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


# ------------------------------------------------------------------ arguments


def test_arguments_arrive_as_they_are():
    m = Echo()
    for args in ((), (1,), (1, 2), (1, 2, 3), (None,), (None, None), tuple(range(9))):
        assert m(*args) == (args, {})
        assert m(*args, key=1) == (args, {"key": 1})
    assert m(first=2, second=3, args=4) == ((), {"first": 2, "second": 3, "args": 4})
    m.register_forward_hook(lambda *args: None)
    for args in ((), (1,), (1, 2), (1, 2, 3)):
        assert m(*args, key=1) == (args, {"key": 1})


def test_forward_can_be_replaced_on_the_instance():
    m = Scale()
    m.forward = lambda x: "mine"
    assert m(1) == "mine"


def test_no_frame_between_caller_and_forward():
    class Looks(nn.Module):
        def forward(self, x, y=None, **kwargs):
            return sys._getframe(1).f_code.co_name

    here = "test_no_frame_between_caller_and_forward"
    m = Looks()
    assert m(1) == m(1, 2) == m(1, y=2) == m(x=1) == m(1, 2, z=3) == here


def test_missing_forward():
    with pytest.raises(NotImplementedError, match='is missing the required "forward" function'):
        nn.Module()(1)


def test_compile_changes_nothing():
    m = Scale()
    m.compile()
    assert m(2.0) == 4.0


# ------------------------------------------------------------------ forward hooks


def test_forward_pre_hook():
    m, seen = Scale(), []
    first = m.register_forward_pre_hook(lambda mod, args: seen.append(args))
    second = m.register_forward_pre_hook(lambda mod, args: args[0] + 1)
    assert m(1.0) == 4.0 and seen == [(1.0,)]
    m.register_forward_pre_hook(lambda mod, args: (10.0,), prepend=True)
    assert m(1.0) == 22.0 and seen[-1] == (10.0,)
    first.remove()
    second.remove()
    assert m(1.0) == 20.0


def test_forward_pre_hook_with_kwargs():
    m = Echo()
    m.register_forward_pre_hook(
        lambda mod, args, kwargs: ((*args, 2), {**kwargs, "b": 2}), with_kwargs=True
    )
    assert m(1, a=1) == ((1, 2), {"a": 1, "b": 2})
    m.register_forward_pre_hook(lambda mod, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        m(1, 2, 3)


def test_forward_hook():
    m, seen = Scale(), []
    handle = m.register_forward_hook(lambda mod, args, out: seen.append((mod, args, out)))
    m.register_forward_hook(lambda mod, args, out: out + 1)
    m.register_forward_hook(lambda mod, args, out: out * 10, prepend=True)
    assert m(1.0) == 21.0
    assert seen == [(m, (1.0,), 20.0)]
    with handle:
        pass
    assert m(1.0) == 21.0 and len(seen) == 1


def test_forward_hook_with_kwargs():
    m = Echo()
    m.register_forward_hook(lambda mod, args, kwargs, out: (args, kwargs, out), with_kwargs=True)
    assert m(1, a=2) == ((1,), {"a": 2}, ((1,), {"a": 2}))


def test_forward_hook_always_called():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m, seen = Fails(), []
    m.register_forward_hook(lambda mod, args, out: seen.append("plain"))
    m.register_forward_hook(lambda mod, args, out: seen.append(out), always_call=True)
    m.register_forward_hook(
        lambda mod, args, kwargs, out: seen.append(kwargs), always_call=True, with_kwargs=True
    )
    with pytest.raises(ValueError, match="no"):
        m(1)
    assert seen == [None, {}]
    m.register_forward_hook(lambda mod, args, out: 1 / 0, always_call=True)
    silenced = "always_call=True`` raised an exception that was silenced"
    with pytest.warns(UserWarning, match=silenced), pytest.raises(ValueError, match="no"):
        m(1)


def test_always_called_hook_runs_once():
    m, seen = Scale(), []
    m.register_forward_hook(lambda *args: seen.append(1), always_call=True)
    m.register_forward_hook(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        m(1.0)
    assert seen == [1]


def test_hooks_written_into_the_tables():
    m = Scale()
    m._forward_hooks[123] = lambda mod, args, out: -out
    assert m(1.0) == -2.0
    m._forward_hooks.clear()
    assert m(1.0) == 2.0 and not m._hooked
    m._forward_hooks[124] = lambda mod, args, out: -out
    assert m(1.0) == -2.0
    m._forward_hooks = {}
    assert m(1.0) == 2.0
    m._forward_hooks[5] = lambda mod, args, out: -out
    assert m(1.0) == -2.0


def test_a_call_without_hooks_asks_nothing_after_they_are_gone():
    m = Scale()
    assert not m._hooked
    handle = m.register_forward_pre_hook(lambda *args: None)
    assert m._hooked
    handle.remove()
    m(1.0)
    assert not m._hooked
    m.register_forward_hook(lambda mod, args, out: 5.0)
    assert m(1.0) == 5.0


# ------------------------------------------------------------------ global hooks


def test_global_forward_hooks():
    m, seen = nn.Sequential(Scale(), Scale()), []
    m[0].register_forward_pre_hook(lambda mod, args: seen.append("own pre"))
    m[0].register_forward_hook(lambda mod, args, out: seen.append("own"))
    handles = [
        module_file.register_module_forward_pre_hook(lambda mod, args: seen.append("pre")),
        module_file.register_module_forward_hook(lambda mod, args, out: seen.append("after")),
        module_file.register_module_forward_hook(
            lambda mod, args, kwargs, out: seen.append(kwargs), with_kwargs=True
        ),
    ]
    try:
        assert m(1.0) == 4.0
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["pre", "pre", "own pre", "after", {}, "own", "pre", "after", {}, "after", {}]
    seen.clear()
    m(1.0)
    assert seen == ["own pre", "own"]
    assert not module_file.ACTIVE_GLOBALS


def test_global_always_called_hook():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    seen = []
    handle = module_file.register_module_forward_hook(
        lambda mod, args, out: seen.append(out), always_call=True
    )
    with handle, pytest.raises(ValueError, match="no"):
        Fails()(1)
    assert seen == [None]


def test_global_registration_hooks():
    seen = []

    def note(module, name, value):
        seen.append(name)

    handles = [
        module_file.register_module_parameter_registration_hook(note),
        module_file.register_module_buffer_registration_hook(note),
        module_file.register_module_module_registration_hook(note),
    ]
    try:
        m = nn.Sequential(nn.Linear(1, 1))
        m.register_buffer("b", rl.zeros(1))
        m.other = nn.ReLU()
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["weight", "bias", "0", "b", "other"]
    swap = module_file.register_module_module_registration_hook(lambda mod, name, m: nn.Tanh())
    with swap:
        m.other = nn.ReLU()
    assert isinstance(m.other, nn.Tanh)


# ------------------------------------------------------------------ backward hooks


def test_full_backward_hook():
    m, seen = Scale(3.0), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((mod, gi, go)))
    x = rl.ones(2, requires_grad=True)
    m(x).sum().backward()
    ((mod, (gi,), (go,)),) = seen
    assert mod is m and same(gi, rl.full((2,), 3.0)) and same(go, rl.ones(2))
    assert same(x.grad, rl.full((2,), 3.0))


def test_backward_hooks_replace_gradients():
    m, seen = Scale(3.0), []
    m.register_full_backward_pre_hook(lambda mod, go: (go[0] * 10,))
    m.register_full_backward_pre_hook(lambda mod, go: seen.append(go[0][0].item()), prepend=True)
    m.register_full_backward_hook(lambda mod, gi, go: (gi[0] + 1,))
    m.register_full_backward_hook(lambda mod, gi, go: seen.append(go[0][0].item()), prepend=True)
    x = rl.ones(2, requires_grad=True)
    m(x).sum().backward()
    assert same(x.grad, rl.full((2,), 31.0)) and seen == [1.0, 10.0]


def test_backward_hook_sees_none_for_other_arguments():
    class Mixed(nn.Module):
        def forward(self, n, x, y):
            return n * x, y

    m, seen = Mixed(), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((gi, go)))
    x, y = rl.ones(2, requires_grad=True), rl.ones(2)
    out, untouched = m(2.0, x, y)
    assert same(untouched, y)
    out.sum().backward()
    ((gi, go),) = seen
    assert gi[0] is None and same(gi[1], rl.full((2,), 2.0)) and len(gi) == 3
    assert same(go[0], rl.ones(2)) and len(go) == 2


def test_backward_hook_without_inputs_that_require_grad():
    m, seen = nn.Linear(2, 1), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((gi, go[0].shape)))
    out = m(rl.ones(3, 2))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        out.sum().backward()
    assert seen == [((None,), (3, 1))]
    m.register_full_backward_hook(lambda mod, gi, go: (rl.ones(1),))
    out = m(rl.ones(3, 2))
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="None for all gradients"):
        out.sum().backward()


def test_backward_hook_errors():
    m = Scale()
    m.register_full_backward_hook(lambda mod, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        m.register_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="number of grad_input, got 2, but expected 1"):
        m(rl.ones(1, requires_grad=True)).sum().backward()
    m = Scale()
    m.register_full_backward_pre_hook(lambda mod, go: ())
    with pytest.raises(RuntimeError, match="number of grad_output, got 0, but expected 1"):
        m(rl.ones(1, requires_grad=True)).sum().backward()
    m = Echo()
    m.register_full_backward_hook(lambda *args: None)
    with pytest.warns(UserWarning, match="output should be a Tensor or a tuple"):
        m.forward = lambda x: [x]
        m(rl.ones(1, requires_grad=True))


def test_no_grad_skips_backward_hooks():
    m = Scale()
    m.register_full_backward_hook(lambda *args: 1 / 0)
    with rl.no_grad():
        assert not m(rl.ones(1, requires_grad=True)).requires_grad


def test_older_backward_hook():
    m, seen = Scale(3.0), []
    m.register_backward_hook(lambda mod, gi, go: seen.append((mod, go[0])))
    with pytest.warns(FutureWarning, match="non-full backward hook"):
        m(rl.ones(2, requires_grad=True)).sum().backward()
    assert seen[0][0] is m and same(seen[0][1], rl.ones(2))
    with pytest.raises(RuntimeError, match="Cannot use both"):
        m.register_full_backward_hook(lambda *args: None)


def test_global_backward_hooks():
    m, seen = Scale(3.0), []
    handles = [
        module_file.register_module_full_backward_hook(lambda mod, gi, go: seen.append("after")),
        module_file.register_module_full_backward_pre_hook(lambda mod, go: seen.append("pre")),
    ]
    try:
        with pytest.raises(RuntimeError, match="as a global Module hook"):
            module_file.register_module_backward_hook(lambda *args: None)
        m(rl.ones(2, requires_grad=True)).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["pre", "after"]


# ------------------------------------------------------------------ the place of an exception


class Fails(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


class Wraps(nn.Module):
    def __init__(self, inner, listed=False):
        super().__init__()
        self.inner = [inner] if listed else inner

    def forward(self, x):
        return self.inner[0](x) if isinstance(self.inner, list) else self.inner(x)


def raised_by(module, kind=Exception):
    with pytest.raises(kind) as caught:
        module(rl.ones(1))
    return caught.value


def test_the_path_is_named_once():
    deep = nn.Sequential(nn.Identity(), Wraps(Wraps(Fails(ValueError("bad")))))
    error = raised_by(deep, ValueError)
    assert error.args == ("bad\nin Sequential.1.inner.inner (Fails())",)
    names = [
        entry.name
        for entry in pytest.ExceptionInfo.from_exc_info(
            (type(error), error, error.__traceback__)
        ).traceback
    ]
    assert names[-1] == "forward" and names.count("forward") == 4


def test_one_line_for_a_leaf_and_the_class_for_a_container():
    assert str(raised_by(Fails(ValueError("bad")))) == "bad\nin Fails()"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            raise ValueError("here")

    assert str(raised_by(Net())) == "here\nin Net"
    assert str(raised_by(nn.Sequential(Net()))) == "here\nin Sequential.0 (Net)"


def test_the_layer_that_got_a_wrong_shape():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(3, 2))
    error = raised_by_shape(net, rl.ones(1, 5))
    assert str(error).endswith("in Sequential.2 (Linear(in_features=3, out_features=2, bias=True))")
    assert str(error).count("\nin ") == 1


def raised_by_shape(module, x):
    with pytest.raises(RuntimeError) as caught:
        module(x)
    return caught.value


def test_a_module_that_is_not_registered():
    assert str(raised_by(Wraps(Fails(ValueError("bad")), listed=True))) == (
        "bad\nin Wraps > Fails (Fails())"
    )


def test_wrong_arguments_are_placed_too():
    class Two(nn.Module):
        def forward(self, x, y):
            return x

    with pytest.raises(TypeError, match=r"missing 1 required positional .*\nin Wraps\.inner"):
        Wraps(Two())(1)


def test_exceptions_whose_message_is_no_text():
    error = raised_by(Wraps(Fails(KeyError("key"))), KeyError)
    assert error.args == ("key",)
    if hasattr(error, "add_note"):
        assert error.__notes__ == ["in Wraps.inner (Fails())"]
    error = raised_by(Wraps(Fails(ValueError(3, 4))), ValueError)
    assert error.args == (3, 4)
    error = raised_by(Wraps(Fails(ValueError())), ValueError)
    assert error.args == ()
    error = raised_by(Wraps(Fails(StopIteration("x"))), StopIteration)
    assert error.args == ("x",)


def test_recursion_errors_are_left_alone():
    class Endless(nn.Module):
        def forward(self, x):
            return self(x)

    with pytest.raises(RecursionError) as caught:
        Endless()(1)
    assert "\nin " not in str(caught.value)


def test_a_message_that_changes_on_the_way():
    class Adds(Wraps):
        def forward(self, x):
            try:
                return super().forward(x)
            except ValueError as error:
                error.args = ("other",)
                raise

    assert str(raised_by(Adds(Fails(ValueError("bad"))))) == "other\nin Adds.inner (Fails())"


def test_a_stored_exception_pickles_and_does_not_keep_the_model():
    net = Wraps(Fails(ValueError("bad")))
    error = raised_by(net).with_traceback(None)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "bad\nin Wraps.inner (Fails())"
    assert not [r for r in gc.get_referrers(net) if r is error.__dict__.get("_module_place")]
    net2 = Wraps(Fails(again))
    assert str(raised_by(net2)).startswith("bad\nin Wraps.inner (Fails())")


def test_hooks_are_inside_the_named_place():
    m = nn.Sequential(Scale())
    m[0].register_forward_hook(lambda *args: 1 / 0)
    assert str(raised_by(m)).endswith("in Sequential.0 (Scale())")


def test_signature():
    assert str(inspect.signature(nn.Linear(1, 1))) == "(*args, **kwargs)"
    assert "in_features" in inspect.signature(nn.Linear).parameters
    assert "x" in inspect.signature(Scale().forward).parameters
