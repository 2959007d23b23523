import rushlight as torch

# Deep Q-learning (Mnih et al., 2013, arXiv:1312.5602) on gymnasium's pole: a network learns what
# each action is worth, from a memory of what happened before.
# Run it with: python examples/dqn.py
import argparse
import itertools
import math
import random
from collections import deque, namedtuple

import gymnasium as gym
from rushlight import nn, optim

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))

GAMMA = 0.99  # discount of later rewards
EPS_START, EPS_END, EPS_DECAY = 0.9, 0.01, 1000  # how often it acts at random, and for how long
TAU = 0.005  # the part of the network that goes over to the target in each step
SOLVED = 195  # steps that the last 20 episodes must average


class DQN(nn.Module):
    def __init__(self, observations: int, actions: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(observations, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, actions),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def optimize(
    memory: deque, policy: DQN, target: DQN, optimizer: optim.Optimizer, batch_size: int
) -> torch.Tensor | None:
    """One step towards Bellman's equation, on transitions drawn from the memory."""
    if len(memory) < batch_size:
        return None
    batch = Transition(*zip(*random.sample(memory, batch_size)))
    # Where the episode ended, nothing more is to be earned.
    goes_on = torch.tensor([s is not None for s in batch.next_state], device=device)
    next_states = torch.cat([s for s in batch.next_state if s is not None])
    states, actions = torch.cat(batch.state), torch.cat(batch.action)
    rewards = torch.cat(batch.reward)

    values = policy(states).gather(1, actions)
    next_values = torch.zeros(batch_size, device=device)
    with torch.no_grad():
        next_values[goes_on] = target(next_states).max(1).values
    expected = rewards + GAMMA * next_values

    loss = nn.SmoothL1Loss()(values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(policy.parameters(), 100)
    optimizer.step()
    return loss


@torch.no_grad()
def play(env: gym.Env, policy: DQN) -> int:
    """The length of an episode in which each action is the one that is thought best."""
    observation, _ = env.reset()
    for steps in itertools.count(1):
        values = policy(torch.as_tensor(observation, device=device))
        observation, _, terminated, truncated, _ = env.step(values.argmax().item())
        if terminated or truncated:
            return steps


def main() -> None:
    parser = argparse.ArgumentParser(description="Balance a pole by Q-learning.")
    parser.add_argument("--episodes", type=int, default=200, help="at most; it stops when solved")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    env = gym.make("CartPole-v1")
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    env.action_space.seed(options.seed)
    policy = DQN(4, env.action_space.n).to(device)
    target = DQN(4, env.action_space.n).to(device)
    target.load_state_dict(policy.state_dict())
    optimizer = optim.AdamW(policy.parameters(), lr=options.lr, amsgrad=True)
    memory = deque(maxlen=10_000)
    steps_done, durations, loss = 0, [], None

    def select_action(state: torch.Tensor) -> torch.Tensor:
        eps = EPS_END + (EPS_START - EPS_END) * math.exp(-steps_done / EPS_DECAY)
        if random.random() > eps:
            with torch.no_grad():
                return policy(state).max(1).indices.view(1, 1)
        return torch.tensor([[env.action_space.sample()]], device=device, dtype=torch.long)

    for episode in range(1, options.episodes + 1):
        observation, _ = env.reset(seed=options.seed if episode == 1 else None)
        state = torch.tensor(observation, dtype=torch.float32, device=device).unsqueeze(0)
        duration = 0
        while state is not None:
            action = select_action(state)
            steps_done += 1
            duration += 1
            observation, reward, terminated, truncated, _ = env.step(action.item())
            next_state = None
            if not terminated:
                next_state = torch.tensor(observation, dtype=torch.float32, device=device)
                next_state = next_state.unsqueeze(0)
            reward = torch.tensor([reward], dtype=torch.float32, device=device)
            memory.append(Transition(state, action, next_state, reward))
            state = None if truncated else next_state

            loss = optimize(memory, policy, target, optimizer, options.batch_size)
            new, old = policy.state_dict(), target.state_dict()
            for key in new:
                old[key] = new[key] * TAU + old[key] * (1 - TAU)
            target.load_state_dict(old)
        durations.append(duration)
        average = sum(durations[-20:]) / len(durations[-20:])
        if episode % 10 == 0 and loss is not None:
            print(f"episode {episode:3d}   loss {loss.item():.5f}   average of 20: {average:.1f}")
        if len(durations) >= 20 and average >= SOLVED:
            print(f"solved: the last 20 episodes average {average:.1f} steps")
            break

    lengths = [play(env, policy) for _ in range(5)]
    print(f"{episode} episodes, {steps_done} steps; without chance the pole then stays up for")
    print(f"{lengths} steps, {sum(lengths) / len(lengths):.1f} on average")


if __name__ == "__main__":
    main()
