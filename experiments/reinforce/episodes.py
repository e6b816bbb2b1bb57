"""Episodes of agents, their returns, and a replay memory of their transitions."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from bpcjax.models import Classifier

from ..common.classifier_training import surrogate
from .worlds import Lockstep

Encode = Callable[[np.ndarray], np.ndarray]


class Memory:
    """Replay memory: the last transitions, as many as there is room for."""

    def __init__(self, room: int, inputs: int):
        sizes = (room, inputs), (room,), (room,), (room, inputs), (room,)
        kinds = np.float32, np.int32, np.float32, np.float32, np.float32
        self.parts = [np.zeros(*a) for a in zip(sizes, kinds, strict=True)]
        self.count = 0

    def add(self, *transitions: np.ndarray) -> None:
        """Inputs, actions, rewards, the inputs that followed, and whether nothing follows."""
        at = (self.count + np.arange(len(transitions[0]))) % len(self.parts[0])
        for part, new in zip(self.parts, transitions, strict=True):
            part[at] = new
        self.count += len(at)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Some of them, at random."""
        index = rng.integers(0, min(self.count, len(self.parts[0])), shape)
        return [part[index] for part in self.parts]


class Episodes(NamedTuple):
    """Episodes: their `returns` [envs]; of all decisions the mean `spikes` and inputs `seen`."""

    returns: np.ndarray
    spikes: float
    seen: np.ndarray


def play(model: Classifier, envs: Lockstep, encode: Encode, seed: int) -> Episodes:
    """One episode in each environment, by the network alone."""
    state, total, sent, decisions, seen = envs.reset(seed), 0.0, 0.0, 0, []
    alive = np.ones(len(state), bool)
    while alive.any():
        x = encode(state)
        actions, spikes = (np.asarray(a) for a in answer(model, x))
        sent, decisions = sent + spikes[alive].sum(), decisions + int(alive.sum())
        step = envs.step(actions)
        total = total + np.where(alive, step.reward, 0.0)
        alive &= ~(step.ended | step.cut)
        seen.append(x[0])
        state = step.seen
    return Episodes(np.asarray(total), float(sent) / decisions, np.array(seen))


@eqx.filter_jit
def answer(model: Classifier, x: Float[Array, "n pre"]):
    """The best action by each input, and the spikes that it took."""
    result = model(x, solver=surrogate())
    return result.scores[-1].argmax(-1), sum(result.spikes)


def returns_of(
    rewards: np.ndarray, over: np.ndarray, real: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each episode that ended, in this order, its return and the transitions until then."""
    total, returns, at = np.zeros(rewards.shape[1]), [], []
    past = np.cumsum(real.sum(1))
    for k in range(len(rewards)):
        total += np.where(real[k], rewards[k], 0.0)
        ends = over[k] & real[k]
        returns += total[ends].tolist()
        at += [past[k]] * int(ends.sum())
        total[ends] = 0.0
    return np.array(returns), np.array(at)
