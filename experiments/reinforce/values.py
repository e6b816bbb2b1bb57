"""Q-learning by a spiking network: its membranes tell what actions are worth, and surrogate
derivatives, through the engine's own solve, teach it (not local: the error of an action passes
backwards through layers and steps).

A memory of transitions; a second network that follows slowly and values what comes next (Mnih et
al. 2015, Nature 518:529), while the first chooses what is valued (van Hasselt, Guez & Silver 2016,
AAAI, 2094-2100).
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

from bpcjax.models import Classifier, CurrentCode, MembraneReadout

from ..common import InputError
from ..common.classifier_training import surrogate
from ..common.classifiers import dense, learned
from ..common.results import fingerprint, keep
from ..common.training import furthest
from .episodes import Encode, Memory, answer
from .worlds import Lockstep


@dataclasses.dataclass(frozen=True)
class Lessons:
    """How a network learns what actions are worth."""

    epochs: int = 40
    steps: int = 200
    """Of an epoch, in each environment."""
    envs: int = 16
    every: int = 4
    """Steps between lessons."""
    updates: int = 16
    """In a lesson."""
    batch: int = 64
    rate: float = 1e-3
    """Of Adam's steps."""
    gamma: float = 0.99
    pay: float = 0.1
    """By which rewards are multiplied."""
    follow: float = 0.01
    """Of the way to the network that learns, in an update, of the one that follows."""
    explore: int = 400
    """Steps in which chance gives way to the network."""
    least: float = 0.02
    """The share of chance after them."""
    room: int = 50_000
    """For transitions, of which the oldest are forgotten."""
    begin: int = 1000
    """Transitions before the first lesson."""
    seed: int = 0


class Trained(NamedTuple):
    """The network; of each epoch the mean `loss` and what it was `asked`; of each step `rewards`
    and ends (`over`) [steps, envs], and whether it was `real`; `seconds`."""

    model: Classifier
    loss: np.ndarray
    asked: np.ndarray
    rewards: np.ndarray
    over: np.ndarray
    real: np.ndarray
    seconds: float


def network(key: Any, inputs: int, hidden: int, actions: int, steps: int) -> Classifier:
    """Leaky neurons that see a current of either sign, and the membranes of the actions."""
    return dense(
        key, (inputs, hidden, actions), steps=steps, code=CurrentCode(2.0),
        readout=MembraneReadout(10.0),
    )  # fmt: skip


def worth(model: Classifier, x: Float[Array, "... pre"]) -> Float[Array, "... actions"]:
    """What each action is worth."""
    return model(x, solver=surrogate()).scores[-1]


def target(
    reward: Array, ended: Array, own: Array, followed: Array, gamma: float
) -> Float[Array, " n"]:
    """What an action proved to be worth: the reward, and the value that the network which follows
    gives (`followed` [n, actions]) to the action that the one which learns prefers (`own`)."""
    chosen = jnp.take_along_axis(followed, own.argmax(-1)[:, None], 1)[:, 0]
    return jax.lax.stop_gradient(reward + gamma * (1 - ended) * chosen)


def optimiser(lessons: Lessons) -> optax.GradientTransformation:
    """Adam, with slopes of a norm of 10 at most."""
    return optax.chain(optax.clip_by_global_norm(10.0), optax.adam(lessons.rate))


@eqx.filter_jit
def _teach(carry: PyTree, batches: PyTree, rest: PyTree, lessons: Lessons):
    """One lesson: so many updates, the mean of their losses, and the largest value told."""

    def told(weights, x):
        return worth(eqx.combine(weights, rest), x)

    def update(carry, batch):
        weights, slow, state = carry
        x, action, reward, after, ended = batch
        wanted = target(
            lessons.pay * reward, ended, told(weights, after), told(slow, after), lessons.gamma
        )

        def loss(weights):
            own = jnp.take_along_axis(told(weights, x), action[:, None], 1)[:, 0]
            return optax.huber_loss(own, wanted).mean(), jnp.abs(own).max()

        (value, largest), slope = jax.value_and_grad(loss, has_aux=True)(weights)
        change, state = optimiser(lessons).update(slope, state, weights)
        weights = optax.apply_updates(weights, change)
        slow = jax.tree.map(lambda s, w: s + lessons.follow * (w - s), slow, weights)
        return (weights, slow, state), (value, largest)

    carry, (values, largest) = jax.lax.scan(update, carry, batches)
    return carry, values.mean(), largest.max()


def _refuse(lessons: Lessons, weights: Any, start: Any, largest: float, where: str) -> None:
    """Raise `InputError`, naming the weights that grew most, for values that cannot be."""
    most = lessons.pay / (1 - lessons.gamma)
    if np.isfinite(largest) and largest <= 10 * most:
        return
    raise InputError(
        f"{where}: values reach {largest:.3g}, where none is beyond {most:.3g}; "
        f"{furthest(weights, start)} went farthest. Pass a smaller rate of learning."
    )


