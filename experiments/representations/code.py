"""A hierarchy that learns to see without labels: features of images, causes of features.

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
    """Of a hierarchy; energies in units of a pixel's squared error."""

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
    """From features to pixels, and from causes to features."""

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


def newborn(x: Float[np.ndarray, "n m"], settings: Settings, key: Key[Array, ""]) -> Synapses:
    """Random weights of norm 1, features around the mean image."""
    up, down = jax.random.split(key)
    pixels, units = x.shape[1], settings.features
    weights = unit_columns(jax.random.normal(up, (pixels, units)))
    causes = unit_columns(jax.random.normal(down, (units, settings.causes)))
    # what is predicted of features starts above 0, where its error has a slope
    base = jnp.full(units, 0.01)
    return Synapses(DenseMap(weights, jnp.asarray(x.mean(0))), DenseMap(causes, base))


def imprinted(x: Float[np.ndarray, "n m"], settings: Settings, key: Key[Array, ""]) -> Synapses:
    """Features that are the departures of random images from the mean: where learning starts."""
    start = newborn(x, settings, key)
    chosen = jax.random.choice(key, len(x), (settings.features,), settings.features > len(x))
    weights = unit_columns((jnp.asarray(x)[chosen] - start.features.bias[None]).T)
    return start._replace(features=DenseMap(weights, start.features.bias))


