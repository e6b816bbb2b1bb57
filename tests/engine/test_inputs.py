"""Events from outside: spike trains at their own times, and Poisson spikes."""

import functools

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import bpcjax as bpc
from bpcjax.inputs import Step
from tests.support.lif_networks import (
    GRID,
    HOLD,
    LOCAL,
    TAU_S,
    arrays,
    close,
    neuron,
    oracle,
    recorded,
    run,
    signed,
    start,
    started,
)

T1, SIZE = 40.0, 8
ORDERED = bpc.OrderedSpikes(dfx.Tsit5())


# --- one train, three solvers -----------------------------------------------------------------


def problem(seed):
    """A recurrent network, and 30 events that reach it through weights [SIZE, SIZE]."""
    random = np.random.default_rng(seed)
    weights, (drive, v0) = signed(random, SIZE, 0.6), started(random, SIZE, 0.8, 2.0)
    times, channels = random.uniform(0.0, T1, 30), random.integers(0, SIZE, 30)
    return weights, drive, v0, times, channels, random.normal(0.5, 1.0, (SIZE, SIZE))


def solve(given, dt, solver, t0=0.0):
    weights, drive, v0, times, channels, given_by = map(jnp.asarray, given)
    synapse = bpc.synapses.Exponential(TAU_S)
    outside = bpc.Projection(given_by, synapse, pre=bpc.SpikeTrain(times, channels, SIZE))
    cells = bpc.Refractory(neuron(), HOLD)
    network = bpc.Network(cells, [bpc.Projection(weights, synapse), outside])
    options = dict(t0=jnp.asarray(t0), max_spikes=128)
    return run(network, start(network, v0), drive, *arrays(T1, dt), solver, **options)


def spikes_of(given):
    weights, drive, v0, times, channels, given_by = given
    external = [(t, given_by[c]) for t, c in zip(times, channels, strict=True)]
    return oracle(weights, drive, v0, T1, external=external)


@functools.cache
def exactly(seed):
    return spikes_of(problem(seed))


def test_a_train_is_exact_in_order():
    for seed in range(5):
        given = problem(seed)
        exact, solution = exactly(seed), solve(given, 0.1, ORDERED)
        times, neurons = recorded(solution)
        assert bool(solution.ok) and exact.times.size > 10
        np.testing.assert_array_equal(neurons, exact.neurons)
        close(times, exact.times)
        close(solution.ys.neurons.neuron.v[-1], exact.v)
        close(sum(solution.ys.synapses)[-1], exact.s)


@pytest.mark.slow
# Slopes of 2.1 and 1.0 were measured.
@pytest.mark.parametrize("solver, least, most", [(LOCAL, 1.8, 2.6), (GRID, 0.8, 1.3)])
def test_all_solvers_agree_as_steps_shrink(solver, least, most):
    steps, medians = [0.1, 0.05, 0.025, 0.0125], []
    for dt in steps:
        errors = []
        for seed in range(6):
            given = problem(seed)
            exact, (times, neurons) = exactly(seed), recorded(solve(given, dt, solver))
            for k in range(SIZE):
                pair = times[neurons == k], exact.times[exact.neurons == k]
                count = min(map(len, pair))
                errors.append(np.abs(pair[0][:count] - pair[1][:count]))
        medians.append(np.median(np.concatenate(errors)))
    order = np.polyfit(np.log(steps), np.log(medians), 1)[0]
    assert least < order < most, (medians, order)


# --- what a train is --------------------------------------------------------------------------


def padded(values, padding):
    return np.array([*values, *[padding] * (30 - len(values))])


def relayed(times, channels, dt, solver, t0=0.0):
    """What is left at `T1` of unit synapses that inhibit one silent neuron each."""
    still = np.zeros((SIZE, SIZE)), np.zeros(SIZE), np.zeros(SIZE)
    times, channels = padded(times, np.inf), padded(channels, -1)
    solution = solve((*still, times, channels, -np.eye(SIZE)), dt, solver, t0)
    assert bool(solution.ok) and int(solution.spikes.count) == 0
    return -np.asarray(solution.ys.synapses[1])[-1]


BOUNDS = [(ORDERED, 1e-9), (LOCAL, 1e-4), (GRID, 1e-2)]  # (0.05 / 5)^2, and 0.05 / 5: a step late


