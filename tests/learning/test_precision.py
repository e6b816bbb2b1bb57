"""Precisions that are learned, and weights that do not wait for values: linear-Gaussian truths."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bpcjax.energies import Arrow, DenseMap, Gaussian, PredictiveCoding, Rectified
from bpcjax.learning import (
    GammaPrecision,
    Post,
    Pre,
    Synapse,
    certificate,
    conjugate,
    conjugate_precision,
    hebbian,
    incremental,
    precision_slope,
)

TRUE = np.array([0.5, 2.0, 8.0, 30.0])  # precisions of the noise of each unit
SAMPLES = 4000


def errors_of(precision, seed=0, samples=SAMPLES):
    noise = np.random.default_rng(seed).normal(size=(samples, len(precision)))
    return jnp.asarray(noise / np.sqrt(precision))


def test_conjugate_precision_is_the_posterior_of_known_noise():
    # Gamma(a + n/2, rate b + sum eps^2 / 2) in two batches; its interval of 95 % holds the truth in
    # about 95 % of data sets, and its relative width is the standard error sqrt(2 / n).
    prior = GammaPrecision(jnp.full(4, 1e-3), jnp.full(4, 1e-3))  # says next to nothing
    rule, held = conjugate(prior), []
    result: Any = prior
    for seed in range(60):
        errors, result = errors_of(TRUE, seed, 400), prior
        state = rule.init(result)
        for batch in errors.reshape(2, 200, 4):
            moved, state = rule.update(conjugate_precision(batch), state, result)
            result = optax.apply_updates(result, moved)
        np.testing.assert_allclose(result.shape, 1e-3 + 400 / 2)
        np.testing.assert_allclose(result.rate, 1e-3 + (errors**2).sum(0) / 2, rtol=1e-12)
        z = (np.asarray(result.mean) - TRUE) / np.asarray(result.deviation)
        held.append(np.abs(z) < 1.96)
    assert np.mean(held) == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 240))
    assert result.deviation[1] == pytest.approx(TRUE[1] * np.sqrt(2 / 400), rel=0.2)


def test_the_slope_is_that_of_the_free_energy_and_rests_at_the_truth():
    errors, rule = errors_of(TRUE), precision_slope()

    def energy(log):
        return jax.vmap(lambda e: Gaussian(jnp.exp(log))(e, jnp.zeros(4)))(errors).mean()

    log = jnp.asarray([0.3, -0.2, 1.0, 0.0])
    slope: Any = rule.update((errors**2).mean(0), rule.init(log), log)[0]
    np.testing.assert_allclose(slope, jax.grad(energy)(log), rtol=1e-12)

    step = optax.chain(precision_slope(), optax.sgd(0.5))
    state = step.init(log)
    for _ in range(200):
        moved, state = step.update((errors**2).mean(0), state, log)
        log: Any = optax.apply_updates(log, moved)
    np.testing.assert_allclose(jnp.exp(log), 1 / (errors**2).mean(0), rtol=1e-10)
    assert (np.abs(np.exp(log) / TRUE - 1) < 3 * np.sqrt(2 / SAMPLES)).all()  # 3 standard errors


def hierarchy():
    """x -> z -> y with known weights; the noise of z and y is to be found."""
    rng = np.random.default_rng(3)
    up, down = rng.normal(size=(2, 3)), rng.normal(size=(6, 2))
    first, second = np.array([2.0, 0.5]), np.array([1.0, 4.0, 4.0, 9.0, 2.0, 16.0])
    x = rng.normal(size=(SAMPLES, 3))
    z = x @ up.T + rng.normal(size=(SAMPLES, 2)) / np.sqrt(first)
    y = z @ down.T + rng.normal(size=(SAMPLES, 6)) / np.sqrt(second)
    return tuple(map(jnp.asarray, (up, down, first, second, x, y)))


def learned(up, down, x, y, *, spread: bool, rounds: int):
    """Settle exactly, learn precisions of both layers, again (expectation maximisation)."""

    @jax.jit
    def turn(pi):
        def energy(z, x, y):
            arrows = [
                Arrow(0, 1, DenseMap(up), Gaussian(pi[0])),
                Arrow(1, 2, DenseMap(down), Gaussian(pi[1])),
            ]
            return PredictiveCoding(arrows)((None, z, None), (x, None, y))

        zero = jnp.zeros(2)
        hessian = jax.hessian(energy)(zero, x[0], y[0])
        cover = jnp.linalg.inv(hessian)
        z = -jax.vmap(lambda x, y: jax.grad(energy)(zero, x, y))(x, y) @ cover  # F is quadratic
        spreads = jnp.diagonal(cover), jnp.diagonal(down @ cover @ down.T)
        prior = GammaPrecision(jnp.zeros(()), jnp.zeros(()))
        both = (z - x @ up.T, spreads[0]), (y - z @ down.T, spreads[1])
        result = [conjugate_precision(e, s if spread else 0.0) for e, s in both]
        return [GammaPrecision(prior.shape + f.shape, prior.rate + f.rate).mean for f in result]

    pi = [jnp.ones(2), jnp.ones(6)]
    for _ in range(rounds):
        pi = turn(pi)
    return [np.asarray(p) for p in pi]


@pytest.mark.slow
def test_a_hidden_layer_needs_the_spread_of_its_posterior():
    up, down, first, second, x, y = hierarchy()
    with_spread = learned(up, down, x, y, spread=True, rounds=200)
    truth = np.concatenate([first, second])
    # The information of a hidden unit's precision is less than n/2: the standard error is that of
    # the marginal likelihood of y given x, from its Hessian in log pi.

    def evidence(log):
        pi = jnp.exp(log)
        cover = down @ jnp.diag(1 / pi[:2]) @ down.T + jnp.diag(1 / pi[2:])
        gap = y - x @ up.T @ down.T
        square = jnp.einsum("ni,ij,nj->", gap, jnp.linalg.inv(cover), gap)
        return 0.5 * (square + len(y) * jnp.linalg.slogdet(cover)[1])

    log = jnp.log(jnp.concatenate(list(map(jnp.asarray, with_spread))))
    np.testing.assert_allclose(jax.grad(evidence)(log), 0, atol=1e-3 * SAMPLES)  # its maximum
    error = np.sqrt(np.diag(np.linalg.inv(jax.hessian(evidence)(log))))
    assert (np.abs(np.asarray(log) - np.log(truth)) < 3 * error).all()
    without = learned(up, down, x, y, spread=False, rounds=5)
    assert max(without[0].max(), without[1].max()) > 1e6 * truth.max()  # it collapses


def test_rules_of_precision_are_local_and_a_full_matrix_is_not():
    errors, log = errors_of(TRUE, samples=5), jnp.zeros(4)

    def slope(errors, log):
        rule = optax.chain(precision_slope(), optax.sgd(0.1))
        return rule.update((errors**2).mean(0), rule.init(log), log)[0]

    def posterior(errors, shape, rate):
        prior = GammaPrecision(jnp.ones(4), jnp.ones(4))
        rule, now = conjugate(prior, 0.9), GammaPrecision(shape, rate)
        moved: Any = rule.update(conjugate_precision(errors), rule.init(now), now)[0]
        return tuple(moved)

    def joint(errors, log):
        return jnp.diagonal(jnp.linalg.inv(errors.T @ errors + jnp.eye(4))) - log

    owners = (Post(), Post())
    assert certificate(slope, (errors, log), owners, Post()).local
    assert certificate(posterior, (errors, log + 1, log + 1), (Post(),) * 3, Post()).local
    report = certificate(joint, (errors, log), owners, Post())
    assert not report.local and max(abs(d.derivative) for d in report.nonlocal_) > 1e-3


DECAY = 0.1  # of weights, so that one minimum is best and flat directions are none


def problem():
    """A net of one rectified hidden layer, and 12 samples of a noisy function."""
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    arrows = [
        Arrow(0, 1, DenseMap(0.6 * rng.normal(size=(4, 3)), np.full(4, 0.5)), Rectified()),
        Arrow(1, 2, DenseMap(0.6 * rng.normal(size=(2, 4))), Gaussian()),
    ]
    energy, args = PredictiveCoding(arrows), (jnp.asarray(x), None, jnp.asarray(label))
    start = jax.vmap(energy.start)((args[0], None, None))
    return energy, (None, start[1], None), args


def weights_of(energy):
    leaves = jax.tree.leaves([a.predict for a in energy.arrows])
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def learn_for(rate, total, settle):
    """Weights, mean F and gradients after `total / rate` steps: values settle in `settle` steps
    before each of the weights."""
    energy, y, args = problem()
    decayed = optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(rate))
    rule = incremental(optax.sgd(0.15), decayed)
    values = incremental(optax.sgd(0.15), optax.sgd(0.0))

    @jax.jit
    def run(energy, y):
        state, other = rule.init(energy, y), values.init(energy, y)

        def step(carry, _):
            energy, y, state = carry
            y = jax.lax.fori_loop(
                0, settle, lambda _, y: values.update(energy, y, args, other)[1], y
            )
            return rule.update(energy, y, args, state), None

        (energy, y, _), _ = jax.lax.scan(step, (energy, y, state), None, length=round(total / rate))
        mean = jax.vmap(energy)(y, args).mean()
        drive = jax.vmap(energy.membrane)(y, args)[1]
        z, errors = jax.vmap(energy.full)(y, args), jax.vmap(energy.errors)(y, args)
        maps = [a.predict for a in energy.arrows]
        products = [
            hebbian(m, z[a.pre], errors[a.name]) for m, a in zip(maps, energy.arrows, strict=True)
        ]
        still = jnp.abs(jnp.where(y[1] > 0, drive, jax.nn.relu(drive))).max()
        slopes = jax.tree.map(lambda g, w: jnp.abs(g + DECAY * w).max(), products, maps)
        return weights_of(energy), mean, still, jnp.stack(jax.tree.leaves(slopes)).max()

    return jax.device_get(run(energy, y))


@pytest.mark.slow
def test_incremental_learning_tends_to_settled_learning_and_rests_where_it_does():
    # Values follow weights of a slow rate with a lag in proportion to it.
    gaps = []
    for rate in (0.02, 0.01, 0.005):
        settled, one = learn_for(rate, 2.0, 80), learn_for(rate, 2.0, 0)
        gaps.append(np.abs(settled[0] - one[0]).max())
    order = np.polyfit(np.log([0.02, 0.01, 0.005]), np.log(gaps), 1)[0]
    assert order == pytest.approx(1, abs=0.15) and gaps[-1] < 0.02
    # At rest both gradients are 0 and F is the same.
    settled, one = learn_for(0.1, 3000.0, 4), learn_for(0.1, 3000.0, 0)
    assert one[2] < 1e-6 and one[3] < 1e-6
    assert one[1] == pytest.approx(settled[1], abs=1e-7)


@pytest.mark.slow
def test_incremental_learning_is_local():
    # A step of the weights of the first arrow: a synapse sees its two neurons and itself. (The
    # error of backpropagation in its place is refused: `test_certificate`.)
    energy, y, args = problem()
    weights = energy.arrows[0].predict.weights  # pyright: ignore
    error = jax.vmap(energy.errors)(y, args)["0->1"]

    def step(pre, error, weights):
        rule = optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(0.1))
        products: Any = hebbian(DenseMap(weights), pre, error)
        return rule.update(products.weights, rule.init(weights), weights)[0]

    assert certificate(step, (args[0][:3], error[:3], weights), (Pre(), Post(), Synapse())).local
