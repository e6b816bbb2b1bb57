"""The study `reinforce`: the best in a grid is known, rules are what they say, agents learn."""

import dataclasses
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from bpcjax.learning import Eligible, Elsewhere, Moment, Post, Pre, Shared, Synapse, certificate
from bpcjax.learning.plasticity.stdp import STDPTraces
from experiments import reinforce
from experiments.common import InputError
from experiments.reinforce.episodes import Memory, play, returns_of
from experiments.reinforce.grids import GAMMA, by_network, by_table, by_timing
from experiments.reinforce.stdp import (
    AgentConfig,
    Weights,
    apply_reward,
    baseline,
    fields,
    init_agent,
    policy,
    rules,
    update_traces,
)
from experiments.reinforce.values import QConfig, network, target, train
from experiments.reinforce.worlds import (
    cartpole,
    frozen_lake,
    frozen_lakes,
    grid,
    is_optimal,
    optimal_values,
    scaled,
    walk,
)
from figures import reinforce as figure

pytestmark = pytest.mark.study

pytest.importorskip("gymnasium")
LITTLE = QConfig(2, steps=40, envs=4, updates=2, batch=8, begin=20, explore=20)


def no_score(model):
    return {"score": 0.0}


def distances(letters):
    """Steps to the goal from each cell, by a flood that goes round holes."""
    far = np.full(letters.shape, np.inf)
    far[letters == "G"] = 0
    for _ in range(letters.size):
        padded = np.pad(far, 1, constant_values=np.inf)
        near = np.min([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]], 0)
        far = np.where((letters == "H") | (letters == "G"), far, np.minimum(far, near + 1))
    return far.ravel()


@pytest.mark.parametrize("name", ["4x4", "8x8"])
def test_values_are_those_of_the_shortest_ways(name):
    world = frozen_lake(name)
    far = distances(world.letters)
    # A reward of 1 after d steps is worth gamma^(d - 1) now.
    values = optimal_values(world, GAMMA)
    np.testing.assert_allclose(values.max(1)[world.open], GAMMA ** (far[world.open] - 1), rtol=1e-9)
    actions = values.argmax(1)
    assert is_optimal(world, actions, values).all()
    assert walk(world, actions, 0) == (1.0, far[0])
    assert far[0] == {"4x4": 6, "8x8": 14}[name]
    # To turn against the goal in one open cell is seen there, and only there.
    actions[0] = values[0].argmin()
    assert np.flatnonzero(~is_optimal(world, actions, values)).tolist() == [0]
    assert walk(world, actions, 0, 20) == (0.0, 20)


def test_a_table_finds_what_is_best():
    metrics = by_table("4x4", frozen_lake("4x4"), 12_000, 0)
    assert metrics["right"][-1] == 1 and metrics["length"] == 6
    values = optimal_values(frozen_lake("4x4"), GAMMA).max(1)
    np.testing.assert_allclose(metrics["value"][0], values[0], rtol=1e-3)


@pytest.mark.slow
def test_a_network_is_judged_by_its_last_policy():
    world = frozen_lake("4x4")
    config = QConfig(
        6, steps=40, envs=8, updates=8, begin=50, rate=5e-3, gamma=GAMMA, reward_scale=1.0,
        least=0.3,
    )  # fmt: skip
    metrics = by_network("4x4", world, config, 16, None)
    values = optimal_values(world, GAMMA)
    right = is_optimal(world, metrics["policy"], values)[world.open].mean()
    # Each epoch is there, none is selected by what is best.
    assert np.isfinite(metrics["right"]).sum() == 6 and metrics["right"][-1] == right


def test_episodes_begin_in_any_open_cell():
    world = frozen_lake("4x4")
    cells = frozen_lakes("4x4", world, 200).reset(0)
    assert set(cells.tolist()) == set(np.flatnonzero(world.open).tolist())


def test_steps_that_only_begin_anew_are_no_transitions():
    envs = cartpole(3)
    envs.reset(0)
    steps = [envs.step(np.zeros(3, int)) for _ in range(30)]
    rewards, real = np.array([s.reward for s in steps]), np.array([s.real for s in steps])
    over = np.array([s.ended | s.cut for s in steps])
    # Pushed one way all the time, a pole falls within 8 to 11 steps; each real one pays 1.
    returns, at = returns_of(rewards, over, real)
    assert ((returns >= 8) & (returns <= 11)).all() and len(returns) >= 6
    assert (rewards[~real] == 0).all() and (~real).sum() == over[:-1].sum()
    assert returns[:3].sum() <= at[2] <= real.sum()


