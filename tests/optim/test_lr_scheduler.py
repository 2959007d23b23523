"""Learning rate schedules: against their closed forms, saved and resumed, misused."""

import copy
import math
import pickle
import warnings

import pytest

import rushlight as rl
from rushlight.optim import SGD, Adam, lr_scheduler
from rushlight.optim.swa_utils import SWALR


def optimizer(lr=0.8, second=None, make=SGD, **options):
    groups = [{"params": [rl.nn.Parameter(rl.zeros(1))]}]
    if second is not None:
        groups.append({"params": [rl.nn.Parameter(rl.zeros(1))], "lr": second})
    return make(groups, lr=lr, **options)


def rates(opt, scheduler, steps):
    """The rate of the first group at each epoch, the first included."""
    found = [opt.param_groups[0]["lr"]]
    for _ in range(steps):
        opt.step()
        scheduler.step()
        found.append(opt.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [group["lr"] for group in opt.param_groups]
    return found


# name, arguments, the rate at epoch n of a schedule that begins with 0.8
CLOSED_FORMS = [
    ("LambdaLR", (lambda n: 0.5**n,), lambda n: 0.8 * 0.5**n),
    ("MultiplicativeLR", (lambda n: 1 / (n + 1),), lambda n: 0.8 / math.factorial(n + 1)),
    ("StepLR", (3, 0.5), lambda n: 0.8 * 0.5 ** (n // 3)),
    ("MultiStepLR", ([2, 4, 4], 0.5), lambda n: 0.8 * 0.5 ** ((n >= 2) + 2 * (n >= 4))),
    ("ConstantLR", (0.25, 4), lambda n: 0.8 * (0.25 if n < 4 else 1)),
    ("LinearLR", (0.5, 0.75, 4), lambda n: 0.8 * (0.5 + 0.25 * min(n, 4) / 4)),
    ("ExponentialLR", (0.9,), lambda n: 0.8 * 0.9**n),
    ("PolynomialLR", (5, 2.0), lambda n: 0.8 * (1 - min(n, 5) / 5) ** 2),
    (
        "CosineAnnealingLR",
        (4, 0.1),
        lambda n: 0.1 + 0.7 * (1 + math.cos(math.pi * n / 4)) / 2,
    ),
    (
        "CosineAnnealingWarmRestarts",
        (4, 1, 0.1),
        lambda n: 0.1 + 0.7 * (1 + math.cos(math.pi * (n % 4) / 4)) / 2,
    ),
]
NAMES = [name for name, _, _ in CLOSED_FORMS]


@pytest.mark.parametrize(("name", "arguments", "form"), CLOSED_FORMS, ids=NAMES)
def test_closed_form(name, arguments, form):
    opt = optimizer()
    scheduler = getattr(lr_scheduler, name)(opt, *arguments)
    expected = [form(n) for n in range(10)]
    assert rates(opt, scheduler, 9) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "arguments", "form"), CLOSED_FORMS, ids=NAMES)
def test_tensor_lr_stays_the_same_tensor(name, arguments, form):
    rate = rl.tensor(0.8, dtype=rl.float64)
    opt = optimizer(rate)
    scheduler = getattr(lr_scheduler, name)(opt, *arguments)
    for _ in range(5):
        opt.step()
        scheduler.step()
    assert opt.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(form(5), rel=1e-9, abs=1e-12)
    assert scheduler.get_last_lr()[0] is not rate
    assert opt.param_groups[0]["initial_lr"].item() == 0.8


@pytest.mark.parametrize(("name", "arguments", "form"), CLOSED_FORMS, ids=NAMES)
def test_resuming(name, arguments, form):
    opt = optimizer()
    make = getattr(lr_scheduler, name)
    scheduler = make(opt, *arguments)
    rates(opt, scheduler, 4)
    saved = opt.state_dict(), copy.deepcopy(scheduler.state_dict())
    other = optimizer(0.3)
    resumed = make(other, *arguments)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert rates(other, resumed, 4) == rates(opt, scheduler, 4)


@pytest.mark.parametrize(("name", "arguments", "form"), CLOSED_FORMS, ids=NAMES)
def test_two_groups(name, arguments, form):
    opt = optimizer(second=0.8)
    scheduler = getattr(lr_scheduler, name)(opt, *arguments)
    rates(opt, scheduler, 5)
    first, second = scheduler.get_last_lr()
    assert first == second == pytest.approx(form(5), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "name", ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR"]
)
def test_step_with_an_epoch_uses_the_closed_form(name):
    arguments, form = next(row[1:] for row in CLOSED_FORMS if row[0] == name)
    opt = optimizer()
    scheduler = getattr(lr_scheduler, name)(opt, *arguments)
    opt.step()
    with pytest.warns(UserWarning, match="deprecated"):
        scheduler.step(4)
    assert opt.param_groups[0]["lr"] == pytest.approx(form(4), rel=1e-9, abs=1e-12)


def test_beginning_later():
    opt = optimizer()
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(opt, 3, last_epoch=4)
    opt.param_groups[0]["initial_lr"] = 0.8
    scheduler = lr_scheduler.CosineAnnealingLR(opt, 10, last_epoch=4)
    assert scheduler.last_epoch == 5
    assert scheduler.base_lrs == [0.8]


def test_changes_by_hand_stay_in_effect():
    opt = optimizer()
    scheduler = lr_scheduler.ExponentialLR(opt, 0.5)
    opt.param_groups[0]["lr"] = 0.1
    opt.step()
    scheduler.step()
    assert opt.param_groups[0]["lr"] == 0.05


def test_warm_restarts_at_any_time():
    opt = optimizer(1.0)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2, T_mult=2)
    # Periods of 2, 4 and 8 epochs begin at 0, 2 and 6.
    for epoch, part in [(0.5, 0.25), (1, 0.5), (2, 0.0), (5, 0.75), (6, 0.0), (10, 0.5)]:
        scheduler.step(epoch)
        assert opt.param_groups[0]["lr"] == pytest.approx((1 + math.cos(math.pi * part)) / 2)
    scheduler.step()
    assert scheduler.last_epoch == 11 and scheduler.T_cur == 5 and scheduler.T_i == 8
    with pytest.raises(ValueError, match="non-negative epoch"):
        scheduler.step(-1)


