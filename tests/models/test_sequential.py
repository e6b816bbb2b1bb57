"""Sequential recall: equal to Bayes without silencing, bounded and cheap with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.models import (
    FlipLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
    SequentialStore,
    StudentLikelihood,
    by_information,
    by_variance,
    sequential_recall,
)

SIGMA = 0.8


def _memory(rng, patterns=40, size=24, queries=30):
    """Random patterns under a random prior, and noisy queries of some of them."""
    x = rng.standard_normal((patterns, size))
    prior = np.log(rng.dirichlet(np.ones(patterns)))
    energy = bpc.energies.ModernHopfield.from_prior(x, SIGMA**-2, prior)
    target = rng.integers(0, patterns, queries)
    return energy, target, x[target] + SIGMA * rng.standard_normal((queries, size))


@pytest.mark.parametrize("block", [1, 5, 24, 100])
def test_nobody_silent_is_the_posterior_of_the_energy(block):
    rng = np.random.default_rng(block)
    energy, _, y = _memory(rng)
    order = rng.permutation(24)
    end = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA, order=order, block=block)
    expected = jax.vmap(energy.posterior)(jnp.asarray(y))
    np.testing.assert_allclose(end.posterior, expected, rtol=1e-9, atol=1e-12)
    assert end.ok.all() and (end.used == 24).all() and end.bound == 0


@pytest.mark.parametrize("shared", [True, False])
def test_missing_entries_say_nothing_whatever_they_hold(shared):
    rng = np.random.default_rng(3)
    energy, _, y = _memory(rng)
    seen = rng.random(y.shape) < 0.5
    seen = np.broadcast_to(seen[0], y.shape) if shared else seen
    y = np.where(seen, y, np.nan)
    given = seen[0] if shared else seen
    end = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA, seen=given, block=5)
    x, log_prior = np.asarray(energy.patterns), np.asarray(energy.log_prior)
    gaps = np.where(seen[:, None], y[:, None] - x, 0.0)
    own = np.exp(log_prior - 0.5 * (gaps**2).sum(-1) / SIGMA**2)  # Bayes, written out
    expected = own / own.sum(1, keepdims=True)
    np.testing.assert_allclose(end.posterior, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(end.used, seen.sum(1))
    by_energy = jax.vmap(energy.posterior)(jnp.asarray(y), jnp.asarray(seen))
    np.testing.assert_allclose(by_energy, expected, rtol=1e-9, atol=1e-12)


def _by_hand(x, log_prior, y, order, block, theta):
    """The test of one query written out, entry by entry: who is alive, and the sums of memories
    over entries and over tests."""
    alive, u, work, tests, used = np.ones(len(x), bool), log_prior.copy(), 0, 0, 0
    for start in range(0, len(order), block):
        taken = order[start : start + block]
        work, tests = work + alive.sum() * len(taken), tests + alive.sum()
        used += len(taken)
        u[alive] -= 0.5 * ((y[taken] - x[alive][:, taken]) ** 2).sum(1) / SIGMA**2
        alive &= u[alive].max() - u <= theta
        if alive.sum() == 1:
            break
    return alive, u, work, tests, used


@pytest.mark.parametrize("theta", [2.0, 5.0])
@pytest.mark.parametrize("patterns", [40, 300])  # the second moves survivors together
def test_silencing_is_the_test_written_out(theta, patterns):
    rng = np.random.default_rng(5)
    energy, _, y = _memory(rng, patterns)
    order = np.asarray(by_variance(energy))
    end = sequential_recall(energy, y, theta=theta, sigma=SIGMA, order=by_variance, block=3)
    x, log_prior = np.asarray(energy.patterns), np.asarray(energy.log_prior)
    for q in range(len(y)):
        alive, u, work, tests, used = _by_hand(x, log_prior, y[q], order, 3, theta)
        np.testing.assert_array_equal(end.alive[q], alive)
        assert end.decision[q] == np.where(alive, u, -np.inf).argmax()
        assert end.operations.macs[q] == work
        assert end.operations.synaptic[q] == tests  # the broadcast
        assert end.used[q] == used
        own = np.where(alive, np.exp(u - u[alive].max()), 0)
        np.testing.assert_allclose(end.posterior[q], own / own.sum(), atol=1e-12)


def test_student_evidence_is_the_integral_over_precisions():
    rng = np.random.default_rng(7)
    residual = rng.standard_normal(9)
    a, b = 0.7, 1.3
    beta = np.exp(np.linspace(-25, 8, 200_001))
    density = beta**a * np.exp(-b * beta) * b**a  # of Gamma(a, b) over ln(beta), less Gamma(a)
    log_data = 4.5 * np.log(beta) - 0.5 * beta * (residual**2).sum()  # less (2 pi)^(-n / 2)
    from scipy.special import gammaln

    integral = np.log(np.trapezoid(density * np.exp(log_data), np.log(beta))) - gammaln(a)
    likelihood = StudentLikelihood(a, b)
    y = jnp.asarray(residual)
    common = likelihood.common(y).sum()
    evidence = likelihood.evidence(jnp.zeros(()), common, jnp.asarray(9.0))  # the pattern 0
    np.testing.assert_allclose(evidence, integral, rtol=1e-6)
    best = log_data.max()  # over the grid of precisions
    np.testing.assert_allclose(likelihood.most(jnp.zeros(()), common, 9.0), best, rtol=1e-6)


def test_poisson_and_flip_posteriors_by_scipy():
    from scipy.stats import bernoulli, poisson

    rng = np.random.default_rng(11)
    mean = rng.gamma(2.0, 1.0, (12, 15)) + 0.1
    counts = rng.poisson(mean[:5]).astype(float)
    flat = bpc.energies.ModernHopfield.from_prior(mean, 1.0, np.zeros(12))
    end = sequential_recall(flat, counts, theta=np.inf, likelihood=PoissonLikelihood(), block=4)
    own = poisson.logpmf(counts[:, None], mean).sum(-1)
    expected = np.exp(own - np.logaddexp.reduce(own, 1)[:, None])
    np.testing.assert_allclose(end.posterior, expected, atol=1e-12)
    np.testing.assert_array_equal(end.operations.macs, 0)
    np.testing.assert_allclose(end.operations.synaptic, 12 * counts.sum(1) + 12 * 4)

    signs = np.where(rng.random((12, 15)) < 0.5, -1.0, 1.0)
    y = signs[:5] * np.where(rng.random((5, 15)) < 0.2, -1, 1)
    flat = bpc.energies.ModernHopfield.from_prior(signs, 1.0, np.zeros(12))
    end = sequential_recall(flat, y, theta=np.inf, likelihood=FlipLikelihood(0.2), block=4)
    own = bernoulli.logpmf(y[:, None] != signs, 0.2).sum(-1)
    expected = np.exp(own - np.logaddexp.reduce(own, 1)[:, None])
    np.testing.assert_allclose(end.posterior, expected, atol=1e-12)


@pytest.mark.slow
def test_information_of_an_entry_against_quadrature():
    from scipy.integrate import quad
    from scipy.stats import norm

    x = np.array([[0.0, 1.0, 0.0], [2.0, 1.0, 0.5], [0.0, 1.0, 1.0]])
    energy = bpc.energies.ModernHopfield.from_prior(x, 1.0, np.zeros(3))
    from bpcjax.models.memory.orders import information

    def entropy(column):
        def term(y):
            p = norm.pdf(y, column, 0.5).mean()
            return -p * np.log(p) if p > 0 else 0.0

        return quad(term, -4, 6, limit=200)[0]

    noise = norm(0, 0.5).entropy()
    expected = [entropy(x[:, i]) - noise for i in range(3)]
    np.testing.assert_allclose(information(energy, 0.5), expected, atol=2e-3)
    np.testing.assert_array_equal(by_information(energy, 0.5), np.argsort(-np.array(expected)))


def test_stops_at_a_lead_and_at_a_budget():
    energy, _, y = _memory(np.random.default_rng(1))
    whole = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA, block=1)
    short = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA, block=1, lead=3.0)
    ordered = np.sort(np.log(short.posterior), axis=1)
    early = short.used < 24
    assert early.any() and (whole.used == 24).all()
    assert ((ordered[:, -1] - ordered[:, -2])[early] >= 3.0 - 1e-9).all()
    assert (sequential_recall(energy, y, theta=9.0, sigma=SIGMA, budget=8).used <= 8).all()


@pytest.mark.slow
def test_jit_and_vmap_and_single_precision_agree():
    energy, target, y = _memory(np.random.default_rng(2))
    plain = sequential_recall(energy, y, theta=4.0, sigma=SIGMA)
    traced = jax.jit(lambda y, s: sequential_recall(energy, y, theta=4.0, sigma=s))(y, SIGMA)
    np.testing.assert_array_equal(plain.decision, traced.decision)
    rows = jax.vmap(lambda y: sequential_recall(energy, y, theta=4.0, sigma=SIGMA))(y[:, None])
    np.testing.assert_array_equal(plain.decision, rows.decision[:, 0])
    np.testing.assert_array_equal(plain.operations.macs, rows.operations.macs[:, 0])
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), energy)
    short = sequential_recall(single, y.astype(np.float32), theta=4.0, sigma=SIGMA)
    assert short.posterior.dtype == jnp.float32
    assert (short.decision == plain.decision).mean() > 0.9  # a tie at theta may turn


def test_a_store_serves_many_queries_alike():
    energy, _, y = _memory(np.random.default_rng(4))
    store = SequentialStore(energy, likelihood=GaussianLikelihood(SIGMA), block=6)
    one = sequential_recall(energy, y, theta=4.0, sigma=SIGMA, block=6)
    np.testing.assert_array_equal(store.recall(y, theta=4.0).decision, one.decision)


def test_duplicates_one_memory_and_nothing_seen():
    rng = np.random.default_rng(6)
    x = np.repeat(rng.standard_normal((1, 10)), 2, axis=0)
    energy = bpc.energies.ModernHopfield.from_prior(x, 1.0, np.zeros(2))
    end = sequential_recall(energy, x[:1], theta=3.0, sigma=1.0)
    np.testing.assert_allclose(end.posterior, 0.5)
    assert not end.certain.any() and (end.used == 10).all()
    alone = bpc.energies.ModernHopfield.from_prior(x[:1], 1.0, np.zeros(1))
    end = sequential_recall(alone, x[:1], theta=3.0)
    assert end.decision[0] == 0 and end.used[0] == 0 and end.bound == 0
    assert end.posterior[0, 0] == 1 and end.certain.all()
    end = sequential_recall(energy, np.full((1, 10), np.nan), theta=3.0, seen=np.zeros(10, bool))
    np.testing.assert_allclose(end.posterior, 0.5)  # the prior
    assert end.used[0] == 0 and end.ok.all()


def test_a_query_of_nan_is_marked_and_the_others_are_right():
    energy, _, y = _memory(np.random.default_rng(8))
    good = sequential_recall(energy, y, theta=4.0, sigma=SIGMA)
    y[3, 2] = np.nan
    end = sequential_recall(energy, y, theta=4.0, sigma=SIGMA)
    assert end.decision[3] == -1 and not end.ok[3] and np.isnan(end.posterior[3]).all()
    others = np.arange(len(y)) != 3
    np.testing.assert_array_equal(end.decision[others], good.decision[others])
    assert end.ok[others].all()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("sigma", dict(sigma=0.0)),
        ("sigma", dict(sigma=-1.0)),
        ("sigma", dict(sigma=1.0, likelihood=GaussianLikelihood(1.0))),
        ("theta", dict(theta=0.0)),
        ("theta", dict(theta=np.nan)),
        ("seen", dict(seen=np.ones(24))),
        ("seen", dict(seen=np.ones(23, bool))),
        ("order", dict(order=np.arange(23))),
        ("order", dict(order=np.zeros(24, int))),
        ("block", dict(block=0)),
        ("budget", dict(budget=0)),
        ("lead", dict(lead=-1.0)),
        ("y", dict(y=np.zeros(24))),
        ("patterns", dict(likelihood=PoissonLikelihood())),
        ("patterns", dict(likelihood=FlipLikelihood(0.1))),
    ],
)
def test_bad_input_is_named(name, bad):
    energy, _, y = _memory(np.random.default_rng(0))
    arguments = dict(y=y, theta=4.0) | bad
    with pytest.raises(ValueError, match=name):
        sequential_recall(energy, arguments.pop("y"), **arguments)


def test_traced_nonsense_is_not_ok():
    energy, _, y = _memory(np.random.default_rng(0))
    end = jax.jit(lambda s: sequential_recall(energy, y, theta=4.0, sigma=s))(-1.0)
    assert not end.ok.any() and (end.decision == -1).all()


@pytest.mark.slow
def test_rasters_are_recalled_whatever_their_shift():
    rng = np.random.default_rng(9)
    x = (rng.random((5, 6, 8)) < 0.3).astype(float)
    half = 0.5 * (x**2).sum((1, 2))
    energy = bpc.energies.DelayHopfield(x, SIGMA**-2, -half)
    target, shift = rng.integers(0, 5, 12), rng.integers(0, 8, 12)
    y = np.array([np.roll(x[m], s, -1) for m, s in zip(target, shift, strict=True)])
    y = y + 0.3 * rng.standard_normal(y.shape)
    whole = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA)
    posterior = jax.vmap(energy.posterior)(jnp.asarray(y))  # by FFT
    np.testing.assert_allclose(whole.posterior, posterior.reshape(12, -1), rtol=1e-9, atol=1e-12)
    seen = rng.random((6, 8)) < 0.7
    some = sequential_recall(energy, y, theta=np.inf, sigma=SIGMA, seen=seen)
    posterior = jax.vmap(lambda y: energy.posterior(y, seen))(jnp.asarray(y))
    np.testing.assert_allclose(some.posterior, posterior.reshape(12, -1), rtol=1e-8, atol=1e-12)
    early = sequential_recall(energy, y, theta=9.0, sigma=0.3)
    np.testing.assert_array_equal(energy.hypothesis(early.decision).memory, target)
    np.testing.assert_array_equal(energy.hypothesis(early.decision).shift, shift)
    assert (early.operations.macs < 0.5 * whole.operations.macs).all()


def test_half_masked_digits_are_recalled_where_zeros_mislead():
    from experiments.common.data import draw_balanced, load, standardise

    images = load("digits", None)
    rng = np.random.default_rng(0)
    values, _, _ = standardise(images.pixels.reshape(len(images.pixels), -1))
    x = values[draw_balanced(images.labels, 200, rng)]
    energy = bpc.energies.ModernHopfield.from_prior(x, 1.0, np.zeros(200))
    seen = np.arange(64) < 32
    zeros = jax.vmap(energy.posterior)(jnp.asarray(np.where(seen, x, 0.0)))
    known = jax.vmap(lambda y: energy.posterior(y, seen))(jnp.asarray(x))
    target = np.arange(200)
    assert (zeros.argmax(1) == target).mean() < 0.9  # attention's .745 of the main job
    assert (known.argmax(1) == target).mean() >= 0.995
    filled = jax.vmap(lambda y: energy.update(y, seen))(jnp.asarray(x))
    mixture = known @ energy.patterns
    np.testing.assert_allclose(filled, mixture, atol=1e-4)
