"""Spikes that descend an energy: monotone at zero temperature, exact law above it."""

import itertools
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bpcjax as bpc
from bpcjax.energies import (
    Arrow,
    ClassicalHopfield,
    DenseMap,
    Gaussian,
    ModernHopfield,
    PredictiveCoding,
    Rectified,
)
from bpcjax.jumps.lattice import differences


def chain(sizes=(6, 8, 7, 4), precisions=(1.0, 2.0, 4.0), seed=0):
    """A linear hierarchy of Gaussians, and clamps of its first and last layer."""
    rng = np.random.default_rng(seed)
    arrows = [
        Arrow(k, k + 1, DenseMap(rng.normal(size=(m, n)) / np.sqrt(n)), Gaussian(precisions[k]))
        for k, (n, m) in enumerate(itertools.pairwise(sizes))
    ]
    hidden = (None,) * (len(sizes) - 2)
    clamped = (jnp.asarray(rng.normal(size=sizes[0])), *hidden)
    return PredictiveCoding(arrows), (*clamped, jnp.asarray(2 * rng.normal(size=sizes[-1])))


def rectified(seed=0):
    """A hierarchy of rectified layers, clamped at both ends."""
    rng = np.random.default_rng(seed)
    sizes = 6, 12, 10, 4
    arrows = [
        Arrow(
            k,
            k + 1,
            DenseMap(rng.normal(size=(m, n)) * np.sqrt(2 / n)),
            Rectified() if k < 2 else Gaussian(),
        )
        for k, (n, m) in enumerate(itertools.pairwise(sizes))
    ]
    clamped = jnp.asarray(rng.normal(size=6)), None, None, jnp.asarray(2 * rng.normal(size=4))
    return PredictiveCoding(arrows), clamped


def minimum(energy, args):
    """The state of least energy of a quadratic energy, and its Hessian, by linear algebra."""
    flat, unravel = ravel_pytree(energy.start(args))
    of = lambda x: energy(unravel(x), args)  # noqa: E731
    hessian = jax.hessian(of)(flat)
    return flat - jnp.linalg.solve(hessian, jax.grad(of)(flat)), hessian, unravel


