"""Inference of missing pixels by spikes of values and errors, with all traffic counted."""

import dataclasses
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from bpcjax.energies import PredictiveCoding
from bpcjax.models.predictive.bidirectional import step_sizes
from bpcjax.models.predictive.tracking import Tracking

from ..common.precision import single
from .inference import by_label, clamp, in_batches

SENT = (
    "pixels seen", "pixels missing", "first layer", "second layer", "errors of pixels",
    "errors of the first layer, from above", "errors of the first layer, to pixels",
    "errors of the second layer, to the first", "read-out",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Quanta:
    """Quanta of spikes and steps of inference."""

    value: float = 0.15
    """Of hidden values, in units of their root mean square."""
    pixel: float = 0.0625
    """Of pixels."""
    error: float = 2.0
    """Of pixels' errors, in units of their standard deviation under the prediction; of hidden ones
    likewise."""
    lag: float = 0.75
    momentum: float = 1.0
    steps: int = 100
    averaged: int = 30


class Spiking(NamedTuple):
    """Answers in spikes: pixels [n, pixels], logits [n, classes] of one up sweep in spikes over
    them and of F at rest, F at the end; `traffic` [n, kinds], all spikes by kind; F [n, steps] of
    what was sent."""

    pixels: np.ndarray
    sweep: np.ndarray
    rest: np.ndarray
    last: np.ndarray
    traffic: np.ndarray
    curve: np.ndarray


def scales(energy: PredictiveCoding, x: Float[Array, "n pixels"]) -> tuple[Array, ...]:
    """Root mean square [units] of each layer's values in up sweeps over images; of a unit at least
    a tenth of the layer's."""
    top = energy.depth - 1
    layers = jax.vmap(lambda x: energy.forward((x, *(None,) * top)))(x)
    each = [jnp.sqrt((z**2).mean(0)) for z in layers]
    return tuple(jnp.maximum(r, 0.1 * jnp.sqrt((r**2).mean())) for r in each)


def tracking(energy: PredictiveCoding, size: tuple[Array, ...], sent: Quanta) -> Tracking:
    """The network as tracking populations."""
    quanta = (jnp.full_like(size[0], sent.pixel), *(sent.value * s for s in size[1:]))
    errors = {}
    for a in energy.arrows:
        if a.pre is None or a.post == energy.depth - 1:
            continue
        if a.pre < a.post:
            errors[a.name] = a.strength * quanta[a.post]
            continue
        precision = a.mismatch.curvature(jnp.zeros_like(a.predict.bias))
        each = jnp.diagonal(precision) if precision.ndim == 2 else precision
        errors[a.name] = sent.error * jnp.sqrt(each)
    return single(
        Tracking(
            energy, step_sizes(energy), quanta, errors, jnp.asarray(sent.lag),
            jnp.asarray(sent.momentum),
            steps=sent.steps, averaged=sent.averaged,
        )
    )  # fmt: skip


def _sweep(energy: PredictiveCoding, x: Array, quanta: tuple) -> tuple[Array, Array]:
    """Label's potentials of one up sweep whose values are sent in quanta, and the spikes."""
    top, count, z = energy.depth - 1, jnp.zeros(()), x
    for k in range(top):
        spikes = jnp.round(z / quanta[k])
        count, sent = count + jnp.abs(spikes).sum(), quanta[k] * spikes
        z = energy.arrows[k].predict(sent)
        if k < top - 1:
            z = energy.arrows[k].mismatch.mode(z)
    return z, count


@eqx.filter_jit
def _answers(populations: Tracking, x: Array, seen: Array):
    energy, quantum = populations.energy, populations.quanta[0]

    def one(x, seen):
        heard = jnp.where(seen, quantum * jnp.round(x / quantum), x)
        args = clamp(energy, heard, seen)
        found = populations.run(energy.start(args), args)
        pixels = jnp.where(seen, heard, found.inside[0])
        sweep, spikes = _sweep(energy, pixels, populations.quanta)
        kinds = (
            jnp.where(seen, heard / quantum, 0.0).sum(),
            *(v.sum() for v in found.traffic.values[:3]),
            *(found.traffic.errors[name].sum() for name in ("1->0", "2->1", "0->1", "1->2")),
            spikes,
        )
        rest = by_label(energy, found.mean, heard, seen)
        last = energy(found.mean, args)
        return pixels, sweep, rest, last, jnp.stack(kinds), found.energy

    return jax.vmap(one)(x, seen)


def answers(
    energy: PredictiveCoding,
    size: tuple[Array, ...],
    x: Float[Array, "n pixels"],
    seen: Bool[Array, "n pixels"],
    sent: Quanta,
) -> Spiking:
    """Answers in spikes, from silence."""
    return Spiking(*in_batches(partial(_answers, tracking(energy, size, sent)), x, seen))


def raster(
    energy: PredictiveCoding, size: tuple[Array, ...], x: Array, seen: Array, sent: Quanta
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes [steps, neurons] of the values of one image, the most active neurons of pixels and of
    both layers, and how many there are of each."""
    populations = tracking(energy, size, sent)
    args = clamp(energy, x, seen)

    @eqx.filter_jit
    def run(populations):
        def step(state, t):
            after, _ = populations.step(state, args, t)
            each = zip(state.values, after.values, populations.quanta, strict=True)
            return after, [jnp.abs(b - a) / q for a, b, q in each if a is not None]

        start = populations.start(energy.start(args), args)
        return jax.lax.scan(step, start, jnp.arange(sent.steps, dtype=x.dtype))[1]

    layers = [np.round(np.asarray(s)) for s in run(populations)]
    most = [s[:, np.argsort(-s.sum(0))[:40]] for s in layers]
    return np.concatenate(most, axis=1), np.array([m.shape[1] for m in most])
