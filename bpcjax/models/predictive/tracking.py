"""Tracking populations: neurons that send how far their values and errors moved, in spikes.

The inside of a neuron is analog and follows the flow of F at what was *sent*; a spike moves what
was sent by a quantum once it lags behind. The flow so integrates its own rounding: where single
greedy spikes stop on the wall of a stiff coupling, a membrane goes on until the mean of what is
sent is at rest (sigma-delta coding).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ..._arrays import sized
from ..._require import describe, floating
from ...energies import PredictiveCoding
from ...system import Module, parameter


def follow(
    sent: Float[Array, "..."], value: Float[Array, "..."], quantum: Array, lag: Array
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """What was sent after the spikes that bring it to the nearest quantum of `value`, where it lags
    by more than `lag` quanta; and the number of spikes of each neuron."""
    count = jnp.round(sent / quantum)  # whole: sums of quanta would drift off 0
    away = value / quantum - count
    spikes = jnp.where(jnp.abs(away) > lag, jnp.round(away), 0.0)
    return quantum * (count + spikes), jnp.abs(spikes)


class Tracks(NamedTuple):
    """State: potentials now and a step before; values and errors that were sent."""

    potentials: PyTree
    before: PyTree
    values: PyTree
    errors: dict[str, Array]


class Traffic(NamedTuple):
    """Spikes of a step, by layer of values (0 where clamped) and by arrow of errors."""

    values: tuple[Array, ...]
    errors: dict[str, Array]


class Tracked(NamedTuple):
    """End of a run: the values sent, and the potentials; the `mean` of values sent over the last
    steps, and `inside`, that of potentials; F of what was sent after each step, and its traffic."""

    values: PyTree
    potentials: PyTree
    mean: PyTree
    inside: PyTree
    energy: Float[Array, " steps"]
    traffic: Traffic


def _of_layers(name: str) -> Callable[[Any], tuple[Any, ...]]:
    """Converter of a field that holds positive numbers a layer, `None` where it has none."""

    def convert(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, tuple | list):
            raise ValueError(f"{name} must be a tuple, one a layer, got {describe(values)}.")
        return tuple(None if v is None else floating(name, v, above=0) for v in values)

    return convert


def _of_arrows(values: Any) -> dict[str, Any]:
    """Positive numbers an arrow, by its name."""
    if not isinstance(values, Mapping):
        raise ValueError(f"error_quanta must be a mapping of arrows, got {describe(values)}.")
    return {name: floating("error_quanta", v, above=0) for name, v in values.items()}


class Tracking(Module):
    """Tracking populations of a predictive network in parallel steps: `quanta` of values by layer,
    `error_quanta` by the name of an arrow; a neuron spikes where it lags behind by more than `lag`
    quanta. Potentials descend F with momentum, as in `accelerate`, at what was sent.

    Errors are sent to free layers only. What a neuron's own error does to its own value stays
    inside.
    """

    energy: PredictiveCoding
    sizes: tuple[Any, ...] = eqx.field(converter=_of_layers("sizes"))
    quanta: tuple[Any, ...] = eqx.field(converter=_of_layers("quanta"))
    error_quanta: dict[str, Float[Array, "*n"]] = eqx.field(converter=_of_arrows)
    lag: Float[Array, ""] = parameter(0.75, positive=True)
    most: Float[Array, ""] = parameter(1.0, nonnegative=True)  # of momentum
    steps: int = eqx.field(static=True, converter=sized("steps", 1), default=100)
    averaged: int = eqx.field(static=True, converter=sized("averaged", 1), default=20)

    def _arrows(self, y: PyTree, args: PyTree) -> list[str]:
        z = self.energy.full(y, args)
        return [
            a.name for a in self.energy.arrows
            if a.pre is not None and y[a.pre] is not None and z[a.post] is not None
        ]  # fmt: skip

    def start(self, y0: PyTree, args: PyTree = None) -> Tracks:
        """State at the potentials `y0`, before anything was sent; of seen units what is clamped."""
        seen = self.energy.clamped(y0, args)
        silent = tuple(
            None if z is None else jnp.where(s, z, jnp.zeros_like(z))
            for z, s in zip(y0, seen, strict=True)
        )
        every = self.energy.errors(y0, args)
        errors = {name: jnp.zeros_like(every[name]) for name in self._arrows(y0, args)}
        return Tracks(y0, y0, silent, errors)

    def step(self, state: Tracks, args: PyTree, t: Array) -> tuple[Tracks, Traffic]:
        """One step of all neurons: values are sent, then errors, then potentials move."""
        energy, gain = self.energy, jnp.minimum(t / (t + 3), self.most)
        ahead = energy.project(
            jax.tree.map(lambda a, b: a + gain * (a - b), state.potentials, state.before)
        )
        values, spikes = [], []
        for z, u, quantum in zip(state.values, ahead, self.quanta, strict=True):
            now, many = (None, None) if z is None else follow(z, u, quantum, self.lag)
            values.append(now)
            spikes.append(jnp.zeros(()) if many is None else many.sum())
        z = tuple(values)
        true = energy.errors(z, args)
        pairs = {
            name: follow(sent, true[name], self.error_quanta[name], self.lag)
            for name, sent in state.errors.items()
        }
        errors = {name: sent for name, (sent, _) in pairs.items()}
        drive = energy.membrane(z, args, true | errors)
        after = tuple(
            None if u is None else u + size * d
            for u, d, size in zip(ahead, drive, self.sizes, strict=True)
        )
        traffic = Traffic(tuple(spikes), {name: many.sum() for name, (_, many) in pairs.items()})
        return Tracks(energy.project(after), state.potentials, z, errors), traffic

    def run(self, y0: PyTree, args: PyTree = None) -> Tracked:
        """All steps from the potentials `y0`, as if nothing had been sent before."""
        first = self.steps - self.averaged

        def step(carry, t):
            state, total = carry
            state, traffic = self.step(state, args, t)
            weight = jnp.where(t >= first, 1.0 / self.averaged, 0.0)
            now = state.values, state.potentials
            total = jax.tree.map(lambda a, b: a + weight * b, total, now)
            return (state, total), (self.energy(state.values, args), traffic)

        state = self.start(y0, args)
        none = jax.tree.map(jnp.zeros_like, (state.values, state.potentials))
        time = jnp.arange(self.steps, dtype=jax.tree.leaves(y0)[0].dtype)
        (state, mean), (free, traffic) = jax.lax.scan(step, (state, none), time)
        values, potentials = mean
        return Tracked(state.values, state.potentials, values, potentials, free, traffic)