@pytest.mark.slow
@pytest.mark.parametrize("solver, bound", BOUNDS)
def test_order_padding_and_the_start(solver, bound):
    # Out of order, padded as records are, one before the start and one just there.
    times = [37.02, 30.0, np.inf, 33.48, 25.0, 29.96, np.inf]
    result = relayed(times, [1, 0, -1, 1, 0, 0, 5], 0.05, solver, 30.0)
    late = np.exp(-(T1 - np.array([37.02, 33.48])) / TAU_S).sum()
    close(result, [np.exp(-10.0 / TAU_S), late, *[0.0] * (SIZE - 2)], bound)


# At one time, more than an exact solver takes in one turn (16).
@pytest.mark.slow
@pytest.mark.parametrize("solver, bound", BOUNDS)
def test_many_events_at_once(solver, bound):
    result = relayed(np.full(30, 32.03), np.arange(30) % 3, 0.05, solver)
    close(result, 10 * np.exp(-(T1 - 32.03) / TAU_S) * (np.arange(SIZE) < 3), 2 * bound)


def test_a_record_is_a_train():
    """Neurons 0-3 drive 4-7, in one network or in two solves, the second fed by the record."""
    random = np.random.default_rng(1)
    drive, weights = random.uniform(1.2, 2.5, SIZE), random.normal(0.5, 0.5, (SIZE, SIZE))
    drive[4:] = 0.9
    weights[4:], weights[:, :4] = 0.0, 0.0
    none = np.zeros((SIZE, SIZE))
    network = weights, drive, np.zeros(SIZE), padded([], np.inf), padded([], -1), none
    together = solve(network, 0.1, ORDERED)
    times, neurons = recorded(together)
    first = neurons < 4
    assert (~first).sum() > 3 and 8 < first.sum() <= 30
    train = padded(times[first], np.inf), padded(neurons[first], -1)
    alone = solve((none, drive, np.zeros(SIZE), *train, weights), 0.1, ORDERED)
    np.testing.assert_array_equal(recorded(alone)[1], neurons)
    close(recorded(alone)[0], times)


def relay(times, channels, weights, per_step=64):
    """Neurons that do not fire, and synapses that show what arrived: 1 decays to `e^-t/5`."""
    train = bpc.SpikeTrain(np.asarray(times), np.asarray(channels), len(weights), per_step)
    projection = bpc.Projection(np.asarray(weights), bpc.synapses.Exponential(TAU_S), pre=train)
    return bpc.Network(bpc.neurons.LIF(v_th=1e6), [projection])


@pytest.mark.slow
def test_more_events_in_a_step_than_its_window_arrive_all_the_same():
    # Four events of weight 1 at once, a step further on as four times exp(-0.1 / 5).
    network = relay(np.full(4, 2.0), [0, 0, 0, 0], np.eye(1), per_step=3)
    for solver in (GRID, LOCAL):
        solution = bpc.simulate(network, network.rest(1), t1=2.1, dt=0.1, solver=solver)
        close(solution.final.synapses[0], 4 * np.exp(-0.1 / TAU_S), 1e-2)


# One event at t leaves exp(-(T - t) / 5) at T; by t that is its fifth.
@pytest.mark.slow
def test_a_train_is_differentiable_with_local_spikes():
    def end(time):
        network = relay([9.0], [0], np.eye(1))
        network = eqx.tree_at(lambda n: n.projections[0].pre.times, network, time[None])
        options = dict(t1=10.0, dt=0.1, solver=LOCAL, adjoint=dfx.ForwardMode())
        return bpc.simulate(network, network.rest(1), **options).ys.synapses[0][-1, 0]

    for time in (4.017, 4.07):  # anywhere in its step
        value, slope = jax.jvp(jax.jit(end), (jnp.asarray(time),), (jnp.ones(()),))
        exact = np.exp(-(10.0 - time) / TAU_S)
        # Heun: (dt / TAU_S)^2 / 6 a time constant; by time, one order less in a step of moments.
        close(value, exact, 1e-4)
        close(slope, exact / TAU_S, 1e-4)


