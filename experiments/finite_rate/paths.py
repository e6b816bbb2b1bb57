"""Paths from a stored memory until it is lost, by spikes, by the flow and by a circuit."""

from collections.abc import Callable

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

import bpcjax as bpc
from bpcjax.models import LIFMemory, SpikingHopfield, event_path

from ..common.memories import room

LEVEL = 0.5  # of the own weight: below it the memory is lost
STEP = 0.1  # of the flow, in tau
CIRCUIT_STEP = 0.2  # of the circuit, in mean intervals of its spikes


def dwell(
    times: Float[Array, " S"], own: Bool[Array, " S"], t1: float, late: float | Array = 0.0
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """How long a memory holds, in tau: when the weight of its pattern falls below one half, or
    `t1`; and whether it did.

    The weight `m` is a leaky count of own spikes: `m' = z - m`, z whether the last spike that
    arrived is an `own` one, from m = z = 1. Spikes at rising `times` (infinite: none) come `late`.
    """
    arrivals = jnp.append(jnp.minimum(times + late, t1), t1)

    def to_next(carry, arrival):
        t, m, z, first = carry
        when, next_z = arrival
        after = z + (m - z) * jnp.exp(t - when)
        falls = (m >= LEVEL) & (after < LEVEL)
        first = jnp.minimum(first, jnp.where(falls, t + jnp.log(m / LEVEL), jnp.inf))
        return (when, after, next_z, first), None

    one = jnp.ones((), arrivals.dtype)
    start = jnp.zeros_like(one), one, one, jnp.full_like(one, jnp.inf)
    kinds = jnp.append(own, False).astype(arrivals.dtype)
    first = jax.lax.scan(to_next, start, (arrivals, kinds))[0][3]
    return jnp.minimum(first, t1), first < t1


def swept(
    patterns: np.ndarray,
    beta: float,
    loads: np.ndarray,
    copies: int,
    seed: int,
    one: Callable,
    values: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """`time` and `lost` [load, set, copy] of paths at each load and set of patterns [set, P, N],
    from `one(energy, query, key)`; `ok`. With `values` [value]: of `one(energy, query, key,
    value)`, [value, load, set, copy].
    """
    stored = jnp.asarray(patterns[:, : int(loads.max())], jnp.float32)
    places = jnp.arange(stored.shape[1])

    def run(count, path, value=None):
        own = stored[path // copies]
        prior = jnp.where(places < count, 0.0, -1e6).astype(stored.dtype)
        energy = bpc.energies.ModernHopfield(own, beta, prior)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), path), count)
        return one(energy, own[0], key, *(() if value is None else (value,)))

    axes = {"count": jnp.asarray(loads, jnp.int32), "path": jnp.arange(len(stored) * copies)}
    if values is not None:
        axes = {"value": jnp.asarray(values, jnp.float32)} | axes
    table = bpc.sweep(run, axes, progress=False)
    found = {name: table[name].values for name in ("time", "lost", "ok")}
    return {name: x.reshape(*x.shape[:-1], len(stored), copies) for name, x in found.items()}


def by_spikes(rate: float, t1: float) -> Callable:
    """A path of the ideal memory, event by event."""
    return lambda energy, query, key: _ideal(rate, t1, energy, query, key)


def by_late_spikes(rate: float, t1: float) -> Callable:
    """The same, its spikes late by the value, in tau."""
    return lambda energy, query, key, delay: _ideal(rate, t1, energy, query, key, delay=delay)


def by_refractory(rate: float, t1: float) -> Callable:
    """The same, its memories silent for the value, in tau, after a spike."""
    return lambda energy, query, key, spell: _ideal(rate, t1, energy, query, key, spell=spell)


def _ideal(rate: float, t1: float, energy, query, key, delay=None, spell=None):
    memory = SpikingHopfield(energy, rate, delay=delay, refractory=spell)
    path = event_path(memory, query, key, spikes=room(rate * t1), t1=t1)
    time, lost = dwell(path.times, path.winners == 0, t1, 0.0 if delay is None else delay)
    return dict(time=time, lost=lost, ok=path.ok)


class _Followed(bpc.AbstractSystem):
    """The flow `x' = sum_mu p_mu(x) x_mu - x` of an energy, and the weight of the first pattern."""

    energy: bpc.energies.ModernHopfield

    def vector_field(self, t, y, args):
        x, m = y
        posterior = self.energy.posterior(x)
        return posterior @ self.energy.patterns - x, posterior[0] - m


def by_flow(t1: float) -> Callable:
    """A path of the flow, the limit of infinite rate."""
    saved = np.linspace(0, t1, round(2 * t1) + 1)

    def one(energy, query, key):
        start = query, jnp.ones((), query.dtype)
        solution = bpc.simulate(
            _Followed(energy), start, t1=t1, dt=STEP, solver=dfx.Heun(),
            saveat=dfx.SaveAt(ts=saved), throw=False,
        )  # fmt: skip
        below = solution.ys[1] < LEVEL
        lost = below.any()
        time = jnp.where(lost, jnp.asarray(saved)[below.argmax()], t1)
        return dict(time=time, lost=lost, ok=solution.ok)

    return one


def by_circuit(rate: float, t1: float, membrane: float) -> Callable:
    """A path of leaky neurons, `membrane` their time constant in tau, whose inhibitory unit has
    the value as its gain."""
    spikes, step = room(1.5 * rate * t1), min(CIRCUIT_STEP / rate, membrane)

    def one(energy, query, key, gain):
        memory = LIFMemory(energy, rate, 1.0, membrane, gain)
        solution = bpc.simulate(
            memory, memory.start(query), t1=t1, dt=step, key=key, throw=False, max_spikes=spikes,
            solver=bpc.OrderedSpikes(dfx.Heun(), per_step=12),
        )  # fmt: skip
        times, neurons = solution.spikes.times, solution.spikes.neurons
        time, lost = dwell(times, neurons == 0, t1)
        return dict(time=time, lost=lost, ok=solution.ok)

    return one
