"""Q-learning by a spiking network: its membranes are the values of actions, trained by surrogate
derivatives through the engine's own solve (not local: the error of an action passes backwards
through layers and steps).

A memory of transitions; a target network that follows slowly and values what comes next (Mnih et
al. 2015, Nature 518:529), while the first chooses what is valued (van Hasselt, Guez & Silver 2016,
AAAI, 2094-2100).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from bpcjax.models import Classifier, CurrentCode, MembraneReadout

from ..common import InputError
from ..common.classifier_training import surrogate
from ..common.classifiers import dense, trainable
from ..common.gradient_training import furthest
from ..common.training import (
    History,
    Metrics,
    TrainConfig,
    Trained,
    checkpoint,
    progress,
    run_epochs,
)
from .episodes import Encode, Memory, answer
from .worlds import Lockstep, Step


@dataclasses.dataclass(frozen=True)
class QConfig(TrainConfig):
    """Hyper-parameters of Q-learning."""

    epochs: int = 40
    batch: int = 64
    rate: float = 1e-3
    """Learning rate of Adam."""
    steps: int = 200
    """Of an epoch, in each environment."""
    envs: int = 16
    every: int = 4
    """Steps between rounds of updates."""
    updates: int = 16
    """In a round."""
    gamma: float = 0.99
    reward_scale: float = 0.1
    """By which rewards are multiplied."""
    follow: float = 0.01
    """Of the way of the target network to the one that is trained, in an update."""
    explore: int = 400
    """Steps in which chance gives way to the network."""
    least: float = 0.02
    """The share of random actions after them."""
    room: int = 50_000
    """For transitions, of which the oldest are forgotten."""
    begin: int = 1000
    """Transitions before the first update."""


class Learner(NamedTuple):
    """Weights, those of the target network, and the state of the optimiser."""

    weights: Any
    target: Any
    optimiser: Any


class State(NamedTuple):
    """State of the training: the learner, the best weights and their score, and the memory."""

    learner: Learner
    best: Any
    score: np.ndarray
    memory: list[np.ndarray]
    count: np.ndarray  # of all transitions


def network(key: Any, inputs: int, hidden: int, actions: int, steps: int) -> Classifier:
    """Leaky neurons that see a current of either sign, and the membranes of the actions."""
    return dense(
        key, (inputs, hidden, actions), steps=steps, code=CurrentCode(2.0),
        readout=MembraneReadout(10.0),
    )  # fmt: skip


def action_values(model: Classifier, x: Float[Array, "... pre"]) -> Float[Array, "... actions"]:
    """The value of each action."""
    return model(x, solver=surrogate()).scores[-1]


def target(
    reward: Array, ended: Array, values: Array, slow: Array, gamma: float
) -> Float[Array, " n"]:
    """Target of double Q-learning [n]: the reward, and the value that the target network (`slow`
    [n, actions]) gives to the action that the trained one (`values`) prefers."""
    preferred = jnp.take_along_axis(slow, values.argmax(-1)[:, None], 1)[:, 0]
    return jax.lax.stop_gradient(reward + gamma * (1 - ended) * preferred)


def _optimiser(config: QConfig) -> optax.GradientTransformation:
    """Adam, with slopes of a norm of 10 at most."""
    return optax.chain(optax.clip_by_global_norm(10.0), optax.adam(config.rate))


@eqx.filter_jit
def _learn(learner: Learner, batches: PyTree, static: PyTree, config: QConfig):
    """A round of updates: the learner, the mean of their losses, and the largest value."""

    def values(weights, x):
        return action_values(eqx.combine(weights, static), x)

    def update(learner: Learner, batch):
        weights, slow, state = learner
        x, action, reward, after, ended = batch
        targets = target(
            config.reward_scale * reward, ended, values(weights, after), values(slow, after),
            config.gamma,
        )  # fmt: skip

        def loss(weights):
            taken = jnp.take_along_axis(values(weights, x), action[:, None], 1)[:, 0]
            return optax.huber_loss(taken, targets).mean(), jnp.abs(taken).max()

        (value, largest), slope = jax.value_and_grad(loss, has_aux=True)(weights)
        change, state = _optimiser(config).update(slope, state, weights)
        weights = optax.apply_updates(weights, change)
        slow = jax.tree.map(lambda s, w: s + config.follow * (w - s), slow, weights)
        return Learner(weights, slow, state), (value, largest)

    learner, (losses, largest) = jax.lax.scan(update, learner, batches)
    return learner, losses.mean(), largest.max()


def _refuse_diverged(config: QConfig, weights: Any, start: Any, largest: float, place: str) -> None:
    """Raise `InputError`, naming the weights that grew most, for values that cannot be."""
    most = config.reward_scale / (1 - config.gamma)
    if np.isfinite(largest) and largest <= 10 * most:
        return
    raise InputError(
        f"{place}: values reach {largest:.3g}, where none is beyond {most:.3g}; "
        f"{furthest(weights, start)} went farthest. Pass a smaller rate of learning."
    )


class Player:
    """Environments and the network that acts in them, now and then at random."""

    def __init__(self, envs: Lockstep, encode: Encode, config: QConfig, actions: int):
        self.envs, self.encode, self.config, self.actions = envs, encode, config, actions
        self.seen = envs.reset(config.seed)

    def replay(self, history: History) -> None:
        """Bring environments to where a stopped run left them, by the same actions."""
        for actions in history["actions"].reshape(-1, self.config.envs):
            self.seen = self.envs.step(actions.astype(int)).seen

    def step(
        self, model: Classifier, past: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, Step, list[np.ndarray]]:
        """One step in each after so many: actions, what came of them, and the transitions."""
        config, x = self.config, self.encode(self.seen)
        chance = max(config.least, 1 - past / config.explore)
        preferred = np.asarray(answer(model, x)[0])
        random = rng.random(config.envs) < chance
        actions = np.where(random, rng.integers(0, self.actions, config.envs), preferred)
        actions = actions.astype(np.int8)
        step = self.envs.step(actions.astype(int))
        self.seen = step.seen
        transitions = x, actions, step.reward, self.encode(step.seen), step.ended
        return actions, step, [part[step.real] for part in transitions]


def train(
    model: Classifier,
    envs: Lockstep,
    encode: Encode,
    config: QConfig,
    *,
    evaluate: Callable[[Classifier], Metrics],
    enough: float | None = np.inf,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` after so many epochs in environments, or as soon as its score is `enough`.

    `evaluate(model)` gives metrics after each epoch, and the network with the largest `score` is
    the one returned; where nothing is `enough` (`None`) there need be no score, and it is the last
    network. Further metrics are the mean `loss` [epochs], and of each step [epochs, steps, envs]
    the `actions`, `rewards`, ends (`over`), and whether it was `real`. With a `folder` all is kept
    there after each epoch: a stopped run of the same settings and code goes on to the same numbers
    (environments by taking the same actions again).

    **Raises:** `InputError`, naming epoch and weights, where values leave what is possible.
    """
    start, static = eqx.partition(model, trainable(model))
    shared = dataclasses.replace(config, seed=0)  # one program for all seeds
    player = Player(envs, encode, config, model.layers.layers[-1].size)
    memory = Memory(config.room, encode(player.seen).shape[-1])

    def update(state: State, epoch: int) -> tuple[State, Metrics]:
        learner, memory.parts, memory.count = state.learner, state.memory, int(state.count)
        rng, losses, steps = np.random.default_rng((config.seed, epoch)), [], []
        title = f"{label} epoch {epoch + 1}"
        with progress(config.steps, f"{title}/{config.epochs}") as bar:
            for k in range(config.steps):
                past = epoch * config.steps + k
                network = eqx.combine(learner.weights, static)
                actions, step, transitions = player.step(network, past, rng)
                memory.add(*transitions)
                steps.append((actions, step.reward, step.ended | step.cut, step.real))
                if memory.count >= config.begin and past % config.every == 0:
                    batches = memory.draw(rng, (config.updates, config.batch))
                    learner, loss, largest = _learn(learner, batches, static, shared)
                    _refuse_diverged(config, learner.weights, start, float(largest), title)
                    losses.append(float(loss))
                bar.update()
        metrics = evaluate(eqx.combine(learner.weights, static))
        best, score = state.best, state.score
        if enough is None or not epoch or metrics["score"] >= score:
            best, score = learner.weights, np.asarray(metrics.get("score", 0.0))
        names = "actions", "rewards", "over", "real"
        metrics |= dict(zip(names, map(np.array, zip(*steps, strict=True)), strict=True))
        metrics["loss"] = np.mean(losses) if losses else np.nan
        return State(learner, best, score, memory.parts, np.asarray(memory.count)), metrics

    def stop(history: History) -> bool:
        return enough is not None and history["score"].max() >= enough

    leaves, structure = eqx.partition(model, eqx.is_array)
    about = [dataclasses.asdict(config), label, enough, str(structure)]
    path = checkpoint(folder, about, *jax.tree.leaves(leaves))
    learner = Learner(start, start, _optimiser(config).init(start))
    trained = run_epochs(
        update, State(learner, start, np.zeros(()), memory.parts, np.zeros((), int)),
        config.epochs, path=path, label=label, resume=player.replay, stop=stop,
        stop_after=stop_after,
    )  # fmt: skip
    return trained._replace(model=eqx.combine(trained.model.best, static))
