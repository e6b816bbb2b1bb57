"""Spike-timing rules: bounds, locality, rewards, and how they are chained."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st

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
    TriggeredSTDP,
    Window,
    certificate,
    replay,
)
from bpcjax.learning.plasticity.stdp import STDPTraces
from tests.support.records import record
from tests.support.spike_timing import ONE, RULES, WINDOW, compiled_replay, some_spikes, train
from theory.closed_forms import stdp as oracle


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
    result, _ = compiled_replay(RULES[name], start, *pad)
    assert bool(((result >= 0) & (result <= 1)).all())


def test_a_triggered_synapse_rests_at_the_trace_that_it_sees():
    # By hand: pre at 0, post at 10: 0.2 (exp(-10/20) - 0.4) (1 - 0.5); a silent one loses.
    rule = TriggeredSTDP(rate=0.2)
    start = jnp.full((2, 2), 0.5)
    weights, _ = replay(rule, start, train([0.0]), train([10.0]))
    np.testing.assert_allclose(weights[0, 0], 0.5 + 0.2 * (np.exp(-0.5) - 0.4) * 0.5, rtol=1e-13)
    np.testing.assert_allclose(weights[0, 1], 0.5 - 0.2 * 0.4 * 0.5, rtol=1e-13)
    np.testing.assert_array_equal(weights[1], 0.5)  # a neuron that is silent changes nothing


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
    report = certificate(run, (seen, jnp.full((2, 3), 0.4)), owners(), Synapse(time=0))
    assert report.local and report.causal and not report.opaque, str(report)
    assert ("seen.reward" in report.shared) == (name == "rewarded")


def test_a_state_belongs_to_its_neurons():
    rule = RULES["rewarded"]

    def step(seen, state, weights):
        return rule.update(seen, state, weights)

    state = Eligible(STDPTraces(jnp.ones(3), jnp.ones(2)), jnp.ones((2, 3)))
    seen = Moment(jnp.asarray(1.0), jnp.ones(3), jnp.ones(2), jnp.asarray(0.5))
    whose = Eligible(STDPTraces(Pre(), Post()), Synapse())  # pyright: ignore
    moment = Moment(Shared(), Pre(), Post(), Shared())  # pyright: ignore
    report = certificate(
        step, (seen, state, jnp.ones((2, 3))), (moment, whose, Synapse()), (Synapse(), whose)
    )
    assert report.local, str(report)


DELAY, WAIT = 5.0, 60.0  # ms from the input to the answer, and to the reward


def answer_rule():
    return RewardSTDP(TraceSTDP(WINDOW), tau=100.0, rate=2.0)


def trial(weight, answered, baseline):
    """One input, an answer or none, a reward: the change of the synapse."""
    post = bpc.Spikes(jnp.where(answered, DELAY, jnp.inf)[None], jnp.zeros(1, int))
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


@pytest.mark.slow
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
    one, _ = rule.update(seen, STDPTraces(jnp.ones(3), jnp.ones(2)), weights)
    state = (STDPTraces(jnp.ones(3), jnp.ones(2)), *chained.init(weights)[1:])
    half, _ = chained.update(seen, state, weights)  # pyright: ignore
    np.testing.assert_allclose(half, 0.5 * one)


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
        bpc.Spikes.of(record([[1.0]]), slice(0, 2, 2))


def test_the_rule_of_mixtures_keeps_its_name():
    assert isinstance(learning.spike_em(), optax.GradientTransformation)
