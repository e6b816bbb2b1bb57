"""Lanczos against dense eigenvalues, on energies and on hostile matrices."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.analysis import hessian_spectrum, lanczos
from bpcjax.energies import ModernHopfield, PredictiveCoding


def with_eigenvalues(values, rng):
    q, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return jnp.asarray(q @ np.diag(values) @ q.T)


@pytest.mark.slow
def test_ends_of_a_large_spectrum_by_few_products():
    # Apart from 5 outliers the spectrum fills [1, 2]: Kaniel & Paige's bounds promise the outliers
    # to far below the tolerance in 40 steps. The true ends are known by construction.
    rng = np.random.default_rng(0)
    values = np.concatenate([[0.1, 0.3], rng.uniform(1, 2, 400), [3.0, 5.0, 8.0]])
    matrix = with_eigenvalues(values, rng)
    ritz = jax.jit(lambda key: lanczos(lambda v: matrix @ v, 405, key, steps=40))(jax.random.key(0))
    np.testing.assert_allclose([ritz.smallest, ritz.largest], [0.1, 8.0], rtol=1e-9)
    np.testing.assert_allclose(ritz.condition, 80, rtol=1e-8)
    np.testing.assert_allclose(ritz.relaxation(20.0), 200, rtol=1e-8)
    assert ritz.error < 1e-4


def test_all_steps_give_all_eigenvalues_and_no_copies():
    # Without reorthogonalisation converged values come again as copies.
    rng = np.random.default_rng(1)
    values = np.sort(np.geomspace(1e-4, 1e3, 30))
    matrix = with_eigenvalues(values, rng)
    ritz = lanczos(lambda v: matrix @ v, 30, jax.random.key(1), steps=99)
    np.testing.assert_allclose(ritz.values[0], values, atol=1e-9)
    np.testing.assert_allclose(ritz.weights.sum(), 1, atol=1e-12)


@pytest.mark.slow
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_every_value_has_an_eigenvalue_within_its_residual(seed, size, distinct):
    # Few distinct eigenvalues, of either sign, also all equal and all zero: the space runs out.
    rng = np.random.default_rng(seed)
    values = rng.choice(rng.integers(-3, 4, distinct), size).astype(float)
    matrix = with_eigenvalues(values, rng)
    ritz = lanczos(lambda v: matrix @ v, size, jax.random.key(seed), steps=12)
    used = int(ritz.used[0])
    # a direction of little weight in the start may come again as a copy: rounding over its beta
    assert 1 <= len(set(np.round(np.asarray(ritz.values[0, :used]), 6))) <= len(set(values))
    gap = np.abs(np.asarray(ritz.values[0, :used])[:, None] - values).min(axis=1)
    assert (gap <= np.asarray(ritz.residuals[0, :used]) + 1e-7).all()
    assert np.isnan(ritz.values[0, used:]).all()


@pytest.mark.slow
def test_moments_of_the_density():
    # Quadrature of k steps is exact for polynomials to degree 2k - 1 of each probe; the mean over
    # all probes estimates the trace. Variance of the trace of signs: 2 (|A|_F^2 - sum A_ii^2).
    rng = np.random.default_rng(2)
    matrix = with_eigenvalues(rng.gamma(2.0, size=60), rng)
    ritz = lanczos(lambda v: matrix @ v, 60, jax.random.key(2), steps=5, probes=50)
    mean = jnp.nansum(ritz.weights * ritz.values) / 50
    off = 2 * (jnp.sum(matrix**2) - jnp.sum(jnp.diag(matrix) ** 2)) / 60**2 / 50
    assert abs(mean - jnp.trace(matrix) / 60) < 4 * jnp.sqrt(off)
    grid = jnp.linspace(-5, 20, 2001)
    density = ritz.density(grid, 0.1)
    np.testing.assert_allclose(jnp.trapezoid(density, grid), 1, atol=1e-6)
    np.testing.assert_allclose(jnp.trapezoid(density * grid, grid), mean, atol=1e-6)


@pytest.mark.slow
def test_hessians_of_energies_agree_with_the_dense_one():
    rng = np.random.default_rng(3)
    memory = ModernHopfield(jnp.asarray(rng.normal(size=(6, 9))), 0.7)
    y = jnp.asarray(rng.normal(size=9))
    energy = PredictiveCoding.mlp(jax.random.key(0), (5, 7, 6, 3))
    layers = None, jnp.asarray(rng.random(7)), jnp.asarray(rng.random(6)), None
    args = jnp.asarray(rng.random(5)), None, None, jnp.eye(3)[1]
    for of, state, drive in ((memory, y, None), (energy, layers, args)):
        dense = np.linalg.eigvalsh(bpc.analysis.hessian(of, state, drive))
        ritz = hessian_spectrum(of, state, jax.random.key(4), drive)
        np.testing.assert_allclose(ritz.smallest, dense[0], atol=1e-9)
        np.testing.assert_allclose(ritz.largest, dense[-1], atol=1e-9)


@pytest.mark.slow
def test_relaxation_time_of_a_flow_is_measured():
    # After the fast modes are gone the flow loses 1/e of its distance in each relaxation time.
    rng = np.random.default_rng(4)
    matrix = with_eigenvalues(np.array([0.25, 2.0, 3.0, 5.0]), rng)
    flow = bpc.GradientFlow(lambda y, args: 0.5 * y @ matrix @ y, tau=jnp.array(2.0))
    time = hessian_spectrum(flow, jnp.zeros(4), jax.random.key(0)).relaxation(2.0)
    np.testing.assert_allclose(time, 8.0, rtol=1e-9)
    saveat = dfx.SaveAt(ts=jnp.array([20.0, 28.0]))
    solution = bpc.simulate(flow, jnp.ones(4), t1=28.0, dt=0.05, saveat=saveat)
    ends = jnp.linalg.norm(jnp.asarray(solution.ys), axis=1)
    np.testing.assert_allclose(jnp.log(ends[0] / ends[1]), 1, atol=1e-4)


def test_bad_numbers_are_refused():
    for bad in (dict(steps=0), dict(steps=2, probes=0)):
        with pytest.raises(ValueError, match="at least 1"):
            lanczos(lambda v: v, 3, jax.random.key(0), **bad)