def test_the_target_is_of_the_slow_network_by_the_choice_of_the_other():
    values, slow = jnp.array([[1.0, 2.0], [5.0, 0.0]]), jnp.array([[10.0, 20.0], [30.0, 40.0]])
    targets = target(jnp.array([1.0, 1.0]), jnp.array([0.0, 1.0]), values, slow, 0.5)
    np.testing.assert_array_equal(targets, [1 + 0.5 * 20, 1.0])
    slope = jax.grad(lambda s: target(jnp.ones(2), jnp.zeros(2), values, s, 0.5).sum())(slow)
    assert (slope == 0).all()


def test_the_memory_forgets_the_oldest():
    memory = Memory(5, 1)
    for k in range(7):
        each = np.array([k])
        memory.add(each[:, None], each, each, each[:, None], each)
    assert sorted(memory.parts[1].tolist()) == [2, 3, 4, 5, 6]
    assert set(memory.draw(np.random.default_rng(0), (100,))[1].tolist()) == {2, 3, 4, 5, 6}


def test_a_reward_changes_the_synapse_that_took_part_by_the_closed_form():
    rule, weights = rules(AgentConfig()).actor, jnp.full((4, 3), 0.1, jnp.float32)
    pre, post = jnp.zeros((6, 3), jnp.float32), jnp.zeros((6, 4), jnp.float32)
    pre, post = pre.at[1, 2].set(1.0), post.at[3, 0].set(1.0)
    traces = jax.tree.map(lambda a: a.astype(jnp.float32), rule.init(weights))
    traces = update_traces(rule, traces, weights, pre, post)
    change = apply_reward(rule, traces, weights, jnp.float32(-0.5)) - weights
    # 0.01 exp(-2 ms / 10 ms) when the pair is complete, 2 ms before the end, of a trace of 20 ms.
    expected = -0.5 * 0.5 * 0.01 * np.exp(-0.2) * np.exp(-2 / 20)
    assert change[0, 2] == pytest.approx(expected, rel=1e-3)
    assert jnp.count_nonzero(change) == 1


@pytest.mark.parametrize("owner", [Shared(), Elsewhere()])
def test_changes_are_local_but_for_one_shared_number(owner):
    rule = rules(AgentConfig()).actor
    rng = np.random.default_rng(0)
    n, m = 3, 2

    def change(weights, trace, kept, past, pre, post, error):
        state = Eligible(STDPTraces(kept, past), trace)
        change, after = rule.update(Moment(jnp.ones(()), pre, post, error), state, weights)
        return change, after.trace

    drawn = (0.1 + 0.1 * rng.random(s) for s in ((n, m), (n, m), m, n, m, n, ()))
    args = tuple(jnp.asarray(a) for a in drawn)
    whose = Synapse(), Synapse(), Pre(), Post(), Pre(), Post()
    proof = certificate(change, args, (*whose, owner))
    if isinstance(owner, Shared):
        assert proof.local and proof.shared == ("error",) and not proof.opaque, str(proof)
    else:  # were the error nobody's, the rule would not be local
        assert {d.input for d in proof.nonlocal_} == {"error"}


@pytest.mark.slow
def test_the_largest_weight_acts_and_critics_tell_by_rate():
    config = AgentConfig()
    places = jnp.asarray(fields(np.zeros((2, 2)), config.field))
    plain, base = init_agent(4, config).weights, baseline(config)
    preferred = jnp.array([2, 0, 3, 1])
    actor = plain.actor.at[preferred, jnp.arange(4)].add(0.1)
    decisions = [
        policy(Weights(actor, jnp.full_like(plain.critic, w)), places, config, base)
        for w in (0.0, 0.1, 0.2)
    ]
    np.testing.assert_array_equal(decisions[0][0], preferred)
    np.testing.assert_allclose(decisions[0][1], 0.0, atol=1e-6)
    assert (decisions[1][1] > 0.3).all() and (decisions[2][1] > decisions[1][1] + 0.2).all()


