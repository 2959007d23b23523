import rushlight as torch

# A small GPT in the shape of nanoGPT: it reads Python's own manual and then writes it.
# Run it with: python examples/char_gpt.py
import argparse
import math
from dataclasses import dataclass
from pydoc_data.topics import topics  # the text behind help("topics"); every Python has it

from rushlight import nn, optim
from rushlight.nn import functional as F

CHAPTERS = ("compound", "specialnames", "types", "typesseq")


@dataclass
class Config:
    vocab_size: int
    block_size: int = 64
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0


class CausalSelfAttention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(config.n_embd, 4 * config.n_embd),
                "c_proj": nn.Linear(4 * config.n_embd, config.n_embd),
                "dropout": nn.Dropout(config.dropout),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        hidden = F.gelu(self.mlp["c_fc"](self.ln_2(x)))
        return x + self.mlp["dropout"](self.mlp["c_proj"](hidden))


class GPT(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.wte.weight = self.lm_head.weight  # one matrix reads and writes characters
        self.apply(self.init_weights)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):  # what is added to the residual stream
                nn.init.normal_(parameter, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

    @staticmethod
    def init_weights(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, idx, targets=None):
        """Characters (B, T) to logits, and their loss where the next characters are given."""
        position = torch.arange(idx.size(1), device=idx.device)
        x = self.drop(self.wte(idx) + self.wpe(position))
        for block in self.h:
            x = block(x)
        x = self.ln_f(x)
        if targets is None:
            return self.lm_head(x[:, [-1], :]), None
        logits = self.lm_head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    @torch.no_grad()
    def generate(self, idx: torch.Tensor, length: int, top_k: int = 10) -> torch.Tensor:
        for _ in range(length):
            logits, _ = self(idx[:, -self.config.block_size :])
            logits = logits[:, -1, :] / 0.8
            least = torch.topk(logits, top_k).values[:, [-1]]
            logits[logits < least] = -float("Inf")
            idx = torch.cat((idx, torch.multinomial(F.softmax(logits, dim=-1), 1)), dim=1)
        return idx


def optimizer_for(model: GPT, lr: float) -> optim.Optimizer:
    """AdamW that lets matrices decay, and leaves biases and norms alone."""
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=lr, betas=(0.9, 0.99))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a GPT on Python's manual.")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--length", type=int, default=300, help="characters to write at the end")
    parser.add_argument("--seed", type=int, default=1337)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    text = "\n".join(topics[name] for name in CHAPTERS)
    characters = sorted(set(text))
    stoi = {c: i for i, c in enumerate(characters)}
    data = torch.tensor([stoi[c] for c in text], dtype=torch.long)
    cut = int(0.95 * len(data))
    parts = {"train": data[:cut], "val": data[cut:]}

    model = GPT(Config(vocab_size=len(characters)))
    block_size = model.config.block_size

    def get_batch(split: str) -> tuple[torch.Tensor, torch.Tensor]:
        part = parts[split]
        starts = torch.randint(len(part) - block_size, (options.batch_size,))
        x = torch.stack([part[i : i + block_size] for i in starts])
        y = torch.stack([part[i + 1 : i + 1 + block_size] for i in starts])
        return x, y

    @torch.no_grad()
    def estimate_loss(batches: int = 10) -> dict[str, float]:
        model.eval()
        means = {}
        for split in parts:
            losses = torch.zeros(batches)
            for k in range(batches):
                losses[k] = model(*get_batch(split))[1].item()
            means[split] = losses.mean().item()
        model.train()
        return means

    print(f"{len(text)} characters, {sum(p.numel() for p in model.parameters())} parameters")
    optimizer = optimizer_for(model, options.lr)
    warmup = 20

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, options.steps - warmup)
        return 0.1 + 0.45 * (1 + math.cos(math.pi * done))

    schedule = optim.lr_scheduler.LambdaLR(optimizer, factor)
    for step in range(1, options.steps + 1):
        _, loss = model(*get_batch("train"))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step == 1:
            print(f"step {step:4d}   loss {loss.item():.4f}   lr {schedule.get_last_lr()[0]:.2e}")

    means = estimate_loss()
    model.eval()
    start = torch.tensor([[stoi[c] for c in "The "]])
    print("\n" + "".join(characters[i] for i in model.generate(start, options.length)[0].tolist()))
    print(f"\ntrain loss {means['train']:.4f}, val loss {means['val']:.4f}")


if __name__ == "__main__":
    main()