def train(
    model: Classifier,
    envs: Lockstep,
    encode: Encode,
    lessons: Lessons,
    *,
    ask: Callable[[Classifier], Any],
    enough: float | None = np.inf,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` after so many epochs in environments, or as soon as it is asked and does `enough`.

    `ask(model)` is a number after each epoch, and the network with the largest is the one given.
    Where nothing is `enough` (`None`) it is an array, only noted, and the last network is given.
    With a `folder` all is kept there after each epoch: a stopped run of the same settings and code
    goes on to the same numbers (environments by taking the same actions again).

    **Raises:** `InputError`, naming epoch and weights, where values leave what is possible.
    """
    weights, rest = eqx.partition(model, learned(model))
    shared = dataclasses.replace(lessons, seed=0)  # one program for all seeds
    start, best = weights, weights
    carry = weights, weights, optimiser(lessons).init(weights)
    state = envs.reset(lessons.seed)
    memory = Memory(lessons.room, encode(state).shape[-1])
    shape = lessons.epochs, lessons.steps, lessons.envs
    actions, rewards = np.zeros(shape, np.int8), np.full(shape, np.nan, np.float32)
    over, real = np.zeros(shape, bool), np.zeros(shape, bool)
    noted = () if enough is not None else np.shape(ask(model))
    loss, asked = np.full(lessons.epochs, np.nan), np.full((lessons.epochs, *noted), np.nan)
    done, seconds, count = np.zeros((), int), np.zeros(()), np.zeros((), int)

    def live(epoch: int, k: int):
        """One step of all environments by the actions that are noted for it."""
        got = envs.step(actions[epoch, k].astype(int))
        rewards[epoch, k], over[epoch, k] = got.reward, got.ended | got.cut
        real[epoch, k] = got.real
        return got

    path = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        held, static = eqx.partition(model, eqx.is_array)
        about = [dataclasses.asdict(lessons), label, enough, str(static)]
        arrays = (np.asarray(leaf) for leaf in jax.tree.leaves(held))
        path = folder / f"{fingerprint({'about': about}, *arrays)}.eqx"
        if path.exists():
            kept = carry, best, memory.parts, count, actions, loss, asked, done, seconds
            kept = eqx.tree_deserialise_leaves(path, kept)
            carry, best, memory.parts, count, actions, loss, asked, done, seconds = kept
            memory.count = int(count)
            for epoch in range(int(done)):
                for k in range(lessons.steps):
                    state = live(epoch, k).seen

    for epoch in range(int(done), lessons.epochs if stop_after is None else stop_after):
        if epoch and enough is not None and asked[:epoch].max() >= enough:
            break
        began = time.perf_counter()
        rng, losses = np.random.default_rng((lessons.seed, epoch)), []
        title = f"{label} epoch {epoch + 1}/{lessons.epochs}"
        for k in tqdm(range(lessons.steps), desc=title, mininterval=1.0, leave=False):
            past = epoch * lessons.steps + k
            chance = max(lessons.least, 1 - past / lessons.explore)
            x = encode(state)
            own = np.asarray(answer(eqx.combine(carry[0], rest), x)[0])
            drawn = rng.random(lessons.envs) < chance
            other = rng.integers(0, model.layers.layers[-1].size, lessons.envs)
            actions[epoch, k] = np.where(drawn, other, own)
            got = live(epoch, k)
            after, here = encode(got.seen), got.real
            memory.add(
                x[here], actions[epoch, k][here], got.reward[here], after[here], got.ended[here]
            )
            state = got.seen
            if memory.count >= lessons.begin and past % lessons.every == 0:
                drawn = memory.draw(rng, (lessons.updates, lessons.batch))
                carry, value, largest = _teach(carry, drawn, rest, shared)
                _refuse(lessons, carry[0], start, float(largest), f"{label} epoch {epoch + 1}")
                losses.append(float(value))
        loss[epoch] = np.mean(losses) if losses else np.nan
        asked[epoch] = ask(eqx.combine(carry[0], rest))
        if enough is None or asked[epoch] >= np.nanmax(asked):
            best = carry[0]
        seconds = seconds + (time.perf_counter() - began)
        if path is not None:
            now = carry, best, memory.parts, np.asarray(memory.count), actions, loss, asked
            keep(path, (*now, np.asarray(epoch + 1), seconds))
        told = "" if enough is None else f", asked {asked[epoch]:.4g}"
        print(f"  {title}: loss {loss[epoch]:.4f}{told}; {float(seconds):.0f} s", flush=True)
    flat = (a.reshape(-1, lessons.envs) for a in (rewards, over, real))
    return Trained(eqx.combine(best, rest), loss, asked, *flat, float(seconds))
