"""Derivatives of first-spike times against differences of the simulation, in 50 neurons."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.stepping import AbstractSpikes

INPUTS, HIDDEN, OUT = 10, 47, 3
T1 = 12.0  # ms
STEP = 1e-6  # of the differences: rounding of times near 10 ms over it is 1e-9


def start() -> tuple[Any, jax.Array]:
    """Weights of all three projections and times of input spikes, with which all outputs fire."""
    keys = jax.random.split(jax.random.key(0), 4)
    weights = (
        jax.random.uniform(keys[0], (INPUTS, HIDDEN), maxval=2.0),
        0.03 * jax.random.normal(keys[1], (HIDDEN, HIDDEN)),
        0.1 + 0.15 * jax.random.normal(keys[2], (HIDDEN, OUT)),
    )
    return weights, jax.random.uniform(keys[3], (INPUTS,), maxval=8.0)


def first_times(weights: Any, times: jax.Array, solver: AbstractSpikes, dt: float) -> jax.Array:
    """First spikes of the outputs (`inf` where silent): leaky neurons, a recurrent hidden layer."""
    into, recurrent, out = weights
    train = bpc.SpikeTrain(times, jnp.arange(INPUTS), channels=INPUTS)
    leaky = bpc.neurons.LIF(c=10.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)  # pyright: ignore
    hidden, last = slice(0, HIDDEN), slice(HIDDEN, HIDDEN + OUT)
    synapse = bpc.synapses.Exponential(5.0)  # pyright: ignore
    net = bpc.Network(
        leaky,
        [
            bpc.Projection(into, synapse, pre=train, post=hidden),
            bpc.Projection(recurrent, synapse, pre=hidden, post=hidden),
            bpc.Projection(out, synapse, pre=hidden, post=last),
        ],
    )
    n = HIDDEN + OUT
    solution = bpc.simulate(net, net.rest(n), t1=T1, dt=dt, solver=solver, max_spikes=600)
    assert solution.spikes is not None
    return bpc.encode.first_spike(solution.spikes, n)[HIDDEN:]


def compare(directions: int = 5, dt: float = 0.1) -> dict[str, np.ndarray]:
    """For `OrderedSpikes` and `LocalSpikes`: the largest relative difference, over directions in
    all weights and input times at once, between the derivative and a central difference of the
    same simulation; and that of `LocalSpikes`' gradient to the exact one, in length.

    Call it in double precision.
    """
    inputs = start()
    rng = np.random.default_rng(1)
    ways = [
        jax.tree.map(lambda w: jnp.asarray(rng.normal(size=w.shape)), inputs)
        for _ in range(directions)
    ]
    worst, slopes = [], []
    for solver in (bpc.OrderedSpikes(), bpc.LocalSpikes()):

        def loss(inputs, solver=solver):
            weights, times = inputs
            return first_times(weights, times, solver, dt) @ jnp.array([1.0, -2.0, 0.5])

        run = jax.jit(jax.value_and_grad(loss))
        slope = run(inputs)[1]
        errors = []
        for way in ways:
            ahead, back = (
                run(jax.tree.map(lambda w, d, s=s: w + s * STEP * d, inputs, way))[0]
                for s in (1, -1)
            )
            difference = float(ahead - back) / (2 * STEP)
            products = jax.tree.map(lambda a, b: (a * b).sum(), slope, way)
            errors.append(abs(sum(map(float, jax.tree.leaves(products))) / difference - 1))
        worst.append(max(errors))
        slopes.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(slope)]))
    exact, local = slopes
    return {
        "differences": np.array(worst),
        "apart": np.asarray(np.linalg.norm(local - exact) / np.linalg.norm(exact)),
    }