@pytest.mark.parametrize(
    ("mode", "heights"),
    [("triangular", [1, 1]), ("triangular2", [1, 0.5]), ("exp_range", [0.9**2, 0.9**6])],
)
def test_cyclic(mode, heights):
    opt = optimizer(momentum=0.5)
    scheduler = lr_scheduler.CyclicLR(opt, 0.1, 0.5, step_size_up=2, mode=mode, gamma=0.9)
    found = rates(opt, scheduler, 8)
    assert found[0] == found[4] == found[8] == pytest.approx(0.1)
    assert found[2] == pytest.approx(0.1 + 0.4 * heights[0])
    assert found[6] == pytest.approx(0.1 + 0.4 * heights[1])
    assert opt.param_groups[0]["momentum"] == pytest.approx(0.9)
    state = pickle.loads(pickle.dumps(scheduler.state_dict()))
    other = lr_scheduler.CyclicLR(optimizer(momentum=0.5), 0.1, 0.5, 2, mode=mode, gamma=0.9)
    other.load_state_dict(state)
    assert other.last_epoch == 8 and other.scale_fn(1) == scheduler.scale_fn(1)


def test_cyclic_with_a_function_and_adam():
    opt = optimizer(make=Adam)
    scheduler = lr_scheduler.CyclicLR(
        opt, 0.1, 0.5, 1, scale_fn=lambda n: 1 / n, scale_mode="cycle", base_momentum=0.7
    )
    assert rates(opt, scheduler, 3) == pytest.approx([0.1, 0.5, 0.1, 0.3])
    assert opt.param_groups[0]["betas"][0] == pytest.approx(0.8)
    assert opt.param_groups[0]["betas"][1] == 0.999
    assert scheduler.state_dict()["_scale_fn_custom"] is None
    scheduler.load_state_dict(scheduler.state_dict())


