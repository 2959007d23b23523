import rushlight as torch

# A physics-informed network: it learns to be a solution of Burgers' equation
#     u_t + u u_x = nu u_xx,   u(0, x) = -sin(pi x),   u(t, -1) = u(t, 1) = 0
# from the equation alone (Raissi, Perdikaris and Karniadakis, 2017, arXiv:1711.10561). The
# derivatives are autograd's, and training differentiates through them once more.
# Run it with: python examples/burgers.py
import argparse
import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from rushlight import nn, optim

VISCOSITY = 0.03


class Solution(nn.Module):
    """(t, x) to u; the conditions at the start and at both ends hold by construction."""

    def __init__(self, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        sizes = [2] + [width] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(width, 1)
        for layer in self.hidden:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        h = torch.cat([2 * t - 1, x], dim=1)
        for layer in self.hidden:
            h = torch.tanh(layer(h))
        return -torch.sin(math.pi * x) + t * (1 - x**2) * self.out(h)


def residual(u: nn.Module, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What is left of the equation at the points (t, x): zero for a solution."""
    t.requires_grad_(True)
    x.requires_grad_(True)
    value = u(t, x)
    u_t, u_x = torch.autograd.grad(value, (t, x), torch.ones_like(value), create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x, x, torch.ones_like(u_x), create_graph=True)
    return u_t + value * u_x - VISCOSITY * u_xx


def exact(t: float, x: np.ndarray) -> np.ndarray:
    """Cole's and Hopf's solution: a quotient of two integrals, by Gauss and Hermite's rule."""
    nodes, weights = np.polynomial.hermite.hermgauss(80)
    shifted = np.pi * (x[:, None] - 2 * np.sqrt(VISCOSITY * t) * nodes)
    density = weights * np.exp(-np.cos(shifted) / (2 * np.pi * VISCOSITY))
    return -(density * np.sin(shifted)).sum(1) / density.sum(1)


def error(u: nn.Module, times: list[float], path: Path | None = None) -> float:
    """The norm of the error over a grid, relative to the norm of the solution."""
    x = torch.linspace(-1, 1, 201)
    with torch.no_grad():
        learned = [u(torch.full((201, 1), t), x[:, None])[:, 0].numpy() for t in times]
    true = [exact(t, x.numpy().astype(np.float64)) for t in times]
    if path:
        import matplotlib

        matplotlib.use("Agg")  # writes files, needs no screen
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        for time, mine, theirs in zip(times, learned, true):
            axes.plot(x.numpy(), theirs, "k", linewidth=0.8)
            axes.plot(x.numpy(), mine, "--", label=f"t = {time:g}")
        axes.set(xlabel="x", ylabel="u", title="Burgers' equation: exact (black) and learned")
        axes.legend()
        figure.savefig(path, dpi=120)
    return float(np.linalg.norm(np.subtract(learned, true)) / np.linalg.norm(true))


def main() -> None:
    parser = argparse.ArgumentParser(description="Solve Burgers' equation with a network.")
    parser.add_argument("--steps", type=int, default=500, help="steps of Adam")
    parser.add_argument("--polish", type=int, default=400, help="iterations of LBFGS after them")
    parser.add_argument("--points", type=int, default=1000, help="where the equation must hold")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, default=Path("burgers.png"), metavar="PNG")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    t, x = torch.rand(options.points, 1), 2 * torch.rand(options.points, 1) - 1
    u = Solution()
    adam = optim.Adam(u.parameters(), lr=5e-3)
    for step in range(1, options.steps + 1):
        adam.zero_grad()
        loss = residual(u, t, x).pow(2).mean()
        loss.backward()
        adam.step()
        if step % 50 == 0 or step == 1:
            print(f"step {step:4d}   loss {loss.item():.6f}")

    lbfgs = optim.LBFGS(u.parameters(), max_iter=options.polish, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        lbfgs.zero_grad()
        loss = residual(u, t, x).pow(2).mean()
        loss.backward()
        return loss

    lbfgs.step(closure)
    print(f"loss after LBFGS {closure().item():.2e}")
    print(f"error against the exact solution {error(u, [0.25, 0.5, 0.75, 1.0], options.plot):.2%}")


if __name__ == "__main__":
    main()
