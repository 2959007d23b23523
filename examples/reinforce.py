import rushlight as torch

# REINFORCE (Williams, 1992): a policy learns to balance gymnasium's pole from what it earned.
# Run it with: python examples/reinforce.py
import argparse
from collections import deque

import gymnasium as gym
from rushlight import nn, optim
from rushlight.distributions import Categorical
from rushlight.nn import functional as F


class Policy(nn.Module):
    """A state of the cart and its pole to the probabilities of left and right."""

    def __init__(self) -> None:
        super().__init__()
        self.affine1 = nn.Linear(4, 128)
        self.dropout = nn.Dropout(p=0.6)
        self.affine2 = nn.Linear(128, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.dropout(self.affine1(x)))
        return F.softmax(self.affine2(x), dim=1)

    def select_action(self, state) -> int:
        distribution = Categorical(self(torch.from_numpy(state).float().unsqueeze(0)))
        action = distribution.sample()
        self.saved_log_probs.append(distribution.log_prob(action))
        return action.item()


def finish_episode(policy: Policy, optimizer: optim.Optimizer, gamma: float) -> torch.Tensor:
    """One step uphill: each action by the reward that came after it."""
    returns = deque()
    for reward in reversed(policy.rewards):
        returns.appendleft(reward + gamma * (returns[0] if returns else 0))
    returns = torch.tensor(returns)
    eps = torch.finfo(torch.float32).eps
    returns = (returns - returns.mean()) / (returns.std() + eps)
    policy_loss = []
    for log_prob, reward in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * reward)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return policy_loss


def main() -> None:
    parser = argparse.ArgumentParser(description="Balance a pole by REINFORCE.")
    parser.add_argument("--episodes", type=int, default=500, help="at most; it stops when solved")
    parser.add_argument("--gamma", type=float, default=0.99, help="discount of later rewards")
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=543)
    parser.add_argument("--log-interval", type=int, default=10)
    options = parser.parse_args()

    env = gym.make("CartPole-v1")
    torch.manual_seed(options.seed)
    policy = Policy()
    optimizer = optim.Adam(policy.parameters(), lr=options.lr)
    running_reward = 10.0
    for episode in range(1, options.episodes + 1):
        state, _ = env.reset(seed=options.seed if episode == 1 else None)
        total = 0.0
        while True:
            state, reward, terminated, truncated, _ = env.step(policy.select_action(state))
            policy.rewards.append(float(reward))
            total += float(reward)
            if terminated or truncated:
                break
        running_reward = 0.05 * total + 0.95 * running_reward
        loss = finish_episode(policy, optimizer, options.gamma)
        if episode % options.log_interval == 0:
            print(
                f"episode {episode:3d}   loss {loss.item():.4f}   "
                f"steps {total:3.0f}   average {running_reward:.2f}"
            )
        if running_reward > env.spec.reward_threshold:
            print(f"solved: the average of {running_reward:.1f} is above what is asked for")
            break
    print(f"after {episode} episodes the pole stays up for {running_reward:.1f} steps on average")


if __name__ == "__main__":
    main()
