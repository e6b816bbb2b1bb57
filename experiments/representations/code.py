"""Hierarchy of features of images and causes of features, trained without labels.

Layers: 0 pixels, 1 features (never negative, sparse), 2 causes. Each predicts the one below it.
Values move by spikes, many at a time; synapses change by what they see: `hebbian`. Features are
learned first, then the causes of their spikes.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

import bpcjax as bpc
from bpcjax.energies import Arrow, Constant, DenseMap, Gaussian, PredictiveCoding, Rectified
from bpcjax.learning import hebbian, momentum
from bpcjax.models import Populations, SpikingPredictiveCoding

POINTS = 20  # of a learning curve, an epoch


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a hierarchy; energies in units of a pixel's squared error."""

    features: int = 1000
    causes: int = 32
    sparsity: float = 0.5
    """What activity costs a feature, to first order."""
    damping: float = 1.0
    """To second order: the precision of the features' prior."""
    quantum: float = 0.2
    """What a spike of a feature adds to it."""
    steps: int = 20
    """Parallel steps to see an image in."""
    share: float = 0.15
    """How probably a neuron spikes in a step that may."""
    rate: float = 3.0
    """Of learning features."""
    precision: float = 10.0
    """Of features, under their causes."""
    cause_quantum: float = 0.1
    cause_steps: int = 60
    cause_share: float = 0.25
    cause_rate: float = 0.1
    batch: int = 128


class Synapses(NamedTuple):
    """Synapses from features to pixels, and from causes to features."""

    features: DenseMap
    causes: DenseMap


def hierarchy(synapses: Synapses, settings: Settings) -> PredictiveCoding:
    """The free energy. The pixels have precision 1, causes a standard normal prior."""
    units, causes = synapses.causes.weights.shape
    floor = jnp.full(units, -settings.sparsity / settings.damping)
    return PredictiveCoding(
        [
            Arrow(1, 0, synapses.features, Gaussian()),
            Arrow(2, 1, synapses.causes, Rectified(jnp.asarray(settings.precision))),
            Arrow(None, 1, Constant(floor), Rectified(jnp.asarray(settings.damping))),
            Arrow(None, 2, Constant(jnp.zeros(causes)), Gaussian()),
        ]
    )


def init_weights(x: Float[np.ndarray, "n m"], settings: Settings, key: Key[Array, ""]) -> Synapses:
    """Random weights of norm 1 for images `x` [n, m], features around the mean image."""
    up, down = jax.random.split(key)
    pixels, units = x.shape[1], settings.features
    weights = unit_columns(jax.random.normal(up, (pixels, units)))
    causes = unit_columns(jax.random.normal(down, (units, settings.causes)))
    # what is predicted of features starts above 0, where its error has a slope
    base = jnp.full(units, 0.01)
    return Synapses(DenseMap(weights, jnp.asarray(x.mean(0))), DenseMap(causes, base))


def init_from_images(
    x: Float[np.ndarray, "n m"], settings: Settings, key: Key[Array, ""]
) -> Synapses:
    """Weights that training starts from: features are departures of random images from the mean."""
    start = init_weights(x, settings, key)
    index = jax.random.choice(key, len(x), (settings.features,), settings.features > len(x))
    weights = unit_columns((jnp.asarray(x)[index] - start.features.bias[None]).T)
    return start._replace(features=DenseMap(weights, start.features.bias))


