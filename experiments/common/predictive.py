"""Training of predictive-coding networks, spiking ones and their twins: `train`.

Everything in single precision. Each epoch is one compiled scan; after it the state is on disk, so
that a stopped run goes on to the same numbers.
"""

import dataclasses
import math
import time
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
)
from bpcjax.learning import growing_step, hebbian, kolen_pollack, momentum
from bpcjax.models import AbstractPhases, NudgedPhases, Spent

from . import InputError
from .data import Split
from .results import fingerprint, keep
from .training import moved

BATCH = 128


@dataclasses.dataclass(frozen=True)
class Training:
    """The settings of a run; the phases are given apart."""

    hidden: tuple[int, ...] = (1024,)
    """Units of hidden layers."""
    maps: tuple[int, ...] = ()
    """Maps of convolutions (5 x 5, stride 2) before them."""
    epochs: int = 15
    rate: float = 1.5
    """Of the first steps; too large and hidden units die in the first epoch."""
    growth: float = 8.2
    """Of the step until the end, under a cosine."""
    warm: int = 500
    """Updates until the full rate."""
    decay: float = 1e-4
    silent: float = 0.2
    """The share of inputs that fail, at random, for each sample while it is learned."""
    shift: int = 0
    """By up to so many pixels images are moved at random, up and down, left and right."""
    flip: bool = False
    """Images are mirrored at random, left and right."""
    smooth: float = 0.0
    """The share of the label that is spread over all classes."""
    input_quantum: float | None = None
    """Inputs come as spikes of this size; without it they are currents."""
    feedback: bool = False
    """Learn the way back (Kolen & Pollack) instead of taking the transposed weights."""
    seed: int = 0


class State(NamedTuple):
    """What an epoch changes."""

    forward: Any  # the maps of the arrows
    backward: Any  # those of errors, or None
    optimiser: Any
    mean: Any  # the running average of `forward`: the network that is reported


class Trained(NamedTuple):
    """The network, in the running average of its weights, and each epoch's means: `Spent`."""

    energy: PredictiveCoding
    history: dict[str, np.ndarray]
    seconds: float
    processor_seconds: float
    alignment: np.ndarray  # cosine of each backward map with the forward one, or of itself


def network(key, shape: tuple[int, ...], classes: int, settings: Training) -> PredictiveCoding:
    """A chain from inputs of `shape` over maps and hidden layers to the classes."""
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
        scale = math.sqrt((1 if last else 2) / n)
        weights = scale * jax.random.normal(jax.random.fold_in(key, k), (m, n), jnp.float32)
        arrows.append(Arrow(k, k + 1, DenseMap(weights), Categorical() if last else Rectified()))
    return PredictiveCoding(single(arrow) for arrow in arrows)


def single(tree: Any) -> Any:
    """All floating arrays in single precision."""
    return jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, tree)


def with_maps(energy: PredictiveCoding, forward: Any, backward: Any = None) -> PredictiveCoding:
    """The network with other weights."""
    backward = (None,) * len(forward) if backward is None else backward
    arrows = zip(energy.arrows, forward, backward, strict=True)
    return PredictiveCoding(
        Arrow(a.pre, a.post, up, a.mismatch, down, a.strength) for a, up, down in arrows
    )


def _start(settings: Training, shape, classes: int, updates: int):
    key = jax.random.fold_in(jax.random.key(settings.seed), 1)
    energy = network(key, shape, classes, settings)
    forward = tuple(a.predict for a in energy.arrows)
    schedule = growing_step(settings.rate, updates, growth=settings.growth, warm=settings.warm)
    rule, backward = momentum(schedule, decay=settings.decay), None
    if settings.feedback:
        rule = kolen_pollack(rule)
        other = network(jax.random.fold_in(key, 2), shape, classes, settings)
        backward = tuple(a.predict for a in other.arrows)
    weights: Any = (forward, backward) if settings.feedback else forward
    optimiser = rule.init(weights)
    return energy, rule, State(forward, backward, optimiser, forward)


def inputs_of(settings: Training, x: Array) -> Array:
    """A batch [n, ...] as the first layer has it: flat, or one map; in quanta where it spikes."""
    x = x[:, None] if settings.maps else x.reshape(len(x), -1)
    quantum = settings.input_quantum
    return x if quantum is None else quantum * jnp.round(x / quantum)


def _moved(x: Array, settings: Training, key: Array) -> Array:
    """Images [n, ..., rows, columns] moved by up to `shift` pixels, around the edge, and
    mirrored."""
    other = jax.random.fold_in(key, 1)
    if settings.shift:
        x = moved(x, settings.shift, key)
    if settings.flip:
        turned = jax.random.bernoulli(other, 0.5, (len(x), *(1 for _ in x.shape[1:])))
        x = jnp.where(turned, x[..., ::-1], x)
    return x


