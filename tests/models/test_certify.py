"""Certificates: the theorems of Ramsauer et al. (2020) and exact numbers of the posterior."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bpcjax.energies import ModernHopfield
from bpcjax.models import certify, smallest_beta
from theory.closed_forms import modern_hopfield as equidistant, ramsauer

SHAPES = (5, 10), (40, 10), (20, 24), (100, 40)


def drawn(seed):
    """Patterns of some number, width and beta, and a query near one of them."""
    rng = np.random.default_rng(seed)
    count, width = SHAPES[seed % len(SHAPES)]
    x = rng.normal(size=(count, width))
    i = int(rng.integers(count))
    query = x[i] + rng.uniform(0, 1.5) * rng.normal(size=width) / np.sqrt(width)
    return x, float(rng.uniform(0.5, 4)), i, query


@eqx.filter_jit
def rest_of(energy, start, steps=200):
    """Where the update leads from `start` [N]."""
    return jax.lax.fori_loop(0, steps, lambda _, y: energy.update(y), start)


@eqx.filter_jit
def slopes_of(energy, ys):
    """The norm of the update's Jacobian at each of `ys` [n, N]."""
    return jax.vmap(lambda y: jnp.linalg.norm(jax.jacfwd(energy.update)(y), 2))(ys)


@jax.jit
def update_and_rest(x, beta, query, start):
    energy = ModernHopfield(x, beta)
    rest = jax.lax.fori_loop(0, 200, lambda _, y: energy.update(y), start)
    return energy.update(query), rest, jnp.abs(energy.update(rest) - rest).max()


@pytest.mark.slow
def test_theorems_4_and_5_hold_without_exception():
    rng, tested, close = np.random.default_rng(0), 0, 0
    for count, width in SHAPES:
        for _ in range(100):
            x = rng.normal(size=(count, width))
            beta, i = rng.uniform(0.5, 4), int(rng.integers(count))
            query = x[i] + rng.uniform(0, 1.5) * rng.normal(size=width) / np.sqrt(width)
            bounds = certify(x, beta, query)
            new, rest, moved = update_and_rest(x, beta, query, x[i])
            gone = np.linalg.norm(new - x[i])
            np.testing.assert_allclose(bounds.separation, ramsauer.separation(x), atol=1e-10)
            own = ramsauer.error_bound(x, beta, np.asarray(bounds.distance))
            np.testing.assert_allclose(np.exp(bounds.log_error_bound), own, rtol=1e-8)
            assert gone <= np.exp(bounds.log_error_bound[i]) + 1e-13  # theorem 5, and rounding
            well = ramsauer.separation(x)[i] >= ramsauer.least_separation(x, beta)
            assert bool(bounds.well_separated[i]) == bool(well)
            if not well:
                assert bounds.log_contraction_bound[i] == np.inf
                continue
            assert moved < 1e-12 and np.linalg.norm(rest - x[i]) <= bounds.radius
            apart = np.linalg.norm(query - np.asarray(rest))
            slope = np.exp(bounds.log_contraction_bound[i])
            assert np.linalg.norm(new - rest) <= slope * apart + 1e-13  # theorem 4
            tested, close = tested + 1, close + (slope < 1)
    assert tested > 150 and close > 50, (tested, close)  # and it is not empty


def test_within_the_radius_there_is_one_fixed_point():
    rng, tested = np.random.default_rng(1), 0
    while tested < 30:
        x, beta = rng.normal(size=(8, 12)), 4.0
        bounds = certify(x, beta, x[0])
        if not bounds.well_separated[0]:
            continue
        away = rng.normal(size=(20, 12))
        away *= (
            float(bounds.radius)
            * rng.uniform(0, 1, (20, 1))
            / np.linalg.norm(away, axis=1)[:, None]
        )
        energy = ModernHopfield(x, beta)
        ends = np.stack([rest_of(energy, jnp.asarray(x[0] + d)) for d in away[:4]])
        np.testing.assert_allclose(ends, np.broadcast_to(ends[0], ends.shape), atol=1e-12)
        assert (
            slopes_of(energy, jnp.asarray(x[0] + away)).max() < 1
        )  # a contraction of the ball into itself
        tested += 1


@pytest.mark.parametrize(
    "beta, scale, width, failure, base", [(1, 3, 20, 1e-3, 3.15461), (1, 1, 75, 1e-3, 1.371878)]
)
def test_theorem_3_and_its_printed_constants(beta, scale, width, failure, base):
    theorem = ramsauer.storage(width, beta, scale, failure)
    np.testing.assert_allclose(theorem.base, base, rtol=2e-6)  # as printed in the paper
    assert theorem.holds
    # So many random patterns are well separated, but for one set in a thousand.
    count, sets = int(theorem.patterns), 2000
    rng = np.random.default_rng(2)
    x = rng.normal(size=(sets, count, width))
    x *= scale * np.sqrt(width - 1) / np.linalg.norm(x, axis=-1, keepdims=True)
    need = ramsauer.least_separation(x[0], beta)
    failed = sum(bool((ramsauer.separation(own) < need).any()) for own in x)
    assert failed <= sets * failure + 4 * np.sqrt(sets * failure)
    assert bool(certify(x[0], beta, x[0, 0]).well_separated.all())


