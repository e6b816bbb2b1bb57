"""Spike trains and records of them, for tests."""

import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from bpcjax import Spikes


def record(trains, room=None):
    """A record, in the order of times, of one list of times a neuron."""
    times = np.concatenate([*map(np.asarray, trains), []])
    neurons = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    order = np.argsort(times, kind="stable")
    pad = max((room or 0) - len(times), 0)
    return Spikes(
        jnp.asarray(np.append(times[order], [np.inf] * pad)[:room], float),
        jnp.asarray(np.append(neurons[order], [-1] * pad)[:room], int),
        jnp.array(len(times)),
    )


def common(rng, size, keep, mother, t1):
    """Trains that each keep every spike of one Poisson train with one probability."""
    events = np.sort(rng.uniform(0.0, t1, rng.poisson(mother * t1)))
    return [events[rng.random(len(events)) < keep] for _ in range(size)]


def trains_of(draw_times):
    return st.lists(st.lists(draw_times, max_size=12, unique=True), min_size=1, max_size=4)


def real(spikes):
    """Times and channels of encoded spikes, without the padding."""
    kept = np.asarray(spikes.neurons) >= 0
    return np.asarray(spikes.times)[kept], np.asarray(spikes.neurons)[kept]
