"""Training of predictive-coding networks, spiking ones and their twins: `train`.

Everything in single precision. Each epoch is one compiled scan; after it the state is on disk, so
that a stopped run goes on to the same numbers.
"""

import dataclasses
import math
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from bpcjax.energies import (
    Arrow,
    Categorical,
    ConvolutionMap,
    DenseMap,
    PredictiveCoding,
    Rectified,
    ResidualMap,
)
from bpcjax.learning import feedback_alignment, growing_step, hebbian, kolen_pollack, momentum
from bpcjax.models import AbstractPhases, NudgedPhases

from . import InputError
from .augmentation import dropout, shift
from .data import Split
from .finite import refuse_nan
from .precision import single
from .training import History, TrainConfig, checkpoint, epoch_key, run_epochs


@dataclasses.dataclass(frozen=True)
class Training(TrainConfig):
    """Settings of training; the phases are an argument of their own."""

    hidden: tuple[int, ...] = (1024,)
    """Units of hidden layers."""
    maps: tuple[int, ...] = ()
    """Maps of convolutions (5 x 5, stride 2) before them."""
    epochs: int = 15
    batch: int = 128
    rate: float = 1.5
    """Of the first steps; too large and hidden units die in the first epoch."""
    growth: float = 8.2
    """Of the step until the end, under a cosine."""
    warm: int = 500
    """Updates until the full rate."""
    decay: float = 1e-4
    silent: float = 0.2
    """Dropout: the share of inputs that are zero, at random, for each sample in training."""
    shift: int = 0
    """By up to so many pixels images are moved at random, up and down, left and right."""
    flip: bool = False
    """Images are mirrored at random, left and right."""
    smooth: float = 0.0
    """The share of the label that is spread over all classes."""
    input_quantum: float | None = None
    """Inputs come as spikes of this size; without it they are currents."""
    feedback: bool = False
    """Send errors back through weights of their own instead of the transposed ones."""
    fixed_feedback: bool = False
    """Those weights stay random (feedback alignment) instead of learning (Kolen & Pollack)."""
    residual: bool = False
    """Hidden layers after the first, all of one size, add to what they hear."""
    seed: int = 0


class State(NamedTuple):
    """State of training: what an epoch changes."""

    forward: Any  # the maps of the arrows
    backward: Any  # those of errors, or None
    optimiser: Any
    mean: Any  # the running average of `forward`: the network that is reported


class Trained(NamedTuple):
    """A trained network, in the running average of its weights, and its history.

    `history`: name of `Spent` -> means [epochs]. `alignment` [arrows] is the cosine of each
    backward map with the forward one (1 where they are the same). Seconds are of wall and
    processor time.
    """

    energy: PredictiveCoding
    history: History
    seconds: float
    processor_seconds: float
    alignment: np.ndarray


def network(key, shape: tuple[int, ...], classes: int, settings: Training) -> PredictiveCoding:
    """Predictive-coding network before training: from inputs of `shape` over maps and hidden
    layers to the classes."""
    arrows, maps = [], [1, *settings.maps]
    rows, columns = shape if settings.maps else (0, 0)
    for k, (n, m) in enumerate(zip(maps, maps[1:], strict=False)):
        scale = math.sqrt(2 / (25 * n))
        kernel = scale * jax.random.normal(jax.random.fold_in(key, k), (m, n, 5, 5), jnp.float32)
        arrows.append(Arrow(k, k + 1, ConvolutionMap(kernel, stride=2), Rectified()))
        rows, columns = -(-rows // 2), -(-columns // 2)
    width = maps[-1] * rows * columns if settings.maps else math.prod(shape)
    sizes = [width, *settings.hidden, classes]
    for n, m in zip(sizes, sizes[1:], strict=False):
        k = len(arrows)
        last = k == len(settings.maps) + len(settings.hidden)
        inner = settings.residual and not last and k > len(settings.maps)
        scale = math.sqrt((1 if last else 2) / n) / (math.sqrt(len(sizes) - 2) if inner else 1)
        weights = scale * jax.random.normal(jax.random.fold_in(key, k), (m, n), jnp.float32)
        dense = DenseMap(weights)
        predict = ResidualMap(dense) if inner else dense
        arrows.append(Arrow(k, k + 1, predict, Categorical() if last else Rectified()))
    return PredictiveCoding(single(arrow) for arrow in arrows)


def with_maps(energy: PredictiveCoding, forward: Any, backward: Any = None) -> PredictiveCoding:
    """The network with other maps, `backward` (of errors) transposed ones if there are none."""
    backward = (None,) * len(forward) if backward is None else backward
    arrows = zip(energy.arrows, forward, backward, strict=True)
    return PredictiveCoding(
        Arrow(a.pre, a.post, up, a.mismatch, down, a.strength) for a, up, down in arrows
    )


def start(settings: Training, shape: tuple[int, ...], classes: int, updates: int):
    """The network before training, the rule that changes its weights, and the first state."""
    key = jax.random.fold_in(jax.random.key(settings.seed), 1)
    energy = network(key, shape, classes, settings)
    forward = tuple(a.predict for a in energy.arrows)
    schedule = growing_step(settings.rate, updates, growth=settings.growth, warm=settings.warm)
    rule, backward = momentum(schedule, decay=settings.decay), None
    if settings.feedback:
        rule = (feedback_alignment if settings.fixed_feedback else kolen_pollack)(rule)
        other = network(jax.random.fold_in(key, 2), shape, classes, settings)
        backward = tuple(a.predict for a in other.arrows)
    weights: Any = (forward, backward) if settings.feedback else forward
    optimiser = rule.init(weights)
    return energy, rule, State(forward, backward, optimiser, forward)


def inputs_of(settings: Training, x: Array) -> Array:
    """Inputs [n, ...] as the first layer takes them: flat, or one map; in quanta where it
    spikes."""
    x = x[:, None] if settings.maps else x.reshape(len(x), -1)
    quantum = settings.input_quantum
    return x if quantum is None else quantum * jnp.round(x / quantum)


def _augment(x: Array, settings: Training, key: Array) -> Array:
    """Augmented images [n, ..., rows, columns]: moved by up to `shift` pixels, around the edge,
    and mirrored."""
    x = shift(x, settings.shift, key)
    if settings.flip:
        each = len(x), *(1 for _ in x.shape[1:])
        mirrored = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.5, each)
        x = jnp.where(mirrored, x[..., ::-1], x)
    return x


