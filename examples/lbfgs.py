import rushlight as torch

# Regression with LBFGS: a Gaussian process learns how far diabetes goes in a year, and which of
# ten numbers of a patient matter for it.
# Run it with: python examples/lbfgs.py
import argparse
import math

from rushlight import nn, optim
from sklearn.datasets import load_diabetes

TEST_PATIENTS = 110  # of 442


class GaussianProcess(nn.Module):
    """Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5.

    What it learns are the logarithms of a length for each feature, of the size of the function
    and of the noise on top of it.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("x", x)
        self.register_buffer("y", y.unsqueeze(1))
        self.log_lengths = nn.Parameter(torch.ones(x.size(1)))
        self.log_size = nn.Parameter(torch.tensor(-1.0))
        self.log_noise = nn.Parameter(torch.tensor(-0.5))

    def kernel(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Covariances of the function at the points a (N, F) and b (M, F): (N, M)."""
        lengths = self.log_lengths.exp()
        return torch.exp(2 * self.log_size - 0.5 * torch.cdist(a / lengths, b / lengths).square())

    def solve(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The Cholesky factor of the covariance of y, and the inverse covariance times y."""
        noise = torch.exp(2 * self.log_noise) * torch.eye(len(self.x))
        factor = torch.linalg.cholesky(self.kernel(self.x, self.x) + noise)
        return factor, torch.cholesky_solve(self.y, factor)

    def forward(self) -> torch.Tensor:
        """The negative logarithm of the likelihood of y, per patient."""
        factor, solution = self.solve()
        fit = 0.5 * (self.y * solution).sum()
        volume = factor.diagonal().log().sum()
        return (fit + volume) / len(self.x) + 0.5 * math.log(2 * math.pi)

    @torch.no_grad()
    def predict(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of what is measured at the points x."""
        factor, solution = self.solve()
        across = self.kernel(self.x, x)
        known = torch.linalg.solve_triangular(factor, across, upper=False).square().sum(dim=0)
        variance = torch.exp(2 * self.log_size) + torch.exp(2 * self.log_noise) - known
        return (across.mT @ solution).squeeze(1), variance.sqrt()


def explained(prediction: torch.Tensor, target: torch.Tensor) -> float:
    """R squared: the part of the variance that the prediction explains."""
    rest = torch.sum((target - prediction) ** 2)
    return (1 - rest / torch.sum((target - target.mean()) ** 2)).item()


def straight_line(x: torch.Tensor, y: torch.Tensor, x_test: torch.Tensor) -> torch.Tensor:
    """Least squares, in closed form. The data have mean 0: there is no constant to find."""
    return x_test @ torch.linalg.lstsq(x, y.unsqueeze(1)).solution.squeeze(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a Gaussian process with LBFGS.")
    parser.add_argument("--steps", type=int, default=12, help="steps of up to 5 iterations")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_default_dtype(torch.float64)  # a Cholesky factor needs it, and so does a line search
    diabetes = load_diabetes(scaled=False)
    x, y = torch.from_numpy(diabetes.data), torch.from_numpy(diabetes.target)
    order = torch.randperm(len(x))
    train, test = order[TEST_PATIENTS:], order[:TEST_PATIENTS]
    x = (x - x[train].mean(dim=0)) / x[train].std(dim=0)
    y = (y - y[train].mean()) / y[train].std()

    model = GaussianProcess(x[train], y[train])
    optimizer = optim.LBFGS(model.parameters(), max_iter=5, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model()
        loss.backward()
        return loss

    for step in range(1, options.steps + 1):
        loss = optimizer.step(closure)
        print(f"step {step:2d}   loss at its start {loss.item():.8f}")

    relevance = torch.exp(-model.log_lengths.detach())
    best = [diabetes.feature_names[i] for i in relevance.argsort(descending=True)[:4]]
    mean, deviation = model.predict(x[test])
    inside = ((y[test] - mean).abs() < 1.96 * deviation).double().mean().item()
    line = explained(straight_line(x[train], y[train], x[test]), y[test])
    print(f"what matters most: {', '.join(best)}")
    print(f"{inside:.0%} of {TEST_PATIENTS} new patients are inside its intervals of 95%")
    print(f"explains {explained(mean, y[test]):.4f} of their variance; a straight line {line:.4f}")


if __name__ == "__main__":
    main()
