import rushlight as torch

# A run that can be stopped at any step, with kill -9 too, and started again: it ends with the same
# bits. Run it with: python examples/resume.py [--stop-at STEP]
import argparse
import hashlib
import os

from rushlight import nn, optim
from rushlight.utils.data import DataLoader, TensorDataset
from rushlight.utils.resume import load_run, save_run

EPOCHS, SAVE_EVERY = 5, 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Training that goes on where it was stopped.")
    parser.add_argument("--file", default="run.pt", help="where the run is saved")
    parser.add_argument("--stop-at", type=int, help="stop there as if the power had gone")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    angles = torch.rand(640, 1) * 6
    loader = DataLoader(TensorDataset(angles, torch.sin(angles)), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Dropout(0.05), nn.Linear(64, 1))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(loader))
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "loader": loader}

    done = load_run(arguments.file, **parts) if os.path.exists(arguments.file) else {}
    step = done.get("step", 0)
    print(f"from step {step}")
    for epoch in range(done.get("epoch", 0), EPOCHS):
        for inputs, targets in loader:  # the first time, from where the loader was
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            if step == arguments.stop_at:
                os._exit(1)
            if step % SAVE_EVERY == 0:
                save_run(arguments.file, **parts, epoch=epoch, step=step)
                print(f"step {step:3d}   loss {loss.item():.4f}")

    weights = b"".join(parameter.detach().numpy().tobytes() for parameter in model.parameters())
    print("weights", hashlib.sha256(weights).hexdigest()[:16])


if __name__ == "__main__":
    main()
