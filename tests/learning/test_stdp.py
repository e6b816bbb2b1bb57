"""Spike-timing rules: windows, traces and pairs, replays of every solver, proofs, rewards."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st
from tests.support.records import record

import bpcjax as bpc
from bpcjax import learning
from bpcjax.learning import (
    Eligible,
    Free,
    Hard,
    Moment,
    Post,
    Pre,
    Rewards,
    RewardSTDP,
    Shared,
    Soft,
    Synapse,
    TraceSTDP,
    Train,
    TriggeredSTDP,
    Window,
    certificate,
    pair_sum,
    replay,
)
from bpcjax.learning.plasticity.stdp import Traces
from tests.support.lif_networks import TAU, order
from theory.closed_forms import lif_events, stdp as oracle

PARAMETERS = 0.7, 0.9, 12.0, 31.0  # a_plus, a_minus, tau_plus, tau_minus
WINDOW = Window(*PARAMETERS)
ONE = jnp.zeros((1, 1))


def train(times, neurons=None):
    times = jnp.asarray(times, float)
    neurons = jnp.zeros(times.shape, int) if neurons is None else jnp.asarray(neurons)
    return Train(times, neurons)


@pytest.mark.parametrize("delay", [-80.0, -5.0, -1e-9, 0.0, 1e-9, 0.3, 20.0, 150.0])
def test_the_window_is_the_closed_form(delay):
    # A+ exp(-d / tau+) and -A- exp(d / tau-) by themselves, by a pair, and by traces.
    pre, post = train([100.0]), train([100.0 + delay])
    expected = oracle.window((100.0 + delay) - 100.0, *PARAMETERS)
    for found in (
        WINDOW(jnp.asarray((100.0 + delay) - 100.0)),
        pair_sum(WINDOW, pre, post, (1, 1))[0, 0],
        replay(TraceSTDP(WINDOW), ONE, pre, post)[0][0, 0],
        replay(TraceSTDP(WINDOW, nearest=True), ONE, pre, post)[0][0, 0],
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


# Times that meet often, so that spikes at one instant are tried.
trains = st.lists(st.integers(0, 40), max_size=10).map(lambda x: sorted(set(x)))


@given(trains, trains, st.booleans())
@settings(max_examples=25, deadline=None)
def test_traces_are_the_sum_over_pairs(pre, post, nearest):
    room = 12
    pad = [train([*x, *[np.inf] * (room - len(x))]) for x in (pre, post)]
    found, _ = _replayed(nearest)(*pad)
    total = oracle.nearest_sum if nearest else oracle.pair_sum
    np.testing.assert_allclose(found[0, 0], total(pre, post, *PARAMETERS), atol=1e-13)
    if not nearest:
        np.testing.assert_allclose(pair_sum(WINDOW, *pad, (1, 1)), found, atol=1e-13)


@eqx.filter_jit
def _replay(rule, weights, pre, post):
    return replay(rule, weights, pre, post)


def _replayed(nearest):
    return lambda pre, post: _replay(TraceSTDP(WINDOW, nearest=nearest), ONE, pre, post)


def some_spikes(rng, neurons, t1, step=None):
    """Poisson-like trains of several neurons as one, on a grid if asked."""
    count = rng.poisson(0.05 * t1 * neurons)
    times = rng.uniform(0, t1, count)
    if step:
        times = np.ceil(times / step) * step
    pairs = np.unique(np.stack([times, rng.integers(0, neurons, count)]), axis=1)
    times, who = pairs
    return train(times, who.astype(int))


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


RULES = {
    "traces": TraceSTDP(WINDOW),
    "nearest": TraceSTDP(WINDOW, Soft(0.0, 1.0, 0.5), nearest=True),
    "hard": TraceSTDP(WINDOW, Hard()),
    "triggered": TriggeredSTDP(rate=0.2),
    "rewarded": RewardSTDP(TraceSTDP(WINDOW), tau=50.0),
}


@pytest.mark.parametrize("name", RULES)
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
    found = bpc.simulate(
        network, y0, jnp.asarray(DRIVE), t1=T1, dt=dt, solver=solver, max_spikes=64
    )
    return Train.of(found.spikes, slice(0, 1)), Train.of(found.spikes, slice(1, 2))


@pytest.mark.slow
def test_a_replay_is_that_of_the_true_trains_with_every_solver():
    weights = COUPLING * np.array([[0.0, 1.0], [0.0, 0.0]])
    true = lif_events.simulate(weights, DRIVE, START, t1=T1, tau=TAU, tau_s=5.0)
    pre, post = (true.times[true.neurons == k] for k in range(2))
    assert len(pre) > 10 and len(post) > 10
    expected = oracle.pair_sum(pre, post, *PARAMETERS)

    def error(solver, dt):
        found, _ = replay(TraceSTDP(WINDOW), ONE, *solved(solver, dt))
        return abs(float(found[0, 0]) - expected)

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
        return pair_sum(WINDOW, train([10.0]), Train(t[None], jnp.array([0])), (1, 1))[0, 0]

    expected = -0.7 / 12.0 * np.exp(-5.0 / 12.0)
    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(15.0)), expected, rtol=1e-12)


def test_bounds():
    up, down = jnp.full((1, 1), 0.3), jnp.full((1, 1), 0.1)
    none = jnp.zeros((1, 1))
    at = lambda w: jnp.full((1, 1), w)  # noqa: E731
    np.testing.assert_allclose(Free()(at(0.9), up, down), 0.2)
    np.testing.assert_allclose(Hard()(at(0.9), up, down), 0.1)  # stops at 1
    np.testing.assert_allclose(Hard(-1.0, 0.5)(at(-0.95), none, down), -0.05)
    # (1 - w) up - w down, and with power 2
    np.testing.assert_allclose(Soft()(at(0.6), up, down), 0.4 * 0.3 - 0.6 * 0.1)
    np.testing.assert_allclose(Soft(power=2.0)(at(0.6), up, down), 0.16 * 0.3 - 0.36 * 0.1)
    np.testing.assert_allclose(Soft(power=0.0)(at(0.6), up, down), Free()(at(0.6), up, down))
    np.testing.assert_allclose(Soft()(at(0.5), 9 * up, none), 0.5)  # too large a step stops


@given(st.integers(0, 10**6), st.sampled_from(["hard", "nearest", "triggered"]))
@settings(max_examples=10, deadline=None)
def test_weights_never_leave_their_bounds(seed, name):
    rng = np.random.default_rng(seed)
    start = jnp.asarray(rng.uniform(0, 1, (2, 2)))
    parts = [some_spikes(rng, 2, 100.0) for _ in range(2)]
    pad = [
        train(np.append(t.times, np.full(60 - len(t.times), np.inf)),
              np.append(t.neurons, np.full(60 - len(t.neurons), -1)))
        for t in parts
    ]  # fmt: skip
    found, _ = _replay(RULES[name], start, *pad)
    assert bool(((found >= 0) & (found <= 1)).all())


def test_a_triggered_synapse_rests_at_the_trace_that_it_sees():
    # By hand: pre at 0, post at 10: 0.2 (exp(-10/20) - 0.4) (1 - 0.5); a silent one loses.
    rule = TriggeredSTDP(rate=0.2)
    start = jnp.full((2, 2), 0.5)
    found, _ = replay(rule, start, train([0.0]), train([10.0]))
    np.testing.assert_allclose(found[0, 0], 0.5 + 0.2 * (np.exp(-0.5) - 0.4) * 0.5, rtol=1e-13)
    np.testing.assert_allclose(found[0, 1], 0.5 - 0.2 * 0.4 * 0.5, rtol=1e-13)
    np.testing.assert_array_equal(found[1], 0.5)  # a neuron that is silent changes nothing


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


def owners():
    moment = Moment(Shared(time=0), Pre(time=0), Post(time=0), Shared(time=0))  # pyright: ignore
    return moment, Synapse()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_local_and_causal(name):
    rule, rng, steps = RULES[name], np.random.default_rng(2), 4

    def run(seen, weights):
        def step(carry, moment):
            weights, state = carry
            change, state = rule.update(moment, state, weights)
            return (weights + change, state), weights + change

        return jax.lax.scan(step, (weights, rule.init(weights)), seen)[1]

    seen = Moment(
        *(
            jnp.asarray(rng.uniform(0.5, 2.0, s))
            for s in ((steps,), (steps, 3), (steps, 2), (steps,))
        )
    )
    found = certificate(run, (seen, jnp.full((2, 3), 0.4)), owners(), Synapse(time=0))
    assert found.local and found.causal and not found.opaque, str(found)
    assert ("seen.reward" in found.shared) == (name == "rewarded")


def test_a_state_belongs_to_its_neurons():
    rule = RULES["rewarded"]

    def step(seen, state, weights):
        return rule.update(seen, state, weights)

    state = Eligible(Traces(jnp.ones(3), jnp.ones(2)), jnp.ones((2, 3)))
    seen = Moment(jnp.asarray(1.0), jnp.ones(3), jnp.ones(2), jnp.asarray(0.5))
    whose = Eligible(Traces(Pre(), Post()), Synapse())  # pyright: ignore
    moment = Moment(Shared(), Pre(), Post(), Shared())  # pyright: ignore
    found = certificate(
        step, (seen, state, jnp.ones((2, 3))), (moment, whose, Synapse()), (Synapse(), whose)
    )
    assert found.local, str(found)


DELAY, WAIT = 5.0, 60.0  # ms from the input to the answer, and to the reward


def answer_rule():
    return RewardSTDP(TraceSTDP(WINDOW), tau=100.0, rate=2.0)


def trial(weight, answered, baseline):
    """One input, an answer or none, a reward: the change of the synapse."""
    post = Train(jnp.where(answered, DELAY, jnp.inf)[None], jnp.zeros(1, int))
    reward = answered - baseline
    rewards = Rewards(jnp.array([WAIT]), reward[None])
    after, _ = replay(answer_rule(), weight[None, None], train([0.0]), post, rewards=rewards)
    return after[0, 0] - weight


def test_reward_climbs_in_expectation():
    # The mean over both outcomes is the closed form, and a multiple of the gradient of the reward.
    eligibility = 2.0 * 0.7 * np.exp(-DELAY / 12.0) * np.exp(-(WAIT - DELAY) / 100.0)
    for weight in (-2.0, 0.0, 1.5):
        w = jnp.asarray(weight)
        p = jax.nn.sigmoid(w)
        yes, no = (trial(w, jnp.asarray(a), p) for a in (1.0, 0.0))
        drift = p * yes + (1 - p) * no
        expected = oracle.reward_drift(float(p), float(p), eligibility)
        np.testing.assert_allclose(drift, expected, rtol=1e-12)
        np.testing.assert_allclose(drift, eligibility * jax.grad(jax.nn.sigmoid)(w), rtol=1e-12)


def test_two_neurons_learn_to_answer_for_a_reward():
    def step(carry, key):
        weight, mean = carry
        answered = jax.random.bernoulli(key, jax.nn.sigmoid(weight)).astype(float)
        weight = weight + 0.3 * trial(weight, answered, mean)
        return (weight, mean + 0.1 * (answered - mean)), answered

    @jax.jit
    @jax.vmap
    def learner(key):
        start = jnp.asarray(-2.0), jnp.asarray(0.0)
        return jax.lax.scan(step, start, jax.random.split(key, 300))[1]

    answers = learner(jax.random.split(jax.random.key(3), 20)).mean(axis=0)
    assert answers[:10].mean() < 0.3  # it starts at sigmoid(-2) = 0.12
    assert answers[-100:].mean() > 0.9


def test_a_rule_can_be_chained_as_those_of_optax():
    weights = jnp.full((2, 3), 0.4)
    rule = RULES["traces"]
    chained = optax.chain(rule, optax.scale(0.5))  # pyright: ignore
    seen = Moment(jnp.asarray(3.0), jnp.ones(3), jnp.ones(2))
    one, _ = rule.update(seen, Traces(jnp.ones(3), jnp.ones(2)), weights)
    state = (Traces(jnp.ones(3), jnp.ones(2)), *chained.init(weights)[1:])
    half, _ = chained.update(seen, state, weights)  # pyright: ignore
    np.testing.assert_allclose(half, 0.5 * one)


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
            found = piece(y, weights[0, 0], jnp.asarray(DRIVE), span)
            y = found.ys
            pre, post = (Train.of(found.spikes, slice(k, k + 1)) for k in (0, 1))
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
    found, _ = _replay(TraceSTDP(WINDOW), ONE, train([2.0, 1.0]), train([3.0]))
    assert bool(jnp.isnan(found).all())


def test_bad_rewards_weights_and_parameters_are_refused():
    times = train([1.0])
    rewarded = RULES["rewarded"]
    with pytest.raises(ValueError, match="rewards: amounts must be finite"):
        replay(rewarded, ONE, times, times, rewards=Rewards(jnp.ones(1), jnp.array([jnp.nan])))
    with pytest.raises(ValueError, match="rewards: times must rise"):
        replay(rewarded, ONE, times, times, rewards=Rewards(jnp.array([2.0, 1.0]), jnp.ones(2)))
    with pytest.raises(ValueError, match="rewards: times and amounts"):
        replay(rewarded, ONE, times, times, rewards=Rewards(jnp.ones(1), jnp.ones(2)))
    with pytest.raises(ValueError, match="after t1"):
        replay(rewarded, ONE, train([5.0]), times, t1=4.0)
    with pytest.raises(ValueError, match="params"):
        rewarded.update(Moment(jnp.asarray(1.0), jnp.ones(1), jnp.ones(1)), rewarded.init(ONE))
    for kind, name in (
        (Window, "tau_plus"), (Window, "tau_minus"), (TriggeredSTDP, "tau"), (RewardSTDP, "tau"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{kind.__name__}.{name} must be positive"):
            kind(**{name: -1.0})
    for kind in (Hard, Soft):
        with pytest.raises(ValueError, match="low must not be above high, got 1.0 and 0.0"):
            kind(1.0, 0.0)
    with pytest.raises(ValueError, match="a_plus"):
        Window(a_plus=jnp.nan)
    with pytest.raises(ValueError, match="slice"):
        Train.of(record([[1.0]]), slice(0, 2, 2))


def test_the_rule_of_mixtures_keeps_its_name():
    assert isinstance(learning.stdp(), optax.GradientTransformation)
