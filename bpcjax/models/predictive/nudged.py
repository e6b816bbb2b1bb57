"""Nudged phase one spike at a time: the exact process of which learning takes parallel steps."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from ...energies import PredictiveCoding
from ...jumps.path import AbstractJumps
from .phases import NudgedPhases, _spike, chain


class NudgedSpikes(AbstractJumps):
    """Nudged phase of one sample as a jump process: hidden neurons spike at rate 1 where their
    membranes are more than half a quantum from their values, one at a time.

    Membranes and thresholds are those of `NudgedPhases.learn`, which fires all such neurons at
    once. They aim at a Newton step from the prediction, not at the minimum of F: with a fine
    quantum they rest above it, at the minimum where the stiffness of `phases` is 1. A spike moves
    its own membrane too, so that values may go on to and fro within a quantum. The state is the
    values of the hidden layers; channels are their spikes up, then down.
    """

    phases: NudgedPhases
    energy: PredictiveCoding  # nudged
    x: Float[Array, "..."]
    y: Float[Array, "..."]
    stiff: tuple[Float[Array, "..."] | None, ...]
    offsets: list[Float[Array, "..."]]

    @classmethod
    def of(
        cls, phases: NudgedPhases, energy: PredictiveCoding, x: Array, y: Array, key: Key[Array, ""]
    ) -> tuple["NudgedSpikes", tuple[Array, ...]]:
        """The process with the sign and the offsets that `phases.learn` draws from this key, and
        the values where it starts."""
        signs, rounding = jax.random.split(key)
        sign = jax.random.rademacher(signs, (), x.dtype)
        (_, *hidden), mus = phases.values(energy, x)
        energy = energy.nudged(len(mus), sign * phases.strength)
        free = None, *hidden, None
        stiff = phases.stiffness(energy, free, (x, *(None for _ in hidden), y))
        offsets = [
            jax.random.uniform(jax.random.fold_in(rounding, k), mu.shape, x.dtype, -0.5, 0.5)
            for k, mu in enumerate(mus[:-1])
        ]
        return cls(phases, energy, x, y, stiff, offsets), tuple(hidden)

    def log_rates(self, y, args):
        targets, _, _ = self.phases._corrections(
            chain(self.energy), [self.x, *y], self.y, self.stiff, self.offsets
        )
        pairs, quantum = zip(targets, y, strict=True), self.phases.quantum
        spikes = ravel_pytree(tuple(_spike(t - v, v, quantum) for t, v in pairs))[0]
        return jnp.where(jnp.concatenate([spikes, -spikes]) > 0, 0.0, -jnp.inf)

    def jump(self, y, channel):
        flat, unravel = ravel_pytree(y)
        by = jnp.zeros_like(flat).at[channel % flat.size].set(jnp.where(channel < flat.size, 1, -1))
        quantum = self.phases.quantum  # whole: sums of quanta would drift off 0
        return unravel(quantum * (jnp.round(flat / quantum) + by))