@pytest.mark.slow
def test_trains_in_a_batch():
    bad = bpc.RESULTS.bad_parameter
    network = relay(np.zeros(3), [0, 0, 0], np.eye(2), per_step=2)

    def end(times, channels):
        train = bpc.SpikeTrain(times, channels, 2, per_step=2)
        given = eqx.tree_at(lambda n: n.projections[0].pre, network, train)
        solution = bpc.simulate(given, network.rest(2), t1=5.0, dt=0.1, solver=LOCAL, throw=False)
        return solution.ok, solution.result == bad, solution.ys.synapses[0][-1]

    times = [[1.03, 2.07, 4.5], [4.5, np.inf, 0.7], [np.nan, 1.0, 2.0], [1.0, 2.0, 3.0]]
    times += [[1.0, 2.0, 3.0], [1.03, 1.04, 1.05]]
    channels = [[0, 1, 0], [1, -1, 0], [0, 0, 0], [0, 2, 0], [-1, 0, 0], [0, 1, 1]]
    ok, named, s = jax.jit(jax.vmap(end))(jnp.asarray(times), jnp.asarray(channels))
    np.testing.assert_array_equal(ok, [True, True, False, False, False, True])
    np.testing.assert_array_equal(named, [False, False, True, True, True, False])
    left = np.exp(-(5.0 - np.array([[1.03, 2.07, 4.5], [0.7, 4.5, -np.inf]])) / TAU_S)
    close(s[:2], [[left[0, 0] + left[0, 2], left[0, 1]], left[1, :2]], 1e-4)


@pytest.mark.parametrize(
    "given, name",
    [
        (([np.nan, 1.0], [0, 1], 2), "times must not be NaN"),
        (([0.5, 1.0], [0, 2], 2), "neurons of events at finite times must be in 0..1"),
        (([0.5, 1.0], [0, -1], 2), "neurons of events at finite times must be in 0..1"),
        (([0.5, 1.0], [0], 2), "times and neurons must be two arrays of one length"),
        (([[0.5, 1.0]], [[0, 1]], 2), "under vmap give one train a row"),
        (([0.5, 1.0], [0.0, 1.0], 2), "neurons must be whole numbers"),
        (([0.5], [0], 0), "channels must be at least 1"),
        (([0.5], [0], 1, 0), "per_step must be at least 1"),
    ],
)
def test_bad_trains_are_named(given, name):
    times, neurons, *others = given
    with pytest.raises(ValueError, match=name):
        bpc.SpikeTrain(np.array(times), np.array(neurons), *others)


def test_projections_from_outside_that_do_not_fit_are_named():
    train, synapse = bpc.SpikeTrain(np.ones(1), np.zeros(1, int), 3), bpc.synapses.Exponential()
    network = bpc.Network(neuron(), [bpc.Projection(np.ones((4, 5)), synapse, pre=train)])
    with pytest.raises(ValueError, match=r"projections\[0\].weights has shape \(4, 5\)"):
        network.rest(5)
    with pytest.raises(ValueError, match="delay: add it to the times"):
        bpc.Projection(np.ones((3, 5)), synapse, 1.0, pre=train)


# Only spikes on their way through a delay need steps of one length.
@pytest.mark.slow
def test_a_train_arrives_with_adaptive_steps():
    network = relay([1.03, 2.07], [0, 0], np.eye(1))
    controller = dfx.PIDController(rtol=1e-3, atol=1e-3, dtmax=0.5)
    solution = bpc.simulate(
        network, network.rest(1), t1=5.0, dt=0.01, solver=LOCAL, stepsize_controller=controller
    )
    assert 10 < int(solution.stats["num_accepted_steps"]) < 100
    exact = np.exp(-(5.0 - np.array([1.03, 2.07])) / TAU_S).sum()
    close(solution.ys.synapses[0][-1], exact, 5e-3)


# --- Poisson spikes ---------------------------------------------------------------------------


RATES, H, STEPS = np.array([0.0, 0.05, 2.0, 60.0]), 0.1, 20000


@jax.jit
def counts(key):
    """The numbers of spikes [steps, channels] in each step of a train."""
    train = bpc.PoissonTrain(RATES, key)

    def draw(index):
        step = Step(index * H, H, index, index)
        return train.open(train.begin(0.0, 1, 1, float), step)[0]

    return jax.vmap(draw)(jnp.arange(STEPS))


