"""`LocalSpikes` and `GridSpikes`: their orders, and what they say they do and do not do."""

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

import bpcjax as bpc
from theory.closed_forms import lif_events

TAU, TAU_S, HOLD = 20.0, 5.0, 2.0
LOCAL, GRID = bpc.LocalSpikes(), bpc.GridSpikes(dfx.Heun())
PERIOD = TAU * np.log(3.0)  # of a neuron of threshold 1 and reset 0 at drive 1.5


def close(actual, desired, atol=1e-10):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


def arrays(*values):
    return tuple(jnp.asarray(value, float) for value in values)


def neuron():
    return bpc.neurons.LIF(c=TAU, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def problem(size, seed):
    """Random signed weights, drives above threshold, initial potentials below it."""
    random = np.random.default_rng([size, seed])
    weights = random.normal(0.0, 3.0 / np.sqrt(size), (size, size)) * (1 - np.eye(size))
    return weights, random.uniform(1.5, 2.6, size), random.uniform(0.0, 0.9, size)


def oracle(weights, drive, v0, t1):
    return lif_events.simulate(weights, drive, v0, t1=t1, tau=TAU, tau_s=TAU_S, refractory=HOLD)


@functools.cache
def exactly(size, seed, t1):
    """The spikes of `problem` by the oracle, and its state at the end."""
    return oracle(*problem(size, seed), t1)


@eqx.filter_jit
def run(system, y0, drive, t1, dt, solver, **options):
    options = dict(max_spikes=256, max_steps=8192, throw=False) | options
    return bpc.simulate(system, y0, drive, t1=t1, dt=dt, solver=solver, **options)


def ends(weights, drive, v0, t1, dt, solver, **options):
    projection = bpc.Projection(weights, bpc.synapses.Exponential(TAU_S))
    system = bpc.Network(bpc.Refractory(neuron(), HOLD), [projection])
    y0 = eqx.tree_at(lambda y: y.neurons.neuron.v, system.rest(v0.size), v0)
    return run(system, y0, drive, t1, dt, solver, **options)


def recorded(found):
    count = int(found.spikes.count)
    return np.asarray(found.spikes.times)[:count], np.asarray(found.spikes.neurons)[:count]


def order(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


# --- orders -----------------------------------------------------------------------------------

STEPS = np.array([0.1, 0.05, 0.025, 0.0125])


# Slopes of 2.6 and 1.0 were measured, and last medians of 6e-6 and 0.02 ms. Spikes that share a
# step with a kick of their neuron have errors of first order: few, and fewer in small steps.
@pytest.mark.parametrize(
    "solver, least, most, last", [(LOCAL, 1.9, 9.0, 2e-5), (GRID, 0.8, 1.3, 0.03)]
)
def test_order_of_spike_times(solver, least, most, last):
    medians = []
    for dt in STEPS:
        errors = []
        for seed in range(10):
            given = problem(20, seed)
            exact = exactly(20, seed, 60.0)
            times, neurons = recorded(ends(*arrays(*given, 60.0, dt), solver))
            for k in range(20):
                pair = times[neurons == k], exact.times[exact.neurons == k]
                count = min(map(len, pair))
                errors.append(np.abs(pair[0][:count] - pair[1][:count]))
            assert abs(times.size - exact.times.size) <= (0 if solver is LOCAL else 4)
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
        found = oracle(*(x + step * u for x, u in zip(given, along, strict=True)), END)
        np.testing.assert_array_equal(found.neurons, exact.neurons)
        return found.times

    def central(step):
        return (times(step) - times(-step)) / (2 * step)

    return exact.neurons, (4 * central(5e-5) - central(1e-4)) / 3


@eqx.filter_jit
def forward(given, along, dt):
    def times(given):
        options = dict(adjoint=dfx.ForwardMode(), max_spikes=64)
        spikes = ends(*given, jnp.asarray(END), dt, LOCAL, **options).spikes
        return spikes.times, spikes.neurons

    return jax.jvp(times, (given,), (along,), has_aux=True)


# Slopes of 2.0 (medians) and 1.9 (root mean squares) were measured, of derivatives up to 107.
def test_order_of_derivatives():
    steps, errors = STEPS, []
    exact = {seed: differences(seed) for seed in APART}
    for dt in steps:
        own = []
        for seed, (neurons, slopes) in exact.items():
            given = arrays(*problem(SIZE, seed)), arrays(*direction(seed)), jnp.asarray(dt)
            _, found, who = forward(*given)
            np.testing.assert_array_equal(who[: neurons.size], neurons)
            assert who[neurons.size] == -1
            own.append(np.asarray(found)[: neurons.size] - slopes)
        errors.append(np.concatenate(own))
    medians = [np.median(np.abs(e)) for e in errors]
    squares = [np.sqrt(np.mean(e**2)) for e in errors]
    assert order(steps, medians) > 1.8
    assert order(steps[1:], squares[1:]) > 1.8  # 0.1 is longer than the gaps between events


# --- all neurons, or those few that have an event ----------------------------------------------


class Waves(eqx.Module):
    """A drive of each neuron's own strength that changes in time."""

    strength: jax.Array

    def __call__(self, t):
        return self.strength * (1 + 0.1 * jnp.sin(t / 3))


def cells(seed, alike=False):
    """Weights, drives, starts, time constants, thresholds; or neurons that all do the same."""
    weights, drive, v0 = problem(SIZE, seed)
    random = np.random.default_rng([seed, 2])
    tau, threshold = random.uniform(15.0, 25.0, SIZE), random.uniform(0.9, 1.1, SIZE)
    if alike:
        weights = -0.1 * (1 - np.eye(SIZE))
        drive, v0, tau, threshold = (np.full(SIZE, x[0]) for x in (drive, v0, tau, threshold))
    return arrays(weights, drive, v0, tau, threshold)


BATCH = jax.tree.map(lambda *x: jnp.stack(x), cells(0), cells(1), cells(0, alike=True))
ALONG = jax.tree.map(
    lambda x: jnp.asarray(0.1 * np.random.default_rng(3).normal(size=x.shape)), BATCH
)
FEW, WHOLE = bpc.LocalSpikes(gather=4), bpc.LocalSpikes(gather=6)  # 2 * 6 is the population


def outcome(given, solver, adjoint=None):
    """Spike times (0 where there is none) and the state at the end, as one vector; and who."""
    weights, drive, v0, tau, threshold = given
    cell = bpc.neurons.LIF(c=tau, g_l=1.0, e_l=0.0, v_th=threshold, v_reset=0.0)
    synapse = bpc.synapses.Exponential(TAU_S)
    system = bpc.Network(bpc.Refractory(cell, HOLD), [bpc.Projection(weights, synapse)])
    y0 = eqx.tree_at(lambda y: y.neurons.neuron.v, system.rest(SIZE), v0)
    found = bpc.simulate(
        system, y0, Waves(drive), t1=30.0, dt=0.1, solver=solver, max_spikes=64,
        adjoint=adjoint, throw=False,
    )  # fmt: skip
    times = jnp.where(found.spikes.neurons >= 0, found.spikes.times, 0.0)
    y = found.ys.neurons.neuron.v[-1], found.ys.synapses[0][-1]
    return jnp.concatenate([times, *y]), (found.spikes.neurons, found.ok)


@eqx.filter_jit
def tangents(given, along, solver, batch):
    def one(given, along):
        def fn(given):
            return outcome(given, solver, dfx.ForwardMode())

        return jax.jvp(fn, (given,), (along,), has_aux=True)

    return (jax.vmap(one) if batch else one)(given, along)


def test_the_few_that_fire_are_worked_on_as_the_whole_population():
    ends, slopes, (neurons, ok) = tangents(BATCH, ALONG, FEW, True)
    assert ok.all() and ((neurons >= 0).sum(1) > 10).all()
    # In the last row all fire together, more than are gathered.
    assert (np.asarray(neurons)[2, :SIZE] == np.arange(SIZE)).all()
    assert np.ptp(np.asarray(ends)[2, :SIZE]) < 1e-12
    for row in range(3):  # each alone
        given, along = jax.tree.map(lambda x, row=row: x[row], (BATCH, ALONG))
        whole = tangents(given, along, WHOLE, False)
        np.testing.assert_array_equal(neurons[row], whole[2][0])
        close(ends[row], whole[0], 1e-10)
        close(slopes[row], whole[1], 1e-9)


@pytest.mark.slow
def test_reverse_derivatives_are_the_forward_ones():
    weighting = jnp.asarray(np.random.default_rng(0).normal(size=64 + 2 * SIZE))

    @jax.jit
    def reverse(given):
        return jax.vmap(jax.grad(lambda given: weighting @ outcome(given, FEW)[0]))(given)

    _, slopes, _ = tangents(BATCH, ALONG, FEW, True)
    pairs = zip(reverse(BATCH), ALONG, strict=True)
    found = sum((g * u).reshape(3, -1).sum(1) for g, u in pairs)
    np.testing.assert_allclose(found, slopes @ weighting, rtol=1e-8)


# A neuron's draws follow from its index: it must be its own, also among a few.
@pytest.mark.slow
def test_stochastic_spikes_of_the_few_are_their_own():
    def spikes(solver):
        cell = bpc.EscapeRate(neuron(), lambda d: 0.3 * jnp.exp(d / 0.2), jax.random.key(0))
        drive = jnp.linspace(0.5, 1.5, 20)
        return run(cell, cell.rest((20,)), drive, *arrays(60.0, 0.1), solver).spikes

    few, whole = spikes(bpc.LocalSpikes(gather=4)), spikes(bpc.LocalSpikes())
    assert int(few.count) > 30
    np.testing.assert_array_equal(few.neurons, whole.neurons)
    np.testing.assert_allclose(few.times, whole.times, rtol=1e-12)


# More neurons than a record takes all at once: it is written for those alone that spiked.
def test_records_of_a_large_population():
    drive = jnp.linspace(1.2, 3.0, 300)

    def times(drive):
        cell = neuron()
        found = bpc.simulate(
            cell, cell.rest((300,)), drive, t1=30.0, dt=0.1, solver=bpc.LocalSpikes(gather=16),
            max_spikes=1024, adjoint=dfx.ForwardMode(),
        ).spikes  # fmt: skip
        return found.times, found

    found, slopes, spikes = jax.jit(lambda d: jax.jvp(times, (d,), (jnp.ones(300),), has_aux=True))(
        drive
    )
    own = np.asarray(drive)
    period = TAU * np.log(own / (own - 1))
    count = (30.0 / period).astype(int)
    every = [(k * period[n], n, k) for n in range(300) for k in range(1, count[n] + 1)]
    exact, who, number = map(np.array, zip(*sorted(every), strict=True))
    size = exact.size
    assert size == int(spikes.count) > 300 and (np.diff(spikes.times[:size]) >= 0).all()
    # Heun's error in a period: (dt / TAU)^2 / 6 of it, times up to drive / (drive - 1).
    by_neuron = np.lexsort((number, who)), np.lexsort((spikes.times[:size], spikes.neurons[:size]))
    np.testing.assert_array_equal(spikes.neurons[:size][by_neuron[1]], who[by_neuron[0]])
    close(found[:size][by_neuron[1]], exact[by_neuron[0]], 1e-3)
    slope = number * TAU * (1 / own - 1 / (own - 1))[who]
    np.testing.assert_allclose(slopes[:size][by_neuron[1]], slope[by_neuron[0]], rtol=1e-3)


# --- three traps ------------------------------------------------------------------------------


class Pulses(bpc.AbstractSpikingSystem):
    """Leaky neurons on a unit interval whose spikes kick potentials; `args` is the drive."""

    weights: jax.Array  # [pre, post]

    def vector_field(self, t, y, args):
        return (args - y) / TAU

    def guard(self, t, y, args):
        return y - 1.0

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y)

    def kick(self, t, y, args, spikes):
        return spikes @ self.weights


def pulses(*entries):
    weights = np.zeros((3, 3))
    for pre, post, weight in entries:
        weights[pre, post] = weight
    return Pulses(jnp.asarray(weights))


def kicked(system, v0, drive, solver, dt=0.1):
    return run(system, *arrays(v0, drive, 25.0, dt), solver)


@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_kicks_across_the_threshold_give_their_spikes_a_step_a_stage(solver):
    # Neuron 1 is kicked to just above 1 and sinks below within the next step; neuron 2 rises.
    chain = pulses((0, 1, 2.34), (1, 2, 1.2))
    times, neurons = recorded(kicked(chain, [0.0] * 3, [1.5, -2.0, 0.3], solver))
    np.testing.assert_array_equal(neurons, [0, 1, 2])
    assert (times >= PERIOD - 1e-3).all() and (times <= PERIOD + np.array([1, 2, 3]) * 0.1).all()


@pytest.mark.parametrize("solver", [LOCAL, GRID])
@pytest.mark.parametrize("v0", [1.0, 1.3])
def test_a_spike_at_the_start(solver, v0):
    found = kicked(pulses((0, 1, 0.5)), [v0, 0.0, 0.0], [1.5, 0.0, 0.0], solver)
    times, neurons = recorded(found)
    np.testing.assert_array_equal(neurons, [0, 0])
    if solver is LOCAL:
        close(times, [0.0, PERIOD], 2e-4)
        close(found.ys[-1, 1], 0.5 * (np.exp(-25 / TAU) + np.exp((PERIOD - 25) / TAU)), 1e-4)
    else:  # at the end of the first step, and of that in which the next one falls
        close(times, [0.1, np.ceil(PERIOD / 0.1 + 1) * 0.1], 1e-9)


class Hills(bpc.AbstractSpikingSystem):
    """`v = t - curve t^2` less `drop` a spike: any second-order solver is exact on it."""

    curve: jax.Array
    threshold: jax.Array
    drop: jax.Array

    def vector_field(self, t, y, args):
        return 1.0 - 2.0 * self.curve * t + 0.0 * y

    def guard(self, t, y, args):
        return y - self.threshold

    def reset(self, t, y, args, fired):
        return jnp.where(fired, y - self.drop, y)


SAVE = jnp.asarray([0.5, 1.0, 1.25, 2.0, 4.125])


def test_an_excursion_inside_one_step_is_a_spike():
    hills, saved = Hills(*arrays(1.0, 0.16, 0.1)), dfx.SaveAt(ts=0.2 * SAVE)
    found = run(hills, *arrays(0.0, 0.0, 1.0, 1.0), LOCAL, saveat=saved)
    close(recorded(found)[0], [0.2], 1e-13)  # t - t^2 = 0.16; less 0.1 the hill ends below it
    assert int(found.stats["num_steps"]) == 1
    ts = np.asarray(0.2 * SAVE)[[0, 2, 3, 4]]
    line = 0.06 - 0.16 * (ts - 0.2) / 0.8  # a line from the reset to the end, as documented
    close(found.ys[jnp.array([0, 2, 3, 4])], np.where(ts < 0.2, ts - ts**2, line), 1e-13)
    missed = run(hills, *arrays(0.0, 0.0, 1.0, 1.0), GRID, saveat=saved)
    assert int(missed.spikes.count) == 0  # as documented


# Spikes at the integers, in steps of 1/4, which are exact in binary.
def test_spikes_at_step_ends_fall_once_and_are_saved_reset():
    clock, saved = Hills(*arrays(0.0, 1.0, 1.0)), dfx.SaveAt(ts=SAVE)
    for solver in (LOCAL, GRID):
        found = run(clock, *arrays(0.0, 0.0, 4.25, 0.25), solver, saveat=saved)
        close(recorded(found)[0], [1.0, 2.0, 3.0, 4.0], 1e-13)
        close(found.ys, [0.5, 0.0, 0.25, 0.0, 0.125], 1e-12)
    # Where rounding puts the end of a step after the time to save: 220 is not 110 * 2 there.
    slow, saved = Hills(*arrays(0.0, 20.0, 20.0)), dfx.SaveAt(ts=jnp.arange(140.0, 221.0, 20.0))
    close(run(slow, *arrays(0.0, 0.0, 400.0, 2.0), GRID, saveat=saved).ys, 0.0, 1e-11)


# --- saving -----------------------------------------------------------------------------------


def test_a_neuron_saved_at_any_time_to_second_order():
    around = np.concatenate([PERIOD * k + np.array([-1e-3, -1e-6, 1e-3]) for k in (1, 2)])
    ts = np.sort(np.concatenate([np.arange(1, 60), np.linspace(0.0123, 59.99, 150), around]))
    exact = 1.5 * -np.expm1(-(ts % PERIOD) / TAU)
    steps, errors = [0.2, 0.1, 0.05, 0.025], []
    for dt in steps:
        cell, saved = neuron(), dfx.SaveAt(ts=jnp.asarray(ts), dense=True)
        found = run(cell, cell.rest(), *arrays(1.5, 60.0, dt), LOCAL, saveat=saved)
        v = np.asarray(found.ys.v)
        assert (v < 1 + 1e-6).all()  # the interpolant is of third order
        close(jax.vmap(found.evaluate)(jnp.asarray(ts)).v, v, 1e-13)
        # Just around a spike the error is the height of the jump where the spike is misplaced.
        far = np.abs(ts[:, None] - recorded(found)[0]).min(1) > 1e-2
        errors.append(np.abs(v - exact)[far].max())
        assert dt > 0.05 or (np.abs(v - exact)[ts % PERIOD > 1e-2]).max() < 1e-3
    assert order(steps, errors) > 1.9, errors


# A kick of 0.5 at PERIOD = 21.972 ms to a neuron at 0, in the step from 21.9 to 22.
def test_between_grid_times_a_kick_is_spread_over_its_step():
    ts = np.array([21.85, 21.925, 21.95, 22.0, 22.05])
    given = pulses((0, 1, 0.5)), *arrays(np.zeros(3), [1.5, 0.0, 0.0], 25.0, 0.1)
    found = run(*given, LOCAL, saveat=dfx.SaveAt(ts=jnp.asarray(ts))).ys[:, 1]
    close(
        found,
        0.5 * np.exp((PERIOD - np.array([22, 22, 22, 22, 22.05])) / TAU) * [0, 0.25, 0.5, 1, 1],
        1e-5,
    )


# At grid times kicks are there to second order.
def test_a_network_saved_at_grid_times():
    ts, errors = (20.0, 40.0, 60.0), []
    for dt in STEPS[1:]:
        own = []
        for seed in range(4):
            saved = dfx.SaveAt(ts=jnp.asarray(ts))
            found = ends(*arrays(*problem(20, seed), 60.0, dt), LOCAL, saveat=saved)
            v = np.asarray(found.ys.neurons.neuron.v)
            assert (v < 1).all()
            exact = np.stack([exactly(20, seed, t).v for t in ts])
            own.append(np.abs(v - exact)[exact != 0])  # but for those that are held
        errors.append(np.median(np.concatenate(own)))
    assert order(STEPS[1:], errors) > 1.8, errors


# --- records and results ----------------------------------------------------------------------


@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_rows_of_a_batch_tell_what_became_of_them(solver):
    """Three neurons of which the last two are alike, at four drives, with room for four spikes."""
    cell = neuron()

    def rows(drive):
        drive = drive * jnp.array([1.0, 1.2, 1.2])
        found = bpc.simulate(
            cell, cell.rest((3,)), drive, t1=30.0, dt=0.1, solver=solver, max_spikes=4, throw=False
        )
        names = bpc.RESULTS.record_overflow, bpc.RESULTS.not_finite
        return found.spikes, found.ok, [found.result == name for name in names]

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
        with pytest.raises(ValueError, match="max_spikes must not be negative"):
            kind(max_spikes=-1)


# Its spikes would be missed without a word: the state itself stays finite.
@pytest.mark.parametrize("solver", [LOCAL, GRID])
def test_a_guard_that_is_not_a_number_is_not_silent(solver):
    cell = Hills(*arrays(0.0, 0.0, 1.0))

    def solve(threshold):
        hills = eqx.tree_at(lambda h: h.threshold, cell, threshold)
        found = bpc.simulate(hills, jnp.array(-1.5), t1=2.0, dt=0.1, solver=solver, throw=False)
        return found.ok, found.result == bpc.RESULTS.event_not_located, found.ys[-1]

    ok, named, y = jax.jit(jax.vmap(solve))(jnp.array([0.0, jnp.nan, jnp.inf]))
    np.testing.assert_array_equal(ok, [True, False, True])
    np.testing.assert_array_equal(named, ~ok)
    close(y, [-0.5, 0.5, 0.5])


# --- derivatives on the grid ------------------------------------------------------------------

SHAPES = {
    bpc.stepping.surrogate.fast_sigmoid: lambda x: 1 / (1 + np.abs(x)) ** 2,
    bpc.stepping.surrogate.arctan: lambda x: 1 / (1 + (np.pi * x / 2) ** 2),
    bpc.stepping.surrogate.triangle: lambda x: np.maximum(0, 1 - np.abs(x)),
    bpc.stepping.surrogate.gaussian: lambda x: np.exp(-(x**2) / 2),
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_surrogate_is_a_step_with_the_slope_it_says(shape):
    spike, at = bpc.Surrogate(2.0, 0.3, shape), np.array([-3.0, -0.4, -0.01, 0.0, 0.2, 1.7])
    value, slope = jax.jvp(spike, (jnp.asarray(at),), (jnp.full(6, 2.0),))
    np.testing.assert_array_equal(value, at >= 0)
    close(slope, 2.0 * 0.3 * SHAPES[shape](2.0 * at), 1e-15)
    close(jax.grad(lambda x: spike(x).sum())(jnp.asarray(at)), slope / 2, 1e-15)


def test_bad_surrogates_are_named():
    for field in ("slope", "height"):
        with pytest.raises(ValueError, match=f"Surrogate.{field} must be positive"):
            bpc.Surrogate(**{field: 0.0})


# One step of Euler: v1 = v0 + dt (I - v0) / TAU, a spike s if v1 >= 1, then v1 - s v1.
def test_one_step_with_a_surrogate_by_hand():
    surrogate, dt, v0 = bpc.Surrogate(4.0, 0.5, through_resets=True), 2.0, np.array([0.7, 0.95])
    solver = bpc.GridSpikes(spike=surrogate)
    drive = np.array([1.5, 1.6])
    v1 = v0 + dt * (drive - v0) / TAU
    assert v1[0] < 1 < v1[1]

    def end(drive):
        start = bpc.neurons.LIFState(jnp.asarray(v0))
        options = dict(t1=dt, dt=dt, solver=solver, adjoint=dfx.ForwardMode())
        return bpc.simulate(neuron(), start, drive, **options).ys.v[-1]

    found, along = jax.jvp(end, arrays(drive), (jnp.ones(2),))
    close(found, [v1[0], 0.0], 1e-15)
    slope = 0.5 / (1 + 4.0 * np.abs(v1 - 1)) ** 2
    spike = np.array([0.0, 1.0])
    close(along, dt / TAU * (1 - spike - slope * v1), 1e-14)


@pytest.mark.parametrize("through", [False, True])
def test_a_surrogate_gradient_is_that_of_an_unrolled_loop(through):
    dt, steps, size = 0.5, 60, 5
    random = np.random.default_rng(1)
    given = random.normal(0.0, 1.0, (size, size)), random.uniform(1.2, 2.5, size)
    given = arrays(*given, random.uniform(0.0, 0.9, size))
    weighting = jnp.asarray(random.normal(size=(2, size)))

    def simulated(weights, drive, v0):
        projection = bpc.Projection(weights, bpc.synapses.Exponential(TAU_S))
        system = bpc.Network(neuron(), [projection])
        solver = bpc.GridSpikes(spike=bpc.Surrogate(5.0, 0.4, through_resets=through))
        y0 = eqx.tree_at(lambda y: y.neurons.v, system.rest(size), v0)
        found = bpc.simulate(system, y0, drive, t1=steps * dt, dt=dt, solver=solver, max_spikes=64)
        y = jnp.stack([found.ys.neurons.v[-1], found.ys.synapses[0][-1]])
        return (weighting * y).sum(), found.spikes.count

    def unrolled(weights, drive, v0):
        def step(carry, _):
            v, s, count = carry
            v, s = v + dt / TAU * (drive + s - v), s - dt / TAU_S * s
            slope = jax.lax.stop_gradient(0.4 / (1 + 5.0 * jnp.abs(v - 1)) ** 2)
            hard = jax.lax.stop_gradient((v >= 1).astype(float))
            spike = hard + slope * (v - jax.lax.stop_gradient(v))
            lost = (spike if through else hard) * v
            return (v - lost, s + spike @ weights, count + hard.sum()), None

        (v, s, count), _ = jax.lax.scan(step, (v0, jnp.zeros(size), 0.0), length=steps)
        return (weighting * jnp.stack([v, s])).sum(), count

    found, exact = (
        jax.jit(jax.value_and_grad(fn, (0, 1, 2), has_aux=True))(*given)
        for fn in (simulated, unrolled)
    )
    assert int(found[0][1]) == int(exact[0][1]) > 5
    close(found[0][0], exact[0][0], 1e-12)
    for a, b in zip(found[1], exact[1], strict=True):
        assert np.abs(b).max() > 1e-2
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


# dv/dt = -v + I, I = 1.7: 22 spikes by 20.3. Of the derivative by I, 14.957992826692706 (closed
# form, see test_derivatives), a reset on the grid keeps what happened since the last spike.
def test_the_derivative_of_a_grid_reset_is_the_wrong_one_that_is_announced():
    cell = bpc.neurons.LIF(c=1.0, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)

    def end(drive, solver, adjoint=None):
        options = dict(t1=20.3, dt=0.1, solver=solver, adjoint=adjoint)
        return bpc.simulate(cell, cell.rest(), drive, **options).ys.v[-1]

    slope = jax.jvp(lambda drive: end(drive, GRID, dfx.ForwardMode()), (1.7,), (1.0,))[1]
    # A period of log(1.7 / 0.7) = 0.887 is 9 steps: 5 are left, each of the factor of Heun.
    np.testing.assert_allclose(slope, 1 - (1 - 0.1 + 0.005) ** 5, rtol=1e-12)
    close(slope, 0.39, 0.005)
    # Second order: (dt^2 / 6) of the slope by dt of a period is about 1 % of it.
    local = jax.grad(lambda drive: end(drive, LOCAL))(1.7)
    np.testing.assert_allclose(local, 14.957992826692706, rtol=0.05)


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


def test_single_precision_stays_single():
    root = Path(__file__).parents[1]
    check = [sys.executable, "-W", "error::UserWarning", "-c", SINGLE]
    done = subprocess.run(check, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
