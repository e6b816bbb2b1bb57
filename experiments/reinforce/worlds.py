"""Environments from gymnasium: many in lockstep, and the best policy of a grid world."""

from typing import Any, NamedTuple

import numpy as np

from ..common import InputError

GRIDS = {"4x4": 30, "8x8": 60}  # map -> steps until an episode is cut off
SCALES = np.array([2.4, 2.0, 0.21, 2.0], np.float32)  # of CartPole's four numbers


def gymnasium() -> Any:
    """The package, loaded when it is needed.

    **Raises:** `InputError` where it is missing.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise InputError(
            "gymnasium is not installed, and has the environments. "
            "Install it with `pip install gymnasium`."
        ) from error
    return gymnasium


class Step(NamedTuple):
    """The outcome of a step in each environment: where the episode had ended the step before, it
    only began anew, and is not `real`."""

    seen: np.ndarray
    reward: np.ndarray
    ended: np.ndarray  # by itself: nothing follows
    cut: np.ndarray  # by the limit of steps
    real: np.ndarray


class Lockstep:
    """Copies of an environment that take their steps together."""

    def __init__(self, envs: Any):
        self.envs, self.over = envs, np.zeros(envs.num_envs, bool)

    def reset(self, seed: int) -> np.ndarray:
        """The beginnings of new episodes."""
        self.over[:] = False
        return self.envs.reset(seed=seed)[0]

    def step(self, actions: np.ndarray) -> Step:
        """One step of each."""
        real = ~self.over
        seen, reward, ended, cut, _ = self.envs.step(actions)
        self.over = ended | cut
        return Step(seen, reward, ended, cut, real)


def cartpole(count: int) -> Lockstep:
    """`count` poles to be balanced: 1 a step, 500 steps at most."""
    return Lockstep(
        gymnasium().make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point")
    )


def scaled(seen: np.ndarray) -> np.ndarray:
    """CartPole's numbers, each of the order of one, of both signs."""
    return np.asarray(seen, np.float32) / SCALES


class Grid(NamedTuple):
    """A grid world: the `next` state of each action [states, actions], its `reward`, whether that
    `ends` the episode; cells whose episode is not over (`open`); the letters of the map."""

    next: np.ndarray
    reward: np.ndarray
    ends: np.ndarray
    open: np.ndarray
    letters: np.ndarray


def frozen_lake(name: str) -> Grid:
    """The lake that is not slippery, by the name of its map (`GRIDS`)."""
    if name not in GRIDS:
        raise InputError(f"grids: no map {name!r}. Pass some of {', '.join(GRIDS)}.")
    env = gymnasium().make("FrozenLake-v1", map_name=name, is_slippery=False).unwrapped
    return grid(env.P, np.asarray(env.desc).astype(str))


def grid(transitions: dict, letters: np.ndarray) -> Grid:
    """A grid world of a transition table such as gymnasium's.

    **Raises:** `InputError` where an action can lead to several places.
    """
    rows = [[row[action] for action in sorted(row)] for _, row in sorted(transitions.items())]
    if any(len(each) != 1 for row in rows for each in row):
        raise InputError("grids: actions of this world have chances; pass one where they do not.")
    table = np.array([[each[0][1:] for each in row] for row in rows], float)
    after, ends = table[..., 0].astype(int), table[..., 2].astype(bool)
    over = np.zeros(len(after), bool)
    over[np.unique(after[ends])] = True
    return Grid(after, table[..., 1], ends, ~over, letters)


def frozen_lakes(name: str, world: Grid, count: int) -> Lockstep:
    """Copies of the lake whose episodes begin in any open cell (exploring starts)."""
    envs = gymnasium().make_vec(
        "FrozenLake-v1", num_envs=count, vectorization_mode="sync", map_name=name,
        is_slippery=False, max_episode_steps=GRIDS[name],
    )  # fmt: skip
    for env in envs.envs:
        env.unwrapped.initial_state_distrib = world.open / world.open.sum()
    return Lockstep(envs)


def optimal_values(world: Grid, gamma: float, tolerance: float = 1e-12) -> np.ndarray:
    """Values of actions [states, actions] if all that follow are the best (value iteration;
    Sutton & Barto 2018, eq. 4.10)."""
    values = np.zeros(world.reward.shape)
    while True:
        new = world.reward + gamma * np.where(world.ends, 0.0, values.max(1)[world.next])
        if np.abs(new - values).max() < tolerance:
            return new
        values = new


def is_optimal(world: Grid, policy: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of each cell whether the policy's action is one of the best there; true where it is over."""
    of_policy = values[np.arange(len(values)), policy]
    return ~world.open | (of_policy >= values.max(1) - 1e-9)


def walk(world: Grid, policy: np.ndarray, start: int, limit: int = 1000) -> tuple[float, int]:
    """The reward and the number of steps of a policy's episode."""
    state, total = start, 0.0
    for k in range(limit):
        action = policy[state]
        total += world.reward[state, action]
        if world.ends[state, action]:
            return total, k + 1
        state = world.next[state, action]
    return total, limit


def tabular(
    envs: Lockstep, world: Grid, gamma: float, steps: int, seed: int, moments: int
) -> np.ndarray:
    """Q-learning in a table (Watkins & Dayan 1992, Mach. Learn. 8:279), a fifth of the actions at
    random: values [moments, states, actions], at moments evenly apart."""
    rng, history = np.random.default_rng(seed), []
    values = np.zeros(world.reward.shape)
    ends = np.linspace(0, steps, moments + 1).astype(int)[1:]
    state = envs.reset(seed)
    for step in range(steps):
        preferred = (values[state] + 1e-9 * rng.random((len(state), values.shape[1]))).argmax(1)
        random = rng.random(len(state)) < 0.2
        actions = np.where(random, rng.integers(0, values.shape[1], len(state)), preferred)
        after = envs.step(actions)
        for k in np.flatnonzero(after.real):
            follow = 0.0 if after.ended[k] else gamma * values[after.seen[k]].max()
            error = after.reward[k] + follow - values[state[k], actions[k]]
            values[state[k], actions[k]] += 0.5 * error
        history += [values.copy()] * int((ends == step + 1).sum())
        state = after.seen
    return np.array(history)
