"""The models that people train on a CPU, written in PyTorch's API."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.definition import Compiler, Step, classes, fill, tensor, training_step
from benchmarks.numbers import integers


def cnn(torch: Any, compiled: Compiler) -> Step:
    """The network of PyTorch's mnist example, with its optimizer."""
    nn, F = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3, 1)
            self.conv2 = nn.Conv2d(32, 64, 3, 1)
            self.dropout1 = nn.Dropout(0.25)
            self.dropout2 = nn.Dropout(0.5)
            self.fc1 = nn.Linear(9216, 128)
            self.fc2 = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.conv1(x))
            x = F.relu(self.conv2(x))
            x = self.dropout1(F.max_pool2d(x, 2))
            x = F.relu(self.fc1(torch.flatten(x, 1)))
            return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)

    torch.manual_seed(0)
    model = Net()
    fill(torch, model)
    batch = tensor(torch, (64, 1, 28, 28), 100), classes(torch, (64,), 101, 10)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1e-3)
    return training_step(torch, model, F.nll_loss, optimizer, batch, compiled)


# (channels in, channels out, stride) of each block.
RESNET = [
    (3, 32, 1), (32, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1),
    (128, 128, 1),
]  # fmt: skip


def resnet(torch: Any, compiled: Compiler) -> Step:
    """Eight blocks of convolution, batch norm and ReLU, with a shortcut where shapes allow it."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm = nn.BatchNorm2d(outputs)
            self.short = inputs == outputs and stride == 1

        def forward(self, x: Any) -> Any:
            y = self.norm(self.conv(x))
            return F.relu(y + x if self.short else y)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(*[Block(*sizes) for sizes in RESNET])
            self.fc = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.fc(self.blocks(x).mean((2, 3)))

    model = Net()
    fill(torch, model)
    batch = tensor(torch, (32, 3, 32, 32), 100), classes(torch, (32,), 101, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return training_step(torch, model, nn.CrossEntropyLoss(), optimizer, batch, compiled)


GPT = {"layers": 4, "heads": 4, "width": 128, "context": 64, "batch": 12, "vocabulary": 65}


def gpt(torch: Any, compiled: Compiler) -> Step:
    """A character GPT in the form of nanoGPT: weights of the embedding and the head are tied."""
    nn, F = torch.nn, torch.nn.functional
    width, heads, context = GPT["width"], GPT["heads"], GPT["context"]

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_attn = nn.Linear(width, 3 * width)
            self.c_proj = nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(C, dim=2)
            q = q.view(B, T, heads, C // heads).transpose(1, 2)
            k = k.view(B, T, heads, C // heads).transpose(1, 2)
            v = v.view(B, T, heads, C // heads).transpose(1, 2)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1 = nn.LayerNorm(width)
            self.attn = Attention()
            self.ln_2 = nn.LayerNorm(width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x: Any) -> Any:
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(GPT["vocabulary"], width)
            self.wpe = nn.Embedding(context, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(GPT["layers"])])
            self.ln_f = nn.LayerNorm(width)
            self.head = nn.Linear(width, GPT["vocabulary"], bias=False)
            self.head.weight = self.wte.weight

        def forward(self, index: Any) -> Any:
            x = self.wte(index) + self.wpe(torch.arange(index.shape[1]))
            return self.head(self.ln_f(self.blocks(x)))

    model = Model()
    fill(torch, model)
    shape = GPT["batch"], context
    batch = tuple(classes(torch, shape, 100 + i, GPT["vocabulary"]) for i in (0, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)

    def criterion(logits: Any, target: Any) -> Any:
        return F.cross_entropy(logits.view(-1, logits.size(-1)), target.view(-1))

    return training_step(torch, model, criterion, optimizer, batch, compiled)


VOCABULARY = 10000


def lstm(torch: Any, compiled: Compiler) -> Step:
    """A word language model: two layers of 200, 35 steps, gradients clipped."""
    nn, F = torch.nn, torch.nn.functional

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Embedding(VOCABULARY, 200)
            self.rnn = nn.LSTM(200, 200, 2)
            self.decoder = nn.Linear(200, VOCABULARY)

        def forward(self, index: Any) -> Any:
            return self.decoder(self.rnn(self.encoder(index))[0]).view(-1, VOCABULARY)

    model = Model()
    fill(torch, model)
    words = tuple(classes(torch, (35, 20), 100 + i, VOCABULARY) for i in (0, 1))
    batch = words[0], words[1].reshape(-1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def clip() -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)

    return training_step(torch, model, F.cross_entropy, optimizer, batch, compiled, clip)


def gru(torch: Any, compiled: Compiler) -> Step:
    """A classifier of sequences: 64 wide, 100 steps of 8 numbers."""
    nn, F = torch.nn, torch.nn.functional

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(8, 64, batch_first=True)
            self.head = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(x)[0][:, -1])

    model = Model()
    fill(torch, model)
    batch = tensor(torch, (32, 100, 8), 100), classes(torch, (32,), 101, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return training_step(torch, model, F.cross_entropy, optimizer, batch, compiled)


def vae(torch: Any, compiled: Compiler) -> Step:
    """PyTorch's vae example."""
    nn, F = torch.nn, torch.nn.functional

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(784, 400)
            self.fc21 = nn.Linear(400, 20)
            self.fc22 = nn.Linear(400, 20)
            self.fc3 = nn.Linear(20, 400)
            self.fc4 = nn.Linear(400, 784)

        def forward(self, x: Any) -> Any:
            h = F.relu(self.fc1(x))
            mu, logvar = self.fc21(h), self.fc22(h)
            std = torch.exp(0.5 * logvar)
            z = mu + torch.randn_like(std) * std
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar

    def criterion(out: Any, x: Any) -> Any:
        recon, mu, logvar = out
        error = F.binary_cross_entropy(recon, x, reduction="sum")
        return error - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

    torch.manual_seed(0)
    model = Model()
    fill(torch, model)
    images = tensor(torch, (128, 784), 100) + 0.5
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return training_step(torch, model, criterion, optimizer, (images, images), compiled)