def test_one_cycle():
    opt = optimizer(momentum=0.5)
    scheduler = lr_scheduler.OneCycleLR(
        opt, max_lr=1.0, total_steps=10, pct_start=0.5, anneal_strategy="linear"
    )
    found = rates(opt, scheduler, 9)
    assert found[0] == pytest.approx(1 / 25) and found[4] == pytest.approx(1.0)
    assert found[2] == pytest.approx((1 / 25 + 1) / 2)
    assert found[9] == pytest.approx(1 / 25 / 1e4)
    assert opt.param_groups[0]["momentum"] == pytest.approx(0.95)
    opt.step()
    scheduler.step()
    with pytest.raises(ValueError, match="Tried to step 11 times"):
        scheduler.step()


def test_one_cycle_three_phases():
    opt = optimizer(make=Adam)
    scheduler = lr_scheduler.OneCycleLR(
        opt, max_lr=1.0, epochs=5, steps_per_epoch=2, pct_start=0.3, three_phase=True
    )
    found = rates(opt, scheduler, 9)
    assert found[2] == pytest.approx(1.0) and found[4] == pytest.approx(1 / 25)
    assert found[9] == pytest.approx(1 / 25 / 1e4)
    assert opt.param_groups[0]["betas"] == (pytest.approx(0.95), 0.999)


def test_sequential():
    opt = optimizer(1.0)
    warmup = lr_scheduler.LinearLR(opt, 0.5, total_iters=2)
    decay = lr_scheduler.ExponentialLR(opt, 0.5)
    scheduler = lr_scheduler.SequentialLR(opt, [warmup, decay], milestones=[3])
    assert rates(opt, scheduler, 5) == pytest.approx([0.5, 0.75, 1.0, 1.0, 0.5, 0.25])
    state = copy.deepcopy(scheduler.state_dict())
    assert len(state["_schedulers"]) == 2 and "optimizer" not in state
    scheduler.load_state_dict(state)
    assert "_schedulers" in state


def test_chained():
    opt = optimizer(1.0)
    first = lr_scheduler.ConstantLR(opt, 0.5, total_iters=2)
    second = lr_scheduler.ExponentialLR(opt, 0.5)
    scheduler = lr_scheduler.ChainedScheduler([first, second])
    assert rates(opt, scheduler, 3) == pytest.approx([0.5, 0.25, 0.25, 0.125])
    scheduler.load_state_dict(copy.deepcopy(scheduler.state_dict()))


def test_plateau():
    opt = optimizer(1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1, cooldown=2, min_lr=0.3)
    found = []
    for loss in [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]:
        opt.step()
        scheduler.step(rl.tensor(loss))
        found.append(scheduler.get_last_lr()[0])
    # Reduced after two bad epochs; two epochs of cooldown are not counted.
    assert found == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3]
    scheduler.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    assert not scheduler.in_cooldown or scheduler.cooldown_counter > 0


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "good", "bad"),
    [
        ("min", "rel", 89.0, 91.0),
        ("min", "abs", 99.8, 99.95),
        ("max", "rel", 111.0, 109.0),
        ("max", "abs", 100.2, 100.05),
    ],
)
def test_plateau_thresholds(mode, threshold_mode, good, bad):
    for value, expected in ((good, 1.0), (bad, 0.1)):
        opt = optimizer(1.0)
        scheduler = lr_scheduler.ReduceLROnPlateau(
            opt, mode, patience=0, threshold=0.1, threshold_mode=threshold_mode
        )
        scheduler.step(100.0)
        scheduler.step(value)
        assert opt.param_groups[0]["lr"] == pytest.approx(expected)


def test_plateau_with_a_group_added():
    opt = optimizer(1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, patience=0, min_lr=[0.5])
    opt.add_param_group({"params": rl.nn.Parameter(rl.zeros(1))})
    scheduler.step(1.0)
    with pytest.raises(RuntimeError, match="min_lrs"):
        scheduler.step(1.0)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_swalr(strategy):
    opt = optimizer(1.0)
    scheduler = SWALR(opt, swa_lr=0.5, anneal_epochs=4, anneal_strategy=strategy)
    found = rates(opt, scheduler, 6)
    parts = [0, 0.25, 0.5, 0.75, 1, 1, 1]
    if strategy == "cos":
        parts = [(1 - math.cos(math.pi * part)) / 2 for part in parts]
    assert found == pytest.approx([1 - part / 2 for part in parts])


# -------------------------------------------------------------------------------- misuse


