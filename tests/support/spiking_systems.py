"""Spiking systems of a few lines whose spikes are in closed form, and times to save states at."""

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from tests.support.lif_networks import TAU

SAVE = jnp.asarray([0.5, 1.0, 1.25, 2.0, 4.125])


class Pulses(bpc.AbstractSpikingSystem):
    """Leaky neurons on a unit interval whose spikes kick potentials; `args` is the drive."""

    weights: jax.Array  # [pre, post]

    def vector_field(self, t, y, args):
        return (args - y) / TAU

    def guard(self, t, y, args):
        return y - 1.0

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y)

    def kick(self, t, y, args, spikes):
        return spikes @ self.weights


def pulses(*entries):
    """Three neurons; `entries` are (pre, post, weight)."""
    weights = np.zeros((3, 3))
    for pre, post, weight in entries:
        weights[pre, post] = weight
    return Pulses(jnp.asarray(weights))


class Hills(bpc.AbstractSpikingSystem):
    """`v = t - curve t^2` less `drop` a spike: any second-order solver is exact on it."""

    curve: jax.Array
    threshold: jax.Array
    drop: jax.Array

    def vector_field(self, t, y, args):
        return 1.0 - 2.0 * self.curve * t + 0.0 * y

    def guard(self, t, y, args):
        return y - self.threshold

    def reset(self, t, y, args, fired):
        return jnp.where(fired, y - self.drop, y)
