"""repr of random tensors under random options against PyTorch, character by character."""

import random

import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="the oracle is not installed")
np = pytest.importorskip("numpy", reason="the oracle needs it to share data")

FLOATING = ["float32", "float64", "float16", "bfloat16", "complex64", "complex128"]
WHOLE = ["int64", "int32", "int16", "int8", "uint8", "bool"]
SCALES = [1e-40, 1e-10, 1e-5, 1e-2, 1.0, 1.0, 1.0, 1e2, 1e5, 1e9, 1e20]


@pytest.fixture(autouse=True)
def default_options():
    yield
    for lib in (torch, rl):
        lib.set_printoptions(profile="default")


def draw_options(rng):
    return {
        "precision": rng.choice([None, 0, 1, 2, 4, 7]),
        "threshold": rng.choice([None, 0, 5, 20, 1000]),
        "edgeitems": rng.choice([None, 0, 1, 2, 3]),
        "linewidth": rng.choice([None, 20, 40, 80, 120]),
        "profile": rng.choice([None, "default", "short", "full"]),
        "sci_mode": rng.choice([None, None, True, False]),
    }


def draw_values(rng, dtype):
    """An array of float64, complex128 or int64 with some of what is special about floats."""
    numbers = np.random.RandomState(rng.randrange(2**31))
    shape = [rng.choice([0, 1, 2, 3, 5, 7, 9, 30]) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
    if dtype in WHOLE:
        return numbers.randint(0, 2 if dtype == "bool" else 100, shape)
    values = np.asarray(numbers.randn(*shape)) * rng.choice(SCALES)
    if rng.random() < 0.3:
        values = np.round(values)
    if rng.random() < 0.3:
        choice = numbers.rand(*shape)
        for limit, special in ((0.4, -np.inf), (0.3, -0.0), (0.2, np.inf), (0.1, np.nan)):
            values = np.where(choice < limit, special, values)
    if dtype.startswith("complex"):
        values = values + 1j * np.roll(values, 1) * rng.choice([1e-5, 1.0, 1e3])
    return np.asarray(values)


def build(lib, values, dtype, tracked):
    tensor = lib.from_numpy(values.copy()).to(getattr(lib, dtype))
    if tracked == "leaf":
        return tensor.requires_grad_()
    if tracked == "node":
        return tensor.requires_grad_() * 1
    if tracked == "parameter":
        return lib.nn.Parameter(tensor)
    return tensor


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(40))
def test_random_tensors(seed):
    rng = random.Random(seed)
    for _ in range(25):
        options = draw_options(rng)
        dtype = rng.choice(FLOATING + WHOLE)
        values = draw_values(rng, dtype)
        tracked = rng.choice(["", "", "leaf", "node", "parameter"]) if dtype in FLOATING else ""
        turned = values.ndim > 1 and rng.random() < 0.3
        texts = []
        for lib in (torch, rl):
            lib.set_printoptions(**options)
            tensor = build(lib, values, dtype, tracked)
            texts.append(repr(tensor.transpose(0, 1) if turned else tensor))
        assert texts[1] == texts[0], (options, dtype, values.shape)


@pytest.mark.parametrize("seed", range(5))
def test_number_formats(seed):
    rng = random.Random(seed)
    for _ in range(50):
        value = rng.uniform(-10, 10) * rng.choice(SCALES)
        spec = rng.choice(["", ".3f", "e", ".2g", "10.4f", "+.1e"])
        for dtype in ("float32", "float64"):
            expected = format(torch.tensor(value, dtype=getattr(torch, dtype)), spec)
            assert format(rl.tensor(value, dtype=getattr(rl, dtype)), spec) == expected