def pinn(torch: Any, compiled: Compiler) -> Step:
    """Burgers' equation at 1000 points: u_t + u u_x = nu u_xx, by double backward."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
        nn.Linear(32, 1),
    )  # fmt: skip
    fill(torch, model)
    points = (tensor(torch, (1000, 2), 100) * 2).requires_grad_()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    ones = torch.ones(1000, 1)

    def step() -> tuple[Any, ...]:
        optimizer.zero_grad()
        u = model(points)
        first = torch.autograd.grad(u, points, ones, create_graph=True)[0]
        u_x, u_t = first[:, :1], first[:, 1:]
        u_xx = torch.autograd.grad(u_x, points, ones, create_graph=True)[0][:, :1]
        loss = ((u_t + u * u_x - 0.01 / math.pi * u_xx) ** 2).mean()
        loss.backward()
        optimizer.step()
        return (loss,)

    return step


def factorisation(torch: Any, compiled: Compiler) -> Step:
    """Ratings as products of two embeddings of 10000 x 32."""
    nn = torch.nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users = nn.Embedding(10000, 32)
            self.items = nn.Embedding(10000, 32)

        def forward(self, index: Any) -> Any:
            return (self.users(index[0]) * self.items(index[1])).sum(1)

    model = Model()
    fill(torch, model)
    index = classes(torch, (2, 1024), 100, 10000)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = index, tensor(torch, (1024,), 101)
    return training_step(torch, model, nn.MSELoss(), optimizer, batch, compiled)


EPISODE = 64


def cart_pole(state: list[float], action: int) -> list[float]:
    """One step of the pole on a cart (Barto, Sutton and Anderson 1983), in plain Python."""
    x, x_dot, theta, theta_dot = state
    force = 10.0 if action else -10.0
    cos, sin = math.cos(theta), math.sin(theta)
    push = (force + 0.05 * theta_dot * theta_dot * sin) / 1.1
    turn = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1))
    slide = push - 0.05 * turn * cos / 1.1
    moved = [x + 0.02 * x_dot, x_dot + 0.02 * slide, theta + 0.02 * theta_dot]
    state = [*moved, theta_dot + 0.02 * turn]
    return state if abs(state[2]) < 0.2 and abs(state[0]) < 2.4 else [0.0, 0.0, 0.01, 0.0]


def returns_of(rewards: list[float]) -> list[float]:
    found, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + 0.99 * total
        found.append(total)
    return found[::-1]


def reinforce(torch: Any, compiled: Compiler) -> Step:
    """An episode of 64 moves, each by a forward of one state, then one update."""
    nn, F = torch.nn, torch.nn.functional
    model = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 2))
    fill(torch, model)
    policy = compiled.model(lambda state: F.softmax(model(state), dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    chances = ((integers(torch.arange, (EPISODE,), 100) % 1000) / 1000).tolist()

    def step() -> tuple[Any, ...]:
        state, logs, rewards = [0.0, 0.0, 0.01, 0.0], [], []
        for chance in chances:
            probabilities = policy(torch.tensor([state]))
            action = int(probabilities[0, 1].item() > chance)
            logs.append(probabilities[0, action].log())
            state = cart_pole(state, action)
            rewards.append(1.0 - abs(state[2]))
        returns = torch.tensor(returns_of(rewards))
        returns = (returns - returns.mean()) / (returns.std() + 1e-6)
        optimizer.zero_grad()
        loss = -(torch.stack(logs) * returns).sum()
        loss.backward()
        optimizer.step()
        return (loss,)

    return step
