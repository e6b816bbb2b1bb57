"""The study `reinforce`: the best in a grid is known, rules are what they say, agents learn."""

import dataclasses
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.learning import Eligible, Elsewhere, Moment, Post, Pre, Shared, Synapse, certificate
from bpcjax.learning.plasticity.stdp import STDPTraces
from experiments import reinforce
from experiments.common import InputError, study
from experiments.reinforce.episodes import Memory, episodes, play
from experiments.reinforce.grids import GAMMA, by_network, by_table, by_timing
from experiments.reinforce.stdp import (
    Habits,
    Weights,
    fields,
    idle,
    newborn,
    policy,
    rewarded,
    rules,
    seen,
)
from experiments.reinforce.values import Lessons, network, target, train
from experiments.reinforce.worlds import (
    best,
    cartpole,
    frozen_lake,
    grid,
    lakes,
    optimal,
    scaled,
    walk,
)

pytest.importorskip("gymnasium")
LITTLE = Lessons(2, steps=40, envs=4, updates=2, batch=8, begin=20, explore=20)


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
    np.testing.assert_allclose(
        best(world, GAMMA).max(1)[world.open], GAMMA ** (far[world.open] - 1), rtol=1e-9
    )
    chosen = best(world, GAMMA).argmax(1)
    assert optimal(world, chosen, best(world, GAMMA)).all()
    assert walk(world, chosen, 0) == (1.0, far[0])
    assert far[0] == {"4x4": 6, "8x8": 14}[name]
    # To turn against the goal in one open cell is seen there, and only there.
    worst = best(world, GAMMA)[0].argmin()
    chosen[0] = worst
    assert np.flatnonzero(~optimal(world, chosen, best(world, GAMMA))).tolist() == [0]
    assert walk(world, chosen, 0, 20) == (0.0, 20)


def test_a_table_finds_what_is_best():
    found = by_table("4x4", frozen_lake("4x4"), 12_000, 0)
    assert found["right"][-1] == 1 and found["length"] == 6
    values = best(frozen_lake("4x4"), GAMMA).max(1)
    np.testing.assert_allclose(found["value"][0], values[0], rtol=1e-3)


@pytest.mark.slow
def test_a_network_is_judged_by_its_last_policy():
    world = frozen_lake("4x4")
    lessons = Lessons(
        6, steps=40, envs=8, updates=8, begin=50, rate=5e-3, gamma=GAMMA, pay=1.0, least=0.3
    )
    found = by_network("4x4", world, lessons, 16, None)
    right = optimal(world, found["policy"], best(world, GAMMA))[world.open].mean()
    # Each epoch is told, none is chosen by what is best.
    assert np.isfinite(found["right"]).sum() == 6 and found["right"][-1] == right


def test_episodes_begin_in_any_open_cell():
    world = frozen_lake("4x4")
    begun = lakes("4x4", world, 200).reset(0)
    assert set(begun.tolist()) == set(np.flatnonzero(world.open).tolist())


def test_steps_that_only_begin_anew_are_no_transitions():
    envs = cartpole(3)
    envs.reset(0)
    steps = [envs.step(np.zeros(3, int)) for _ in range(30)]
    rewards, real = np.array([s.reward for s in steps]), np.array([s.real for s in steps])
    over = np.array([s.ended | s.cut for s in steps])
    # Pushed one way all the time, a pole falls within 8 to 11 steps; each real one pays 1.
    returns, at = episodes(rewards, over, real)
    assert ((returns >= 8) & (returns <= 11)).all() and len(returns) >= 6
    assert (rewards[~real] == 0).all() and (~real).sum() == over[:-1].sum()
    assert returns[:3].sum() <= at[2] <= real.sum()


def test_the_target_is_of_the_slow_network_by_the_choice_of_the_other():
    own, slow = jnp.array([[1.0, 2.0], [5.0, 0.0]]), jnp.array([[10.0, 20.0], [30.0, 40.0]])
    found = target(jnp.array([1.0, 1.0]), jnp.array([0.0, 1.0]), own, slow, 0.5)
    np.testing.assert_array_equal(found, [1 + 0.5 * 20, 1.0])
    slope = jax.grad(lambda s: target(jnp.ones(2), jnp.zeros(2), own, s, 0.5).sum())(slow)
    assert (slope == 0).all()