def unit_columns(weights: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Columns of norm 1: each neuron scales what it sends."""
    return weights / jnp.maximum(jnp.linalg.norm(weights, axis=0, keepdims=True), 1e-6)


class Sight(NamedTuple):
    """What spikes found in a batch: the values of a layer, F before each step, spikes sent."""

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
def look(
    synapses: Synapses, x: Float[Array, "n m"], settings: Settings, key: Key[Array, ""]
) -> Sight:
    """The features of images, from silence."""
    system = _spiking(hierarchy(synapses, settings), settings.quantum)
    silence = Populations((None, jnp.zeros(settings.features), None), {})

    def one(x, key):
        return bpc.descend_in_parallel(
            system, silence, (x, None, None), key=key, steps=settings.steps,
            thinned=bpc.Thinned(jnp.asarray(settings.share)),
        )  # fmt: skip

    found = jax.vmap(one)(x, jax.random.split(key, len(x)))
    return Sight(found.value.values[1], found.energy, found.spikes.sum(1))


@eqx.filter_jit
def explain(
    synapses: Synapses, features: Float[Array, "n k"], settings: Settings, key: Key[Array, ""]
) -> Sight:
    """The causes of features, from silence."""
    system = _spiking(hierarchy(synapses, settings), settings.cause_quantum)
    silence = Populations((None, None, jnp.zeros(settings.causes)), {})

    def one(z, key):
        return bpc.descend_in_parallel(
            system, silence, (None, z, None), key=key, steps=settings.cause_steps,
            thinned=bpc.Thinned(jnp.asarray(settings.cause_share)),
        )  # fmt: skip

    found = jax.vmap(one)(features, jax.random.split(key, len(features)))
    return Sight(found.value.values[2], found.energy, found.spikes.sum(1))


def fall(
    synapses: Synapses, x: Float[Array, " m"], settings: Settings, key: Key[Array, ""], spikes: int
) -> bpc.Descent:
    """The features of an image by one spike at a time: greedy, and exact."""
    system = _spiking(hierarchy(synapses, settings), settings.quantum)
    silence = Populations((None, jnp.zeros(settings.features), None), {})
    return bpc.descend(system, silence, (x, None, None), key=key, spikes=spikes)


def _batches(count: int, settings: Settings, key: Key[Array, ""]) -> tuple[Array, Array]:
    order, keys = jax.random.split(key)
    number = count // settings.batch
    chosen = jax.random.permutation(order, count)[: number * settings.batch]
    return chosen.reshape(number, settings.batch), jax.random.split(keys, number)


def _curve(values: Array) -> np.ndarray:
    """Means over `POINTS` parts of an epoch."""
    return np.array([float(part.mean()) for part in np.array_split(np.asarray(values), POINTS)])


class Learned(NamedTuple):
    """The synapses after an epoch, with its curves: F, spikes, units active of an image."""

    synapses: Synapses
    energy: np.ndarray
    spikes: np.ndarray
    active: np.ndarray


@eqx.filter_jit
def _features(synapses, settings: Settings, x, key, fast, slow):
    chosen, keys = _batches(len(x), settings, key)
    number = len(keys)
    rule = momentum(optax.linear_schedule(fast, slow, number), decay=0.0)

    def step(carry, drawn):
        features, kept = carry
        batch, key = drawn
        now = synapses._replace(features=features)
        seen = look(now, x[batch], settings, key)
        arrow = hierarchy(now, settings).arrows[0]
        error = jax.vmap(arrow.error)(x[batch], jax.vmap(features)(seen.values))
        products: Any = hebbian(features, seen.values, error)
        moved, kept = rule.update(products, kept, features)
        change: Any = moved
        weights = unit_columns(features.weights + change.weights)
        # the mean image is known from the start, and every image drives it
        after = DenseMap(weights, features.bias + 0.01 * change.bias)
        active = (seen.values > 0).sum(1).mean()
        return (after, kept), (seen.energy[:, -1].mean(), seen.spikes.mean(), active)

    start = synapses.features, rule.init(synapses.features)
    (features, _), told = jax.lax.scan(step, start, (chosen, keys))
    return synapses._replace(features=features), told


def learn_features(
    synapses: Synapses,
    x: Float[np.ndarray, "n m"],
    settings: Settings,
    key: Key[Array, ""],
    span: tuple[float, float],
) -> Learned:
    """An epoch of learning features, at a rate that goes over `span` of that of the settings."""
    fast, slow = (jnp.asarray(settings.rate * share) for share in span)
    after, told = _features(synapses, settings, jnp.asarray(x), key, fast, slow)
    return Learned(after, *map(_curve, told))


@eqx.filter_jit
def _causes(synapses, settings: Settings, z, key, fast, slow):
    chosen, keys = _batches(len(z), settings, key)
    rule = momentum(optax.linear_schedule(fast, slow, len(keys)), decay=0.0)

    def step(carry, drawn):
        causes, kept = carry
        batch, key = drawn
        now = synapses._replace(causes=causes)
        features = z[batch] * settings.quantum
        seen = explain(now, features, settings, key)
        arrow = hierarchy(now, settings).arrows[1]
        error = jax.vmap(arrow.error)(features, jax.vmap(causes)(seen.values))
        products: Any = hebbian(causes, seen.values, error)
        moved, kept = rule.update(products, kept, causes)
        change: Any = moved
        active = (seen.values != 0).sum(1).mean()
        told = seen.energy[:, -1].mean(), seen.spikes.mean(), active
        after = DenseMap(unit_columns(causes.weights + change.weights), causes.bias + change.bias)
        return (after, kept), told

    start = synapses.causes, rule.init(synapses.causes)
    (causes, _), told = jax.lax.scan(step, start, (chosen, keys))
    return synapses._replace(causes=causes), told


def learn_causes(
    synapses: Synapses,
    counts: np.ndarray,
    settings: Settings,
    key: Key[Array, ""],
    span: tuple[float, float],
) -> Learned:
    """An epoch of learning what causes the spike counts [n, k] of features."""
    fast, slow = (jnp.asarray(settings.cause_rate * share) for share in span)
    after, told = _causes(synapses, settings, jnp.asarray(counts), key, fast, slow)
    return Learned(after, *map(_curve, told))


def in_batches(
    see, synapses: Synapses, x: np.ndarray, settings: Settings, key: Key[Array, ""], size: int = 500
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The quanta [n, k] of each unit, F at the end [n], and spikes [n], seen by `look` or
    `explain`."""
    quantum = settings.quantum if see is look else settings.cause_quantum
    counts, energy, spikes = [], [], []
    for k in range(0, len(x), size):
        part = jnp.asarray(x[k : k + size], jnp.float32)
        part = part if see is look else part * settings.quantum
        found = see(synapses, part, settings, jax.random.fold_in(key, k))
        counts.append(np.rint(np.asarray(found.values) / quantum).astype(np.int16))
        energy.append(np.asarray(found.energy[:, -1]))
        spikes.append(np.asarray(found.spikes))
    return np.concatenate(counts), np.concatenate(energy), np.concatenate(spikes)
