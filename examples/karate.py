import rushlight as torch

# A graph network written by hand: which side will each member of a karate club take?
# Run it with: python examples/karate.py
import argparse

from rushlight import nn, optim
from rushlight.nn import functional as F

# Zachary's karate club (1977): 34 members and the 78 pairs who met outside the club. It split in
# two, around the instructor (member 0) and the officer (member 33).
FRIENDS = {
    0: [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
    1: [2, 3, 7, 13, 17, 19, 21, 30],
    2: [3, 7, 8, 9, 13, 27, 28, 32],
    3: [7, 12, 13],
    4: [6, 10],
    5: [6, 10, 16],
    6: [16],
    8: [30, 32, 33],
    9: [33],
    13: [33],
    14: [32, 33],
    15: [32, 33],
    18: [32, 33],
    19: [33],
    20: [32, 33],
    22: [32, 33],
    23: [25, 27, 29, 32, 33],
    24: [25, 27, 31],
    25: [31],
    26: [29, 33],
    27: [33],
    28: [31, 33],
    29: [32, 33],
    30: [32, 33],
    31: [32, 33],
    32: [33],
}
MEMBERS = 34
WITH_OFFICER = [9, 14, 15, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33]


class GraphConv(nn.Module):
    """A layer of Kipf and Welling's graph network (2016, arXiv:1609.02907).

    Each node takes the mean of its neighbours' messages and its own, weighted by degrees.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, edges: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Nodes (N, inputs), edges (2, E) from source to target, weight (E,): (N, outputs)."""
        source, target = edges
        x = self.linear(x)
        messages = weight.unsqueeze(1) * x[source]
        return torch.zeros_like(x).index_add(0, target, messages) + self.bias


class GraphNetwork(nn.Module):
    def __init__(self, edges: torch.Tensor, hidden: int = 16) -> None:
        super().__init__()
        source, target = edges
        degree = torch.zeros(MEMBERS).index_add_(0, target, torch.ones(edges.size(1)))
        self.register_buffer("edges", edges)
        self.register_buffer("weight", (degree[source] * degree[target]).rsqrt())
        self.features = nn.Parameter(torch.eye(MEMBERS), requires_grad=False)  # who is who
        self.conv1 = GraphConv(MEMBERS, hidden)
        self.conv2 = GraphConv(hidden, hidden)
        self.head = nn.Linear(hidden, 2)

    def forward(self) -> torch.Tensor:
        x = torch.tanh(self.conv1(self.features, self.edges, self.weight))
        x = F.dropout(x, 0.2, training=self.training)
        x = torch.tanh(self.conv2(x, self.edges, self.weight))
        return self.head(x)


def both_ways_and_to_oneself() -> torch.Tensor:
    pairs = torch.tensor([(a, b) for a, others in FRIENDS.items() for b in others])
    oneself = torch.arange(MEMBERS).repeat(2, 1)
    return torch.cat([pairs.t(), pairs.flip(1).t(), oneself], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tell the two sides of a karate club apart.")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    edges = both_ways_and_to_oneself()
    side = torch.zeros(MEMBERS, dtype=torch.long)
    side[WITH_OFFICER] = 1
    known = torch.zeros(MEMBERS, dtype=torch.bool)
    known[[0, 33]] = True  # the two leaders; of the others it learns nothing but their friends

    model = GraphNetwork(edges)
    print(f"{MEMBERS} members, {edges.size(1)} edges with both directions and loops")
    optimizer = optim.Adam(model.parameters(), lr=options.lr, weight_decay=5e-3)
    for step in range(1, options.steps + 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model()[known], side[known])
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == 1:
            print(f"step {step:3d}   loss {loss.item():.4f}")

    model.eval()
    with torch.no_grad():
        said = model().argmax(dim=1)
    right = (said == side)[~known].sum().item()
    wrong = ((said != side) & ~known).nonzero().flatten().tolist()
    print(f"right for {right} of the {MEMBERS - 2} others; wrong for {wrong}")


if __name__ == "__main__":
    main()
