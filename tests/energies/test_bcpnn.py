"""The BCPNN: its free energy never rises, its prior is consistent, its traces are exact."""

from decimal import Decimal, localcontext

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

import bpcjax as bpc
from bpcjax.energies import BCPNN
from bpcjax.energies.hopfield.bcpnn import randomised
from bpcjax.learning import SpikeTraces

H, M, P = 16, 8, 20
seeds = st.integers(0, 2**31)


def random_network(rng, columns=5, units=3, scale=2.0, temperature=1.0):
    weights = scale * rng.normal(size=(columns, units, columns, units))
    weights += weights.transpose(2, 3, 0, 1)
    weights *= (1 - np.eye(columns))[:, None, :, None]
    return BCPNN(weights, rng.normal(size=(columns, units)), temperature)


@pytest.mark.slow
@given(seed=seeds, scale=st.floats(0.01, 20.0), temperature=st.floats(0.05, 5.0))
@settings(deadline=None, max_examples=40)
def test_a_column_never_raises_the_free_energy(seed, scale, temperature):
    rng = np.random.default_rng(seed)
    network = random_network(rng, scale=scale, temperature=temperature)
    y = jnp.asarray(rng.dirichlet(np.full(3, 0.3), 5))
    size = float(jnp.abs(network.weights).sum())
    for column in [0, 1, 2, 3, 4, 0, 2]:
        new = network.column(y, column)
        assert network(new) - network(y) <= 1e-12 * max(1.0, size)  # rounding of the sums
        np.testing.assert_allclose(network.update(y)[column], new[column], atol=1e-9)
        y = new


@pytest.mark.slow
def test_the_free_energy_falls_to_rounding_in_stored_networks():
    rng = np.random.default_rng(0)
    network = BCPNN.from_patterns(rng.integers(0, M, (P, H)), M)
    path = [jnp.asarray(rng.dirichlet(np.ones(M), H))]
    column = jax.jit(lambda y, h: network.column(y, h))
    for k in range(4 * H):
        path.append(column(path[-1], k % H))
    change = np.diff(jax.vmap(network)(jnp.stack(path)))
    assert change.max() <= 1e-12 and change.sum() < -10  # measured: 4e-14, where F is about -70
    np.testing.assert_allclose(network.sweep(path[0]), path[H], atol=1e-12)


def test_a_column_is_set_to_the_minimum_over_it():
    # Against all columns of a fine grid on the simplex.
    rng = np.random.default_rng(1)
    network = random_network(rng)
    y = jnp.asarray(rng.dirichlet(np.ones(3), 5))
    a, b = np.meshgrid(np.linspace(0, 1, 101), np.linspace(0, 1, 101))
    keep = a + b <= 1
    grid = np.stack([a[keep], b[keep], np.clip(1 - a[keep] - b[keep], 0, 1)], axis=1)
    values = jax.vmap(lambda s: network(y.at[2].set(s)))(jnp.asarray(grid))
    best = network(network.column(y, 2))
    assert best <= values.min() and values.min() - best < 0.01


@given(seed=seeds, scale=st.floats(0.01, 10.0), temperature=st.floats(0.1, 5.0))
@settings(deadline=None, max_examples=40)
def test_the_parallel_flow_descends(seed, scale, temperature):
    # dF/dt = -T (KL(s | p) + KL(p | s)) for s' = p - s, with p the softmax of the drive.
    rng = np.random.default_rng(seed)
    network = random_network(rng, scale=scale, temperature=temperature)
    y = jnp.asarray(rng.dirichlet(np.ones(3), 5) * 0.98 + 0.02 / 3)
    p, log_p = network.update(y), network.log_posterior(y)
    slope = jnp.vdot(jax.grad(network)(y), p - y)
    divergence = jnp.vdot(y - p, jnp.log(y) - log_p)
    np.testing.assert_allclose(slope, -temperature * divergence, rtol=1e-7, atol=1e-9)
    assert slope <= 0


