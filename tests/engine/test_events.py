"""Events inside steps: the traps that a solver of spikes can fall in.

The neuron of most tests is `tau dv/dt = -v + I`, threshold 1, reset 0: from rest it reaches 1 at
`tau log(I / (I - 1))`, so every expected time and derivative is in closed form.
"""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from tests.support.lif_networks import TAU, arrays, recorded
from tests.support.spiking_systems import SAVE, Hills, pulses

HEUN, TSIT5 = bpc.OrderedSpikes(dfx.Heun(), 8), bpc.OrderedSpikes(dfx.Tsit5(), 8)


def period(drive):
    """Time from reset to threshold."""
    return TAU * np.log(drive / (drive - 1))


def period_slope(drive):
    return TAU * (1 / drive - 1 / (drive - 1))


def relaxed(v, drive, time):
    """The potential a `time` after it was `v`, without a spike."""
    return drive + (v - drive) * np.exp(-time / TAU)


@eqx.filter_jit
def run(system, y0, drive, t1, dt, solver=TSIT5, **options):
    given = dict(max_spikes=64, max_steps=4096) | options
    return bpc.simulate(system, y0, drive, t1=t1, dt=dt, solver=solver, **given)


@eqx.filter_jit
def jacobian(system, y0, drive, t1, dt):
    """Derivatives by the drive of the spike times and of the state at the end."""

    def ends(drive):
        solution = run(system, y0, drive, t1, dt, adjoint=dfx.ForwardMode())
        return solution.spikes.times, solution.ys[-1]

    return jax.jacfwd(ends)(drive)


def solve(system, y0, drive, t1, dt=0.1, solver=TSIT5, **options):
    return run(system, *arrays(y0, drive, t1, dt), solver, **options)


def close(actual, desired, atol=1e-10):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


# --- one neuron at a time ---------------------------------------------------------------------


CLOCK = Hills(*arrays(0.0, 1.0, 1.0))  # spikes at the integers


@pytest.mark.slow
@pytest.mark.parametrize("solver", [HEUN, TSIT5])
def test_excursions_inside_one_step_are_spikes(solver):
    hills, save = Hills(*arrays(1.0, 0.16, 0.05)), dfx.SaveAt(ts=0.2 * SAVE)
    solution = solve(hills, 0.0, 0.0, 1.0, 1.0, solver, saveat=save)
    # t - t^2 = 0.16 at 0.2; t - t^2 - 0.05 = 0.16 at 0.3; the peak of the next hill is 0.15.
    close(recorded(solution)[0], [0.2, 0.3], 1e-13)
    assert int(solution.stats["num_steps"]) == 1
    ts = np.asarray(0.2 * SAVE)
    saved = np.delete(ts - ts**2 - 0.05 * (ts >= 0.2) - 0.05 * (ts >= 0.3), 1)
    close(np.delete(solution.ys, 1), saved, 1e-13)  # without the save at the spike itself


# Steps of 1/4 are exact in binary, so with Heun the guard is exactly zero at the end of each
# fourth; Tsit5's weights do not sum to 1 in binary, so there look just after the spike.
@pytest.mark.parametrize(
    "solver, later", [(HEUN, 0.0), pytest.param(TSIT5, 1e-12, marks=pytest.mark.slow)]
)
def test_spikes_at_step_ends_fall_once_and_are_saved_reset(solver, later):
    solution = solve(CLOCK, 0.0, 0.0, 4.2, 0.25, solver, saveat=dfx.SaveAt(ts=SAVE + later))
    close(recorded(solution)[0], [1.0, 2.0, 3.0, 4.0], 1e-13)
    close(solution.ys, [0.5, 0.0, 0.25, 0.0, 0.125], 2e-12)


@pytest.mark.slow
@pytest.mark.parametrize("v0", [1.0, 1.3])
def test_a_spike_at_the_start(v0):
    solution = solve(pulses((0, 1, 0.5)), [v0, 0.0, 0.0], [1.5, 0.0, 0.0], 25.0)
    times, neurons = recorded(solution)
    np.testing.assert_array_equal(neurons, [0, 0])
    close(times, [0.0, period(1.5)])  # at once, then a period after the reset
    rest = 25.0 - period(1.5)
    close(solution.ys[-1], [relaxed(0, 1.5, rest), relaxed(0.5, 0, 25) + relaxed(0.5, 0, rest), 0])


# --- kicks of potentials ----------------------------------------------------------------------


