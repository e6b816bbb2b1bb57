"""What a spiking memory does in the long run: measures of one path, and the name of its regime."""

import enum

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc

NEAR = 0.75  # overlap from which a state counts as near a pattern


class Regime(enum.IntEnum):
    """Regime of a path, in the order in which `regime` looks for it."""

    SILENCE = 0
    RETRIEVAL = 1
    REPLAY = 2
    WANDERING = 3
    MIXTURE = 4


def equidistant(count: int, b) -> bpc.energies.ModernHopfield:
    """Orthonormal patterns, a flat prior, and `beta (1 - c) = b`."""
    return bpc.energies.ModernHopfield(jnp.eye(count), b)


def measures(memory, query, key, spikes: int, t1: float) -> dict[str, jax.Array]:
    """Of one path from a query at pattern 0 until `t1`:

    `stays`, whether no other pattern and no mixture was visited; `faithful`, the share of time
    near pattern 0, `sure`, near any; `activity`, the spikes over those due without refractory
    periods; `switches`, changes from one pattern to another, `dwell`, the time for each, and its
    coefficient of variation; `cv` and `fano` of the spikes of memory 0; `ok`.
    """
    patterns = memory.energy.patterns
    squares = jnp.sum(patterns**2, axis=1)

    def overlaps(y):
        overlap = patterns @ y.x / squares
        return overlap.max(), overlap.argmax(), overlap[0]

    path = bpc.models.event_path(memory, query, key, spikes=spikes, t1=t1, save=overlaps)
    best, which, own = path.saved
    # Spikes are due as a Poisson process: averages over them are averages over time.
    number = jnp.arange(spikes)
    due = number < path.due
    near = jnp.where(due & (best > NEAR), which, -1)
    filled = jax.lax.associative_scan(lambda a, b: jnp.where(b >= 0, b, a), near)
    switch = (filled[1:] != filled[:-1]) & (filled[:-1] >= 0) & due[1:]
    when = jnp.where(switch, number[1:], 0) / memory.rate
    before = jnp.concatenate([jnp.zeros(1), jax.lax.cummax(when)[:-1]])
    stay = jnp.where(switch, when - before, 0.0)
    count = switch.sum()
    mean = stay.sum() / jnp.maximum(count, 1)
    spread = jnp.sqrt(jnp.maximum(jnp.sum(stay**2) / jnp.maximum(count, 1) - mean**2, 0))
    sent = path.winners >= 0
    neurons = jnp.where(sent, jnp.minimum(path.winners, 1), -1)
    record = bpc.Spikes(path.times, neurons, path.count)
    statistics = bpc.analysis.spike_statistics(record, 2, t0=0.0, t1=t1, window=t1 / 20)
    return dict(
        stays=jnp.where(due, own > 0.5, True).all(),
        faithful=jnp.sum(due & (own > NEAR)) / path.due,
        sure=jnp.sum(near >= 0) / path.due,
        activity=path.count / (memory.rate * path.t),
        switches=count,
        dwell=path.t / (count + 1),
        dwell_cv=spread / jnp.maximum(mean, 1e-12),
        cv=statistics.cv[0],
        fano=statistics.fano[0],
        ok=path.ok,
    )


def regime(activity, faithful, sure, switches, dwell_cv) -> np.ndarray:
    """The `Regime` of measures, averaged over seeds or not.

    Silence: less than a fifth of the spikes due. Retrieval: near pattern 0 for nine tenths of the
    time. Near patterns for half of the time: replay, where switches come at intervals that vary
    by less than half their mean, else wandering. All else is a mixture.
    """
    regular = (np.asarray(switches) >= 6) & (np.asarray(dwell_cv) < 0.5)
    return np.select(
        [
            np.asarray(activity) < 0.2,
            np.asarray(faithful) > 0.9,
            (np.asarray(sure) > 0.5) & regular,
            np.asarray(sure) > 0.5,
        ],
        [Regime.SILENCE, Regime.RETRIEVAL, Regime.REPLAY, Regime.WANDERING],
        Regime.MIXTURE,
    )


def crossing(bs, stays) -> np.ndarray:
    """Where the share of paths that stayed passes 1/2, for each column of `stays` [b, rate]; NaN
    where it does not."""
    places = []
    for share in np.asarray(stays, float).T:
        below = np.flatnonzero(share < 0.5)
        if not len(below) or below[-1] == len(bs) - 1:
            places.append(np.nan)
            continue
        k = below[-1]
        part = (0.5 - share[k]) / (share[k + 1] - share[k])
        places.append(bs[k] + part * (bs[k + 1] - bs[k]))
    return np.array(places)