class Flow(bpc.AbstractSystem):
    energy: BCPNN

    def vector_field(self, t, y, args):
        return self.energy.update(y) - y


@pytest.mark.slow
def test_the_flow_ends_where_sweeps_end():
    rng = np.random.default_rng(2)
    patterns = rng.integers(0, M, (P, H))
    network = BCPNN.from_patterns(patterns, M)
    start = 0.9 * jax.nn.one_hot(patterns[0], M) + 0.1 / M
    flow = bpc.simulate(Flow(network), start, t1=20.0, dt=0.25)
    y = start
    sweep = jax.jit(lambda y: network.sweep(y))
    for _ in range(12):
        y = sweep(y)
    np.testing.assert_allclose(flow.ys[-1], y, atol=1e-6)
    np.testing.assert_allclose(network.update(y), y, atol=1e-10)


def test_parallel_jumps_may_raise_it():
    # Two columns that want to differ, started alike: both jump away together.
    weights = np.zeros((2, 2, 2, 2))
    weights[0, :, 1] = weights[1, :, 0] = -6 * np.eye(2)
    network = BCPNN(weights, np.zeros((2, 2)))
    y = jnp.array([[0.6, 0.4], [0.6, 0.4]])
    assert network(network.update(y)) > network(y) + 0.1
    assert network(network.sweep(y)) < network(y)
    small = y + 0.01 * (network.update(y) - y)
    assert network(small) < network(y)


@given(seed=seeds, prior=st.floats(1e-3, 1.0))
@settings(deadline=None, max_examples=30)
def test_the_prior_keeps_pairs_and_units_consistent(seed, prior):
    rng = np.random.default_rng(seed)
    active = np.eye(4)[rng.integers(0, 3, (6, 5))]  # the last unit is never used
    joint = np.einsum("phm,pkn->hmkn", active, active) / 6
    p, pair = randomised(jnp.asarray(active.mean(0)), jnp.asarray(joint), prior)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    for column in range(5):
        for other in set(range(5)) - {column}:
            np.testing.assert_allclose(pair[column, :, other].sum(axis=1), p[column], atol=1e-12)
    weights = BCPNN.from_probabilities(active.mean(0), joint, prior=prior).weights
    np.testing.assert_allclose(weights[:, 3], 0, atol=1e-12)


def naive(active, prior):
    """The prior as a mixture with independent pairs, which is not that of independent columns."""
    p = (1 - prior) * active.mean(0) + prior / M
    joint = np.einsum("phm,pkn->hmkn", active, active) / len(active)
    pair = (1 - prior) * joint + prior / M**2
    weights = np.log(pair / (p[:, :, None, None] * p[None, None]))
    return BCPNN(weights * (1 - np.eye(H))[:, None, :, None], np.log(p))


def recalled(network, patterns, spoilt):
    def recall(start):
        y = jax.nn.one_hot(start, M, dtype=float)
        return jax.lax.fori_loop(0, 10, lambda _, y: network.sweep(y), y).argmax(axis=1)

    result = jax.jit(jax.vmap(recall))(jnp.asarray(spoilt))
    return float((np.asarray(result) == patterns).all(axis=1).mean())


@pytest.mark.slow
def test_recall_with_a_consistent_prior():
    # 16 columns of 8, 20 patterns, 4 columns corrupted: all are found over three decades of the
    # prior. With the naive one pairs that were never seen have weights of their own, so that it
    # needs a prior of about 1 / P (independent code at one small prior: 0.93).
    rng = np.random.default_rng(3)
    mine, others = [], []
    for prior in (0.05, 0.01, 0.001, 0.0001):
        patterns = rng.integers(0, M, (P, H))
        spoilt = patterns.copy()
        for row in spoilt:
            where = rng.choice(H, 4, replace=False)
            row[where] = (row[where] + rng.integers(1, M, 4)) % M
        mine.append(recalled(BCPNN.from_patterns(patterns, M, prior=prior), patterns, spoilt))
        others.append(recalled(naive(np.eye(M)[patterns], prior), patterns, spoilt))
    assert min(mine) >= 0.95 and np.mean(mine) >= 0.98
    assert others[0] >= 0.95 and others[2] < 0.9 and others[3] < 0.7


