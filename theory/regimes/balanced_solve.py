"""Brunel's network, ready to be run at any inhibition and drive: for `balanced_network`."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

import bpcjax as bpc
from experiments.common.balanced_networks import brunel

from .balanced_theory import CELL, DELAY

HIGHEST = 1 / CELL["ref"]  # 1/ms, of all rates


class Solved(NamedTuple):
    """The spikes of a network, its activity (Hz) in bins of 1 ms after `settle`, and `ok`."""

    spikes: bpc.Spikes
    activity: jax.Array
    ok: jax.Array


class Brunel(eqx.Module):
    """Brunel's network with one draw of connections and of input, after `settle` for `t1` (ms)."""

    network: bpc.Network
    start: PyTree
    size: int = eqx.field(static=True)
    settle: float = eqx.field(static=True)
    t1: float = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    @classmethod
    def of(cls, size: int, weight: float, settle: float, t1: float, dt: float, seed: int):
        """The network at ratio 1 and drive 1, its potentials spread from reset to threshold."""
        draws, places = jax.random.split(jax.random.key(seed))
        problem, _ = brunel(draws, size, weight, 1.0, 1.0, DELAY)
        low, high = CELL["reset"], CELL["threshold"]
        network = eqx.tree_at(
            lambda net: net.neurons.neuron.v_reset, problem.network, jnp.array(low)
        )
        v = jax.random.uniform(places, (size,), minval=low, maxval=high)
        start = eqx.tree_at(lambda y: y.neurons.neuron.v, problem.start, v)
        return cls(network, start, size, settle, t1, dt)

    def solve(self, drive, ratio) -> Solved:
        """Run it at an external drive, over that which reaches threshold by itself, and a ratio of
        the inhibitory to the excitatory weight.
        """

        def scaled(net):
            return net.projections[1].weights.weights, net.projections[2].pre.rates

        inhibition, outside = scaled(self.network)
        network = eqx.tree_at(scaled, self.network, (ratio * inhibition, drive * outside))
        end = self.settle + self.t1
        solution = bpc.simulate(
            network, self.start, jnp.array(0.0),
            t1=end, dt=self.dt, solver=bpc.GridSpikes(), throw=False,
            max_spikes=math.ceil(HIGHEST * self.size * end),
        )  # fmt: skip
        assert solution.spikes is not None
        # Spikes are at the ends of steps: half a step later none is on an edge.
        since = solution.spikes.times - self.settle - 0.5 * self.dt
        bins = jnp.where((since >= 0) & (since < self.t1), jnp.floor(since), self.t1)
        counts = jnp.zeros(int(self.t1)).at[bins.astype(int)].add(1.0, mode="drop")
        return Solved(solution.spikes, 1e3 * counts / self.size, solution.ok)

    def statistics(self, solved: Solved) -> dict[str, Any]:
        """Mean rate (Hz), mean CV of the neurons that have enough intervals, synchrony."""
        start = self.settle + 0.5 * self.dt
        trains = bpc.analysis.spike_statistics(
            solved.spikes, self.size, t0=start, t1=start + self.t1, window=1.0, min_intervals=3
        )
        return {
            "rate": 1e3 * trains.rate.mean(),
            "cv": jnp.nanmean(trains.cv),
            "synchrony": trains.synchrony,
            "ok": solved.ok & trains.ok,
        }

    def __call__(self, drive, ratio) -> dict[str, Any]:
        """A point of the map: its statistics and its activity."""
        solved = self.solve(drive, ratio)
        return self.statistics(solved) | {"activity": ("time", solved.activity)}


def by_itself(run):
    """`batch=by_itself`: chunks of one point, without `vmap`, under which both sides of a branch
    would be worked out.
    """

    def batched(**points):
        values = run(**{name: x[0] for name, x in points.items()})
        return jax.tree.map(lambda x: jnp.asarray(x)[None], values)

    return batched
