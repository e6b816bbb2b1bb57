"""Spike-timing windows: pairs and traces, replays of every solver."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.learning import Hard, Moment, Rewards, TraceSTDP, Window, pair_sum, replay
from tests.support.lif_networks import TAU, order
from tests.support.spike_timing import (
    ONE,
    PARAMETERS,
    RULES,
    WINDOW,
    compiled_replay,
    some_spikes,
    train,
)
from theory.closed_forms import lif_events, stdp as oracle


@pytest.mark.parametrize("delay", [-80.0, -5.0, -1e-9, 0.0, 1e-9, 0.3, 20.0, 150.0])
def test_the_window_is_the_closed_form(delay):
    # A+ exp(-d / tau+) and -A- exp(d / tau-) by themselves, by a pair, and by traces.
    pre, post = train([100.0]), train([100.0 + delay])
    expected = oracle.window((100.0 + delay) - 100.0, *PARAMETERS)
    for result in (
        WINDOW(jnp.asarray((100.0 + delay) - 100.0)),
        pair_sum(WINDOW, pre, post, (1, 1))[0, 0],
        replay(TraceSTDP(WINDOW), ONE, pre, post)[0][0, 0],
        replay(TraceSTDP(WINDOW, nearest=True), ONE, pre, post)[0][0, 0],
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)


# Times that meet often, so that spikes at one instant are tried.
trains = st.lists(st.integers(0, 40), max_size=10).map(lambda x: sorted(set(x)))


@given(trains, trains, st.booleans())
@settings(max_examples=25, deadline=None)
def test_traces_are_the_sum_over_pairs(pre, post, nearest):
    room = 12
    pad = [train([*x, *[np.inf] * (room - len(x))]) for x in (pre, post)]
    result, _ = _replayed(nearest)(*pad)
    total = oracle.nearest_sum if nearest else oracle.pair_sum
    np.testing.assert_allclose(result[0, 0], total(pre, post, *PARAMETERS), atol=1e-13)
    if not nearest:
        np.testing.assert_allclose(pair_sum(WINDOW, *pad, (1, 1)), result, atol=1e-13)


def _replayed(nearest):
    return lambda pre, post: compiled_replay(TraceSTDP(WINDOW, nearest=nearest), ONE, pre, post)


def test_many_neurons_in_two_halves():
    # Each synapse sees its own two neurons only, and a replay goes on where another ended.
    rng = np.random.default_rng(0)
    pre, post = some_spikes(rng, 4, 200.0), some_spikes(rng, 3, 200.0)
    pre, post = (bpc.Spikes(np.asarray(t.times), np.asarray(t.neurons)) for t in (pre, post))
    whole, last = replay(TraceSTDP(WINDOW), jnp.zeros((3, 4)), pre, post, t1=200.0)
    for i in range(3):
        for j in range(4):
            a, b = (
                np.asarray(t.times)[np.asarray(t.neurons) == k] for t, k in ((pre, j), (post, i))
            )
            np.testing.assert_allclose(whole[i, j], oracle.pair_sum(a, b, *PARAMETERS), atol=1e-12)
    np.testing.assert_allclose(pair_sum(WINDOW, pre, post, (3, 4)), whole, atol=1e-12)

    def part(t, low, high):
        keep = (t.times >= low) & (t.times < high)
        return train(t.times[keep], t.neurons[keep])

    weights, state = replay(
        TraceSTDP(WINDOW), jnp.zeros((3, 4)), part(pre, 0, 90), part(post, 0, 90), t1=90.0
    )
    weights, state = replay(
        TraceSTDP(WINDOW), weights, part(pre, 90, 200), part(post, 90, 200), state=state, t0=90.0,
        t1=200.0,
    )  # fmt: skip
    np.testing.assert_allclose(weights, whole, atol=1e-12)
    np.testing.assert_allclose(state.pre, last.pre, rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "rewarded",
        *(pytest.param(name, marks=pytest.mark.slow) for name in RULES if name != "rewarded"),
    ],
)
def test_a_loop_in_bins_is_the_replay_of_its_spikes(name):
    rng, rule, step, bins = np.random.default_rng(1), RULES[name], 0.5, 200
    pre, post = some_spikes(rng, 4, 100.0, step), some_spikes(rng, 3, 100.0, step)
    given = 5.0 * np.arange(1, 21), rng.normal(size=20)
    rewards = Rewards(jnp.asarray(given[0]), jnp.asarray(given[1]))
    start = jnp.asarray(rng.uniform(0.2, 0.8, (3, 4)))
    expected, state = replay(rule, start, pre, post, rewards=rewards, t1=100.0)

    def binned(t, size):
        marks = np.zeros((bins, size))
        where = np.round(np.asarray(t.times) / step).astype(int) - 1
        np.add.at(marks, (where, np.asarray(t.neurons)), 1.0)
        return jnp.asarray(marks)

    told = np.zeros(bins)
    told[np.round(given[0] / step).astype(int) - 1] = given[1]

    def bin_(carry, seen):
        weights, state = carry
        change, state = rule.update(Moment(jnp.asarray(step), *seen), state, weights)
        return (optax.apply_updates(weights, change), state), None

    seen = binned(pre, 4), binned(post, 3), jnp.asarray(told)
    (weights, after), _ = jax.lax.scan(bin_, (start, rule.init(start)), seen)
    assert float(jnp.abs(weights - start).max()) > 0.1
    np.testing.assert_allclose(weights, expected, atol=1e-12)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


DRIVE, START, COUPLING, T1 = np.array([1.7, 1.35]), np.array([0.3, 0.1]), 0.35, 300.0


def solved(solver, dt):
    neuron = bpc.neurons.LIF(c=TAU, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
    link = jnp.array([[0.0, COUPLING], [0.0, 0.0]])
    network = bpc.Network(neuron, [bpc.Projection(link, bpc.synapses.Exponential(5.0))])
    y0 = network.rest(2)
    y0 = y0._replace(neurons=y0.neurons._replace(v=jnp.asarray(START)))
    solution = bpc.simulate(
        network, y0, jnp.asarray(DRIVE), t1=T1, dt=dt, solver=solver, max_spikes=64
    )
    return solution.spikes.of(slice(0, 1)), solution.spikes.of(slice(1, 2))


@pytest.mark.slow
def test_a_replay_is_that_of_the_true_trains_with_every_solver():
    weights = COUPLING * np.array([[0.0, 1.0], [0.0, 0.0]])
    true = lif_events.simulate(weights, DRIVE, START, t1=T1, tau=TAU, tau_s=5.0)
    pre, post = (true.times[true.neurons == k] for k in range(2))
    assert len(pre) > 10 and len(post) > 10
    expected = oracle.pair_sum(pre, post, *PARAMETERS)

    def error(solver, dt):
        result, _ = replay(TraceSTDP(WINDOW), ONE, *solved(solver, dt))
        return abs(float(result[0, 0]) - expected)

    assert error(bpc.OrderedSpikes(), 0.5) < 1e-8
    steps = np.array([0.4, 0.2, 0.1, 0.05])
    local = [error(bpc.LocalSpikes(), dt) for dt in steps]
    assert order(steps, local) > 1.7 and local[-1] < 1e-3
    # On a grid spikes are late by up to a step: a first order that a fit sees over more steps.
    steps = np.array([0.2, 0.1, 0.05, 0.025, 0.0125, 0.00625])
    grid = [error(bpc.GridSpikes(), dt) for dt in steps]
    assert 0.6 < order(steps, grid) < 1.5 and grid[-1] < 0.02


def test_a_pair_sum_has_the_derivative_of_the_window():
    def total(t):
        return pair_sum(WINDOW, train([10.0]), bpc.Spikes(t[None], jnp.array([0])), (1, 1))[0, 0]

    expected = -0.7 / 12.0 * np.exp(-5.0 / 12.0)
    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(15.0)), expected, rtol=1e-12)


@pytest.mark.slow
def test_poisson_trains_drift_as_the_integral_of_the_window():
    # 400 pairs of independent trains: the mean within four of its standard errors.
    rates, t1 = (0.03, 0.02), 1000.0
    keys = jax.random.split(jax.random.key(0), 2)
    draw = lambda key, rate: bpc.encode.poisson(key, jnp.full(20, rate), t1=t1)  # noqa: E731
    pre, post = (draw(k, r) for k, r in zip(keys, rates, strict=True))
    each = np.asarray(pair_sum(WINDOW, pre, post, (20, 20)))
    expected = t1 * oracle.poisson_drift(*rates, *PARAMETERS)
    # Pairs that share a train are not independent: the error is that of 20 means.
    error = each.mean(axis=0).std(ddof=1) / np.sqrt(20) + each.mean(axis=1).std(ddof=1) / np.sqrt(
        20
    )
    assert abs(each.mean() - expected) < 4 * error and error < 0.25 * abs(expected)


@pytest.mark.slow
def test_weights_that_change_while_the_network_runs():
    # A solve in pieces, the weight after each given to the next: with pieces of half the length
    # the feedback acts sooner; both end in the same place but for that.
    @eqx.filter_jit
    def piece(y, weight, drive, span):
        neuron = bpc.neurons.LIF(c=TAU, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)
        link = jnp.zeros((2, 2)).at[0, 1].set(weight)
        network = bpc.Network(neuron, [bpc.Projection(link, bpc.synapses.Exponential(5.0))])
        y0 = network.rest(2) if y is None else jax.tree.map(lambda x: x[-1], y)
        return bpc.simulate(network, y0, drive, t1=span, dt=0.5, max_spikes=32)

    def run(span, t1=600.0):
        rule = TraceSTDP(Window(0.01, 0.004), Hard(0.0, 0.6))
        weights, state, y = jnp.full((1, 1), 0.1), None, None
        for _ in range(round(t1 / span)):
            solution = piece(y, weights[0, 0], jnp.asarray(DRIVE), span)
            y = solution.ys
            pre, post = (solution.spikes.of(slice(k, k + 1)) for k in (0, 1))
            weights, state = replay(rule, weights, pre, post, state=state, t1=span)
        return float(weights[0, 0])

    coarse, fine = run(20.0), run(10.0)
    assert abs(fine - 0.1) > 0.02 and abs(coarse - fine) < 0.2 * abs(fine - 0.1)


@pytest.mark.parametrize(
    "pre, message",
    [
        (train([1.0, np.nan]), "pre: times must not be NaN"),
        (train([2.0, 1.0]), "pre: times must rise"),
        (train([np.inf, 1.0]), "pre: times must rise"),
        (train([-1.0]), "before t0"),
        (train([1.0], [4]), r"pre: neurons must be in 0..0"),
        (train([1.0], [-1]), r"pre: neurons"),
    ],
)
def test_bad_trains_are_refused(pre, message):
    with pytest.raises(ValueError, match=message):
        replay(TraceSTDP(WINDOW), ONE, pre, train([3.0]))


def test_bad_trains_under_a_transformation_give_nan():
    result, _ = compiled_replay(TraceSTDP(WINDOW), ONE, train([2.0, 1.0]), train([3.0]))
    assert bool(jnp.isnan(result).all())