@pytest.mark.slow
def test_kicks_across_the_threshold_cascade_at_one_time():
    given = pulses((0, 1, 1.5), (1, 2, 1.2)), [0.0] * 3, [1.5, 0.4, 0.3], 25.0
    solution = solve(*given)
    times, neurons = recorded(solution)
    np.testing.assert_array_equal(neurons, [0, 1, 2])
    close(times, period(1.5))
    assert np.ptp(times) == 0
    rest = 25.0 - period(1.5)
    close(solution.ys[-1], relaxed(0.0, np.array([1.5, 0.4, 0.3]), rest))
    by_time, by_state = jacobian(given[0], *arrays(*given[1:], 0.1))
    close(by_time[:3], period_slope(1.5) * np.eye(3)[[0, 0, 0]], 1e-8)  # by drive 0 alone
    exact = (1 - np.exp(-rest / TAU)) * np.eye(3)  # each by its own drive since the reset,
    speed = np.array([1.5, 0.4, 0.3]) / TAU * np.exp(-rest / TAU)
    exact[:, 0] -= speed * period_slope(1.5)  # and by the time of the reset
    close(by_state, exact, 1e-8)


@pytest.mark.slow
def test_neurons_that_tie_keep_their_own_derivatives():
    given = pulses((0, 2, 0.3), (1, 2, -0.2)), [0.0] * 3, [1.5, 1.5, 0.2], 50.0
    solution = solve(*given)
    times, neurons = recorded(solution)
    np.testing.assert_array_equal(neurons, [0, 1, 0, 1])
    close(times, period(1.5) * np.array([1, 1, 2, 2]))
    by_time, by_state = jacobian(given[0], *arrays(*given[1:], 0.1))
    own = np.array([[1, 0, 0], [0, 1, 0], [2, 0, 0], [0, 2, 0]])
    close(by_time[:4], period_slope(1.5) * own, 1e-8)
    # A kick w that came r ago is worth w exp(-r / TAU): by its time, w exp(-r / TAU) / TAU.
    ages = 50.0 - period(1.5) * np.array([1, 2])
    moved = (np.exp(-ages / TAU) / TAU * period_slope(1.5) * np.array([1, 2])).sum()
    own = 1 - np.exp(-ages[1] / TAU) - 1.5 / TAU * np.exp(-ages[1] / TAU) * 2 * period_slope(1.5)
    still = 1 - np.exp(-50.0 / TAU)
    close(by_state, [[own, 0, 0], [0, own, 0], [0.3 * moved, -0.2 * moved, still]], 1e-8)


@pytest.mark.slow
def test_neurons_that_tie_kick_each_other_after_their_resets():
    drive = np.array([1.5, 1.5, 0.0])
    solution = solve(pulses((0, 1, -0.2), (1, 0, -0.4)), [0.0] * 3, drive, 25.0)
    np.testing.assert_array_equal(recorded(solution)[1], [0, 1])
    close(solution.ys[-1], relaxed(np.array([-0.4, -0.2, 0.0]), drive, 25.0 - period(1.5)))


# A lead of 1e-11 in the drive is one of 2.7e-10 ms: who comes first decides what the kick does.
@pytest.mark.parametrize("lead", [1e-6, 1e-9, 1e-11])
def test_near_ties_are_taken_in_order(lead):
    early, late = period(1.5 + lead), period(1.5)
    for weight, drive, neurons, times in [
        (0.0, (1.5 + lead, 1.5), [0, 1], [early, late]),
        (-0.5, (1.5 + lead, 1.5), [0], [early]),  # held back
        (0.01, (1.5 + lead, 1.5), [0, 1], [early, early]),  # carried along
        (-0.5, (1.5, 1.5 + lead), [1, 0], [early, late]),  # too late
    ]:
        solution = recorded(solve(pulses((0, 1, weight)), [0.0] * 3, [*drive, 0.0], 25.0))
        np.testing.assert_array_equal(solution[1], neurons)
        close(solution[0], times, 2e-12)


def test_several_spikes_of_one_neuron_in_a_step():
    # A period of 20 log(30 / 29) = 0.678 ms in steps of 1.5: two or three spikes in each.
    times, _ = recorded(solve(pulses(), [0.0] * 3, [30.0, 0.0, 0.0], 30.0, 1.5))
    assert times.size == int(30.0 / period(30.0)) == 44
    close(times, period(30.0) * np.arange(1, 45))


@pytest.mark.slow
def test_neurons_that_fire_together_are_held_when_each_other_s_kicks_come():
    # Two equal neurons fire at 20 ln 3 ms, kick each other by 0.4 and are held for 2 ms: kicks to
    # held neurons are lost, whatever the solver, so both start again from the reset.
    leaky = bpc.neurons.LIF(c=20.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    others = 0.4 * (1 - jnp.eye(2))
    network = bpc.Network(
        bpc.Refractory(leaky, 2.0), [bpc.Projection(others, bpc.synapses.Delta())]
    )
    first = 20 * np.log(3)
    for solver in (bpc.OrderedSpikes(), bpc.LocalSpikes(), bpc.GridSpikes()):
        solution = bpc.simulate(
            network, network.rest(2), 1.5, t1=30.0, dt=0.01, solver=solver, max_spikes=4
        )
        assert solution.spikes.count == 2
        expected = 1.5 * (1 - np.exp(-(30 - first - 2) / 20))
        np.testing.assert_allclose(solution.ys.neurons.neuron.v[0], expected, atol=2e-3)