def test_the_memory_forgets_the_oldest():
    memory = Memory(5, 1)
    for k in range(7):
        each = np.array([k])
        memory.add(each[:, None], each, each, each[:, None], each)
    assert sorted(memory.parts[1].tolist()) == [2, 3, 4, 5, 6]
    assert set(memory.draw(np.random.default_rng(0), (100,))[1].tolist()) == {2, 3, 4, 5, 6}


def test_a_reward_changes_the_synapse_that_took_part_by_the_closed_form():
    rule, weights = rules(Habits()).actor, jnp.full((4, 3), 0.1, jnp.float32)
    pre, post = jnp.zeros((6, 3), jnp.float32), jnp.zeros((6, 4), jnp.float32)
    pre, post = pre.at[1, 2].set(1.0), post.at[3, 0].set(1.0)
    traces = jax.tree.map(lambda a: a.astype(jnp.float32), rule.init(weights))
    traces = seen(rule, traces, weights, pre, post)
    changed = rewarded(rule, traces, weights, jnp.float32(-0.5)) - weights
    # 0.01 exp(-2 ms / 10 ms) when the pair is complete, 2 ms before the end, of a trace of 20 ms.
    wanted = -0.5 * 0.5 * 0.01 * np.exp(-0.2) * np.exp(-2 / 20)
    assert changed[0, 2] == pytest.approx(wanted, rel=1e-3)
    assert jnp.count_nonzero(changed) == 1


@pytest.mark.parametrize("owner", [Shared(), Elsewhere()])
def test_changes_are_local_but_for_one_shared_number(owner):
    rule = rules(Habits()).actor
    rng = np.random.default_rng(0)
    n, m = 3, 2

    def change(weights, trace, kept, past, pre, post, error):
        state = Eligible(STDPTraces(kept, past), trace)
        found, after = rule.update(Moment(jnp.ones(()), pre, post, error), state, weights)
        return found, after.trace

    drawn = (0.1 + 0.1 * rng.random(s) for s in ((n, m), (n, m), m, n, m, n, ()))
    args = tuple(jnp.asarray(a) for a in drawn)
    whose = Synapse(), Synapse(), Pre(), Post(), Pre(), Post()
    found = certificate(change, args, (*whose, owner))
    if isinstance(owner, Shared):
        assert found.local and found.shared == ("error",) and not found.opaque, str(found)
    else:  # were the error nobody's, the rule would not be local
        assert {d.input for d in found.nonlocal_} == {"error"}


@pytest.mark.slow
def test_the_largest_weight_acts_and_critics_tell_by_rate():
    habits = Habits()
    places = jnp.asarray(fields(np.zeros((2, 2)), habits.field))
    plain, base = newborn(4, habits).weights, idle(habits)
    liked = jnp.array([2, 0, 3, 1])
    actor = plain.actor.at[liked, jnp.arange(4)].add(0.1)
    told = [
        policy(Weights(actor, jnp.full_like(plain.critic, w)), places, habits, base)
        for w in (0.0, 0.1, 0.2)
    ]
    np.testing.assert_array_equal(told[0][0], liked)
    np.testing.assert_allclose(told[0][1], 0.0, atol=1e-6)
    assert (told[1][1] > 0.3).all() and (told[2][1] > told[1][1] + 0.2).all()


