"""`LocalSpikes` and `GridSpikes`: what they say they do and do not do."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from tests.support.lif_networks import (
    GRID,
    LOCAL,
    PERIOD,
    TAU,
    arrays,
    close,
    neuron,
    recorded,
    run,
)
from tests.support.spiking_systems import SAVE, Hills, pulses

# --- kicks, starts, excursions, ends of steps -------------------------------------------------


def kicked(system, v0, drive, solver, dt=0.1):
    return run(system, *arrays(v0, drive, 25.0, dt), solver)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_kicks_across_the_threshold_give_their_spikes_a_step_a_stage(solver):
    # Neuron 1 is kicked to just above 1 and sinks below within the next step; neuron 2 rises.
    chain = pulses((0, 1, 2.34), (1, 2, 1.2))
    times, neurons = recorded(kicked(chain, [0.0] * 3, [1.5, -2.0, 0.3], solver))
    np.testing.assert_array_equal(neurons, [0, 1, 2])
    assert (times >= PERIOD - 1e-3).all() and (times <= PERIOD + np.array([1, 2, 3]) * 0.1).all()


@pytest.mark.slow
@pytest.mark.parametrize("solver", [LOCAL, GRID])
@pytest.mark.parametrize("v0", [1.0, 1.3])
def test_a_spike_at_the_start(solver, v0):
    solution = kicked(pulses((0, 1, 0.5)), [v0, 0.0, 0.0], [1.5, 0.0, 0.0], solver)
    times, neurons = recorded(solution)
    np.testing.assert_array_equal(neurons, [0, 0])
    if solver is LOCAL:
        close(times, [0.0, PERIOD], 2e-4)
        close(solution.ys[-1, 1], 0.5 * (np.exp(-25 / TAU) + np.exp((PERIOD - 25) / TAU)), 1e-4)
    else:  # at the end of the first step, and of that in which the next one falls
        close(times, [0.1, np.ceil(PERIOD / 0.1 + 1) * 0.1], 1e-9)


@pytest.mark.slow
def test_an_excursion_inside_one_step_is_a_spike():
    hills, saved = Hills(*arrays(1.0, 0.16, 0.1)), dfx.SaveAt(ts=0.2 * SAVE)
    solution = run(hills, *arrays(0.0, 0.0, 1.0, 1.0), LOCAL, saveat=saved)
    close(recorded(solution)[0], [0.2], 1e-13)  # t - t^2 = 0.16; less 0.1 the hill ends below it
    assert int(solution.stats["num_steps"]) == 1
    ts = np.asarray(0.2 * SAVE)[[0, 2, 3, 4]]
    line = 0.06 - 0.16 * (ts - 0.2) / 0.8  # a line from the reset to the end, as documented
    close(solution.ys[jnp.array([0, 2, 3, 4])], np.where(ts < 0.2, ts - ts**2, line), 1e-13)
    missed = run(hills, *arrays(0.0, 0.0, 1.0, 1.0), GRID, saveat=saved)
    assert int(missed.spikes.count) == 0  # as documented


# Spikes at the integers, in steps of 1/4, which are exact in binary.
@pytest.mark.slow
def test_spikes_at_step_ends_fall_once_and_are_saved_reset():
    clock, saved = Hills(*arrays(0.0, 1.0, 1.0)), dfx.SaveAt(ts=SAVE)
    for solver in (LOCAL, GRID):
        solution = run(clock, *arrays(0.0, 0.0, 4.25, 0.25), solver, saveat=saved)
        close(recorded(solution)[0], [1.0, 2.0, 3.0, 4.0], 1e-13)
        close(solution.ys, [0.5, 0.0, 0.25, 0.0, 0.125], 1e-12)
    # Where rounding puts the end of a step after the time to save: 220 is not 110 * 2 there.
    slow, saved = Hills(*arrays(0.0, 20.0, 20.0)), dfx.SaveAt(ts=jnp.arange(140.0, 221.0, 20.0))
    close(run(slow, *arrays(0.0, 0.0, 400.0, 2.0), GRID, saveat=saved).ys, 0.0, 1e-11)


@pytest.mark.slow
# A kick of 0.5 at PERIOD = 21.972 ms to a neuron at 0, in the step from 21.9 to 22.
def test_between_grid_times_a_kick_is_spread_over_its_step():
    ts = np.array([21.85, 21.925, 21.95, 22.0, 22.05])
    given = pulses((0, 1, 0.5)), *arrays(np.zeros(3), [1.5, 0.0, 0.0], 25.0, 0.1)
    solution = run(*given, LOCAL, saveat=dfx.SaveAt(ts=jnp.asarray(ts))).ys[:, 1]
    close(
        solution,
        0.5 * np.exp((PERIOD - np.array([22, 22, 22, 22, 22.05])) / TAU) * [0, 0.25, 0.5, 1, 1],
        1e-5,
    )


# --- records and results ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_rows_of_a_batch_tell_what_became_of_them(solver):
    """Three neurons of which the last two are alike, at four drives, with room for four spikes."""
    cell = neuron()

    def rows(drive):
        drive = drive * jnp.array([1.0, 1.2, 1.2])
        solution = bpc.simulate(
            cell, cell.rest((3,)), drive, t1=30.0, dt=0.1, solver=solver, max_spikes=4, throw=False
        )
        names = bpc.RESULTS.record_overflow, bpc.RESULTS.not_finite
        return solution.spikes, solution.ok, [solution.result == name for name in names]

    spikes, ok, (full, broken) = jax.jit(jax.vmap(rows))(jnp.asarray([0.5, 1.5, 3.0, jnp.nan]))
    np.testing.assert_array_equal(ok, [True, True, False, False])
    np.testing.assert_array_equal(full, [False, False, True, False])
    np.testing.assert_array_equal(broken, [False, False, False, True])
    np.testing.assert_array_equal(spikes.count[:2], [0, 3])
    assert spikes.count[2] > 4
    np.testing.assert_array_equal(spikes.neurons[:2], [[-1] * 4, [1, 2, 0, -1]])  # ties by index
    exact = TAU * np.log([1.8 / 0.8, 1.8 / 0.8, 3.0])
    close(spikes.times[1, :3], exact, 1e-3 if solver is LOCAL else 0.1)
    assert np.isinf(spikes.times[0]).all() and np.isinf(spikes.times[1, 3])
    with pytest.raises(RuntimeError, match="max_spikes"):
        bpc.simulate(cell, cell.rest(), 3.0, t1=30.0, dt=0.1, solver=solver, max_spikes=1)


# A hold that ends in the step of its spike: the release waits for the next step, and then is
# put back to its own time.
@pytest.mark.slow
def test_a_hold_shorter_than_a_step():
    cell = bpc.Refractory(neuron(), 0.03)
    times, _ = recorded(run(cell, cell.rest(), *arrays(1.5, 100.0, 0.1), LOCAL))
    exact = PERIOD + (PERIOD + 0.03) * np.arange(4)
    close(times, exact, 1e-3)


class Noisy(bpc.AbstractSpikingSystem):
    threshold: jax.Array

    def vector_field(self, t, y, args):
        return -y / TAU

    def noise(self, t, y, args):
        return jnp.full_like(y, 0.3)

    def guard(self, t, y, args):
        return y - self.threshold

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y)


@pytest.mark.slow
def test_noise():
    y0, times = jnp.zeros(600), arrays(40.0, 0.2)

    def solve(threshold, seed, solver=bpc.GridSpikes(dfx.EulerHeun())):  # noqa: B008
        options = dict(key=jax.random.key(seed), max_spikes=6000)
        return run(Noisy(jnp.asarray(threshold)), y0, None, *times, solver, **options)

    with pytest.raises(ValueError, match="solver: LocalSpikes takes no noise"):
        solve(1.0, 0, bpc.LocalSpikes(dfx.EulerHeun()))
    free, same, held = solve(1e3, 0), solve(1e3, 0), solve(1.0, 0)
    np.testing.assert_array_equal(free.ys, same.ys)
    # Ornstein-Uhlenbeck: variance 0.3^2 TAU / 2; that of a variance of 600 samples is 2 / 600.
    variance = 0.09 * TAU / 2 * -np.expm1(-80.0 / TAU)
    assert abs(free.ys.var() / variance - 1) < 5 * np.sqrt(2 / 600)
    assert int(free.spikes.count) == 0 < int(held.spikes.count) < 6000
    assert float(held.ys.max()) < 1.0


def test_what_local_spikes_cannot_do_is_named():
    class Shared(bpc.AbstractSpikingSystem):
        def vector_field(self, t, y, args):
            return jax.tree.map(jnp.ones_like, y)

        def guard(self, t, y, args):
            return y[0] - 1.0

        def reset(self, t, y, args, fired):
            return jnp.where(fired, 0.0, y[0]), y[1]

    with pytest.raises(ValueError, match="solver: LocalSpikes needs the neurons.*OrderedSpikes"):
        bpc.simulate(Shared(), (jnp.zeros(3), jnp.zeros(2)), t1=1.0, dt=0.1, solver=LOCAL)
    with pytest.raises(ValueError, match="gather must be at least 1"):
        bpc.LocalSpikes(gather=0)
    for kind in (bpc.LocalSpikes, bpc.GridSpikes):
        with pytest.raises(ValueError, match="room must be at least 1"):
            kind(room=0)
        with pytest.raises(ValueError, match="max_spikes must be at least 0"):
            kind(max_spikes=-1)


# Its spikes would be missed without a word: the state itself stays finite.
@pytest.mark.slow
@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_a_guard_that_is_not_a_number_is_not_silent(solver):
    cell = Hills(*arrays(0.0, 0.0, 1.0))

    def solve(threshold):
        hills = eqx.tree_at(lambda h: h.threshold, cell, threshold)
        solution = bpc.simulate(hills, jnp.array(-1.5), t1=2.0, dt=0.1, solver=solver, throw=False)
        return solution.ok, solution.result == bpc.RESULTS.event_not_located, solution.ys[-1]

    ok, named, y = jax.jit(jax.vmap(solve))(jnp.array([0.0, jnp.nan, jnp.inf]))
    np.testing.assert_array_equal(ok, [True, False, True])
    np.testing.assert_array_equal(named, ~ok)
    close(y, [-0.5, 0.5, 0.5], 1e-10)