def test_poisson_counts():
    drawn, mean = np.asarray(counts(jax.random.key(0))), RATES * H
    # Five standard deviations; the variance of a Poisson variance is (mean + 2 mean^2) / steps.
    assert (np.abs(drawn.mean(0) - mean) <= 5 * np.sqrt(mean / STEPS)).all()
    assert (np.abs(drawn.var(0) - mean) <= 5 * np.sqrt((mean + 2 * mean**2) / STEPS)).all()
    spread = (drawn - mean)[:, 1:] / np.sqrt(mean[1:])
    between, later = spread.T @ spread / STEPS, spread[1:].T @ spread[:-1] / STEPS
    assert np.abs(between - np.diag(np.diag(between))).max() < 5 / np.sqrt(STEPS)
    assert np.abs(later).max() < 5 / np.sqrt(STEPS)


def test_poisson_spikes_follow_from_their_key():
    one, other = jax.random.key(0), jax.random.key(1)
    rows = np.asarray(jax.jit(jax.vmap(counts))(jnp.stack([one, other, one])))
    np.testing.assert_array_equal(rows[0], rows[2])
    np.testing.assert_array_equal(rows[1], counts(other))
    assert (rows[0] != rows[1]).mean() > 0.1


@pytest.mark.slow
# Campbell's theorem: rate w int f and rate w^2 int f^2, with f what one spike leaves. On the grid
# spikes come at its points only, and what is saved there has not yet what arrives there: sums in
# place of the integrals, without their first term. Steps are long (0.4 of the decay), so that half
# a step would be seen: 1.2 in the mean, which the samples have to 0.03.
@pytest.mark.parametrize("kind", [bpc.LocalSpikes, bpc.GridSpikes])
def test_shot_noise_has_the_moments_of_campbell(kind):
    rate, weight, size, h = 0.8, 1.5, 500, 2.0

    def moment(k):
        def shape(t):
            return np.exp(-k * t / TAU_S)

        grid = h * shape(h * np.arange(1, 200)).sum()
        return rate * weight**k * (quad(shape, 0, np.inf)[0] if kind is bpc.LocalSpikes else grid)

    train = bpc.PoissonTrain(np.full(size, rate), jax.random.key(3))
    one = bpc.connect.OneToOne(np.full(size, weight))
    synapse = bpc.synapses.Exponential(TAU_S)
    network = bpc.Network(bpc.neurons.LIF(v_th=1e6), [bpc.Projection(one, synapse, pre=train)])
    saved = dfx.SaveAt(ts=jnp.arange(60.0, 401.0, 20.0))  # four time constants apart
    solution = bpc.simulate(
        network, network.rest(size), t1=400.0, dt=h, solver=kind(dfx.Tsit5()), saveat=saved
    )
    values = np.asarray(solution.ys.synapses[0])
    # Five standard deviations, and the second order of the moments in a step, 0.003 and 0.007.
    bound = 5 * np.sqrt(moment(2) / values.size) + 0.003 * moment(1)
    assert abs(values.mean() - moment(1)) < bound
    # Samples of one neuron are correlated by less than 0.1.
    spread = np.sqrt(1.1 * (2 * moment(2) ** 2 + moment(4)) / values.size)
    assert abs(values.var() - moment(2)) < 5 * spread + 0.007 * moment(2)


def test_bad_poisson_spikes_are_named():
    key, synapse = jax.random.key(0), bpc.synapses.Exponential(TAU_S)
    for rate in (-1.0, np.nan):
        with pytest.raises(ValueError, match="PoissonTrain.rates must not be negative or NaN"):
            bpc.PoissonTrain(np.array([1.0, rate]), key)
    train = bpc.PoissonTrain(np.ones(3), key)
    network = bpc.Network(neuron(), [bpc.Projection(np.ones((3, 2)), synapse, pre=train)])
    with pytest.raises(ValueError, match="PoissonTrain.*OrderedSpikes.*SpikeTrain"):
        bpc.simulate(network, network.rest(2), t1=1.0, dt=0.1)
    broken = eqx.tree_at(lambda n: n.projections[0].pre.rates, network, -train.rates)
    with pytest.raises(ValueError, match="PoissonTrain.rates"):
        bpc.simulate(broken, network.rest(2), t1=1.0, dt=0.1, solver=LOCAL)