@pytest.mark.slow
def test_spike_timing_and_reward_find_what_is_best():
    world = frozen_lake("4x4")
    with jax.enable_x64(False):  # as the study
        found = by_timing("4x4", world, Habits(), 7000, 3)
    right = np.array([row["right"] for row in found])
    assert (right[:, 0] < 0.9).all()
    # Of three seeds two at least know a best action everywhere, and the other nearly.
    assert (right[:, -1] == 1).sum() >= 2 and right[:, -1].min() > 0.85
    values = np.array([row["value"] for row in found])[:, world.open].mean(0)
    assert np.abs(values - best(world, GAMMA).max(1)[world.open]).mean() < 0.1


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_numbers(tmp_path):
    def go(**more):
        model = network(jax.random.key(0), 4, 8, 2, 3)
        test = cartpole(3)
        ask = lambda m: float(play(m, test, scaled, 5).returns.mean())  # noqa: E731
        return train(model, cartpole(4), scaled, LITTLE, ask=ask, **more)

    whole = go()
    first = go(folder=tmp_path, stop_after=1)
    assert np.isnan(first.asked[1])
    rest = go(folder=tmp_path)
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(rest.model), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss", "asked", "rewards", "over", "real"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(rest, name))


@pytest.mark.slow
def test_what_is_kept_belongs_to_the_whole_network(tmp_path):
    lessons = dataclasses.replace(LITTLE, epochs=1)
    plain = network(jax.random.key(0), 4, 8, 2, 3)
    slower = eqx.tree_at(lambda m: m.layers.layers[0].neuron.c, plain, jnp.float32(9.0))
    longer = network(jax.random.key(0), 4, 8, 2, 6)  # of the same first weights
    for k, model in enumerate((plain, slower, longer)):
        told = [
            train(model, cartpole(4), scaled, lessons, ask=lambda m: 0.0, folder=folder)
            for folder in (tmp_path, None)
        ]
        assert len(list(tmp_path.iterdir())) == k + 1
        for a, b in zip(*(jax.tree.leaves(t.model) for t in told), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(told[0].loss, told[1].loss)


@pytest.mark.slow
def test_a_rate_that_diverges_stops_with_epoch_and_weights():
    model = network(jax.random.key(0), 4, 8, 2, 3)
    lessons = dataclasses.replace(LITTLE, rate=1e4)
    with pytest.raises(InputError, match=r"pole epoch 1: values reach .*layers.*went farthest"):
        train(model, cartpole(4), scaled, lessons, ask=lambda m: 0.0, label="pole")


def test_bad_input_is_named(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="no map '5x5'. Pass some of 4x4, 8x8"):
        frozen_lake("5x5")
    with pytest.raises(InputError, match="have chances"):
        grid({0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 0.0, True)]}}, np.array([["S", "G"]]))
    for bad in ({"seeds": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"grids": ()}, {"steps": 0}):
        config = reinforce.Config(out=str(tmp_path), **bad)
        with pytest.raises(InputError, match=next(iter(bad))):
            reinforce.run(config, study.Parts("reinforce", config))
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(InputError, match="pip install gymnasium"):
        frozen_lake("4x4")


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path):
    config = reinforce.Config(
        out=str(tmp_path), seeds=2, epochs=1, hidden=8, steps=3, trials=3, grids=("4x4",),
        table_steps=400, timing_steps=60,
    )  # fmt: skip
    with jax.enable_x64(False):
        dataset = reinforce.run(config, study.Parts("reinforce", config))
    found = reinforce.summary(dataset)
    # Each transition pays 1; a pole takes 8 steps at least to fall.
    assert (dataset.cart_returns.sum("episode") <= dataset.cart_decisions).all()
    assert (dataset.cart_test >= 8).all() and (dataset.cart_test <= 500).all()
    tests = ("seed", "trial"), [[100.0, 200.0, 284.0], [100.0, 200.0, 285.0]]
    told = reinforce.summary(dataset.assign(cart_test=tests))
    assert told["CartPole: mean return, seed 1"] == 195
    assert told["CartPole: seeds of at least 195"] == 1
    assert found["CartPole: transitions, mean"] < 200 * 16
    # The parts on disk give the same.
    with jax.enable_x64(False):
        again = reinforce.run(config, study.Parts("reinforce", config))
    assert dataset.identical(again)
    import matplotlib.pyplot as plt

    plt.close(reinforce.figure().draw(dataset))
