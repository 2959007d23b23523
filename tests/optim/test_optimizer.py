"""What all optimizers share: groups, state, hooks, saving and loading, errors."""

import copy
import pickle
import weakref

import pytest

import rushlight as rl
from rushlight.optim import SGD, Adam, AdamW, Optimizer
from rushlight.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)


def parameter(*values):
    return rl.nn.Parameter(rl.tensor(values, dtype=rl.float32))


def with_grad(*values):
    p = parameter(*values)
    p.grad = rl.ones_like(p.detach())
    return p


class Plain(Optimizer):
    """The smallest optimizer a user might write."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        loss = None if closure is None else closure()
        with rl.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(p.grad, alpha=group["lr"])
        return loss


# ---------------------------------------------------------------------------------- groups


def test_options_come_from_the_group_then_from_the_defaults():
    p, q = with_grad(1.0), with_grad(1.0)
    opt = SGD([{"params": [p]}, {"params": q, "lr": 0.25}], lr=0.5)
    opt.step()
    assert p.item() == 0.5 and q.item() == 0.75
    assert opt.param_groups[1]["params"] == [q]
    assert opt.defaults["lr"] == 0.5


def test_options_may_be_changed_between_steps():
    p = with_grad(1.0)
    opt = SGD([p], lr=0.5)
    opt.param_groups[0]["lr"] = 0.25
    opt.step()
    assert p.item() == 0.75


def test_add_param_group():
    p, q = with_grad(1.0), with_grad(1.0)
    opt = SGD([p], lr=0.5)
    group = {"params": q, "lr": 0.25}
    opt.add_param_group(group)
    assert opt.param_groups[1] is group and group["momentum"] == 0
    opt.step()
    assert q.item() == 0.75


def test_named_parameters():
    model = rl.nn.Linear(2, 1)
    opt = SGD(model.named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    assert opt.param_groups[0]["params"] == list(model.parameters())
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_parameters_exchanged_by_hand():
    """People replace entries of `params` and move the state over; nothing may be cached."""
    p = with_grad(1.0)
    opt = Adam([p], lr=0.5)
    opt.step()
    q = with_grad(3.0)
    opt.state[q] = opt.state.pop(p)
    opt.param_groups[0]["params"][0] = q
    before = p.item()
    opt.step()
    assert q.item() != 3.0 and p.item() == before
    assert opt.state[q]["step"].item() == 2


def test_state_reset_by_hand():
    p = with_grad(1.0)
    opt = Adam([p], lr=0.5)
    opt.step()
    opt.state.clear()
    opt.step()
    assert opt.state[p]["step"].item() == 1


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        (lambda: rl.ones(2), TypeError, "iterable of Tensors"),
        (list, ValueError, "empty parameter list"),
        (lambda: [1], TypeError, "can only optimize Tensors.*int"),
        (lambda: [{"params": {parameter(1.0)}}], TypeError, "ordered collections"),
        (lambda: [parameter(1.0) * 2], ValueError, "non-leaf"),
        (lambda: [("a", parameter(1.0)), parameter(1.0)], ValueError, "names are missing"),
    ],
)
def test_bad_params(params, error, text):
    with pytest.raises(error, match=text):
        SGD(params(), lr=0.1)


def test_overlapping_groups():
    p = parameter(1.0)
    with pytest.raises(ValueError, match="more than one parameter group"):
        SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([p, p], lr=0.1)
    opt = SGD([("p", p)], lr=0.1)
    with pytest.raises(ValueError, match="without names"):
        opt.add_param_group({"params": [parameter(1.0)]})
    with pytest.raises(TypeError, match="must be a dict"):
        opt.add_param_group([p])


def test_a_duplicate_is_updated_twice_in_order():
    p = with_grad(1.0)
    with pytest.warns(UserWarning):
        opt = SGD([p, p], lr=0.25)
    opt.step()
    assert p.item() == 0.5


def test_required_options():
    p = parameter(1.0)
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Optimizer([p], {"lr": required})
    assert repr(required) == "<required parameter>"
    assert Optimizer([{"params": p, "lr": 1.0}], {"lr": required}).param_groups[0]["lr"] == 1.0


def test_a_non_leaf_that_keeps_its_gradient():
    p = parameter(1.0) * 2
    p.retain_grad()
    opt = SGD([p], lr=0.1)
    p.sum().backward()
    opt.step()
    assert p.item() == pytest.approx(1.9)


# --------------------------------------------------------------------------- step, zero_grad


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, Plain])
def test_closure(make):
    p = parameter(3.0)
    opt = make([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 9.0
    assert p.item() < 3.0
    if make is not Plain:
        with rl.no_grad():  # gradients are on in the closure all the same
            opt.step(closure)
    assert make([with_grad(1.0)], lr=0.1).step() is None


def test_parameters_without_gradient_are_skipped():
    p, q = with_grad(1.0), parameter(1.0)
    opt = Adam([p, q], lr=0.1, weight_decay=0.5)
    opt.step()
    assert q.item() == 1.0 and q not in opt.state


def test_zero_grad():
    p, q = with_grad(1.0), parameter(1.0)
    opt = SGD([p, q], lr=0.1)
    grad = p.grad
    opt.zero_grad(set_to_none=False)
    assert p.grad is grad and grad.item() == 0 and q.grad is None
    p.grad = (parameter(1.0) * 2) + 1  # with a history, as create_graph=True leaves it
    opt.zero_grad(set_to_none=False)
    assert p.grad.item() == 0 and not p.grad.requires_grad
    opt.zero_grad()
    assert p.grad is None


def test_zero_grad_frees_the_gradient():
    p = with_grad(1.0)
    alive = weakref.ref(p.grad)
    SGD([p], lr=0.1).zero_grad()
    assert alive() is None


def test_step_bumps_versions():
    p = with_grad(1.0)
    before = p._version
    SGD([p], lr=0.1).step()
    assert p._version > before


def test_step_changes_what_backward_would_read():
    p = parameter(2.0)
    loss = (p * p).sum()
    p.grad = rl.ones_like(p.detach())
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


def test_training_goes_down():
    rl.manual_seed(0)
    model = rl.nn.Linear(5, 2)
    x, y = rl.randn(16, 5), rl.randn(16, 2)
    for make in (SGD, Adam, AdamW):
        opt = make(model.parameters(), lr=0.05)
        losses = []
        for _ in range(20):
            opt.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]


# -------------------------------------------------------------------------------------- hooks


@pytest.mark.parametrize("make", [SGD, Plain])
def test_step_hooks(make):
    calls = []
    p = with_grad(1.0)
    opt = make([p], lr=0.5)
    handles = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: calls.append("global pre")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: calls.append("global post")),
        opt.register_step_pre_hook(lambda o, args, kwargs: calls.append((o is opt, args[0] is o))),
        opt.register_step_post_hook(lambda o, args, kwargs: calls.append(p.item())),
    ]
    opt.step()
    assert calls == ["global pre", (True, True), 0.5, "global post"]
    for handle in handles:
        handle.remove()
    opt.step()
    assert len(calls) == 4 and p.item() == 0


def test_pre_hook_may_change_the_arguments():
    p = with_grad(1.0)
    opt = SGD([p], lr=0.5)
    opt.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "loss"), kwargs))
    assert opt.step() == "loss"
    opt.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
    with pytest.raises(RuntimeError, match="new_args, new_kwargs"):
        opt.step()


def test_hooks_run_once_for_a_subclass_that_calls_super():
    class Clipped(SGD):
        def step(self, closure=None, scale=1.0):
            return super().step(closure)

    calls = []
    opt = Clipped([with_grad(1.0)], lr=0.5)
    opt.register_step_post_hook(lambda *_: calls.append(1))
    opt.step(scale=2.0)
    opt.step()
    assert calls == [1, 1]


def test_state_dict_hooks():
    opt = SGD([parameter(1.0)], lr=0.5)
    calls = []
    opt.register_state_dict_pre_hook(lambda o: calls.append("pre"))
    opt.register_state_dict_pre_hook(lambda o: calls.append("first"), prepend=True)
    opt.register_state_dict_post_hook(lambda o, state: calls.append("post"))
    opt.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    state = opt.state_dict()
    assert calls == ["first", "pre", "post"] and state["extra"] == 1

    def drop_extra(optimizer, state):
        calls.append(state.pop("extra"))

    def half(optimizer, state):
        groups = [{**group, "lr": group["lr"] / 2} for group in state["param_groups"]]
        return {**state, "param_groups": groups}

    opt.register_load_state_dict_pre_hook(half)
    opt.register_load_state_dict_pre_hook(drop_extra, prepend=True)
    opt.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    opt.load_state_dict(state)
    assert calls[-2:] == [1, "loaded"] and opt.param_groups[0]["lr"] == 0.25
    assert state["extra"] == 1, "the caller's dict must stay as it is"


# ------------------------------------------------------------------------------ save and load


def test_state_dict_layout():
    p, q, r = with_grad(1.0), with_grad(2.0), parameter(3.0)
    opt = SGD([{"params": [p]}, {"params": [q, r]}], lr=0.1, momentum=0.9)
    opt.step()
    state = opt.state_dict()
    assert set(state) == {"state", "param_groups"}
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2]]
    assert set(state["state"]) == {0, 1}
    assert state["state"][0]["momentum_buffer"] is opt.state[p]["momentum_buffer"]
    assert state["param_groups"][0]["momentum"] == 0.9
    assert opt.param_groups[0]["params"] == [p], "the groups themselves must stay as they are"


@pytest.mark.parametrize("make", [SGD, Adam, AdamW])
def test_resuming_gives_the_same_numbers(make):
    options = {"lr": 0.1, "momentum": 0.9} if make is SGD else {"lr": 0.1, "amsgrad": True}

    def train(resume):
        rl.manual_seed(3)
        params = [rl.nn.Parameter(rl.randn(3, 2)), rl.nn.Parameter(rl.randn(4))]
        opt = make(params, **options)
        for n in range(6):
            if n == 3 and resume:
                saved = copy.deepcopy(opt.state_dict())
                opt = make(params, lr=7.0)
                opt.load_state_dict(saved)
            for p in params:
                p.grad = rl.randn(*p.shape)
            opt.step()
        return [p.detach() for p in params]

    for a, b in zip(train(False), train(True), strict=True):
        assert rl.equal(a, b)


def test_load_state_dict_casts():
    p = with_grad(1.0)
    opt = Adam([p], lr=0.1)
    opt.step()
    q = rl.nn.Parameter(p.detach().double())
    other = Adam([q], lr=0.1)
    other.load_state_dict(opt.state_dict())
    assert other.state[q]["exp_avg"].dtype == rl.float64
    assert other.state[q]["step"].dtype == rl.float32
    q.grad = rl.ones_like(q.detach())
    other.step()
    assert other.state[q]["step"].item() == 2


def test_load_state_dict_keeps_what_belongs_to_no_parameter():
    opt = SGD([parameter(1.0)], lr=0.1)
    state = opt.state_dict()
    state["state"]["epoch"] = 3
    state["state"][0] = {"list": [rl.ones(1)], "text": "abc", "none": None}
    opt.load_state_dict(state)
    own = opt.state[opt.param_groups[0]["params"][0]]
    assert opt.state["epoch"] == 3
    assert own["text"] == "abc" and own["none"] is None and own["list"][0].item() == 1


def test_load_state_dict_errors():
    opt = SGD([parameter(1.0), parameter(1.0)], lr=0.1)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        opt.load_state_dict({"state": {}, "param_groups": []})
    state = opt.state_dict()
    state["param_groups"][0]["params"] = [0]
    with pytest.raises(ValueError, match="doesn't match the size"):
        opt.load_state_dict(state)


def test_names_on_loading():
    opt = SGD([("p", parameter(1.0))], lr=0.1)
    unnamed = SGD([parameter(1.0)], lr=0.1).state_dict()
    opt.load_state_dict(unnamed)
    assert opt.param_groups[0]["param_names"] == ["p"]
    named = SGD([("q", parameter(1.0))], lr=0.1).state_dict()
    opt.load_state_dict(named)
    assert opt.param_groups[0]["param_names"] == ["q"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies(copied):
    p = with_grad(1.0)
    opt = Adam([p], lr=0.5)
    opt.register_step_pre_hook(print)
    opt.step()
    other = copied(opt)
    q = other.param_groups[0]["params"][0]
    assert q is not p and q.item() == p.item()
    assert other.state[q]["step"].item() == 1
    q.grad = rl.ones_like(q.detach())
    other.step()
    assert q.item() != p.item()


def test_repr():
    opt = SGD([parameter(1.0)], lr=0.1)
    assert repr(opt) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n"
        "    foreach: None\n    fused: None\n    lr: 0.1\n    maximize: False\n"
        "    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )
    opt.add_param_group({"params": parameter(2.0)})
    assert "    weight_decay: 0\n\nParameter Group 1\n    dampening: 0\n" in repr(opt)
