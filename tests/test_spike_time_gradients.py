"""Losses on first-spike times: their plain derivative through the solve is exact (SpikeProp)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc

INPUTS, HIDDEN, OUT = 10, 47, 3


def network(weights, times):
    """50 leaky neurons: a recurrent hidden layer, and outputs; inputs at the given times."""
    into, own, out = weights
    train = bpc.SpikeTrain(times, jnp.arange(INPUTS), channels=INPUTS)
    leaky = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    hidden, last = slice(0, HIDDEN), slice(HIDDEN, HIDDEN + OUT)
    synapse = bpc.synapses.Exponential(5.0)
    return bpc.Network(
        leaky,
        [
            bpc.Projection(into, synapse, pre=train, post=hidden),
            bpc.Projection(own, synapse, pre=hidden, post=hidden),
            bpc.Projection(out, synapse, pre=hidden, post=last),
        ],
    )


def first_times(weights, times):
    found = bpc.simulate(
        (net := network(weights, times)), net.rest(HIDDEN + OUT), t1=12.0, dt=0.1, max_spikes=600
    )
    return bpc.encode.first_spike(found.spikes.times, found.spikes.neurons, HIDDEN + OUT)[HIDDEN:]


@pytest.mark.slow
def test_gradients_are_differences_of_the_event_simulation():
    keys = jax.random.split(jax.random.key(0), 4)
    weights = (
        jax.random.uniform(keys[0], (INPUTS, HIDDEN), maxval=2.0),
        0.03 * jax.random.normal(keys[1], (HIDDEN, HIDDEN)),
        0.1 + 0.15 * jax.random.normal(keys[2], (HIDDEN, OUT)),
    )
    times = jax.random.uniform(keys[3], (INPUTS,), maxval=8.0)

    @jax.jit
    def loss(weights, times):
        return first_times(weights, times) @ jnp.array([1.0, -2.0, 0.5])

    assert np.isfinite(loss(weights, times))  # each output fires
    given = weights, times
    slope = jax.jit(jax.grad(loss, (0, 1)))(*given)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(slope))
    rng, h = np.random.default_rng(1), 1e-6
    for _ in range(3):
        way = jax.tree.map(lambda w: jnp.asarray(rng.normal(size=w.shape)), given)
        ahead, back = (
            loss(*jax.tree.map(lambda w, d, s=s: w + s * h * d, given, way)) for s in (1, -1)
        )
        products = jax.tree.map(lambda a, b: (a * b).sum(), slope, way)
        expected = sum(float(x) for x in jax.tree.leaves(products))
        # Rounding of times near 10 ms over 2 h is 1e-9.
        assert float((ahead - back) / (2 * h)) == pytest.approx(expected, rel=1e-6)