@eqx.filter_jit
def _epoch(
    energy, rule, phases: AbstractPhases, settings: Training, state: State, x, labels, classes, key
):
    order, key = jax.random.split(key)
    count = len(x) // BATCH
    order = jax.random.permutation(order, len(x))[: count * BATCH].reshape(count, BATCH)

    def step(state: State, drawn):
        chosen, key = drawn
        dropped, moves, key = jax.random.split(key, 3)
        y = jax.nn.one_hot(labels[chosen], classes, dtype=x.dtype)
        y = (1 - settings.smooth) * y + settings.smooth / classes
        inputs = inputs_of(settings, _moved(x[chosen], settings, moves))
        kept = jax.random.uniform(dropped, inputs.shape, x.dtype) >= settings.silent
        inputs = jnp.where(kept, inputs / (1 - settings.silent), 0)
        now = with_maps(energy, state.forward, state.backward)
        learn = jax.vmap(lambda x, y, key: phases.learn(now, x, y, key))
        seen, spent = learn(inputs, y, jax.random.split(key, BATCH))
        products = tuple(map(hebbian, state.forward, seen.pre, seen.post))
        if state.backward is None:
            moved, optimiser = rule.update(products, state.optimiser, state.forward)
            forward, backward = optax.apply_updates(state.forward, moved), None
        else:
            pair: Any = state.forward, state.backward
            moved, optimiser = rule.update(products, state.optimiser, pair)
            after: Any = optax.apply_updates(pair, moved)
            forward, backward = after
        mean = optax.incremental_update(forward, state.mean, 0.01)
        return State(forward, backward, optimiser, mean), jax.tree.map(jnp.mean, spent)

    state, spent = jax.lax.scan(step, state, (order, jax.random.split(key, count)))
    return state, jax.tree.map(jnp.mean, spent)


def _refuse_nan(state: State, energy: PredictiveCoding, epoch: int) -> None:
    for arrow, weights in zip(energy.arrows, state.forward, strict=True):
        if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(weights)):
            raise InputError(
                f"epoch {epoch}: the weights {arrow.name} (into layer {arrow.post}) are not "
                "finite. Pass a smaller rate."
            )


def train(
    split: Split,
    settings: Training,
    given: AbstractPhases | None = None,
    *,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """The network after `settings.epochs` epochs on the images and labels of `split`, learned
    in `given` phases (`NudgedPhases()` by default).

    With a `folder` it is kept there after each epoch, and a stopped run of the same settings, data
    and code goes on. `stop_after` epochs it is given back as it is.

    **Raises:** `InputError`, naming the layer, where weights are no longer numbers.
    """
    phases: AbstractPhases = single(NudgedPhases() if given is None else given)
    shape = split.x.shape[1:]
    updates = settings.epochs * (len(split.x) // BATCH)
    if updates < 1:
        raise InputError(f"epochs: {len(split.x)} images are less than a batch of {BATCH}.")
    energy, rule, state = _start(settings, shape, split.classes, updates)
    x, labels = jnp.asarray(split.x, jnp.float32), jnp.asarray(split.labels)
    spent = np.full((settings.epochs, len(Spent._fields)), np.nan)
    done, clock = np.zeros((), int), np.zeros(2)
    path = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        about = [dataclasses.asdict(settings), str(phases), jax.tree.leaves(phases).__repr__()]
        path = folder / f"{fingerprint({'about': about}, split.x, split.labels)}.eqx"
        if path.exists():
            like = state, spent, done, clock
            state, spent, done, clock = eqx.tree_deserialise_leaves(path, like)
    for epoch in range(int(done), settings.epochs if stop_after is None else stop_after):
        began = np.array([time.perf_counter(), time.process_time()])
        key = jax.random.fold_in(jax.random.key(settings.seed), 100 + epoch)
        state, found = _epoch(energy, rule, phases, settings, state, x, labels, split.classes, key)
        spent[epoch] = [float(value) for value in found]
        clock = clock + np.array([time.perf_counter(), time.process_time()]) - began
        _refuse_nan(state, energy, epoch + 1)
        if path is not None:
            keep(path, (state, spent, np.asarray(epoch + 1), clock))
        means = ", ".join(f"{n} {v:.3g}" for n, v in zip(Spent._fields, spent[epoch], strict=True))
        place = f"{label} epoch {epoch + 1}/{settings.epochs}"
        print(f"  {place}: {means}; {clock[0]:.0f} s", flush=True)
    backward = state.forward if state.backward is None else state.backward
    cosines = [_cosine(a, b) for a, b in zip(state.forward, backward, strict=True)]
    history = dict(zip(Spent._fields, spent.T, strict=True))
    done_energy = with_maps(energy, state.mean)
    return Trained(done_energy, history, float(clock[0]), float(clock[1]), np.array(cosines))


def _cosine(a: Any, b: Any) -> float:
    u, v = (np.asarray(jax.tree.leaves(m)[0], float).ravel() for m in (a, b))
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))