def unit_columns(weights: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Weights with columns of norm 1: each neuron scales what it sends."""
    return weights / jnp.maximum(jnp.linalg.norm(weights, axis=0, keepdims=True), 1e-6)


class Inference(NamedTuple):
    """Inference of a batch by spikes: the values of a layer, F before each step, spikes sent."""

    values: Float[Array, "n k"]
    energy: Float[Array, "n steps"]
    spikes: Float[Array, " n"]


def _spiking(energy: PredictiveCoding, quantum: float, temperature: float = 0.0):
    # values alone are populations: their membranes have true errors, only their spikes are sent
    return SpikingPredictiveCoding(
        energy=energy,
        quantum=jnp.asarray(quantum),
        error_quantum=jnp.asarray(1.0),
        temperature=jnp.asarray(temperature),
    )


@eqx.filter_jit
def infer_features(
    synapses: Synapses, x: Float[Array, "n m"], settings: Settings, key: Key[Array, ""]
) -> Inference:
    """Features of images, from silence."""
    system = _spiking(hierarchy(synapses, settings), settings.quantum)
    silence = Populations((None, jnp.zeros(settings.features), None), {})

    def one(x, key):
        return bpc.descend_in_parallel(
            system, silence, (x, None, None), key=key, steps=settings.steps,
            thinned=bpc.Thinned(jnp.asarray(settings.share)),
        )  # fmt: skip

    descent = jax.vmap(one)(x, jax.random.split(key, len(x)))
    return Inference(descent.value.values[1], descent.energy, descent.spikes.sum(1))


@eqx.filter_jit
def infer_causes(
    synapses: Synapses, features: Float[Array, "n k"], settings: Settings, key: Key[Array, ""]
) -> Inference:
    """Causes of features, from silence."""
    system = _spiking(hierarchy(synapses, settings), settings.cause_quantum)
    silence = Populations((None, None, jnp.zeros(settings.causes)), {})

    def one(z, key):
        return bpc.descend_in_parallel(
            system, silence, (None, z, None), key=key, steps=settings.cause_steps,
            thinned=bpc.Thinned(jnp.asarray(settings.cause_share)),
        )  # fmt: skip

    descent = jax.vmap(one)(features, jax.random.split(key, len(features)))
    return Inference(descent.value.values[2], descent.energy, descent.spikes.sum(1))


def greedy_path(
    synapses: Synapses, x: Float[Array, " m"], settings: Settings, key: Key[Array, ""], spikes: int
) -> bpc.Descent:
    """Greedy descent to the features of an image, one spike at a time: exact."""
    system = _spiking(hierarchy(synapses, settings), settings.quantum)
    silence = Populations((None, jnp.zeros(settings.features), None), {})
    return bpc.descend(system, silence, (x, None, None), key=key, spikes=spikes)


def _batches(count: int, settings: Settings, key: Key[Array, ""]) -> tuple[Array, Array]:
    order, keys = jax.random.split(key)
    number = count // settings.batch
    index = jax.random.permutation(order, count)[: number * settings.batch]
    return index.reshape(number, settings.batch), jax.random.split(keys, number)


def _curve(values: Array) -> np.ndarray:
    """Means over `POINTS` parts of an epoch."""
    return np.array([float(part.mean()) for part in np.array_split(np.asarray(values), POINTS)])


class Epoch(NamedTuple):
    """Synapses after an epoch, and its curves [points]: F, spikes, units active of an image."""

    synapses: Synapses
    energy: np.ndarray
    spikes: np.ndarray
    active: np.ndarray


@eqx.filter_jit
def _features(synapses, settings: Settings, x, key, fast, slow):
    batches, keys = _batches(len(x), settings, key)
    number = len(keys)
    rule = momentum(optax.linear_schedule(fast, slow, number), decay=0.0)

    def step(carry, item):
        features, state = carry
        batch, key = item
        now = synapses._replace(features=features)
        inference = infer_features(now, x[batch], settings, key)
        arrow = hierarchy(now, settings).arrows[0]
        error = jax.vmap(arrow.error)(x[batch], jax.vmap(features)(inference.values))
        products: Any = hebbian(features, inference.values, error)
        update, state = rule.update(products, state, features)
        change: Any = update
        weights = unit_columns(features.weights + change.weights)
        # the mean image is known from the start, and every image drives it
        after = DenseMap(weights, features.bias + 0.01 * change.bias)
        active = (inference.values > 0).sum(1).mean()
        return (after, state), (inference.energy[:, -1].mean(), inference.spikes.mean(), active)

    start = synapses.features, rule.init(synapses.features)
    (features, _), curves = jax.lax.scan(step, start, (batches, keys))
    return synapses._replace(features=features), curves


def learn_features(
    synapses: Synapses,
    x: Float[np.ndarray, "n m"],
    settings: Settings,
    key: Key[Array, ""],
    span: tuple[float, float],
) -> Epoch:
    """An epoch of training features on images `x`, at a rate that goes over `span` of that of the
    settings."""
    fast, slow = (jnp.asarray(settings.rate * share) for share in span)
    after, curves = _features(synapses, settings, jnp.asarray(x), key, fast, slow)
    return Epoch(after, *map(_curve, curves))


@eqx.filter_jit
def _causes(synapses, settings: Settings, z, key, fast, slow):
    batches, keys = _batches(len(z), settings, key)
    rule = momentum(optax.linear_schedule(fast, slow, len(keys)), decay=0.0)

    def step(carry, item):
        causes, state = carry
        batch, key = item
        now = synapses._replace(causes=causes)
        features = z[batch] * settings.quantum
        inference = infer_causes(now, features, settings, key)
        arrow = hierarchy(now, settings).arrows[1]
        error = jax.vmap(arrow.error)(features, jax.vmap(causes)(inference.values))
        products: Any = hebbian(causes, inference.values, error)
        update, state = rule.update(products, state, causes)
        change: Any = update
        active = (inference.values != 0).sum(1).mean()
        means = inference.energy[:, -1].mean(), inference.spikes.mean(), active
        after = DenseMap(unit_columns(causes.weights + change.weights), causes.bias + change.bias)
        return (after, state), means

    start = synapses.causes, rule.init(synapses.causes)
    (causes, _), curves = jax.lax.scan(step, start, (batches, keys))
    return synapses._replace(causes=causes), curves


def learn_causes(
    synapses: Synapses,
    counts: np.ndarray,
    settings: Settings,
    key: Key[Array, ""],
    span: tuple[float, float],
) -> Epoch:
    """An epoch of training causes on the spike counts [n, k] of features."""
    fast, slow = (jnp.asarray(settings.cause_rate * share) for share in span)
    after, curves = _causes(synapses, settings, jnp.asarray(counts), key, fast, slow)
    return Epoch(after, *map(_curve, curves))


def infer_in_batches(
    infer,
    synapses: Synapses,
    x: np.ndarray,
    settings: Settings,
    key: Key[Array, ""],
    size: int = 500,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inference of all of `x` [n, ...] by `infer_features` or `infer_causes`: the quanta [n, k] of
    each unit, F at the end [n], and spikes [n]."""
    quantum = settings.quantum if infer is infer_features else settings.cause_quantum
    counts, energy, spikes = [], [], []
    for k in range(0, len(x), size):
        part = jnp.asarray(x[k : k + size], jnp.float32)
        part = part if infer is infer_features else part * settings.quantum
        inference = infer(synapses, part, settings, jax.random.fold_in(key, k))
        counts.append(np.rint(np.asarray(inference.values) / quantum).astype(np.int16))
        energy.append(np.asarray(inference.energy[:, -1]))
        spikes.append(np.asarray(inference.spikes))
    return np.concatenate(counts), np.concatenate(energy), np.concatenate(spikes)
