import rushlight as torch

# A variational autoencoder of handwritten digits (Kingma and Welling, 2013, arXiv:1312.6114).
# Run it with: python examples/vae.py
import argparse
import sys
from pathlib import Path

from rushlight import nn, optim
from rushlight.nn import functional as F
from rushlight.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits
from tqdm import tqdm


class VAE(nn.Module):
    """64 pixels to a normal distribution over `latent` numbers, and from there to 64 pixels."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc_mean = nn.Linear(128, latent)
        self.fc_logvar = nn.Linear(128, latent)
        self.fc3 = nn.Linear(latent, 128)
        self.fc4 = nn.Linear(128, 64)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = F.relu(self.fc1(x))
        return self.fc_mean(hidden), self.fc_logvar(hidden)

    def reparameterize(self, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        """A draw whose derivative with respect to mean and variance is known."""
        std = torch.exp(0.5 * logvar)
        return mean + std * torch.randn_like(std)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, logvar = self.encode(x)
        return self.decode(self.reparameterize(mean, logvar)), mean, logvar


def loss_function(
    reconstruction: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, logvar: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two terms of the negative evidence lower bound, summed over the batch, in nats."""
    entropy = F.binary_cross_entropy(reconstruction, x, reduction="sum")
    divergence = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())
    return entropy, divergence


def plot(model: VAE, images: torch.Tensor, latent: int, path: Path) -> None:
    """Eight digits, what the model makes of them, and 16 that it makes up."""
    import matplotlib

    matplotlib.use("Agg")  # writes files, needs no screen
    from matplotlib import pyplot

    with torch.no_grad():
        rebuilt = model.decode(model.encode(images[:8])[0])
        invented = model.decode(torch.randn(16, latent))
    figure, axes = pyplot.subplots(4, 8, figsize=(8, 4.4), layout="constrained")
    pixels = torch.cat([images[:8], rebuilt, invented]).view(-1, 8, 8).numpy()
    for axis, image in zip(axes.flat, pixels):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        axis.axis("off")
    figure.suptitle("digits, their reconstructions, and two rows of new ones")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a VAE on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--latent", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, default=Path("vae.png"), metavar="PNG")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    images = torch.from_numpy(load_digits().data).float().div(16)
    train_set, test_images = TensorDataset(images[:-360]), images[-360:]
    loader = DataLoader(train_set, batch_size=options.batch_size, shuffle=True)
    model = VAE(options.latent)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)

    progress = tqdm(range(options.epochs), desc="training", unit="epoch", file=sys.stdout)
    for _ in progress:
        total = 0.0
        for (x,) in loader:
            optimizer.zero_grad()
            reconstruction, mean, logvar = model(x)
            entropy, divergence = loss_function(reconstruction, x, mean, logvar)
            loss = entropy + divergence
            loss.backward()
            optimizer.step()
            total += loss.item()
        progress.set_postfix(loss=f"{total / len(train_set):.3f}", refresh=False)

    model.eval()
    with torch.no_grad():
        reconstruction, mean, logvar = model(test_images)
        entropy, divergence = loss_function(reconstruction, test_images, mean, logvar)
    count = len(test_images)
    plot(model, test_images, options.latent, options.plot)
    print(f"images in {options.plot}")
    print(f"training loss {total / len(train_set):.3f} nats per image")
    print(
        f"test loss {(entropy + divergence).item() / count:.3f}, "
        f"of which reconstruction {entropy.item() / count:.3f}"
    )


if __name__ == "__main__":
    main()
