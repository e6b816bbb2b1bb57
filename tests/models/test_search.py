"""Searches that stop early: the nearest pattern, and operations as written out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax.models import bandit_search, partial_distance_search, sequential_recall
from experiments.common.memories import with_flat_prior


def _problem(seed, patterns=30, size=22, queries=25, noise=0.7):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((patterns, size))
    target = rng.integers(0, patterns, queries)
    return rng, x, x[target] + noise * rng.standard_normal((queries, size))


def _nearest(x, y):
    return ((y[:, None] - x[None]) ** 2).sum(-1).argmin(1)


@pytest.mark.parametrize("block", [1, 4, 22, 100])
def test_partial_distances_find_the_nearest_pattern(block):
    rng, x, y = _problem(block)
    first = rng.integers(0, 30, 25)
    for arguments in ({}, {"order": rng.permutation(22)}, {"first": first}):
        end = partial_distance_search(x, y, block=block, **arguments)
        np.testing.assert_array_equal(end.decision, _nearest(x, y))
        assert end.ok.all()


def _by_hand(x, y, order, block, first):
    """Entries, tests and improvements of one query, pattern after pattern."""
    turn = [first, *(p for p in range(len(x)) if p != first)]
    best, entries, tests, better = np.inf, 0, 0, 0
    for p in turn:
        total = 0.0
        for start in range(0, len(order), block):
            taken = order[start : start + block]
            total += ((y[taken] - x[p, taken]) ** 2).sum()
            entries, tests = entries + len(taken), tests + 1
            if total > best:
                break
        else:
            better += total < best
            best = min(best, total)
    return entries, tests, better


@pytest.mark.parametrize("block", [1, 3, 5])
def test_operations_of_partial_distances_written_out(block):
    rng, x, y = _problem(7)
    order, first = rng.permutation(22), rng.integers(0, 30, 25)
    end = partial_distance_search(x, y, order=order, block=block, first=first)
    for q in range(25):
        entries, tests, better = _by_hand(x, y[q], order, block, first[q])
        bars = better * -(-22 // block)
        assert end.operations.macs[q] == entries + 22
        assert end.operations.adds[q] == 2 * tests + bars
        assert end.operations.words[q] == entries + tests + 22 + bars
    plain = partial_distance_search(x, y, block=block)
    first = partial_distance_search(x, y, block=block, first=_nearest(x, y))
    assert (first.operations.macs <= plain.operations.macs).all()  # no better bar there is


def test_a_search_on_a_line_by_numbers():
    x, y = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 0.9]])
    end = partial_distance_search(x, y, block=1)
    # both entries of the first (.81), one of the second (9 > .81), both of the third (.01)
    assert end.decision[0] == 2 and end.operations.macs[0] == 5 + 2
    assert end.operations.adds[0] == 2 * 5 + 2 * 2  # five tests, two least distances
    assert end.operations.words[0] == 5 + 5 + 2 + 4


def test_a_bandit_that_may_never_err_is_argmax():
    rng, x, y = _problem(1)
    end = bandit_search(x, y, sigma=50.0, delta=1e-30, block=5, order=rng.permutation(22))
    np.testing.assert_array_equal(end.decision, _nearest(x, y))
    np.testing.assert_array_equal(end.operations.macs, 30 * 22)


def test_a_bandit_drops_what_its_intervals_say():
    rng, x, y = _problem(2)
    order, sigma, delta, block, size = rng.permutation(22), 1.2, 0.05, 3, 22
    end = bandit_search(x, y, sigma=sigma, delta=delta, order=order, block=block)
    rewards = (y[:, None] * x[None] - 0.5 * x[None] ** 2)[..., order]
    for q in range(25):
        alive, work, tests = np.ones(30, bool), 0, 0
        for start in range(0, size, block):
            t = min(start + block, size)
            work, tests = work + alive.sum() * (t - start), tests + alive.sum()
            mean = rewards[q, :, :t].mean(1)
            rho = min(1 - (t - 1) / size, (1 - t / size) * (1 + 1 / t))
            c = sigma * np.sqrt(2 * rho * np.log(30 / delta) / t)
            alive &= mean + c >= mean[alive].max() - c - 1e-12
            if alive.sum() == 1:
                break
        assert end.operations.macs[q] == work and end.operations.synaptic[q] == tests
        assert end.decision[q] == np.where(alive, mean, -np.inf).argmax()
    assert (end.operations.macs < 30 * 22).any()


def test_the_bandit_errs_as_seldom_as_it_promises():
    # rewards of bounded coordinates: sub-Gaussian with half their range (Hoeffding)
    rng = np.random.default_rng(3)
    x = rng.choice([-1.0, 1.0], (40, 200))
    y = x[:40] * np.where(rng.random((40, 200)) < 0.35, -1, 1)
    wrong = 0
    for _ in range(5):
        end = bandit_search(x, y, sigma=1.0, delta=0.1, order=rng.permutation(200))
        wrong += (np.asarray(end.decision) != _nearest(x, y)).sum()
    assert wrong <= 0.1 * 200


def test_the_likelihood_ratio_takes_less_than_the_bandit_at_equal_errors():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 256))
    y = x[rng.integers(0, 200, 100)] + rng.standard_normal((100, 256))
    known = sequential_recall(with_flat_prior(x, 1.0), y, theta=8.0, sigma=1.0)
    # products of two normal entries have a standard deviation of about 1.7
    blind = bandit_search(x, y, sigma=1.7, delta=0.05, order=rng.permutation(256))
    for end in (known, blind):
        assert (np.asarray(end.decision) == _nearest(x, y)).mean() >= 0.98
    assert known.operations.macs.mean() < 0.5 * blind.operations.macs.mean()


def test_a_query_of_nan_is_marked_and_single_precision_and_jit_agree():
    _, x, y = _problem(5)
    for search in (partial_distance_search, lambda x, y: bandit_search(x, y, sigma=1.0)):
        good = search(x, y)
        traced = jax.jit(search)(x.astype(np.float32), y.astype(np.float32))
        assert (traced.decision == good.decision).all() and traced.operations.macs.dtype == "f4"
        spoilt = y.copy()
        spoilt[3, 2] = np.nan
        end = search(x, spoilt)
        assert end.decision[3] == -1 and not end.ok[3]
        np.testing.assert_array_equal(np.delete(end.decision, 3), np.delete(good.decision, 3))


def test_one_pattern_and_equal_patterns():
    x = np.ones((1, 4))
    assert partial_distance_search(x, x).decision[0] == 0
    assert bandit_search(x, x, sigma=1.0).operations.macs[0] == 0
    twice = np.repeat(x, 2, axis=0)
    assert partial_distance_search(twice, x).decision[0] == 0
    assert bandit_search(twice, x, sigma=1.0).decision[0] == 0


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("patterns", dict(patterns=np.zeros(4))),
        ("patterns", dict(patterns=np.zeros((0, 4)))),
        ("y", dict(y=np.zeros(22))),
        ("y", dict(y=np.zeros((2, 21)))),
        ("order", dict(order=np.zeros(22, int))),
        ("order", dict(order=np.arange(22.0))),
        ("block", dict(block=0)),
    ],
)
def test_bad_input_is_named(name, bad):
    _, x, y = _problem(0)
    arguments = dict(patterns=x, y=y) | bad
    x, y = arguments.pop("patterns"), arguments.pop("y")
    with pytest.raises(ValueError, match=name):
        partial_distance_search(x, y, **arguments)
    with pytest.raises(ValueError, match=name):
        bandit_search(x, y, sigma=1.0, **arguments)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("sigma", dict(sigma=0.0)), ("sigma", dict(sigma=jnp.ones(2))), ("sigma", dict(sigma=-1.0)),
     ("delta", dict(delta=0.0)), ("delta", dict(delta=1.0))],
)  # fmt: skip
def test_a_bandits_scale_and_level_are_checked(name, bad):
    _, x, y = _problem(0)
    with pytest.raises(ValueError, match=name):
        bandit_search(x, y, **(dict(sigma=1.0) | bad))


@pytest.mark.parametrize("first", [np.zeros(24, int), np.full(25, 30), np.zeros(25)])
def test_a_first_candidate_is_a_pattern(first):
    _, x, y = _problem(0)
    with pytest.raises(ValueError, match="first"):
        partial_distance_search(x, y, first=first)
