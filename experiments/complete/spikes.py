"""Inference of missing pixels by spikes of values and errors, with all traffic counted."""

import dataclasses
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

    value: float = 0.3
    """Of hidden values, in units of a layer's root mean square."""
    pixel: float = 0.125
    """Of pixels."""
    error: float = 0.5
    """Of pixels' errors, in units of their standard deviation under the prediction; of hidden ones
    likewise."""
    lag: float = 0.75
    momentum: float = 0.9
    steps: int = 100
    averaged: int = 30


class Spiking(NamedTuple):
    """Answers in spikes: pixels [n, pixels], logits [n, classes] of one up sweep in spikes over them
    and of F at rest, F at the end; `traffic` [n, kinds], all spikes by kind; F [n, steps] of what was sent."""

    pixels: np.ndarray
    sweep: np.ndarray
    rest: np.ndarray
    last: np.ndarray
    traffic: np.ndarray
    curve: np.ndarray


def scales(energy: PredictiveCoding, x: Float[Array, "n pixels"]) -> tuple[Array, ...]:
    """Root mean square of each layer's values in up sweeps over images."""
    top = energy.depth - 1
    layers = jax.vmap(lambda x: energy.forward((x, *(None,) * top)))(x)
    return tuple(jnp.sqrt((z**2).mean()) for z in layers)


def tracking(energy: PredictiveCoding, size: tuple[Array, ...], sent: Quanta) -> Tracking:
    """The network as tracking populations."""
    quanta = (jnp.asarray(sent.pixel), *(sent.value * s for s in size[1:]))
    errors = {}
    for a in energy.arrows:
        if a.pre is None or a.post == energy.depth - 1:
            continue
        if a.pre < a.post:
            errors[a.name] = a.strength * quanta[a.post]
            continue
        bias = jnp.zeros(energy.arrows[0].predict.weights.shape[1]) if a.post == 0 else None
        width = bias if bias is not None else jnp.zeros(len(a.predict.bias))
        precision = a.mismatch.curvature(width)
        each = jnp.diagonal(precision) if precision.ndim == 2 else precision
        errors[a.name] = sent.error * jnp.sqrt(each).mean()
    return single(
        Tracking(
            energy, step_sizes(energy), quanta, errors, jnp.asarray(sent.lag), jnp.asarray(sent.momentum),
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


def answers(
    energy: PredictiveCoding,
    size: tuple[Array, ...],
    x: Float[Array, "n pixels"],
    seen: Bool[Array, "n pixels"],
    sent: Quanta,
) -> Spiking:
    """Answers in spikes, from silence."""
    populations = tracking(energy, size, sent)
    names = ("1->0", "2->1", "0->1", "1->2")

    @eqx.filter_jit
    def run(populations, x, seen):
        def one(x, seen):
            quantum = populations.quanta[0]
            heard = jnp.where(seen, quantum * jnp.round(x / quantum), x)
            args = clamp(energy, heard, seen)
            found = populations.run(energy.start(args), args)
            pixels = jnp.where(seen, heard, found.mean[0])
            sweep, spikes = _sweep(energy, pixels, populations.quanta)
            rest = by_label(energy, found.mean, heard, seen)
            values = found.traffic.values
            kinds = (
                jnp.where(seen, heard / quantum, 0.0).sum(),
                *(v.sum() for v in values[:3]),
                *(found.traffic.errors[name].sum() for name in names),
                spikes,
            )
            last = energy(found.mean, args)
            return pixels, sweep, rest, last, jnp.stack(kinds), found.energy

        return jax.vmap(one)(x, seen)

    return Spiking(*in_batches(lambda x, seen: run(populations, x, seen), x, seen))


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
