"""Spike-timing rules, and trains for them to replay."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.learning import Hard, RewardSTDP, Soft, TraceSTDP, TriggeredSTDP, Window, replay

PARAMETERS = 0.7, 0.9, 12.0, 31.0  # a_plus, a_minus, tau_plus, tau_minus
WINDOW = Window(*PARAMETERS)
ONE = jnp.zeros((1, 1))


def train(times, neurons=None):
    times = jnp.asarray(times, float)
    neurons = jnp.zeros(times.shape, int) if neurons is None else jnp.asarray(neurons)
    return bpc.Spikes(times, neurons)


def some_spikes(rng, neurons, t1, step=None):
    """Poisson-like trains of several neurons as one, on a grid if asked."""
    count = rng.poisson(0.05 * t1 * neurons)
    times = rng.uniform(0, t1, count)
    if step:
        times = np.ceil(times / step) * step
    pairs = np.unique(np.stack([times, rng.integers(0, neurons, count)]), axis=1)
    times, who = pairs
    return train(times, who.astype(int))


RULES = {
    "traces": TraceSTDP(WINDOW),
    "nearest": TraceSTDP(WINDOW, Soft(0.0, 1.0, 0.5), nearest=True),
    "hard": TraceSTDP(WINDOW, Hard()),
    "triggered": TriggeredSTDP(rate=0.2),
    "rewarded": RewardSTDP(TraceSTDP(WINDOW), tau=50.0),
}


@eqx.filter_jit
def compiled_replay(rule, weights, pre, post):
    return replay(rule, weights, pre, post)
