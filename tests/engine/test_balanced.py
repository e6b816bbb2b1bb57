"""Balanced networks against the numbers and the theory of the literature."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import spike_statistics
from experiments.common.balanced_networks import brunel, cuba
from theory.closed_forms import siegert


@pytest.mark.slow
def test_the_current_based_network_keeps_its_rate_and_irregularity():
    # Brette et al. (2007), benchmark 2, in Brian2: 5.6 Hz, CV of the intervals 0.53 to 0.54.
    @jax.jit
    def run(network, start, drive):
        solution = bpc.simulate(
            network,
            start,
            drive,
            t1=1000.0,
            dt=0.1,
            solver=bpc.GridSpikes(dfx.Heun()),
            max_spikes=40_000,
            throw=False,
        )
        trains = spike_statistics(
            solution.spikes, 4000, t0=0.0, t1=1000.0, window=10.0, min_intervals=3
        )
        return solution.ok & trains.ok, 1e3 * trains.rate, trains.cv

    rates, cvs = [], []
    for seed in range(5):
        problem = cuba(jax.random.key(seed))
        ok, rate, cv = run(problem.network, problem.start, problem.drive)
        assert ok
        rates.append(rate.mean())
        cvs.append(jnp.nanmean(cv))
    assert abs(np.mean(rates) - 5.6) < 0.4, rates
    assert abs(np.mean(cvs) - 0.53) < 0.05, cvs


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver",
    [bpc.GridSpikes(), pytest.param(bpc.LocalSpikes(), marks=pytest.mark.slow)],
    ids=["grid", "local"],
)
def test_a_network_with_delays_and_poisson_input_fires_at_siegerts_rate(solver):
    # Brunel (2000) at 1,250 neurons; the weight grows with the root of the missing sources.
    problem, inputs = brunel(jax.random.key(0), 1250, weight=0.1 * np.sqrt(10))
    expected = 1e3 * siegert.brunel_rate(*inputs)
    solution = bpc.simulate(
        problem.network,
        problem.start,
        problem.drive,
        t1=600.0,
        dt=0.1,
        solver=solver,
        max_spikes=60_000,
    )
    rates = 1e3 * spike_statistics(solution.spikes, 1250, t0=100.0, t1=600.0, window=10.0).rate
    assert abs(rates.mean() / expected - 1) < 0.05, (rates.mean(), expected)


def test_siegert_against_references():
    # Brunel's example at 12,500 neurons: NEST gives 32.10 (excitatory) and 31.90 Hz.
    assert abs(1e3 * siegert.brunel_rate(1000, 250, 0.1, 5.0, 20.0) - 32.0) < 0.15
    # Without noise it is the rate of the leaky neuron at a constant drive.
    exact = 1 / (2 + 20 * np.log(30 / (30 - 20)))
    np.testing.assert_allclose(siegert.rate(30.0, 1e-3, 20.0, 20.0, 0.0, 2.0), exact, rtol=1e-6)
    assert siegert.rate(0.0, 0.5, 20.0, 20.0, 0.0) == 0.0  # 40 standard deviations below
