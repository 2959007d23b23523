import rushlight as torch

# One linear layer, and what backward(), zero_grad() and step() each do to it.
# Run it with: python examples/seed.py
import rushlight.nn.functional as F
from rushlight import optim

IN_DIM, OUT_DIM = 5, 2
LEARNING_RATE = 1e-3


def show_gradients(model: torch.nn.Module) -> None:
    for name, parameter in model.named_parameters():
        print(f"{name}.grad =", parameter.grad)


def one_step() -> None:
    """A vector of 5 through a layer with 2 outputs, and every call of one training step."""
    inputs = torch.randn(IN_DIM)
    target = torch.tensor([1, 2], dtype=torch.float32)
    model = torch.nn.Linear(IN_DIM, OUT_DIM, bias=True)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)

    out = model(inputs)
    loss = criterion(out, target)
    print("inputs =", inputs)
    print("out =", out)
    print("loss =", loss)

    print("\nBefore backward() no parameter has a gradient:")
    show_gradients(model)

    loss.backward()
    print("\nbackward() fills them, a weight of 2x5 and a bias of 2:")
    show_gradients(model)

    criterion(model(inputs), target).backward()
    print("\nA second backward() adds to what is there, so they doubled:")
    show_gradients(model)

    optimizer.zero_grad()
    print("\nzero_grad() takes them away before the next step:")
    show_gradients(model)

    criterion(model(inputs), target).backward()
    before = model.bias.detach().clone()
    optimizer.step()
    print(f"\nstep() moves each parameter by -{LEARNING_RATE} times its gradient:")
    print("bias before =", before)
    print("bias.grad =", model.bias.grad)
    print("bias after =", model.bias)


def loop() -> None:
    """The same calls in the order of a training loop."""
    data = torch.randn(64, IN_DIM)
    target = (data.sum(dim=1) > 0).long()  # the class to learn: is the sum positive?
    network = torch.nn.Sequential(torch.nn.Linear(IN_DIM, OUT_DIM), torch.nn.LogSoftmax(dim=1))
    optimizer = optim.SGD(network.parameters(), lr=1.0)

    print("\nThe loop:")
    for step in range(101):
        optimizer.zero_grad()
        output = network(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            right = (output.argmax(dim=1) == target).sum().item()
            print(f"step {step:3d}   loss {loss.item():.4f}   right {right} of {len(target)}")


if __name__ == "__main__":
    torch.manual_seed(0)
    one_step()
    loop()
