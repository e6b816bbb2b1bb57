"""Winner-take-all circuits: who wins, when, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from theory.closed_forms import lif_events

SIZE = 5


def circuit(**options):
    return bpc.models.WinnerTakeAll(bpc.neurons.LIF(), SIZE, **options)


def spikes(system, current, solver=None, t1=300.0):
    solution = bpc.simulate(
        system, system.rest(), current, t1=t1, dt=0.1, max_spikes=400, solver=solver
    )
    count = int(solution.spikes.count)
    return np.asarray(solution.spikes.times)[:count], np.asarray(solution.spikes.neurons)[:count]


@pytest.mark.slow
@pytest.mark.parametrize("winner", [0, 3])
def test_the_strongest_current_silences_all_others(winner):
    current = jnp.array([140.0, 150.0, 145.0, 130.0, 135.0]).at[winner].set(170.0)  # pA
    times, neurons = spikes(circuit(), current)
    assert set(neurons) == {winner, SIZE + winner}  # its partner spikes too
    # It is not inhibited itself: its period is that of a neuron by itself, from E_L = V_reset.
    period = 1 / lif_events.rate(170.0 / 10.0, 20.0, threshold=10.0)
    np.testing.assert_allclose(
        times[neurons == winner], period * np.arange(1, 300 // period + 1), atol=1e-9
    )


def test_without_inhibition_everybody_keeps_the_own_rate():
    current = jnp.array([140.0, 150.0, 145.0, 130.0, 170.0])
    times, neurons = spikes(circuit(inhibition=0.0), current)
    period = 1 / lif_events.rate(np.asarray(current) / 10.0, 20.0, threshold=10.0)
    counts = np.bincount(neurons, minlength=2 * SIZE)
    np.testing.assert_array_equal(counts[:SIZE], np.floor(300.0 / period))


@pytest.mark.slow
def test_it_is_the_network_written_by_hand():
    inhibition = 10.0  # weak enough that several keep spiking
    system, current = circuit(inhibition=inhibition), jnp.linspace(150.0, 170.0, SIZE)
    n, eye = SIZE, np.eye(SIZE)
    excite, inhibit = np.zeros((2 * n, 2 * n)), np.zeros((2 * n, 2 * n))
    excite[:n, n:], inhibit[n:, :n] = 3000.0 * eye, -inhibition * (1 - eye)
    network = bpc.Network(
        bpc.neurons.LIF(),
        [
            bpc.Projection(jnp.asarray(excite), bpc.synapses.Exponential(1.0)),
            bpc.Projection(jnp.asarray(inhibit), bpc.synapses.Exponential(20.0)),
        ],
    )
    solution = bpc.simulate(
        network,
        network.rest(2 * n),
        jnp.concatenate([current, jnp.zeros(n)]),
        t1=100.0,
        dt=0.1,
        max_spikes=200,
    )
    times, neurons = spikes(system, current, t1=100.0)
    count = int(solution.spikes.count)
    assert count == times.size > 2 * n and set(neurons) == set(range(2 * n))
    np.testing.assert_allclose(times, solution.spikes.times[:count], atol=1e-9)


@pytest.mark.slow
def test_a_soft_winner_shares_a_constant_rate():
    drive = jnp.array([0.0, 1.0, 2.0, -1.0])
    system = bpc.models.SoftWinnerTakeAll(rate=1.0, tau=5.0)
    start = system.rest((4,))
    start = start._replace(neuron=start.neuron._replace(u=drive))  # settled
    t1 = 1000.0
    solution = bpc.simulate(
        system, start, drive, t1=t1, dt=0.5, max_spikes=2000, key=jax.random.key(0)
    )
    counts = np.bincount(solution.spikes.neurons[: solution.spikes.count], minlength=4)
    # A Poisson process of rate 1 (p > 1e-3 at fixed key), each spike a draw from the softmax.
    assert abs(counts.sum() - t1) < 3.3 * np.sqrt(t1)
    shares = np.asarray(jax.nn.softmax(drive))
    assert stats.chisquare(counts, shares * counts.sum()).pvalue > 1e-3


@pytest.mark.slow
def test_a_soft_winner_follows_its_drive():
    system = bpc.models.SoftWinnerTakeAll(rate=2.0, tau=5.0)
    drive = jnp.array([8.0, 0.0, 0.0])
    solution = bpc.simulate(
        system, system.rest((3,)), drive, t1=60.0, dt=0.1, max_spikes=400, key=jax.random.key(1)
    )
    # u relaxes as 8 (1 - exp(-t/5)).
    expected = np.asarray(drive) * (1 - np.exp(-60.0 / 5.0))
    np.testing.assert_allclose(solution.ys.neuron.u[0], expected, rtol=1e-8)


@pytest.mark.parametrize("name", ["excitation", "inhibition", "tau_e", "tau_i"])
def test_parameters_out_of_range_are_named(name):
    with pytest.raises(ValueError, match=name):
        circuit(**{name: -1.0})
