"""What is timed, written once in PyTorch's API; the library comes in as `torch`.

Each function builds a workload and returns its step. A step returns the tensors that must be in
memory at its end. `compiled` wraps what torch.compile is given, for the peers that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.numbers import integers, uniform

Step = Callable[[], tuple[Any, ...]]


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@dataclass(frozen=True)
class Compiler:
    """What is done to the model with its loss, and to the optimizer's step."""

    model: Callable[[Callable[..., Any]], Callable[..., Any]] = as_it_is
    update: Callable[[Callable[..., Any]], Callable[..., Any]] = as_it_is


@dataclass(frozen=True)
class Workload:
    """One row of the table, with the least ratio to each peer that the project aims at."""

    build: Callable[[Any, Compiler], Step]
    title: str
    goals: dict[str, float] = field(default_factory=dict)
    absent: tuple[str, ...] = ()  # peers for which there is nothing to run


def _tensor(torch: Any, shape: tuple[int, ...], seed: int) -> Any:
    return uniform(torch.arange, shape, seed).to(torch.float32)


def _set_weights(torch: Any, model: Any) -> None:
    """Fills weights and biases with uniform numbers of PyTorch's default width."""
    with torch.no_grad():
        for seed, layer in enumerate(m for m in model.modules() if hasattr(m, "in_features")):
            width = 2 / layer.in_features**0.5
            layer.weight.copy_(_tensor(torch, tuple(layer.weight.shape), 2 * seed) * width)
            layer.bias.copy_(_tensor(torch, tuple(layer.bias.shape), 2 * seed + 1) * width)


def _training_step(
    torch: Any,
    model: Any,
    criterion: Any,
    optimizer: Any,
    batch: tuple[Any, Any],
    compiled: Compiler,
) -> Step:
    inputs, target = batch
    loss_of = compiled.model(lambda inputs, target: criterion(model(inputs), target))
    update = compiled.update(optimizer.step)

    def step() -> tuple[Any, ...]:
        optimizer.zero_grad()
        loss = loss_of(inputs, target)
        loss.backward()
        update()
        return (loss,)

    return step


def seed(torch: Any, compiled: Compiler) -> Step:
    """One vector through Linear(5, 2): nearly nothing but overhead."""
    model = torch.nn.Linear(5, 2)
    _set_weights(torch, model)
    batch = _tensor(torch, (5,), 100), torch.tensor([1, 2], dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    return _training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


def small_mlp(torch: Any, compiled: Compiler) -> Step:
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
    )
    _set_weights(torch, model)
    batch = _tensor(torch, (32, 4), 100), _tensor(torch, (32, 2), 101)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _training_step(torch, model, nn.MSELoss(), optimizer, batch, compiled)


def _image_mlp(torch: Any) -> tuple[Any, tuple[Any, Any]]:
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )
    _set_weights(torch, model)
    return model, (_tensor(torch, (64, 784), 100), integers(torch.arange, (64,), 101) % 10)


def mlp_sgd(torch: Any, compiled: Compiler) -> Step:
    model, batch = _image_mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return _training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


def mlp_adam(torch: Any, compiled: Compiler) -> Step:
    model, batch = _image_mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    return _training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


def scalar(torch: Any, compiled: Compiler) -> Step:
    x = torch.tensor(3.0, requires_grad=True)
    w = torch.tensor(0.5)
    product = compiled.model(lambda x: x * w)

    def step() -> tuple[Any, ...]:
        x.grad = None
        y = product(x)
        y.backward()
        return y, x.grad

    return step


def pointwise(torch: Any, compiled: Compiler) -> Step:
    """Ten pointwise ops with a scale and a bias per column, and the gradients of all three."""
    x = _tensor(torch, (1000, 1000), 0).requires_grad_()
    scale = (_tensor(torch, (1000,), 1) + 1.0).requires_grad_()
    bias = _tensor(torch, (1000,), 2).requires_grad_()

    def chain(x: Any, scale: Any, bias: Any) -> Any:
        h = torch.tanh(x * scale + bias)
        gate = torch.sigmoid(h * 1.5)
        bump = torch.exp(-(h * h))
        return (h * gate + bump).mean()

    loss_of = compiled.model(chain)

    def step() -> tuple[Any, ...]:
        x.grad = scale.grad = bias.grad = None
        loss = loss_of(x, scale, bias)
        loss.backward()
        return loss, x.grad, scale.grad, bias.grad

    return step


def _rows(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)  # PyTorch and rushlight draw the same order
    return _tensor(torch, (16384, 64), 0), integers(torch.arange, (16384,), 1) % 10


def indexing(torch: Any, compiled: Compiler) -> Step:
    """An epoch of shuffled batches, cut by hand."""
    images, labels = _rows(torch)

    def step() -> tuple[Any, ...]:
        order = torch.randperm(len(images))
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            image_batch, label_batch = images[rows], labels[rows]
            image_batch.data_ptr()
            label_batch.data_ptr()
        return image_batch, label_batch

    return step


def loader(torch: Any, compiled: Compiler) -> Step:
    """The same epoch from a DataLoader."""
    data = torch.utils.data
    batches = data.DataLoader(data.TensorDataset(*_rows(torch)), batch_size=64, shuffle=True)

    def step() -> tuple[Any, ...]:
        for image_batch, label_batch in batches:
            image_batch.data_ptr()
            label_batch.data_ptr()
        return image_batch, label_batch

    return step


NOT_TORCH = ("compile", "compile-all", "jax")

WORKLOADS = {
    "seed": Workload(
        seed,
        "Linear(5, 2), CrossEntropyLoss, SGD",
        {"torch": 25, "compile": 1, "compile-all": 1, "jax": 1},
    ),
    "small-mlp": Workload(
        small_mlp, "MLP 4-64-64-2 tanh, batch 32, MSE, Adam", {"torch": 10, "jax": 2}
    ),
    "mlp-sgd": Workload(
        mlp_sgd,
        "MLP 784-512-512-10 ReLU, batch 64, SGD + momentum",
        {"torch": 1.6, "compile": 1, "compile-all": 1, "jax": 1},
    ),
    "mlp-adam": Workload(
        mlp_adam,
        "MLP 784-512-512-10 ReLU, batch 64, Adam",
        {"torch": 1.6, "compile": 1, "compile-all": 1, "jax": 1},
    ),
    "scalar": Workload(
        scalar, "one multiply and its backward(), scalar", {"torch": 8}, absent=("compile-all",)
    ),
    "pointwise": Workload(
        pointwise,
        "pointwise chain and its backward, 1000x1000",
        {"torch": 4, "jax": 1},
        absent=("compile-all",),
    ),
    "indexing": Workload(
        indexing, "an epoch of 256 shuffled batches, cut by hand", absent=NOT_TORCH
    ),
    "loader": Workload(loader, "an epoch of 256 shuffled batches, DataLoader", absent=NOT_TORCH),
}
