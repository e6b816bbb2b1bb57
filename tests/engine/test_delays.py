"""Transmission delays: exact in order, on a ring in whole steps, and their derivatives."""

import functools

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as drawn, settings, strategies as st

import bpcjax as bpc
from bpcjax.inputs import Late, Step
from tests.support.lif_networks import (
    HOLD,
    PERIOD,
    TAU_S,
    arrays,
    close,
    misses,
    neuron,
    oracle,
    order,
    recorded,
    run,
    signed,
    start,
    started,
)

T1, SIZE = 60.0, 20
ORDERED = bpc.OrderedSpikes(dfx.Tsit5(), per_step=64, room=256)
LOCAL, GRID = bpc.LocalSpikes(room=600), bpc.GridSpikes(dfx.Heun(), room=600)


# --- networks with every kind of delay --------------------------------------------------------

SOURCES, TARGETS = slice(0, 12), slice(5, 20)


@functools.cache
def problem(seed):
    """Connections in five sets: with one delay, with one a source, with their own (dense, sparse,
    and of a slice of sources to a slice of targets); some are at once and some never arrive.
    """
    random = np.random.default_rng([SIZE, seed])
    weights = signed(random, SIZE, 3.0 / np.sqrt(SIZE))
    part = random.integers(0, 5, (SIZE, SIZE))
    inside = np.zeros((SIZE, SIZE), bool)
    inside[SOURCES, TARGETS] = True
    part = np.where((part == 4) & ~inside, 0, part)
    own = random.uniform(0.5, 5.0, (SIZE, SIZE))
    own[random.random((SIZE, SIZE)) < 0.05], own[random.random((SIZE, SIZE)) < 0.05] = 0.0, np.inf
    one, by_source = 1.6, random.uniform(0.5, 5.0, (SIZE, 1))
    delays = np.choose(part, [np.full_like(own, one), np.repeat(by_source, SIZE, 1), own, own, own])
    return weights, part, one, by_source, own, delays, *started(random, SIZE)


@functools.cache
def exactly(seed):
    weights, *_, delays, drive, v0 = problem(seed)
    return oracle(weights, drive, v0, T1, delays=delays)


def network(seed):
    weights, part, one, by_source, own, *_ = problem(seed)
    synapse = bpc.synapses.Exponential(TAU_S)
    table = np.where(part == 3, np.arange(SIZE), SIZE)  # SIZE is nobody
    sparse = bpc.connect.Sparse(table, weights, SIZE)
    return bpc.Network(
        bpc.Refractory(neuron(), HOLD),
        [
            bpc.Projection(weights * (part == 0), synapse, one),
            bpc.Projection(weights * (part == 1), synapse, by_source),
            bpc.Projection(weights * (part == 2), synapse, own),
            bpc.Projection(sparse, synapse, own),
            bpc.Projection(
                (weights * (part == 4))[SOURCES, TARGETS], synapse, own[SOURCES, TARGETS],
                pre=SOURCES, post=TARGETS,
            ),
        ],
    )  # fmt: skip


def solve(seed, dt, solver):
    *_, drive, v0 = problem(seed)
    system, v0 = network(seed), jnp.asarray(v0)
    return run(system, start(system, v0), *arrays(drive, T1, dt), solver)


def test_delays_are_exact_in_order():
    for seed in range(4):
        exact, solution = exactly(seed), solve(seed, 0.1, ORDERED)
        assert bool(solution.ok) and exact.times.size > 40
        times, neurons = recorded(solution)
        np.testing.assert_array_equal(neurons, exact.neurons)
        close(times, exact.times)
        close(solution.ys.neurons.neuron.v[-1], exact.v)
        close(sum(solution.ys.synapses)[-1], exact.s)


