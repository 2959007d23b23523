import rushlight as torch

# A classifier of handwritten digits, trained in seconds: 8x8 grey images, ten classes.
# Run it with: python examples/digits.py
import argparse
import sys
import time
from pathlib import Path

from rushlight import nn, optim
from rushlight.utils.data import DataLoader, TensorDataset, random_split
from sklearn.datasets import load_digits
from tqdm import tqdm

TEST_IMAGES = 360  # of 1797
REQUIRED_ACCURACY = 0.97
NOISE = 0.15  # added to the images of each batch, so that none is seen twice


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=3e-3, help="Adam's learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, default=Path("digits-loss.png"), metavar="PNG")
    return parser.parse_args()


def load() -> TensorDataset:
    """1797 images as rows of 64 values in [0, 1], with their digit."""
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 16
    return TensorDataset(images, torch.tensor(digits.target))


def classifier() -> nn.Module:
    return nn.Sequential(
        nn.Dropout(0.1),
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            total += len(labels)
    model.train()
    return right / total


def train(
    model: nn.Module, loader: DataLoader, epochs: int, learning_rate: float
) -> tuple[list[float], float]:
    """Returns the loss of every step, and the seconds that they took."""
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=learning_rate)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    losses = []
    start = time.perf_counter()
    with tqdm(range(epochs), desc="training", unit="epoch", file=sys.stdout) as progress:
        for _ in progress:
            for images, labels in loader:
                optimizer.zero_grad()
                noisy = images + NOISE * torch.randn_like(images)
                loss = criterion(model(noisy), labels)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            schedule.step()
            progress.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
    return losses, time.perf_counter() - start


def plot(losses: list[float], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # writes files, needs no screen
    from matplotlib import pyplot

    window = 20
    mean = [
        sum(losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(losses))
    ]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.semilogy(losses, linewidth=0.5, alpha=0.5, label="each step")
    axes.semilogy(mean, linewidth=1.5, label=f"mean of {window} steps")
    axes.set(xlabel="step", ylabel="cross-entropy loss", title="Handwritten digits, 64-256-128-10")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> int:
    options = arguments()
    torch.manual_seed(options.seed)
    dataset = load()
    train_set, test_set = random_split(dataset, [len(dataset) - TEST_IMAGES, TEST_IMAGES])
    model = classifier()
    loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True)

    losses, seconds = train(model, loader, options.epochs, options.lr)
    reached = accuracy(model, DataLoader(test_set, batch_size=TEST_IMAGES))
    plot(losses, options.plot)

    print(f"test accuracy {reached:.2%} on {TEST_IMAGES} images that it never saw")
    print(f"loss curve in {options.plot}")
    print(f"{len(losses)} steps in {seconds:.2f} s: {len(losses) / seconds:.0f} steps per second")
    if reached < REQUIRED_ACCURACY:
        print(f"that is below {REQUIRED_ACCURACY:.0%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