ENERGIES = {
    "gaussian": lambda: (*chain(), None),
    "rectified": lambda: (*rectified(), None),
    "modern": lambda: (
        ModernHopfield(np.random.default_rng(0).normal(size=(5, 8)), 2.0),
        None,
        jnp.asarray(np.random.default_rng(1).normal(size=8)),
    ),
    "classical": lambda: (
        ClassicalHopfield.hebb(np.sign(np.random.default_rng(0).normal(size=(2, 9)))),
        None,
        jnp.asarray(np.random.default_rng(1).choice([-1.0, 1.0], size=9)),
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        *("modern", "classical"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("gaussian", "rectified")),
    ],
)
def test_no_spike_raises_F(name, getkey):
    energy, args, y0 = ENERGIES[name]()
    y0 = jax.tree.map(jnp.zeros_like, energy.start(args)) if y0 is None else y0
    quantum = 2.0 if name == "classical" else 0.1
    system = bpc.SpikeDescent(energy, quantum)
    descent = bpc.descend(system, y0, args, key=getkey(), spikes=60 if name == "classical" else 400)
    energies = np.append(descent.energy, energy(descent.value, args))[: int(descent.count) + 1]
    if name == "classical":  # signs are not bounded by its energy: it goes down for ever
        assert int(descent.count) == 60
    else:
        assert descent.at_rest and int(descent.count) > 3
    assert (np.diff(energies) < 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("make", [chain, rectified])
def test_differences_of_all_units_at_once_are_those_of_one_after_another(make):
    energy, args = make()
    y = energy.project(jax.tree.map(lambda a: a + 0.35, energy.start(args)))
    plain = lambda y, args: energy(y, args)  # noqa: E731  an energy without a method of its own
    for a, b in zip(
        differences(energy, y, args, 0.1),
        differences(plain, y, args, 0.1),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-12)


@lru_cache
def rest_errors(quanta, seeds):
    energy, args = chain()
    best, hessian, _ = minimum(energy, args)
    least = energy(minimum(energy, args)[2](best), args)
    y0 = jax.tree.map(jnp.zeros_like, energy.start(args))

    def one(quantum, key):
        # the origin is drawn within a quantum, so that errors are not those of one lattice
        shift_key, key = jax.random.split(key)
        flat, unravel = ravel_pytree(y0)
        start = unravel(flat + quantum * jax.random.uniform(shift_key, flat.shape))
        descent = bpc.descend(
            bpc.SpikeDescent(energy, quantum), start, args, key=key, spikes=int(75 / quantum)
        )
        away = ravel_pytree(descent.value)[0] - best
        return jnp.sqrt(jnp.mean(away**2)), energy(descent.value, args) - least, descent.at_rest

    keys = jax.random.split(jax.random.key(3), seeds)
    descent = [jax.vmap(partial(one, d))(keys) for d in quanta]
    rms, excess, rest = (np.array([f[k] for f in descent]) for k in range(3))
    assert rest.all()
    return rms, excess, hessian, best.size


def slope(x, y):
    """The slope of log y against log x over all points, and its standard error."""
    x, y = np.repeat(np.log(x), y.shape[1]), np.log(y).ravel()
    (b, _), cov = np.polyfit(x, y, 1, cov=True)
    return b, np.sqrt(cov[0, 0])


@pytest.mark.slow
def test_greedy_slope_d1_d2():
    quanta = 0.1, 0.05, 0.025
    rms, excess, _, _ = rest_errors(quanta, 12)
    for result, order in (slope(quanta, rms), 1), (slope(quanta, excess), 2):
        b, error = result
        assert abs(b - order) < 3 * error + 0.02 and error < 0.15


@pytest.mark.slow
def test_bound_T2():
    # |z - z*| <= sqrt(n) d max H_ii / (2 lambda_min): at rest |g_i| <= d H_ii / 2
    quanta = 0.1, 0.05, 0.025
    rms, _, hessian, _ = rest_errors(quanta, 12)
    weakest = np.linalg.eigvalsh(hessian)[0]
    bound = 0.5 * np.array(quanta) * np.diag(hessian).max() / weakest  # over sqrt(n): of the rms
    assert (rms < bound[:, None]).all()
    assert (rms.max(axis=1) > bound / 50).all()


@pytest.mark.slow
def test_a_cost_buys_at_most_that_many_spikes(getkey):
    energy, args = chain()
    y0 = jax.tree.map(jnp.zeros_like, energy.start(args))
    best, _, unravel = minimum(energy, args)
    for cost in 0.01, 0.1:
        system = bpc.SpikeDescent(energy, 0.05, cost=cost)
        descent = bpc.descend(system, y0, args, key=getkey(), spikes=1500)
        assert descent.at_rest
        assert 0 < descent.count <= (energy(y0, args) - energy(unravel(best), args)) / cost


def generator(energy, quantum, temperature, cost, law, size=12):
    """The rates between states of a 2-D lattice, and the law exp(-E / T) on it."""
    grid = list(itertools.product(range(-size, size + 1), repeat=2))
    place = {point: k for k, point in enumerate(grid)}
    system = bpc.SpikeDescent(energy, quantum, temperature, cost, law=law)
    states = quantum * jnp.asarray(grid, float)
    rates = np.exp(jax.vmap(lambda y: system.log_rates(y).ravel())(states))
    matrix = np.zeros((len(grid), len(grid)))
    for k, (a, b) in enumerate(grid):
        for channel, (da, db) in enumerate([(1, 0), (0, 1), (-1, 0), (0, -1)]):
            other = place.get((a + da, b + db))
            if other is not None:
                matrix[k, other] = rates[k, channel]
    weights = np.array(jax.vmap(energy)(states))
    law_ = np.exp(-(weights - weights.min()) / temperature)
    return matrix, law_ / law_.sum()


def plane(y, args=None):
    hessian = jnp.array([[2.0, 0.7], [0.7, 1.0]])
    away = y - jnp.array([0.31, -0.13])
    return 0.5 * away @ hessian @ away


@pytest.mark.parametrize("quantum", [0.5, 0.25])
def test_detailed_balance_2d(quantum):
    matrix, law = generator(plane, quantum, 0.5, 0.0, bpc.Glauber())
    flow = law[:, None] * matrix
    assert np.abs(flow - flow.T).max() < 1e-12


def test_a_cost_keeps_the_law_of_arrhenius_rates_only():
    matrix, law = generator(plane, 0.5, 0.5, 0.2, bpc.Arrhenius())
    flow = law[:, None] * matrix
    assert np.abs(flow - flow.T).max() < 1e-12
    matrix, law = generator(plane, 0.5, 0.5, 0.2, bpc.Glauber())
    flow = law[:, None] * matrix
    assert np.abs(flow - flow.T).max() > 1e-4  # measured independently: 1e-3 of |pi Q|


def test_lattice_moments_vs_exact():
    # Poisson summation: at this T / d^2 lattice moments are those of the continuum to round-off
    _, law = generator(plane, 0.25, 0.5, 0.0, bpc.Glauber(), size=24)
    states = 0.25 * np.array(list(itertools.product(range(-24, 25), repeat=2)), float)
    mean = law @ states
    cov = (states - mean).T @ ((states - mean) * law[:, None])
    np.testing.assert_allclose(mean, [0.31, -0.13], atol=1e-7)
    exact = 0.5 * np.linalg.inv([[2.0, 0.7], [0.7, 1.0]])
    np.testing.assert_allclose(cov, exact, rtol=1e-6)


@pytest.mark.slow
def test_gillespie_moments():
    energy, args = chain(sizes=(3, 4, 3, 2))
    best, hessian, unravel = minimum(energy, args)
    temperature, quantum = 0.05, 0.2
    system = bpc.SpikeDescent(energy, quantum, temperature)

    @jax.jit
    def one(key):
        descent = bpc.descend(
            system, unravel(best), args, key=key, spikes=20_000, save=lambda y: ravel_pytree(y)[0]
        )
        share = descent.dwell / descent.dwell.sum()
        mean = share @ descent.saved
        away = descent.saved - best[None]
        return mean, away.T @ (away * share[:, None])

    means, covs = jax.vmap(one)(jax.random.split(jax.random.key(0), 8))
    error = means.std(axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(means.mean(axis=0) - best) < 5 * error).all() and error.max() < 0.01
    exact = temperature * np.linalg.inv(hessian)
    spread = covs.std(axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(covs.mean(axis=0) - exact) < 6 * spread).all()
    assert np.linalg.norm(covs.mean(axis=0) - exact) < 0.05 * np.linalg.norm(exact)


@pytest.mark.slow
def test_parallel_vs_exact_same_F(getkey):
    energy, args = chain()
    best, hessian, unravel = minimum(energy, args)
    scale = np.sqrt(np.diag(hessian))
    coupling = np.linalg.eigvalsh(np.array(hessian) / np.outer(scale, scale))[-1]
    y0 = jax.tree.map(jnp.zeros_like, energy.start(args))
    least = energy(unravel(best), args)
    for quantum in 0.1, 0.05:
        system = bpc.SpikeDescent(energy, quantum)
        exact = bpc.descend(system, y0, args, key=getkey(), spikes=2000)
        thin = bpc.Thinned(0.2, coupling)
        descent = bpc.descend_in_parallel(system, y0, args, key=getkey(), steps=1500, thinned=thin)
        assert exact.at_rest and descent.at_rest
        # both within the rest bound: F - F* <= |g|^2 / (2 lambda_min)
        margin = 1 + 0.2 * (coupling - 1)
        room = np.sum((0.5 * quantum * margin * np.diag(hessian)) ** 2)
        room = room / (2 * np.linalg.eigvalsh(hessian)[0])
        assert energy(exact.value, args) - least < room
        assert energy(descent.value, args) - least < room


@pytest.mark.slow
def test_the_engine_and_the_events_have_one_law(getkey):
    # the mean number of spikes until 3 units of time, by time steps and by events
    energy, args = chain(sizes=(2, 3, 2), precisions=(1.0, 2.0))
    system = bpc.SpikeDescent(energy, 0.3, 0.2)
    y0 = jax.tree.map(jnp.zeros_like, energy.start(args))

    @jax.jit
    def by_engine(key):
        solution = bpc.simulate(
            system, system.start(y0), args, t1=3.0, dt=0.5, max_spikes=40, key=key,
            solver=bpc.OrderedSpikes(),
        )  # fmt: skip
        return solution.spikes.count, solution.ok

    @jax.jit
    def by_events(key):
        solution = bpc.descend(system, y0, args, key=key, spikes=40)
        return (solution.times <= 3.0).sum()

    keys = jax.random.split(getkey(), 300)
    first, ok = jax.vmap(by_engine)(keys)
    second = jax.vmap(by_events)(keys)
    assert ok.all()
    error = np.sqrt((first.var() + second.var()) / 300)
    assert abs(first.mean() - second.mean()) < 4 * error and first.mean() > 3


def test_bad_input(getkey):
    energy, args = chain()
    with pytest.raises(ValueError, match="quantum must be positive"):
        bpc.SpikeDescent(energy, 0.0)
    with pytest.raises(ValueError, match="temperature"):
        bpc.SpikeDescent(energy, 0.1, -1.0)
    with pytest.raises(ValueError, match="spikes must be at least 1"):
        bpc.descend(bpc.SpikeDescent(energy, 0.1), None, args, key=getkey(), spikes=0)
    with pytest.raises(ValueError, match="share"):
        bpc.Thinned(1.5)
    broken = bpc.descend(
        bpc.SpikeDescent(plane, 0.1), jnp.array([jnp.nan, 0.0]), key=getkey(), spikes=3
    )
    assert not broken.ok
