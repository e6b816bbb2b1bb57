"""Balanced networks of the literature, with their parameters."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

import bpcjax as bpc


class Problem(NamedTuple):
    """Network, its initial state, and its external current (pA)."""

    network: bpc.Network
    start: PyTree
    drive: Float[Array, ""]


def cuba(key: Key[Array, ""], count: int = 4000, v0=None) -> Problem:
    """The current-based network of Vogels & Abbott (2005), as benchmark 2 of Brette et al. (2007).

    80 % excitatory; 80 synapses a neuron on average (probability 0.02 at 4,000); time constants
    20, 5, 10 ms, refractory 5 ms; 1.62 and -9 mV, written as currents at a leak of 10 nS.
    """
    wires, start = jax.random.split(key)
    keys = jax.random.split(wires)
    excitatory, probability = round(0.8 * count), 80 / count
    neurons = bpc.Refractory(
        bpc.neurons.LIF(c=200.0, g_l=10.0, e_l=-49.0, v_th=-50.0, v_reset=-60.0), 5.0
    )
    parts = (
        (keys[0], slice(0, excitatory), excitatory, 16.2, 5.0),
        (keys[1], slice(excitatory, count), count - excitatory, -90.0, 10.0),
    )
    projections = [
        bpc.Projection(
            bpc.connect.Sparse.random(key, size, count, probability, weight),
            bpc.synapses.Exponential(tau),
            pre=pre,
        )
        for key, pre, size, weight, tau in parts
    ]
    network = bpc.Network(neurons, projections)
    v = jax.random.uniform(start, (count,), minval=-60.0, maxval=-50.0)
    state = eqx.tree_at(lambda y: y.neurons.neuron.v, network.rest(count), v)
    return Problem(network, state, jnp.array(0.0))


class BrunelRates(NamedTuple):
    """Inputs of a neuron of Brunel's network, as theory takes them: sources, weights, rate."""

    excitatory: int
    inhibitory: int
    weight: float  # mV
    ratio: float  # of the inhibitory weight
    external: float  # 1/ms, all external spikes of a neuron


def brunel(
    key: Key[Array, ""], count: int = 12_500, weight: float = 0.1, ratio=5.0, drive=2.0, delay=1.5
) -> tuple[Problem, BrunelRates]:
    """Brunel's network A with delta synapses (2000, J. Comput. Neurosci. 8:183; NEST's example).

    4/5 excitatory, each neuron with a tenth of each population as sources, tau 20 ms, threshold
    20 mV, reset 0, refractory 2 ms. `weight` in mV, `drive` the external rate over that which
    reaches threshold by itself.
    """
    wires, noise = jax.random.split(key)
    keys = jax.random.split(wires)
    excitatory = 4 * count // 5
    sources = excitatory // 10, (count - excitatory) // 10
    tau, threshold = 20.0, 20.0
    external = drive * threshold / (weight * tau)  # 1/ms
    neurons = bpc.Refractory(
        bpc.neurons.LIF(c=tau, g_l=1.0, e_l=0.0, v_th=threshold, v_reset=0.0), 2.0
    )
    spans = slice(0, excitatory), slice(excitatory, count)
    projections = [
        bpc.Projection(
            bpc.connect.Sparse.fixed_in(k, span.stop - span.start, count, n, w),
            bpc.synapses.Delta(),
            pre=span,
            delay=delay,
        )
        for k, span, n, w in zip(keys, spans, sources, (weight, -ratio * weight), strict=True)
    ]
    train = bpc.PoissonTrain(jnp.full(count, external), noise)
    outside = bpc.Projection(bpc.connect.OneToOne(weight), bpc.synapses.Delta(), pre=train)
    network = bpc.Network(neurons, [*projections, outside])
    rates = BrunelRates(*sources, weight, ratio, external)
    return Problem(network, network.rest(count), jnp.array(0.0)), rates