@pytest.mark.slow
def test_spike_timing_and_reward_find_what_is_best():
    world = frozen_lake("4x4")
    with jax.enable_x64(False):  # as the study
        metrics = by_timing("4x4", world, AgentConfig(), 7000, 3)
    right = np.array([row["right"] for row in metrics])
    assert (right[:, 0] < 0.9).all()
    # Of three seeds two at least know a best action everywhere, and the other nearly.
    assert (right[:, -1] == 1).sum() >= 2 and right[:, -1].min() > 0.85
    values = np.array([row["value"] for row in metrics])[:, world.open].mean(0)
    assert np.abs(values - optimal_values(world, GAMMA).max(1)[world.open]).mean() < 0.1


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path):
    def go(**more):
        model, test = network(jax.random.key(0), 4, 8, 2, 3), cartpole(3)

        def evaluate(model):
            return {"score": float(play(model, test, scaled, 5).returns.mean())}

        return train(model, cartpole(4), scaled, LITTLE, evaluate=evaluate, **more)

    whole = go()
    first = go(folder=tmp_path, stop_after=1)
    assert np.isnan(first.history["score"][1])
    rest = go(folder=tmp_path)
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(rest.model), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss", "score", "actions", "rewards", "over", "real"):
        np.testing.assert_array_equal(whole.history[name], rest.history[name])


@pytest.mark.slow
def test_training_ends_when_a_score_is_enough_with_the_best_network():
    scores = iter([1.0, 3.0, 2.0, 4.0])
    models = []

    def evaluate(model):
        models.append(model)
        return {"score": next(scores)}

    model = network(jax.random.key(0), 4, 8, 2, 3)
    config = dataclasses.replace(LITTLE, epochs=4)
    trained = train(model, cartpole(4), scaled, config, evaluate=evaluate, enough=3.0)
    np.testing.assert_array_equal(trained.history["score"], [1.0, 3.0, np.nan, np.nan])
    trained = train(
        model, cartpole(4), scaled, dataclasses.replace(LITTLE, epochs=2), evaluate=evaluate
    )
    # Scores 2 and 4 now: the second network.
    for a, b in zip(jax.tree.leaves(trained.model), jax.tree.leaves(models[-1]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_what_is_kept_belongs_to_the_whole_network(tmp_path):
    config = dataclasses.replace(LITTLE, epochs=1)
    plain = network(jax.random.key(0), 4, 8, 2, 3)
    slower = eqx.tree_at(lambda m: m.layers.layers[0].neuron.c, plain, jnp.float32(9.0))
    longer = network(jax.random.key(0), 4, 8, 2, 6)  # of the same first weights
    for k, model in enumerate((plain, slower, longer)):
        runs = [
            train(model, cartpole(4), scaled, config, evaluate=no_score, folder=folder)
            for folder in (tmp_path, None)
        ]
        assert len(list(tmp_path.iterdir())) == k + 1
        for a, b in zip(*(jax.tree.leaves(run.model) for run in runs), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(*(run.history["loss"] for run in runs))


@pytest.mark.slow
def test_a_rate_that_diverges_stops_with_epoch_and_weights():
    model = network(jax.random.key(0), 4, 8, 2, 3)
    config = dataclasses.replace(LITTLE, rate=1e4)
    with pytest.raises(InputError, match=r"pole epoch 1: values reach .*layers.*went farthest"):
        train(model, cartpole(4), scaled, config, evaluate=no_score, label="pole")


def test_bad_input_is_named(monkeypatch):
    with pytest.raises(InputError, match="no map '5x5'. Pass some of 4x4, 8x8"):
        frozen_lake("5x5")
    with pytest.raises(InputError, match="have chances"):
        grid({0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 0.0, True)]}}, np.array([["S", "G"]]))
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(InputError, match="pip install gymnasium"):
        frozen_lake("4x4")


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path):
    config = reinforce.Config(
        out=str(tmp_path), seeds=2, epochs=1, hidden=8, steps=3, trials=3, grids=("4x4",),
        table_steps=400, timing_steps=60,
    )  # fmt: skip
    dataset = reinforce.STUDY(config)
    metrics = reinforce.summary(dataset)
    # Each transition pays 1; a pole takes 8 steps at least to fall.
    assert (dataset.cart_returns.sum("episode") <= dataset.cart_decisions).all()
    assert (dataset.cart_test >= 8).all() and (dataset.cart_test <= 500).all()
    tests = ("seed", "trial"), [[100.0, 200.0, 284.0], [100.0, 200.0, 285.0]]
    assigned = reinforce.summary(dataset.assign(cart_test=tests))
    assert assigned["CartPole: mean return, seed 1"] == 195
    assert assigned["CartPole: seeds of at least 195"] == 1
    assert metrics["CartPole: transitions, mean"] < 200 * 16
    # The parts on disk give the same.
    assert dataset.identical(reinforce.STUDY(config))
    plt.close(figure.draw(dataset))
