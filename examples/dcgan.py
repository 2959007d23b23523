import rushlight as torch

# A DCGAN that makes up handwritten digits (Radford, Metz and Chintala, 2015, arXiv:1511.06434).
# Run it with: python examples/dcgan.py
import argparse
import sys
from pathlib import Path

from rushlight import nn, optim
from rushlight.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits
from tqdm import tqdm

NOISE = 32  # numbers that an image is made from


class Generator(nn.Module):
    """Noise (N, NOISE, 1, 1) to images (N, 1, 8, 8) in [-1, 1]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(NOISE, 2 * width, 2, 1, 0, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(True),
            nn.ConvTranspose2d(width, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.main(noise)


class Discriminator(nn.Module):
    """Images to the probability (N,) that they are real."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 1, 2, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.main(images).view(-1, 1).squeeze(1)


def weights_init(module: nn.Module) -> None:
    """The paper's: weights with a standard deviation of 0.02."""
    classname = module.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def plot(images: torch.Tensor, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # writes files, needs no screen
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(6, 10, figsize=(8, 5), layout="constrained")
    for axis, image in zip(axes.flat, images.squeeze(1).numpy()):
        axis.imshow(image, cmap="gray", vmin=-1, vmax=1)
        axis.axis("off")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a DCGAN on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=999)
    parser.add_argument("--plot", type=Path, default=Path("dcgan.png"), metavar="PNG")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    loader = DataLoader(
        TensorDataset(images), batch_size=options.batch_size, shuffle=True, drop_last=True
    )
    generator = Generator().apply(weights_init)
    discriminator = Discriminator().apply(weights_init)
    criterion = nn.BCELoss()
    optimizer_d = optim.Adam(discriminator.parameters(), lr=options.lr, betas=(0.5, 0.999))
    optimizer_g = optim.Adam(generator.parameters(), lr=options.lr, betas=(0.5, 0.999))
    fixed_noise = torch.randn(60, NOISE, 1, 1)
    real_label, fake_label = 0.9, 0.0  # 0.9: the discriminator must not grow too sure

    progress = tqdm(range(options.epochs), desc="training", unit="epoch", file=sys.stdout)
    for _ in progress:
        for (real,) in loader:
            # The discriminator: maximise log D(x) + log(1 - D(G(z))).
            discriminator.zero_grad()
            label = torch.full((real.size(0),), real_label, dtype=torch.float)
            output = discriminator(real)
            loss_real = criterion(output, label)
            loss_real.backward()
            d_x = output.mean().item()

            noise = torch.randn(real.size(0), NOISE, 1, 1)
            fake = generator(noise)
            label.fill_(fake_label)
            loss_fake = criterion(discriminator(fake.detach()), label)
            loss_fake.backward()
            optimizer_d.step()

            # The generator: maximise log D(G(z)).
            generator.zero_grad()
            label.fill_(1.0)
            output = discriminator(fake)
            loss_g = criterion(output, label)
            loss_g.backward()
            d_g = output.mean().item()
            optimizer_g.step()
        loss_d = loss_real.item() + loss_fake.item()
        progress.set_postfix(D=f"{loss_d:.3f}", G=f"{loss_g.item():.3f}", refresh=False)

    generator.eval()
    with torch.no_grad():
        plot(generator(fixed_noise), options.plot)
        made = generator(torch.randn(1000, NOISE, 1, 1))
    apart = (made.mean(dim=0) - images.mean(dim=0)).abs().mean().item()
    print(f"images in {options.plot}")
    print(f"loss of D {loss_d:.4f}, of G {loss_g.item():.4f}; D(x) {d_x:.3f}, D(G(z)) {d_g:.3f}")
    print(f"the mean of 1000 made images is {apart:.3f} from that of the real ones")


if __name__ == "__main__":
    main()
