"""`LocalSpikes` and `GridSpikes`: their orders, at spikes and where states are saved."""

import functools
import subprocess
import sys
from pathlib import Path

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.lif_networks import (
    GRID,
    LOCAL,
    PERIOD,
    TAU,
    arrays,
    close,
    misses,
    neuron,
    oracle,
    order,
    problem,
    recorded,
    run,
    solve_network,
)

STEPS = np.array([0.1, 0.05, 0.025, 0.0125])


@functools.cache
def exactly(size, seed, t1):
    """The spikes of `problem` by the oracle, and its state at the end."""
    return oracle(*problem(size, seed), t1)


# --- orders -----------------------------------------------------------------------------------


# Slopes of 2.6 and 1.0 were measured, and last medians of 6e-6 and 0.02 ms. Spikes that share a
# step with a kick of their neuron have errors of first order: few, and fewer in small steps.
@pytest.mark.parametrize(
    "solver, least, most, last",
    [(LOCAL, 1.9, 9.0, 2e-5), pytest.param(GRID, 0.8, 1.3, 0.03, marks=pytest.mark.slow)],
)
def test_order_of_spike_times(solver, least, most, last):
    medians = []
    for dt in STEPS:
        errors = []
        for seed in range(10):
            given = problem(20, seed)
            exact = exactly(20, seed, 60.0)
            solution = solve_network(*arrays(*given, 60.0, dt), solver)
            errors.append(misses(solution, exact, 20))
            assert abs(int(solution.spikes.count) - exact.times.size) <= (
                0 if solver is LOCAL else 4
            )
        medians.append(np.median(np.concatenate(errors)))
    assert least < order(STEPS, medians) < most, medians
    assert medians[-1] < last


SIZE, END = 12, 50.0
APART = [9, 16, 31, 36, 56, 83, 114, 190]  # seeds whose events are 0.045 ms apart or more


def direction(seed):
    """A direction in weights, drives and initial potentials at once."""
    random = np.random.default_rng([seed, 1])
    return [0.3 * random.normal(size=x.shape) for x in problem(SIZE, seed)]


def differences(seed):
    """Derivatives of all spike times along `direction`: of the oracle, to fourth order."""
    given, along = problem(SIZE, seed), direction(seed)
    exact = oracle(*given, END)

    def times(step):
        result = oracle(*(x + step * u for x, u in zip(given, along, strict=True)), END)
        np.testing.assert_array_equal(result.neurons, exact.neurons)
        return result.times

    def central(step):
        return (times(step) - times(-step)) / (2 * step)

    return exact.neurons, (4 * central(5e-5) - central(1e-4)) / 3


@eqx.filter_jit
def forward(given, along, dt):
    def times(given):
        options = dict(adjoint=dfx.ForwardMode(), max_spikes=64)
        spikes = solve_network(*given, jnp.asarray(END), dt, LOCAL, **options).spikes
        return spikes.times, spikes.neurons

    return jax.jvp(times, (given,), (along,), has_aux=True)


@pytest.mark.slow
# Slopes of 2.0 (medians) and 1.9 (root mean squares) were measured, of derivatives up to 107.
def test_order_of_derivatives():
    steps, errors = STEPS, []
    exact = {seed: differences(seed) for seed in APART}
    for dt in steps:
        own = []
        for seed, (neurons, slopes) in exact.items():
            given = arrays(*problem(SIZE, seed)), arrays(*direction(seed)), jnp.asarray(dt)
            _, result, who = forward(*given)
            np.testing.assert_array_equal(who[: neurons.size], neurons)
            assert who[neurons.size] == -1
            own.append(np.asarray(result)[: neurons.size] - slopes)
        errors.append(np.concatenate(own))
    medians = [np.median(np.abs(e)) for e in errors]
    squares = [np.sqrt(np.mean(e**2)) for e in errors]
    assert order(steps, medians) > 1.8
    assert order(steps[1:], squares[1:]) > 1.8  # 0.1 is longer than the gaps between events


