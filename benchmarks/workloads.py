"""What is timed, written once in PyTorch's API; the library comes in as `torch`.

Each function builds a workload and returns its step. A step returns the tensors that must be in
memory at its end. `compiled` wraps what torch.compile is given, for the peers that it stands for.
Here are the small ones and the table of all; models.py has the models that people train.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from benchmarks import models
from benchmarks.definition import (
    Compiler,
    Step,
    Workload,
    classes,
    fill,
    tensor,
    training_step,
)


def seed(torch: Any, compiled: Compiler) -> Step:
    """One vector through Linear(5, 2): nearly nothing but overhead."""
    model = torch.nn.Linear(5, 2)
    fill(torch, model)
    batch = tensor(torch, (5,), 100), torch.tensor([1, 2], dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    return training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


def small_mlp(torch: Any, compiled: Compiler) -> Step:
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
    )
    fill(torch, model)
    batch = tensor(torch, (32, 4), 100), tensor(torch, (32, 2), 101)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return training_step(torch, model, nn.MSELoss(), optimizer, batch, compiled)


def _image_mlp(torch: Any) -> tuple[Any, tuple[Any, Any]]:
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )
    fill(torch, model)
    return model, (tensor(torch, (64, 784), 100), classes(torch, (64,), 101, 10))


def mlp_sgd(torch: Any, compiled: Compiler) -> Step:
    model, batch = _image_mlp(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


def mlp_adam(torch: Any, compiled: Compiler) -> Step:
    model, batch = _image_mlp(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    return training_step(torch, model, torch.nn.CrossEntropyLoss(), optimizer, batch, compiled)


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
    x = tensor(torch, (1000, 1000), 0).requires_grad_()
    scale = (tensor(torch, (1000,), 1) + 1.0).requires_grad_()
    bias = tensor(torch, (1000,), 2).requires_grad_()

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
    return tensor(torch, (16384, 64), 0), classes(torch, (16384,), 1, 10)


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


def dense_flops(rows: int, *sizes: int) -> float:
    """Forward and both backward products of a chain of layers; the data need no gradient."""
    pairs = [a * b for a, b in pairwise(sizes)]
    return 2.0 * rows * (3 * sum(pairs) - pairs[0])


def resnet_flops() -> float:
    total, size = 0.0, 32
    for inputs, outputs, stride in models.RESNET:
        size //= stride
        total += 2.0 * 32 * size * size * inputs * outputs * 9 * (3 if total else 2)
    return total + 6.0 * 32 * 128 * 10


def recurrent_flops(
    steps: int, batch: int, gates: int, inputs: int, hidden: int, input_gradient: bool = True
) -> float:
    """One layer from a state of zeros, which needs no gradient."""
    of_inputs = (3 if input_gradient else 2) * steps * inputs
    return 2.0 * batch * gates * hidden * (of_inputs + (3 * steps - 1) * hidden)


def lstm_flops() -> float:
    layers = 2 * recurrent_flops(35, 20, 4, 200, 200)
    return layers + 6.0 * 35 * 20 * 200 * models.VOCABULARY


def gru_flops() -> float:
    return recurrent_flops(100, 32, 3, 8, 64, input_gradient=False) + 6.0 * 32 * 64 * 10


def pinn_flops() -> float:
    """u, its slopes and u_xx meet each hidden matrix 4 times, their own backward 8 times more.

    The first layer needs no gradient of the points in the end; the last one is linear, so that
    fewer of its products depend on anything.
    """
    return 2.0 * 1000 * (11 * 2 * 32 + 2 * 12 * 32 * 32 + 5 * 32)


def gpt_flops() -> float:
    width, rows = models.GPT["width"], models.GPT["batch"] * models.GPT["context"]
    linear = 12 * width * width * models.GPT["layers"] + width * models.GPT["vocabulary"]
    # Scores and weighted values; of both only the triangle up to the diagonal.
    attention = 2 * (models.GPT["context"] + 1) / 2 * width * models.GPT["layers"]
    return 6.0 * rows * (linear + attention)


def parameter_bytes(count: float, passes: int) -> float:
    return 4.0 * count * passes


NOT_TORCH = ("compile", "compile-all", "jax")
# Compiling the update as well takes minutes on the larger models and wins little there.
NOT_ALL = ("compile-all",)

_IMAGE_MLP = dense_flops(64, 784, 512, 512, 10)
_CNN = (
    2.0 * 64 * (2 * 26 * 26 * 32 * 9 + 3 * 24 * 24 * 64 * 32 * 9)
    + dense_flops(64, 9216, 128, 10) + 2.0 * 64 * 9216 * 128
)  # fmt: skip
_VAE = dense_flops(128, 784, 400, 40) + 6.0 * 128 * (20 * 400 + 400 * 784)

WORKLOADS = {
    "seed": Workload(
        seed,
        "Linear(5, 2), CrossEntropyLoss, SGD",
        {"torch": 40, "compile": 30, "compile-all": 1, "jax": 2.5},
    ),
    "small-mlp": Workload(
        small_mlp,
        "MLP 4-64-64-2 tanh, batch 32, MSE, Adam",
        {"torch": 14, "compile": 10, "jax": 3},
        flops=dense_flops(32, 4, 64, 64, 2),
    ),
    "mlp-sgd": Workload(
        mlp_sgd,
        "MLP 784-512-512-10 ReLU, batch 64, SGD + momentum",
        {"torch": 2, "compile": 1.3, "compile-all": 1, "jax": 1.5},
        flops=_IMAGE_MLP,
        bound="gemm",
    ),
    "mlp-adam": Workload(
        mlp_adam,
        "MLP 784-512-512-10 ReLU, batch 64, Adam",
        {"torch": 2.5, "compile": 1.4, "compile-all": 1, "jax": 1.4},
        flops=_IMAGE_MLP,
        bound="gemm",
    ),
    "cnn": Workload(
        models.cnn,
        "CNN of PyTorch's mnist example, batch 64, Adadelta",
        {"torch": 2.2, "compile": 2.5, "jax": 4},
        absent=NOT_ALL,
        flops=_CNN,
        bound="gemm",
        tolerance=0.2,
    ),
    "resnet": Workload(
        models.resnet,
        "8 conv + batch norm blocks on 32x32, batch 32, SGD",
        {"torch": 1.5, "compile": 1.3, "jax": 3},
        absent=NOT_ALL,
        flops=resnet_flops(),
        bound="gemm",
        tolerance=1e-3,
    ),
    "gpt": Workload(
        models.gpt,
        "character GPT: 4 layers, width 128, context 64, batch 12, AdamW",
        {"torch": 1.4, "compile": 1.7, "jax": 3},
        absent=NOT_ALL,
        flops=gpt_flops(),
        bound="gemm",
        tolerance=1e-3,
    ),
    "lstm": Workload(
        models.lstm,
        "LSTM language model: 2 x 200, 35 steps, batch 20",
        {"torch": 1.2, "compile": 1.5, "jax": 1.5},
        absent=NOT_ALL,
        flops=lstm_flops(),
        bound="gemm",
        tolerance=1e-3,
    ),
    "gru": Workload(
        models.gru,
        "GRU classifier: 64 wide, 100 steps, batch 32, Adam",
        {"torch": 2, "compile": 2, "jax": 1.5},
        absent=NOT_ALL,
        flops=gru_flops(),
        tolerance=1e-3,
    ),
    "vae": Workload(
        models.vae,
        "VAE 784-400-20, batch 128, Adam",
        {"torch": 1.8, "compile": 1.3, "jax": 1.3},
        absent=NOT_ALL,
        flops=_VAE,
        bound="gemm",
        tolerance=0.02,
    ),
    "pointwise": Workload(
        pointwise,
        "pointwise chain and its backward, 1000x1000",
        {"torch": 4.5, "compile": 2.2, "jax": 1.1},
        absent=NOT_ALL,
        bytes=4.0 * 1000 * 1000 * 2,  # x is read, its gradient written
        bound="copy",
    ),
    "pinn": Workload(
        models.pinn,
        "physics-informed net: double backward, 1000 points, Adam",
        {"torch": 6, "jax": 1.2},
        absent=("compile", "compile-all"),
        flops=pinn_flops(),
        tolerance=1e-3,
    ),
    "factorisation": Workload(
        models.factorisation,
        "matrix factorisation: embeddings 10000 x 32, batch 1024, Adam",
        {"torch": 3, "compile": 2, "jax": 1.3},
        absent=NOT_ALL,
        # Gradients are filled, read by Adam, and its state and the weights rewritten.
        bytes=parameter_bytes(2 * 10000 * 32, 8),
        bound="copy",
    ),
    "reinforce": Workload(
        models.reinforce,
        "REINFORCE: 64 forwards of one state, one update, Adam",
        {"torch": 10, "compile": 5, "jax": 3},
        absent=NOT_ALL,
        tolerance=2e-3,
    ),
    "scalar": Workload(
        scalar, "one multiply and its backward(), scalar", {"torch": 8}, absent=NOT_ALL
    ),
    "indexing": Workload(
        indexing, "an epoch of 256 shuffled batches, cut by hand", absent=NOT_TORCH
    ),
    "loader": Workload(loader, "an epoch of 256 shuffled batches, DataLoader", absent=NOT_TORCH),
}