@pytest.mark.slow
@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_the_miss_and_the_variance_are_exact(seed):
    x, beta, _, query = drawn(seed)
    bounds = certify(x, beta, query)
    u = beta * x @ query
    weight = np.exp(u - u.max())
    p = weight / weight.sum()
    others = np.array([np.delete(weight, i).sum() for i in range(len(x))]) / weight.sum()
    np.testing.assert_allclose(np.exp(bounds.log_miss), others, rtol=1e-9)
    mean = p @ x
    trace = p @ ((x - mean) ** 2).sum(axis=1)
    np.testing.assert_allclose(np.exp(bounds.log_variance), trace, rtol=1e-8, atol=1e-12)
    # Theorem 5 is weaker than what is so: |f(q) - x_i| <= 2 M (1 - p_i).
    bound = np.log(2 * float(bounds.longest)) + np.asarray(bounds.log_miss)
    assert (bound <= np.asarray(bounds.log_error_bound) + 1e-9).all()


@pytest.mark.slow
def test_spikes_for_an_error_are_what_it_takes():
    # T2: the mean of S patterns drawn at the query is off by tr Cov_p / S in mean square.
    x, beta, _, query = drawn(11)
    beta *= 0.03
    bounds = certify(x, beta, query)
    energy = ModernHopfield(x, beta)
    answer, error = energy.update(jnp.asarray(query)), 0.5
    spikes = int(bounds.spikes_for(error))
    assert spikes > 5
    key = jax.random.key(0)
    winners = jax.random.categorical(key, energy.scores(jnp.asarray(query)), shape=(4000, spikes))
    off = jnp.sum((jnp.asarray(x)[winners].mean(axis=1) - answer[None]) ** 2, axis=1)
    expected = float(jnp.exp(bounds.log_variance)) / spikes
    assert abs(off.mean() - expected) < 4 * off.std() / np.sqrt(4000)
    assert expected <= error**2 < expected * spikes / (spikes - 1)
    assert certify(x, 1e6, query).spikes_for(1e-9) == 1  # a sure memory takes one


@pytest.mark.slow
@given(seed=st.integers(0, 2**31), miss=st.floats(1e-12, 0.9))
@settings(deadline=None, max_examples=40)
def test_the_smallest_beta_is_the_smallest(seed, miss):
    x, _, i, query = drawn(seed)
    beta = float(smallest_beta(x, query, i, miss))
    preferred = int((x @ query).argmax()) == i
    if beta == 0.0:
        assert miss >= 1 - 1 / len(x) - 1e-12
    elif preferred:
        np.testing.assert_allclose(
            certify(x, beta, query).log_miss[i], np.log(miss), rtol=1e-7, atol=1e-9
        )
        assert certify(x, 0.9 * beta, query).log_miss[i] > np.log(miss)
    else:
        assert beta == np.inf


@pytest.mark.slow
def test_beta_for_an_error_is_enough():
    for seed in range(40):
        x, _, i, query = drawn(seed)
        query = x[i] + 0.2 * (query - x[i])
        beta = float(certify(x, 1.0, query).beta_for(1e-3)[i])
        if np.isfinite(beta) and beta > 0:
            new = ModernHopfield(x, beta).update(jnp.asarray(query))
            assert np.linalg.norm(new - x[i]) <= 1e-3
            np.testing.assert_allclose(
                certify(x, beta, query).log_error_bound[i], np.log(1e-3), rtol=1e-9
            )
    far = certify(x, 1.0, 10 * np.ones_like(query))
    assert np.isinf(far.beta_for(1e-3)).all()


def test_with_a_flat_prior_the_separation_is_half_the_square_to_the_nearest():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 4)) * np.arange(1, 7)[:, None]
    bounds = certify(x, 2.0, x[1], bias=-0.5 * (x * x).sum(axis=1))
    square = ((x[:, None] - x[None]) ** 2).sum(axis=-1) + 1e9 * np.eye(6)
    np.testing.assert_allclose(bounds.separation, 0.5 * square.min(axis=1), rtol=1e-12)