def test_traces_between_spikes_are_exact():
    rule = SpikeTraces(10.0, 100.0, 1000.0, 0.1)
    spikes = np.random.default_rng(4).poisson(0.5, (6, 2, 2)).astype(float)
    solution = rule.run(jnp.asarray(spikes), 7.0)

    def slope(t, y):  # of z, e, p of the units and e, p of the pairs, by hand
        z, e, p, pair_e, pair_p = y[:4], y[4:8], y[8:12], y[12:28], y[28:]
        products = np.outer(z, z).ravel()
        rates = [-z / 10, (z - e) / 100, (e - p) / 1000]
        return np.concatenate([*rates, (products - pair_e) / 100, (pair_e - pair_p) / 1000])

    y = np.zeros(44)
    for now in spikes:
        y = solve_ivp(slope, (0, 7.0), y, rtol=1e-11, atol=1e-14).y[:, -1]
        y[:4] += now.ravel() / (0.1 * 10.0)
    for value, expected in zip(solution, np.split(y, [4, 8, 12, 28]), strict=True):
        np.testing.assert_allclose(np.ravel(value), expected, rtol=1e-8, atol=1e-13)


def exponential(rates, dt):
    """That of the chain of filters, by its series in 60 digits, of a part of dt that is squared."""
    with localcontext(prec=60):
        a, b, c = (Decimal(float(rate)) * Decimal(dt) / 2**26 for rate in rates)
        chain = np.array([[-a, 0, 0], [b, -b, 0], [0, c, -c]], object)
        result = term = np.array([[Decimal(i == j) for j in range(3)] for i in range(3)])
        for k in range(1, 20):
            term = term @ chain / k
            result = result + term
        for _ in range(26):
            result = result @ result
        return result.astype(float)


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("taus", [(10.0, 100.0, 1e4), (200.0, 100.0, 100.0), (199.999, 100.0, 1e3)])
def test_traces_stay_positive_and_exact_at_all_gaps(taus, double):
    # From no time to 1e7 ms, equal and nearly equal time constants included (2 tau_e = tau_z).
    with jax.enable_x64(double):
        rule = SpikeTraces(*taus)
        rates = 2 / rule.tau_z, 1 / rule.tau_e, 1 / rule.tau_p
        after = eqx.filter_jit(lambda rule, dt, start: rule._after(dt, 2 / rule.tau_z, start))
        for dt in (0.0, 1e-6, 1.0, 30.0, 1e3, 1e5, 1e7):
            result = [after(rule, jnp.asarray(dt), tuple(start)) for start in jnp.eye(3)]
            result = np.stack(result, axis=1)
            assert (result >= 0).all()
            np.testing.assert_allclose(
                result, exponential(rates, dt), rtol=1e-12 if double else 1e-4, atol=1e-37
            )


@pytest.mark.slow
def test_derivatives_of_traces_at_equal_time_constants():
    # Against those of a general rule for exponentials of matrices.
    weights = jnp.asarray(np.random.default_rng(0).random((3, 3)))

    def mine(taus):
        rule = SpikeTraces(*taus)
        after = [rule._after(jnp.asarray(7.0), 2 / rule.tau_z, tuple(x)) for x in jnp.eye(3)]
        return (weights * jnp.stack(after, 1)).sum()

    def general(taus):
        a, b, c = 2 / taus[0], 1 / taus[1], 1 / taus[2]
        zero = jnp.zeros_like(a)
        chain = jnp.array([[-a, zero, zero], [b, -b, zero], [zero, c, -c]])
        return (weights * jax.scipy.linalg.expm(7.0 * chain)).sum()

    for taus in ((10.0, 100.0, 1000.0), (20.0, 10.0, 10.0), (20.0, 10.0, 10.0001)):
        given_ = jnp.array(taus)
        np.testing.assert_allclose(jax.grad(mine)(given_), jax.grad(general)(given_), rtol=1e-9)