def updated(
    energy, rule, phases: AbstractPhases, state: State, x: Array, y: Array, keys: Array
) -> tuple[State, Any]:
    """State after one learning step on inputs `x` [n, ...] with labels `y` [n, classes] and a key
    each, and its mean costs."""
    now = with_maps(energy, state.forward, state.backward)
    learn = jax.vmap(lambda x, y, key: phases.learn(now, x, y, key))
    activity, counts = learn(x, y, keys)
    products = tuple(map(hebbian, state.forward, activity.pre, activity.post))
    if state.backward is None:
        change, optimiser = rule.update(products, state.optimiser, state.forward)
        forward, backward = optax.apply_updates(state.forward, change), None
    else:
        pair: Any = state.forward, state.backward
        change, optimiser = rule.update(products, state.optimiser, pair)
        after: Any = optax.apply_updates(pair, change)
        forward, backward = after
    mean = optax.incremental_update(forward, state.mean, 0.01)
    return State(forward, backward, optimiser, mean), jax.tree.map(jnp.mean, counts)


@eqx.filter_jit
def _epoch(
    energy, rule, phases: AbstractPhases, settings: Training, state: State, x, labels, classes, key
):
    order, key = jax.random.split(key)
    count, size = len(x) // settings.batch, settings.batch
    order = jax.random.permutation(order, len(x))[: count * size].reshape(count, size)

    def step(state: State, drawn):
        batch, key = drawn
        failures, moves, key = jax.random.split(key, 3)
        y = jax.nn.one_hot(labels[batch], classes, dtype=x.dtype)
        y = (1 - settings.smooth) * y + settings.smooth / classes
        inputs = inputs_of(settings, _augment(x[batch], settings, moves))
        inputs = dropout(inputs, settings.silent, failures)
        return updated(energy, rule, phases, state, inputs, y, jax.random.split(key, size))

    state, counts = jax.lax.scan(step, state, (order, jax.random.split(key, count)))
    return state, jax.tree.map(jnp.mean, counts)


def train(
    split: Split,
    settings: Training,
    phases: AbstractPhases | None = None,
    *,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """The network after `settings.epochs` epochs of training on the images and labels of `split`,
    in `phases` (`NudgedPhases()` by default).

    With a `folder` its state is kept there after each epoch, and a stopped run of the same
    settings, data and code goes on. After `stop_after` epochs training stops.

    **Raises:** `InputError`, naming the layer, where weights are no longer numbers.
    """
    phases = single(NudgedPhases() if phases is None else phases)
    updates = settings.epochs * (len(split.x) // settings.batch)
    if updates < 1:
        text = f"epochs: {len(split.x)} images are less than a batch of {settings.batch}."
        raise InputError(text)
    energy, rule, state = start(settings, split.x.shape[1:], split.classes, updates)
    x, labels = jnp.asarray(split.x, jnp.float32), jnp.asarray(split.labels)

    def update(state: State, epoch: int) -> tuple[State, dict[str, Any]]:
        key = epoch_key(settings, epoch)
        state, counts = _epoch(energy, rule, phases, settings, state, x, labels, split.classes, key)
        arrows = zip(energy.arrows, state.forward, strict=True)
        refuse_nan({f"{a.name} (into layer {a.post})": maps for a, maps in arrows}, epoch + 1)
        return state, counts._asdict()

    about = [dataclasses.asdict(settings), str(phases), repr(jax.tree.leaves(phases))]
    path = checkpoint(folder, about, split.x, split.labels)
    state, history, *seconds = run_epochs(
        update, state, settings.epochs, path=path, label=label, stop_after=stop_after
    )
    backward = state.forward if state.backward is None else state.backward
    cosines = [_cosine(a, b) for a, b in zip(state.forward, backward, strict=True)]
    return Trained(with_maps(energy, state.mean), history, *seconds, np.array(cosines))


def _cosine(a: Any, b: Any) -> float:
    u, v = (np.asarray(jax.tree.leaves(m)[0], float).ravel() for m in (a, b))
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))