@pytest.mark.slow
def test_below_one_the_update_contracts_everywhere_and_the_bound_is_tight_for_two():
    rng = np.random.default_rng(4)
    for k in range(60):
        x = rng.normal(size=((2, 4, 8)[k % 3], 5))
        diameter = max(np.linalg.norm(a - b) for a in x for b in x)
        beta = rng.uniform(0.5, 0.99) * 4 / diameter**2
        bounds = certify(x, beta, x[0])
        assert bool(bounds.unique)
        np.testing.assert_allclose(bounds.lipschitz, beta * diameter**2 / 4)
        energy = ModernHopfield(x, beta)
        ys = jnp.asarray(rng.normal(size=(5, 5)) * 2)
        assert slopes_of(energy, ys).max() <= bounds.lipschitz
        ends = [rest_of(energy, jnp.asarray(y), 3000) for y in x]
        np.testing.assert_allclose(ends, np.broadcast_to(ends[0], x.shape), atol=1e-5)
    # Two memories, half way: p = 1/2 each, and the slope is beta |x_1 - x_2|^2 / 4.
    x = np.array([[1.0, 2.0], [-1.0, 0.5]])
    middle = np.array([0.0, 0.0])
    bias = np.array([0.0, 0.0])
    bias[1] = (x[0] - x[1]) @ middle
    slope = jax.jacfwd(ModernHopfield(x, 0.3, bias).update)(jnp.asarray(middle))
    np.testing.assert_allclose(
        np.linalg.norm(slope, 2), certify(x, 0.3, middle, bias=bias).lipschitz, rtol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_state_is_stable_where_beta_times_the_variance_is_below_one(count):
    # Closed forms: memory and saddle of P orthonormal patterns, either side of the spinodal's b.
    start = equidistant.spinodal(count).b
    for b in (1.02 * start, equidistant.equal_energy(count) * 1.05, 0.98 * count, 1.5 * count):
        if not start < b:
            continue
        energy = ModernHopfield(np.eye(count), b)
        for weight in equidistant.branches(b, count):
            p = equidistant.weights(float(weight), count)
            if np.ptp(p) < 1e-6:
                continue
            x = jnp.asarray(p)
            largest = np.linalg.eigvalsh(b * (np.diag(p) - np.outer(p, p)))[-1]
            step = 1e-6 * np.linalg.eigh(b * (np.diag(p) - np.outer(p, p)))[1][:, -1]
            gone = np.linalg.norm(energy.update(x + jnp.asarray(step)) - x)
            np.testing.assert_allclose(gone / 1e-6, largest, rtol=1e-4)
            end = rest_of(energy, x + jnp.asarray(step), 2000)
            stays = np.abs(end - x).max() < 1e-5
            assert stays == (largest < 1), (b, weight, largest)


@pytest.mark.parametrize("count", [3, 10])
def test_memory_and_mean_have_equal_energy_at_b_1(count):
    b = 2 * (count - 1) * np.log(count - 1) / (count - 2)
    energy = ModernHopfield(np.eye(count), b)
    memory = equidistant.weights((count - 1) / count, count)
    np.testing.assert_allclose(energy.update(jnp.asarray(memory)), memory, atol=1e-14)
    mean = np.full(count, 1 / count)
    np.testing.assert_allclose(energy(jnp.asarray(memory)), energy(jnp.asarray(mean)), atol=1e-14)


@pytest.mark.parametrize("beta", [1e-6, 1e6])
def test_extreme_beta_in_single_precision(beta):
    x = np.array([[3.0, 0.0], [0.0, 2.0], [-1.0, -1.0]], np.float32)
    query = np.array([1.0, 0.5], np.float32)  # scores 3, 1, -1.5
    bounds = certify(jnp.asarray(x), jnp.float32(beta), jnp.asarray(query))
    assert bounds.log_miss.dtype == jnp.float32
    u = np.float64(beta) * np.array([0.0, -2.0, -4.5])
    log_p = u - np.logaddexp.reduce(u)
    others = [np.logaddexp.reduce(np.delete(log_p, i)) for i in range(3)]
    np.testing.assert_allclose(bounds.log_miss, others, rtol=1e-6, atol=1e-12)
    # By pairs: sum p_i p_j |x_i - x_j|^2 / 2, squares 13, 17, 10.
    pairs = np.logaddexp.reduce(
        [log_p[0] + log_p[1] + np.log(13), log_p[0] + log_p[2] + np.log(17),
         log_p[1] + log_p[2] + np.log(10)]
    )  # fmt: skip
    np.testing.assert_allclose(bounds.log_variance, pairs, rtol=1e-6)
    assert bool(bounds.unique) == (beta < 1)


def test_one_memory_equal_memories_and_what_is_refused():
    alone = certify(np.array([[1.0, 2.0]]), 3.0, np.zeros(2))
    assert alone.log_miss[0] == -np.inf and bool(alone.unique) and bool(alone.well_separated[0])
    assert alone.log_error_bound[0] == -np.inf and alone.spikes_for(1e-3) == 1
    twins = certify(np.ones((2, 3)), 3.0, np.ones(3))
    np.testing.assert_allclose(np.exp(twins.log_miss), 0.5, rtol=1e-12)
    assert not twins.well_separated.any() and (np.asarray(twins.separation) == 0).all()
    assert twins.spikes_for(1e-3) == 1  # either is the answer
    assert smallest_beta(np.ones((2, 3)), np.ones(3), 0, 0.1) == np.inf
    for make, words in (
        (lambda: certify(np.zeros((0, 3)), 1.0, np.zeros(3)), "patterns"),
        (lambda: certify(np.ones((2, 3)), 0.0, np.ones(3)), "beta must be positive"),
        (lambda: certify(np.ones((2, 3)), 1.0, np.ones(4)), "query must have shape"),
        (lambda: smallest_beta(np.ones((2, 3)), np.ones(3), 0, 1.0), "miss must be in"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