@pytest.mark.slow
def test_traces_of_poisson_spikes():
    # Independent units: p tends to f / f_max, pairs to the product; on one unit the variance of z
    # adds f / (2 tau_z f_max^2) (Campbell's theorem).
    rate, f_max, tau_z, bins = 0.05, 0.1, 10.0, 60_000
    rule = SpikeTraces(tau_z, 50.0, 20_000.0, f_max)
    spikes = jax.random.poisson(jax.random.key(0), rate * 1.0, (bins, 3, 2)).astype(float)
    solution = jax.jit(lambda s: rule.run(s, 1.0))(spikes)
    level = (1 - np.exp(-bins / 20_000.0)) * rate / f_max  # of a filter switched on at 0
    # Standard error of p: sqrt(rate / (2 tau_p)) / f_max = 0.011.
    np.testing.assert_allclose(solution.p, level, atol=4 * 0.0112 + 0.01)
    apart = solution.pair_p[0, 0, 1, 1] / level
    np.testing.assert_allclose(apart, rate / f_max, atol=0.08)
    itself = solution.pair_p[0, 0, 0, 0] / level * (rate / f_max)
    expected = (rate / f_max) ** 2 + rate / (2 * tau_z * f_max**2)
    np.testing.assert_allclose(itself, expected, rtol=0.15)


@pytest.mark.slow
def test_spikes_store_the_patterns_that_were_shown():
    # Slow traces of patterns shown in turn are their frequencies: recall works as from counts.
    rng = np.random.default_rng(5)
    columns, shown = 8, 4
    patterns = rng.integers(0, M, (shown, columns))
    rule = SpikeTraces(5.0, 20.0, 50_000.0, 0.1)
    active = np.eye(M)[patterns]  # bins of 4 ms, 60 a pattern, twice: 48 spikes of each active unit
    rates = 0.4 * np.repeat(np.tile(active, (2, 1, 1)), 60, axis=0)
    spikes = jnp.asarray(rng.poisson(rates).astype(float))
    traces = jax.jit(lambda s: rule.run(s, 4.0))(spikes)
    p, joint = rule.probabilities(traces)
    np.testing.assert_allclose(p, active.mean(axis=0), atol=0.1)
    network = BCPNN.from_probabilities(p, joint, prior=0.05)
    sweep = jax.jit(lambda y: network.sweep(y))
    for pattern in patterns:
        y = jnp.asarray(np.eye(M)[pattern]).at[:2].set(1 / M)  # two columns unknown
        for _ in range(5):
            y = sweep(y)
        np.testing.assert_array_equal(y.argmax(axis=1), pattern)
    empty, pairs = rule.probabilities(rule.init(2, 4))
    np.testing.assert_allclose(empty, 0.25)
    np.testing.assert_allclose(pairs, 1 / 16)


def test_terms_sum_and_bad_input_is_named():
    rng = np.random.default_rng(6)
    network = random_network(rng)
    y = jnp.asarray(np.eye(3)[[0, 1, 2, 0, 1]])  # corners: no entropy, no NaN
    assert network.terms(y)["entropy"] == 0
    np.testing.assert_allclose(sum(network.terms(y).values()), network(y), rtol=1e-12)
    with pytest.raises(ValueError, match="prior must be in"):
        BCPNN.from_patterns(np.zeros((2, 3), int), 2, prior=0.0)
    with pytest.raises(ValueError, match="symmetric"):
        BCPNN(rng.normal(size=(2, 2, 2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="zero within a column"):
        BCPNN(np.ones((2, 2, 2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="shape"):
        BCPNN(np.ones((4, 4)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="temperature must be positive"):
        BCPNN(np.zeros((2, 2, 2, 2)), np.zeros((2, 2)), 0.0)
