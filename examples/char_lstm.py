import rushlight as torch

# A language model of characters: two layers of LSTM read Python's own manual and then write it.
# Run it with: python examples/char_lstm.py
import argparse
import math
from pydoc_data.topics import topics  # the text behind help("topics"); every Python has it

from rushlight import nn, optim
from rushlight.nn import functional as F

CHAPTERS = ("compound", "specialnames", "types", "typesseq")


def load() -> tuple[str, list[str]]:
    """The text, 175 thousand characters in Python 3.11, and the characters that are in it."""
    text = "\n".join(topics[name] for name in CHAPTERS)
    return text, sorted(set(text))


def in_columns(data: torch.Tensor, columns: int) -> torch.Tensor:
    """Cuts the text into columns that are read side by side: (length, columns)."""
    length = len(data) // columns
    return data[: length * columns].view(columns, length).t().contiguous()


class CharLSTM(nn.Module):
    def __init__(self, characters: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, hidden)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(hidden, hidden, layers, dropout=dropout)
        self.head = nn.Linear(hidden, characters)

    def forward(self, x, state=None):
        """Characters (length, columns) to logits (length, columns, characters), and the state."""
        out, state = self.lstm(self.dropout(self.embedding(x)), state)
        return self.head(self.dropout(out)), state


def evaluate(model: CharLSTM, data: torch.Tensor, window: int) -> float:
    """Cross-entropy in nats per character."""
    model.eval()
    total, state = 0.0, None
    with torch.no_grad():
        for start in range(0, len(data) - 1, window):
            x = data[start : start + window]
            y = data[start + 1 : start + 1 + window]
            logits, state = model(x[: len(y)], state)
            total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
    model.train()
    return total / data[1:].numel()


@torch.no_grad()
def write(model: CharLSTM, characters: list[str], start: str, length: int) -> str:
    """Text that the model goes on with, drawn at temperature 0.7."""
    model.eval()
    text = start
    x = torch.tensor([[characters.index(c)] for c in start])
    state = None
    for _ in range(length):
        logits, state = model(x, state)
        x = torch.multinomial(F.softmax(logits[-1] / 0.7, dim=-1), num_samples=1)
        text += characters[x.item()]
    model.train()
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an LSTM on Python's manual.")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--window", type=int, default=64, help="characters per step")
    parser.add_argument("--hidden", type=int, default=160)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--length", type=int, default=300, help="characters to write at the end")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    text, characters = load()
    number = {c: i for i, c in enumerate(characters)}
    data = torch.tensor([number[c] for c in text])
    held_out = len(data) // 20
    train_data = in_columns(data[:-held_out], options.batch_size)
    test_data = in_columns(data[-held_out:], 8)
    print(f"{len(text)} characters, {len(characters)} different ones")

    model = CharLSTM(len(characters), options.hidden, layers=2, dropout=0.1)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.steps)
    state, position = None, 0
    for step in range(1, options.steps + 1):
        if position + options.window >= len(train_data):
            state, position = None, 0
        x = train_data[position : position + options.window]
        y = train_data[position + 1 : position + 1 + options.window]
        position += options.window

        logits, state = model(x, state)
        # The state goes on to the next window; its gradient does not.
        state = tuple(s.detach() for s in state)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == options.steps:
            print(f"step {step:4d}   loss {loss.item():.4f}   gradient norm {norm.item():.3f}")

    test_loss = evaluate(model, test_data, options.window)
    print("\n" + write(model, characters, "The ", options.length) + "\n")
    print(f"test loss {test_loss:.4f}, {test_loss / math.log(2):.2f} bits per character")


if __name__ == "__main__":
    main()
