import rushlight as torch

# Forecasts the yearly number of sunspots with a GRU that learned from the years up to 1957.
# Run it with: python examples/sunspots.py
import argparse
from pathlib import Path

from rushlight import nn, optim

# Yearly means from 1700 to 2008, NOAA's National Geophysical Data Center (public domain); the same
# series that the package statsmodels ships as datasets.sunspots.
SUNSPOTS = """
5 11 16 23 36 58 29 20 10 8 3 0 0 2 11 27 47 63 60 39 28 26 22 11 21 40 78 122 103 73 47 35 11 5
16 34 70 81 111 101 73 40 20 16 5 11 22 40 60 80.9 83.4 47.7 47.8 30.7 12.2 9.6 10.2 32.4 47.6
54 62.9 85.9 61.2 45.1 36.4 20.9 11.4 37.8 69.8 106.1 100.8 81.6 66.5 34.8 30.6 7 19.8 92.5
154.4 125.9 84.8 68.1 38.5 22.8 10.2 24.1 82.9 132 130.9 118.1 89.9 66.6 60 46.9 41 21.3 16 6.4
4.1 6.8 14.5 34 45 43.1 47.5 42.2 28.1 10.1 8.1 2.5 0 1.4 5 12.2 13.9 35.4 45.8 41.1 30.1 23.9
15.6 6.6 4 1.8 8.5 16.6 36.3 49.6 64.2 67 70.9 47.8 27.5 8.5 13.2 56.9 121.5 138.3 103.2 85.7
64.6 36.7 24.2 10.7 15 40.1 61.5 98.5 124.7 96.3 66.6 64.5 54.1 39 20.6 6.7 4.3 22.7 54.8 93.8
95.8 77.2 59.1 44 47 30.5 16.3 7.3 37.6 74 139 111.2 101.6 66.2 44.7 17 11.3 12.4 3.4 6 32.3
54.3 59.7 63.7 63.5 52.2 25.4 13.1 6.8 6.3 7.1 35.6 73 85.1 78 64 41.8 26.2 26.7 12.1 9.5 2.7 5
24.4 42 63.5 53.8 62 48.5 43.9 18.6 5.7 3.6 1.4 9.6 47.4 57.1 103.9 80.6 63.6 37.6 26.1 14.2 5.8
16.7 44.3 63.9 69 77.8 64.9 35.7 21.2 11.1 5.7 8.7 36.1 79.7 114.4 109.6 88.8 67.8 47.5 30.6
16.3 9.6 33.2 92.6 151.6 136.3 134.7 83.9 69.4 31.5 13.9 4.4 38 141.7 190.2 184.8 159 112.3 53.9
37.6 27.9 10.2 15.1 47 93.8 105.9 105.5 104.5 66.6 68.9 38 34.5 15.5 12.6 27.5 92.5 155.4 154.6
140.4 115.9 66.6 45.9 17.9 13.4 29.4 100.2 157.6 142.6 145.7 94.3 54.6 29.9 17.5 8.6 21.5 64.3
93.3 119.6 111 104 63.7 40.4 29.8 15.2 7.5 2.9
"""
FIRST_YEAR = 1700
TRAINING_YEARS = 258  # up to 1957; the 51 years after it are the test
WINDOW = 33  # years that a forecast looks back: three cycles of the sun


class Forecaster(nn.Module):
    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, past: torch.Tensor) -> torch.Tensor:
        """Windows of years (N, years) to the years that follow each of them (N,)."""
        out, _ = self.gru(past.unsqueeze(-1))
        # The network says by how much the last year changes.
        return past[:, -1] + self.head(out[:, -1]).squeeze(-1)

    @torch.no_grad()
    def free_run(self, past: torch.Tensor, years: int) -> torch.Tensor:
        """Forecasts on top of forecasts: what follows `past`, with nothing more to look at."""
        series = past.clone()
        for _ in range(years):
            series = torch.cat([series, self(series[None, -WINDOW:])])
        return series[len(past) :]


def rms(difference: torch.Tensor) -> float:
    return difference.square().mean().sqrt().item()


def plot(measured: torch.Tensor, forecast: torch.Tensor, free: torch.Tensor, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # writes files, needs no screen
    from matplotlib import pyplot

    years = range(FIRST_YEAR + TRAINING_YEARS, FIRST_YEAR + TRAINING_YEARS + len(measured))
    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    axes.plot(years, measured.numpy(), "k", label="measured")
    axes.plot(years, forecast.numpy(), label="forecast one year ahead")
    axes.plot(years[: len(free)], free.numpy(), "--", label="forecast in 1957")
    axes.set(xlabel="year", ylabel="sunspots")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Forecast sunspots with a GRU.")
    parser.add_argument("--epochs", type=int, default=300, help="steps over all training windows")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, default=Path("sunspots.png"), metavar="PNG")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    numbers = torch.tensor([float(n) for n in SUNSPOTS.split()])
    series = torch.sqrt(numbers) / 10  # the root makes high and low cycles alike in size
    windows = series.unfold(0, WINDOW + 1, 1)  # (N, WINDOW + 1): the past, and the year after it
    past, target = windows[:, :-1], windows[:, -1]
    cut = TRAINING_YEARS - WINDOW

    model = Forecaster()
    criterion = nn.HuberLoss(delta=0.1)
    optimizer = optim.RMSprop(model.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    for epoch in range(1, options.epochs + 1):
        optimizer.zero_grad()
        # A little noise keeps the network from learning the 225 windows by heart.
        loss = criterion(model(past[:cut] + 0.05 * torch.randn(cut, WINDOW)), target[:cut])
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        schedule.step()
        if epoch % 25 == 0 or epoch == 1:
            print(f"epoch {epoch:3d}   loss {loss.item():.6f}")

    def spots(x: torch.Tensor) -> torch.Tensor:
        return (10 * x).square()

    with torch.no_grad():
        forecast = model(past[cut:])
    measured = spots(target[cut:])
    free = model.free_run(series[:TRAINING_YEARS], 22)
    plot(measured, spots(forecast), spots(free), options.plot)
    print(f"plot in {options.plot}")
    print(f"one year ahead, 1958 to 2008: off by {rms(spots(forecast) - measured):.1f} spots (rms)")
    print(f"saying 'as last year' is off by {rms(spots(past[cut:, -1]) - measured):.1f}")


if __name__ == "__main__":
    main()