@pytest.mark.slow
# Slopes of 2.7 and 1.0 were measured, and last medians of 5e-6 and 0.02 ms.
@pytest.mark.parametrize("solver, least, most", [(LOCAL, 1.8, 9.0), (GRID, 0.8, 1.3)])
def test_order_of_delays_on_a_ring(solver, least, most):
    steps, medians = [0.1, 0.05, 0.025, 0.0125], []
    for dt in steps:
        errors = []
        for seed in range(4):
            exact, solution = exactly(seed), solve(seed, dt, solver)
            assert bool(solution.ok)
            errors.append(misses(solution, exact, SIZE))
        medians.append(np.median(np.concatenate(errors)))
    assert least < order(steps, medians) < most, medians


# --- derivatives ------------------------------------------------------------------------------

FEW, END = 8, 30.0
CHANNELS = np.array([0, 1, 2, 0, 1])


def small():
    """Weights, drives, starts, delays of each connection, times of a train; and a direction.

    Some delays and times are equal: what arrives together keeps its own derivatives.
    """
    random = np.random.default_rng([FEW, 1])
    weights, (drive, v0) = signed(random, FEW, 3.0 / np.sqrt(FEW)), started(random, FEW)
    delays, train = random.uniform(0.5, 4.0, (FEW, FEW)), np.array([3.0, 7.123, 7.123, 15.0, 22.2])
    delays[:, :5] = 2.5
    given = dict(weights=weights, drive=drive, v0=v0, delays=delays, train=train)
    return given, {name: 0.1 * random.normal(size=x.shape) for name, x in given.items()}


def small_exactly(weights, drive, v0, delays, train):
    external = [(t, 1.5 * np.eye(FEW)[c]) for t, c in zip(train, CHANNELS, strict=True)]
    return oracle(weights, drive, v0, END, delays=delays, external=external)


def differences(given, direction):
    """Central differences of the oracle's spike times and final potentials, to fourth order."""
    exact = small_exactly(**given)

    def ends(step):
        result = small_exactly(**{k: x + step * direction[k] for k, x in given.items()})
        np.testing.assert_array_equal(result.neurons, exact.neurons)
        return np.concatenate([result.times, result.v])

    def central(step):
        return (ends(step) - ends(-step)) / (2 * step)

    return (4 * central(5e-5) - central(1e-4)) / 3


def ends(given, adjoint):
    count = small_exactly(**small()[0]).times.size
    synapse = bpc.synapses.Exponential(TAU_S)
    train = bpc.SpikeTrain(given["train"], CHANNELS, 3)
    system = bpc.Network(
        bpc.Refractory(neuron(), HOLD),
        [
            bpc.Projection(given["weights"], synapse, given["delays"]),
            bpc.Projection(1.5 * np.eye(FEW)[:3], synapse, pre=train),
        ],
    )
    options = dict(adjoint=adjoint, max_spikes=count, max_steps=1024)
    y0 = start(system, given["v0"])
    solution = run(system, y0, given["drive"], END, 0.1, ORDERED, **options)
    return jnp.concatenate([solution.spikes.times, solution.ys.neurons.neuron.v[-1]])


@jax.jit
def forward(given, direction):
    return jax.jvp(lambda given: ends(given, dfx.ForwardMode()), (given,), (direction,))


def as_arrays(tree):
    return jax.tree.map(jnp.asarray, tree)


