import rushlight as torch

# A custom autograd.Function: sparsemax, a softmax that says exactly zero to what cannot be
# (Martins and Astudillo, 2016, arXiv:1602.02068), in a classifier of handwritten digits.
# Run it with: python examples/sparsemax.py
import argparse

from rushlight import nn, optim
from sklearn.datasets import load_digits

TEST_IMAGES = 360  # of 1797


class Sparsemax(torch.autograd.Function):
    """The point of the probability simplex that is nearest to the logits (N, classes)."""

    @staticmethod
    def forward(ctx, logits):
        descending, _ = logits.sort(dim=1, descending=True)
        rank = torch.arange(1, logits.size(1) + 1, dtype=logits.dtype, device=logits.device)
        excess = descending.cumsum(dim=1) - 1
        size = (rank * descending > excess).sum(dim=1, keepdim=True)  # of the support, at least 1
        threshold = excess.gather(1, size - 1) / size
        probabilities = (logits - threshold).clamp(min=0)
        ctx.save_for_backward(probabilities)
        return probabilities

    @staticmethod
    def backward(ctx, grad):
        (probabilities,) = ctx.saved_tensors
        support = (probabilities > 0).to(grad.dtype)
        mean = (grad * support).sum(dim=1, keepdim=True) / support.sum(dim=1, keepdim=True)
        return support * (grad - mean)


sparsemax = Sparsemax.apply


def check() -> bool:
    """Compares both derivatives with finite differences, in float64."""
    logits = torch.randn(8, 5, dtype=torch.double, requires_grad=True)
    first = torch.autograd.gradcheck(sparsemax, (logits,), eps=1e-6, atol=1e-6)
    return first and torch.autograd.gradgradcheck(sparsemax, (logits,))


class Classifier(nn.Module):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 64), nn.SiLU(), nn.Linear(64, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sparsemax(self.net(x))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier with a function of one's own.")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    print(f"gradcheck and gradgradcheck: {check()}")

    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    train, test = order[TEST_IMAGES:], order[:TEST_IMAGES]

    model = Classifier(x.size(1), classes=10)
    target = nn.functional.one_hot(y, 10).float()
    optimizer = optim.NAdam(model.parameters(), lr=options.lr)
    for step in range(1, options.steps + 1):
        optimizer.zero_grad()
        # Brier's score: the square of what the probabilities are off by.
        loss = (model(x[train]) - target[train]).square().sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == 1:
            print(f"step {step:3d}   loss {loss.item():.5f}")

    with torch.no_grad():
        probabilities = model(x[test])
    right = probabilities.argmax(dim=1) == y[test]
    certain = (probabilities > 0).sum(dim=1) == 1
    print(f"test accuracy {right.float().mean().item():.2%} on {TEST_IMAGES} images")
    print(
        f"it is certain of {certain.float().mean().item():.0%} of them, "
        f"and then right in {right[certain].float().mean().item():.2%}"
    )


if __name__ == "__main__":
    main()