# --- saving -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_neuron_saved_at_any_time_to_second_order():
    around = np.concatenate([PERIOD * k + np.array([-1e-3, -1e-6, 1e-3]) for k in (1, 2)])
    ts = np.sort(np.concatenate([np.arange(1, 60), np.linspace(0.0123, 59.99, 150), around]))
    exact = 1.5 * -np.expm1(-(ts % PERIOD) / TAU)
    steps, errors = [0.2, 0.1, 0.05, 0.025], []
    for dt in steps:
        cell, saved = neuron(), dfx.SaveAt(ts=jnp.asarray(ts), dense=True)
        solution = run(cell, cell.rest(), *arrays(1.5, 60.0, dt), LOCAL, saveat=saved)
        v = np.asarray(solution.ys.v)
        assert (v < 1 + 1e-6).all()  # the interpolant is of third order
        close(jax.vmap(solution.evaluate)(jnp.asarray(ts)).v, v, 1e-13)
        # Just around a spike the error is the height of the jump where the spike is misplaced.
        far = np.abs(ts[:, None] - recorded(solution)[0]).min(1) > 1e-2
        errors.append(np.abs(v - exact)[far].max())
        assert dt > 0.05 or (np.abs(v - exact)[ts % PERIOD > 1e-2]).max() < 1e-3
    assert order(steps, errors) > 1.9, errors


# At grid times kicks are there to second order.
@pytest.mark.slow
def test_a_network_saved_at_grid_times():
    ts, errors = (20.0, 40.0, 60.0), []
    for dt in STEPS[1:]:
        own = []
        for seed in range(4):
            saved = dfx.SaveAt(ts=jnp.asarray(ts))
            solution = solve_network(*arrays(*problem(20, seed), 60.0, dt), LOCAL, saveat=saved)
            v = np.asarray(solution.ys.neurons.neuron.v)
            assert (v < 1).all()
            exact = np.stack([exactly(20, seed, t).v for t in ts])
            own.append(np.abs(v - exact)[exact != 0])  # but for those that are held
        errors.append(np.median(np.concatenate(own)))
    assert order(STEPS[1:], errors) > 1.8, errors


# --- single precision -------------------------------------------------------------------------

SINGLE = """
import diffrax as dfx, jax, jax.numpy as jnp, numpy as np, bpcjax as bpc
assert not jax.config.jax_enable_x64
cell = bpc.Refractory(bpc.neurons.LIF(c=20.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0), 2.0)
synapse = bpc.synapses.Exponential(5.0)
train = bpc.SpikeTrain(np.array([3.0, 4.0]), np.array([0, 1]), 2)
sparse = bpc.connect.Sparse(np.array([[0], [1]]), 0.0, 300)
late = bpc.Projection(sparse, synapse, 1.5, pre=slice(0, 2))
network = bpc.Network(cell, [late, bpc.Projection(jnp.zeros((2, 300)), synapse, pre=train)])
drive = jnp.linspace(1.2, 3.0, 300)
exact = 20 * np.log(np.asarray(drive) / (np.asarray(drive) - 1))
for solver, bound in ((bpc.LocalSpikes(gather=16), 1e-3), (bpc.GridSpikes(dfx.Heun()), 0.11)):
    found = bpc.simulate(network, network.rest(300), drive, t1=30.0, dt=0.1, solver=solver,
                         max_spikes=1024)
    for leaf in jax.tree.leaves((found.ys, found.ts, found.spikes.times)):
        assert leaf.dtype == jnp.float32, leaf.dtype
    assert found.spikes.neurons.dtype == found.spikes.count.dtype == jnp.int32
    count = int(found.spikes.count)
    times, who = np.asarray(found.spikes.times[:count]), np.asarray(found.spikes.neurons[:count])
    first = np.full(300, np.inf)
    np.minimum.at(first, who, times)
    wrong = np.abs(first - exact)[exact < 29.8]
    assert wrong.max() < bound, wrong.max()
"""


@pytest.mark.slow
def test_single_precision_stays_single():
    root = Path(__file__).parents[2]
    check = [sys.executable, "-W", "error::UserWarning", "-c", SINGLE]
    done = subprocess.run(check, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
