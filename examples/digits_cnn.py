import rushlight as torch

# A small convolutional network for the handwritten digits, written as PyTorch's MNIST example is.
# Run it with: python examples/digits_cnn.py
import argparse

from rushlight import nn, optim
from rushlight.nn import functional as F
from rushlight.utils.data import DataLoader, Dataset
from sklearn.datasets import load_digits

TEST_IMAGES = 360  # of 1797


class Digits(Dataset):
    """8x8 grey images in [0, 1] with their digit; each is moved by up to one pixel in training."""

    def __init__(self, train: bool) -> None:
        digits = load_digits()
        part = slice(TEST_IMAGES, None) if train else slice(0, TEST_IMAGES)
        self.images = torch.tensor(digits.images[part], dtype=torch.float32).unsqueeze(1) / 16
        self.labels = torch.tensor(digits.target[part])
        self.train = train

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.images[index]
        if self.train:
            down, right = torch.randint(-1, 2, (2,)).tolist()
            image = F.pad(image, (1, 1, 1, 1))[:, 1 + down : 9 + down, 1 + right : 9 + right]
        return image, self.labels[index]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.dropout1 = nn.Dropout2d(0.1)
        self.dropout2 = nn.Dropout(0.3)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)  # (N, 16, 4, 4)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)  # (N, 32, 2, 2)
        x = torch.flatten(self.dropout1(x), 1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def train(
    model: nn.Module,
    loader: DataLoader,
    optimizer: optim.Optimizer,
    schedule: optim.lr_scheduler.LRScheduler,
) -> float:
    """One epoch. Returns its mean loss."""
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
    return total / len(loader)


def test(model: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """The mean loss over the test images, and the part of them that it names rightly."""
    model.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            output = model(images)
            loss += F.nll_loss(output, labels, reduction="sum").item()
            prediction = output.argmax(dim=1, keepdim=True)
            correct += prediction.eq(labels.view_as(prediction)).sum().item()
    return loss / TEST_IMAGES, correct / TEST_IMAGES


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a CNN on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.01, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", metavar="FILE", help="where the trained parameters go")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    loader = DataLoader(Digits(train=True), batch_size=options.batch_size, shuffle=True)
    test_loader = DataLoader(Digits(train=False), batch_size=120)
    model = Net()
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    optimizer = optim.AdamW(model.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=options.lr, epochs=options.epochs, steps_per_epoch=len(loader)
    )
    for epoch in range(1, options.epochs + 1):
        loss = train(model, loader, optimizer, schedule)
        test_loss, accuracy = test(model, test_loader)
        print(f"epoch {epoch:2d}   loss {loss:.4f}   test loss {test_loss:.4f}   {accuracy:.2%}")
    print(f"test accuracy {accuracy:.2%} on {TEST_IMAGES} images that it never saw")
    if options.save:
        torch.save(model.state_dict(), options.save)


if __name__ == "__main__":
    main()