def test_warning_when_the_order_is_wrong():
    opt = optimizer()
    scheduler = lr_scheduler.StepLR(opt, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step\\(\\)`"):
        scheduler.step()
    scheduler = lr_scheduler.StepLR(optimizer(), 2)
    scheduler.optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="overridden"):
        scheduler.step()


def test_no_warning_when_the_order_is_right():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt = optimizer()
        schedulers = [lr_scheduler.StepLR(opt, 2), lr_scheduler.ExponentialLR(opt, 0.9)]
        for _ in range(3):
            opt.step()
            for scheduler in schedulers:
                scheduler.step()


def test_get_lr_is_not_for_users():
    scheduler = lr_scheduler.StepLR(optimizer(), 2)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()


def test_hooks_and_closures_pass_through_a_scheduled_optimizer():
    opt = optimizer()
    lr_scheduler.StepLR(opt, 2)
    calls = []
    opt.register_step_post_hook(lambda *_: calls.append(1))
    assert opt.step(lambda: "loss") == "loss"
    assert calls == [1]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda s, o: s.StepLR(None, 1), TypeError, "not an Optimizer"),
        (lambda s, o: s.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas"),
        (lambda s, o: s.MultiplicativeLR(o, 0.5), TypeError, "should be a function"),
        (lambda s, o: s.ConstantLR(o, 1.5), ValueError, "between 0 and 1"),
        (lambda s, o: s.LinearLR(o, 0.0), ValueError, "greater than 0"),
        (lambda s, o: s.LinearLR(o, 0.5, 1.5), ValueError, "between 0 and 1"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 0), ValueError, "T_mult"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 1, "0"), ValueError, "eta_min"),
        (lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError, "mode is invalid"),
        (lambda s, o: s.CyclicLR(o, [0.1, 0.1], 0.2), ValueError, "same length"),
        (lambda s, o: s.OneCycleLR(o, 0.1), ValueError, "total_steps OR"),
        (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0), ValueError, "positive integer"),
        (lambda s, o: s.OneCycleLR(o, 0.1, 5, pct_start=2.0), ValueError, "pct_start"),
        (lambda s, o: s.OneCycleLR(o, 0.1, 5, anneal_strategy="x"), ValueError, "'linear'"),
        (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor"),
        (lambda s, o: s.ReduceLROnPlateau(o, mode="x"), ValueError, "mode x is unknown"),
        (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode"),
        (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0, 0]), ValueError, "expected 1 min_lrs"),
        (lambda s, o: s.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]), ValueError, "milestone"),
        (lambda s, o: s.SequentialLR(o, [1], []), TypeError, "`optimizer`"),
        (
            lambda s, o: s.SequentialLR(o, [s.StepLR(optimizer(), 1)], []),
            ValueError,
            "same optimizer",
        ),
        (
            lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
            ValueError,
            "does not support `ReduceLROnPlateau`",
        ),
        (lambda s, o: s.ChainedScheduler([]), ValueError, "at least one scheduler"),
        (lambda s, o: SWALR(o, 0.1, anneal_strategy="x"), ValueError, "anneal_strategy"),
        (lambda s, o: SWALR(o, 0.1, anneal_epochs=-1), ValueError, "anneal_epochs"),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make(lr_scheduler, optimizer())


def test_momentum_cycles_need_a_momentum():
    class Plain(rl.optim.Optimizer):
        def step(self, closure=None):
            pass

    opt = Plain([rl.nn.Parameter(rl.zeros(1))], {"lr": 0.1})
    with pytest.raises(ValueError, match="must support momentum"):
        lr_scheduler.CyclicLR(opt, 0.1, 0.2)
    lr_scheduler.CyclicLR(opt, 0.1, 0.2, cycle_momentum=False)


def test_functions_are_saved_if_they_are_objects():
    class Factor:
        def __init__(self, base):
            self.base = base

        def __call__(self, epoch):
            return self.base**epoch

    opt = optimizer(1.0)
    scheduler = lr_scheduler.LambdaLR(opt, Factor(0.5))
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"base": 0.5}]
    other = lr_scheduler.LambdaLR(optimizer(1.0), [Factor(0.1)])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].base == 0.5
    assert lr_scheduler.LambdaLR(opt, lambda n: 1).state_dict()["lr_lambdas"] == [None]