@pytest.mark.slow
def test_forward_derivatives_through_delays_and_trains():
    given, directions = small()
    exact = small_exactly(**given)
    assert exact.times.size > 10
    for name, direction in directions.items():
        along = {k: np.zeros_like(x) for k, x in given.items()} | {name: direction}
        value, slope = forward(as_arrays(given), as_arrays(along))
        close(value, np.concatenate([exact.times, exact.v]))
        expected = differences(given, along)
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(slope, expected, rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.slow
def test_reverse_derivatives_through_delays_and_trains():
    given, directions = small()
    weighting = np.random.default_rng(5).normal(size=ends(as_arrays(given), None).size)
    slopes = jax.jit(jax.grad(lambda given: weighting @ ends(given, None)))(as_arrays(given))
    for name, direction in directions.items():
        along = {k: np.zeros_like(x) for k, x in given.items()} | {name: direction}
        expected = weighting @ forward(as_arrays(given), as_arrays(along))[1]
        result = (slopes[name] * direction).sum()
        np.testing.assert_allclose(result, expected, rtol=1e-8, err_msg=name)


@pytest.mark.slow
# Neuron 0 alone fires, at PERIOD; neuron 1 hears it a delay later, as exp(-age / 5). One delay a
# row, within a step and beyond; the last row is longer than the ring of 100 steps.
def test_a_batch_of_delays_and_their_derivatives_on_a_ring():
    drive = jnp.array([1.5, 0.0])

    def left(delay):
        late = bpc.Projection(
            np.array([[0.0, 1.0], [0.0, 0.0]]), bpc.synapses.Exponential(TAU_S), delay
        )
        cells = bpc.Refractory(neuron(), HOLD)
        solver, options = bpc.LocalSpikes(room=100), dict(adjoint=dfx.ForwardMode())
        system = bpc.Network(cells, [late])
        solution = run(system, start(system, jnp.zeros(2)), drive, 30.0, 0.1, solver, **options)
        crowded = solution.result == bpc.RESULTS.arrivals_overflow
        return solution.ys.synapses[0][-1, 1], (solution.ok, crowded)

    def forward(delay):
        return jax.jvp(left, (delay,), (jnp.ones(()),), has_aux=True)

    delays = jnp.array([0.0, 0.03, 0.1, 1.234, 5.0, 9.0, 9.95])
    values, slopes, (ok, crowded) = jax.jit(jax.vmap(forward))(delays)
    np.testing.assert_array_equal(ok, [True] * 6 + [False])
    np.testing.assert_array_equal(crowded, ~ok)
    age = 30.0 - PERIOD - np.asarray(delays)[:6]
    exact = np.where(age > 0, np.exp(-np.maximum(age, 0) / TAU_S), 0.0)
    close(values[:6], exact, 1e-4)
    close(slopes[:6], exact / TAU_S, 1e-4)


# --- the ring itself --------------------------------------------------------------------------

H, STEPS, ROOM = 0.1, 40, 32


@jax.jit
def landed(delays, places, spiked):
    """What arrives of two sources' spikes, [STEPS, moment, source, part], with steps of H."""
    late = Late(delays)
    start = late.begin(0.0, 2, ROOM, jnp.result_type(float))

    def step(state, at):
        index, places, spiked = at
        now = Step(index * H, H, index, index)
        landing, state = late.land(state, now, places, spiked)
        return state, (jnp.stack(landing.moments), landing.ok)

    return jax.lax.scan(step, start, (jnp.arange(STEPS), places, spiked))[1]


waits = st.one_of(st.floats(0.0, 2.9), st.sampled_from([0.0, 0.1, 0.7, np.inf]))


@drawn(waits=st.lists(waits, min_size=6, max_size=6), seed=st.integers(0, 999), late=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_spike_lands_once_with_the_time_left_to_it(waits, seed, late):
    random, delays = np.random.default_rng(seed), np.array(waits).reshape(2, 3)
    spiked = (random.random((STEPS, 2)) < 0.6) & (np.arange(STEPS) < 8)[:, None]
    places = random.uniform(-1.0 if late else 0.0, 1.0, (STEPS, 2))  # found a step late
    places[random.random((STEPS, 2)) < 0.3] = 0.0
    moments, ok = landed(*map(jnp.asarray, (delays, places, spiked)))
    count, left, half = np.moveaxis(np.asarray(moments), 1, 0)
    assert ok.all()
    # In its step: rounding may move an arrival over the end of one, but not further.
    assert (left >= -1e-9).all() and (left <= (2 if late else 1) * H * count + 1e-9).all()
    finite = np.isfinite(delays)
    np.testing.assert_array_equal(count.sum(0), spiked.sum(0)[:, None] * finite)
    # Times left at the end of all steps, and their squares.
    until = (STEPS - 1 - np.arange(STEPS))[:, None, None] * H
    wait = np.where(finite, delays, 0.0)
    gone = (STEPS - np.arange(STEPS)[:, None] - places)[:, :, None] * H - wait
    there = spiked[:, :, None] & finite
    close((left + until * count).sum(0), (gone * there).sum(0))
    close((half + until * left + until**2 / 2 * count).sum(0), (gone**2 / 2 * there).sum(0))


# --- what does not fit, and what finds no room ------------------------------------------------


def two(delay, weights=None, **options):
    """Neuron 0 fires at 21.97 ms, and drives neuron 1."""
    weights = np.array([[0.0, 1.0], [0.0, 0.0]]) if weights is None else weights
    projection = bpc.Projection(weights, bpc.synapses.Exponential(TAU_S), delay, **options)
    return bpc.Network(neuron(), [projection])


def begin(system, **options):
    options = dict(t1=60.0, dt=0.1, max_spikes=8) | options
    return bpc.simulate(system, system.rest(2), jnp.array([1.5, 0.0]), **options)


@pytest.mark.slow
def test_delays_without_room_are_an_error_that_names_it():
    slow, message = two(30.0), "More arrivals than there is room.*raise `room`"
    with pytest.raises(RuntimeError, match=message):
        begin(slow, solver=bpc.OrderedSpikes(dfx.Heun(), room=1))  # two spikes on their way
    with pytest.raises(RuntimeError, match=message):
        begin(slow, solver=bpc.GridSpikes(room=301))  # 300 steps, and one before and after


@pytest.mark.slow
def test_simulate_finds_the_room_that_delays_need():
    solution = begin(two(30.0), solver=bpc.GridSpikes(dfx.Heun()))  # 300 steps
    close(solution.ys.synapses[0][-1, 1], np.exp(-(30.0 - PERIOD) / TAU_S), 5e-3)


@pytest.mark.slow
def test_adaptive_steps_refuse_delays_on_a_ring():
    controller = dfx.PIDController(rtol=1e-3, atol=1e-3, dtmax=1.0)
    with pytest.raises(RuntimeError, match="need constant steps"):
        begin(two(3.0), solver=bpc.LocalSpikes(), stepsize_controller=controller)


def free(weights, **options):
    return two(None, weights, **options).rest(2)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: two(-1.0), "Projection.delay must not be negative or NaN"),
        (lambda: two(np.array([[1.0], [np.nan]])), "Projection.delay must not be negative or NaN"),
        (lambda: two(np.ones(2)), r"number, or \[pre, 1\], or one for each connection, \[pre, 2\]"),
        (lambda: two(np.ones((2, 3))), "delay must be a number"),
        (lambda: two(np.ones((3, 1))).rest(2), r"projections\[0\].delay has shape \(3, 1\)"),
        (lambda: two(np.ones((2, 2)), bpc.connect.Lateral(1.0)), "delay must be a number"),
        (lambda: two(1.0, pre=slice(0, 3)).rest(2), r"projections\[0\].* beyond the population"),
        (lambda: two(1.0, post=slice(1, 3)).rest(2), r"projections\[0\].* beyond the population"),
        (lambda: two(1.0, pre=slice(0, 1)).rest(2), r"projections\[0\].weights has shape"),
        (lambda: two(1.0, post=slice(0, 1)).rest(2), r"projections\[0\].weights has shape"),
        (lambda: two(1.0, pre=slice(0, 2, 2)), "slices without a step"),
        (lambda: two(1.0, pre=slice(0, None)), "need both ends"),
        (lambda: two(1.0, post=slice(-2, -1)), "need both ends"),
        (lambda: two(1.0, post=slice(1, 1)), "must have neurons"),
        (lambda: two(1.0, pre=3), "pre and post must be slices"),
        (lambda: free(lambda s: s[:1]), r"projections\[0\].weights gives shape \(1,\)"),
        (lambda: free(lambda s: s @ jnp.ones((3, 2))), "weights does not take 2 spikes"),
        (lambda: free(bpc.connect.OneToOne(1.0), pre=slice(0, 1)), "weights gives shape"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()
