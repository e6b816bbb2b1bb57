"""Bayesian predictive coding: its free energy, what it does to inference, what lowers it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bpcjax as bpc
from bpcjax import energies as en, learning
from theory.closed_forms import linear_gaussian as lg

SIZES = (3, 4, 2)


def network(key, sizes=SIZES, activation=jnp.tanh, kind=en.MatrixNormal.gammas):
    def arrow(k):
        prior = kind(sizes[k + 1], sizes[k] + 1, noise_std=0.5, count=8.0)
        mean = 0.7 * jax.random.normal(jax.random.fold_in(key, k), prior.mean.shape)
        start = en.MatrixNormal(mean, 4 * prior.precision, prior.noise)
        return en.BayesianArrow(k, k + 1, start, prior, activation)

    return en.BayesianPredictiveCoding(arrow(k) for k in range(len(sizes) - 1))


def data(seed, n=12):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, SIZES[0]))
    return jnp.asarray(x), jnp.asarray(np.tanh(x @ rng.normal(size=(SIZES[0], SIZES[-1]))))


@pytest.mark.slow
def test_linear_oracle_general_sigma():
    # F of the point network with any covariances: at its minimum, with Laplace's determinants,
    # minus the log evidence of theory.closed_forms, from the marginal covariance of y.
    rng = np.random.default_rng(0)
    sizes = (3, 5, 4, 2)
    weights = [rng.normal(size=p) for p in zip(sizes[1:], sizes[:-1], strict=True)]
    roots = [rng.normal(size=(n, n)) for n in sizes[1:]]
    sigmas = [r @ r.T / n + 0.3 * np.eye(n) for r, n in zip(roots, sizes[1:], strict=True)]
    precisions = [np.linalg.inv(s) for s in sigmas]
    net = en.PredictiveCoding(
        en.Arrow(k, k + 1, en.DenseMap(w), en.Gaussian(0.5 * (p + p.T)))
        for k, (w, p) in enumerate(zip(weights, precisions, strict=True))
    )
    x, y = rng.normal(size=3), rng.normal(size=2)
    mean, covariance = lg.posterior(weights, sigmas, x, y)
    state = (None, *map(jnp.asarray, np.split(mean, [5])), None)
    args = (jnp.asarray(x), None, None, jnp.asarray(y))
    for slope in jax.tree.leaves(jax.grad(net)(state, args)):
        np.testing.assert_allclose(slope, 0, atol=1e-10)
    constants = 0.5 * sum(n * np.log(2 * np.pi) + np.linalg.slogdet(s)[1]
                          for n, s in zip(sizes[1:], sigmas, strict=True))  # fmt: skip
    least = lg.least_energy(weights, sigmas, x, y)
    np.testing.assert_allclose(net(state, args), least + constants, rtol=1e-10)
    result, undo = jax.flatten_util.ravel_pytree(state)
    h = jax.hessian(lambda v: net(undo(v), args))(result)
    np.testing.assert_allclose(np.linalg.inv(h), covariance, atol=1e-10)
    laplace = net(state, args) + 0.5 * np.linalg.slogdet(h)[1] - 0.5 * 9 * np.log(2 * np.pi)
    evidence = lg.log_evidence(weights, sigmas, x[None], y[None])[0]
    np.testing.assert_allclose(laplace, -evidence, rtol=1e-10)


@pytest.mark.slow
def test_uncertainty_term_gradient_on_presyn(getkey):
    # dF/dz_1 by hand: own error, corrections through the mean weights, and m f'(z) V a, the drive
    # away from what the synapses above know little of.
    net = network(getkey())
    z = tuple(jax.random.normal(getkey(), (n,)) for n in SIZES)
    result = jax.grad(net)((None, z[1], None), (z[0], None, z[2]))[1]
    below, above = (a.posterior for a in net.arrows)
    a0, a1 = (jnp.append(jnp.tanh(v), 1.0) for v in z[:2])
    own = below.noise.count / below.noise.scatter * (z[1] - below.mean @ a0)
    error = above.noise.count / above.noise.scatter * (z[2] - above.mean @ a1)
    slope = 1 - jnp.tanh(z[1]) ** 2
    unsure = SIZES[2] * slope * (jnp.linalg.inv(above.precision) @ a1)[:-1]
    by_hand = own - slope * (above.mean.T @ error)[:-1] + unsure
    np.testing.assert_allclose(result, by_hand, rtol=1e-10)
    assert np.abs(unsure).max() > 0.01
    # the network of the means lacks that term, and nothing else
    point = jax.grad(net.point())((None, z[1], None), (z[0], None, z[2]))[1]
    np.testing.assert_allclose(result - point, unsure, atol=1e-10)


def descend(net, y, args, steps, rate):
    """The state after steps of descent, each halved until F does not rise."""
    energy = jax.vmap(net)
    slope = jax.vmap(jax.grad(net))

    def step(y, _):
        before, g = energy(y, args), slope(y, args)

        def halve(carry):
            size, _ = carry
            size = jnp.where(worse(size), size / 2, size)
            return size, worse(size).any()

        def worse(size):
            moved = jax.tree.map(lambda v, d: v - size[:, None] * d, y, g)
            return energy(moved, args) > before

        size = jax.lax.while_loop(lambda c: c[1], halve, (jnp.full(len(before), rate), True))[0]
        return jax.tree.map(lambda v, d: v - size[:, None] * d, y, g), None

    return jax.lax.scan(step, y, None, length=steps)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [en.MatrixNormal.gammas, pytest.param(en.MatrixNormal.wishart, marks=pytest.mark.slow)],
)
def test_full_batch_F_monotone(getkey, kind):
    # Descent over z, then the exact posterior of the weights, by turns: F never rises.
    net = network(getkey(), kind=kind)
    x, target = data(1)
    args, y = (x, None, target), (None, jnp.zeros((len(x), 4)), None)
    rule = learning.conjugate(net.prior())

    @eqx.filter_jit
    def turn(net, y):
        y = descend(net, y, args, 5, 0.1)
        between = net.free_energy(y, args)
        moved, _ = rule.update(net.statistics(y, args), optax.EmptyState(), net.prior())
        net = net.at(optax.apply_updates(net.prior(), moved))
        return net, y, between, net.free_energy(y, args)

    seen = [net.free_energy(y, args)]
    for _ in range(30):
        net, y, *result = turn(net, y)
        seen += result
    assert (np.diff(seen) <= 1e-9 * np.abs(seen[:-1])).all()
    assert seen[-1] < seen[0] - 10
    assert (np.diff(seen)[-2:] < 0).all()  # still descending, not stuck


@pytest.mark.slow
def test_energy_is_a_sum_over_units_of_one_sample(getkey):
    net, (x, target) = network(getkey()), data(2)
    y, args = (None, jnp.ones((12, 4)), None), (x, None, target)
    each = jax.vmap(net)(y, args)
    np.testing.assert_allclose(net.free_energy(y, args), each.sum() + net.kl(), rtol=1e-12)
    terms = jax.vmap(net.terms)(y, args)
    assert set(terms) == {"0->1", "1->2"}
    np.testing.assert_allclose(sum(terms.values()), each, rtol=1e-12)
    # a layer left out takes its arrows along
    assert set(net.terms((None, jnp.ones(4), None), (x[0], None, None))) == {"0->1"}


@pytest.mark.slow
def test_the_flow_goes_through_the_engine(getkey):
    # The same energy as a flow: where it rests F has no slope, and the posterior's draws differ.
    net, (x, target) = network(getkey()), data(3)
    args = (x[0], None, target[0])
    flow = bpc.GradientFlow(net)
    solution = bpc.simulate(flow, (None, jnp.zeros(4), None), args, t1=60.0, dt=0.05)
    end = jax.tree.map(lambda v: v[-1], solution.ys)
    assert np.abs(jax.grad(net)(end, args)[1]).max() < 1e-6
    one, two = (net.sample(jax.random.key(k)).forward((x[0], None, None))[2] for k in (0, 1))
    assert np.abs(one - two).max() > 0.01


def test_what_cannot_be_learned_is_named(getkey):
    net, (x, _) = network(getkey()), data(4)
    with pytest.raises(ValueError, match="1->2: to learn it"):
        net.statistics((None, jnp.ones((12, 4)), None), (x, None, None))


@pytest.mark.slow
def test_synaptic_posteriors_make_a_classifier(getkey):
    # Rectified hidden units and a class: the bound of F falls, and the classes are found.
    sizes, mismatch = (4, 12, 3), (en.Rectified(), en.Categorical())
    key = getkey()

    def arrow(k):
        shape = sizes[k + 1], sizes[k] + 1
        mean = jax.random.normal(jax.random.fold_in(key, k), shape) / np.sqrt(shape[1])
        prior = en.SynapticNormal(jnp.zeros(shape), 1.0, mismatch[k])
        start = en.SynapticNormal(mean, 100.0, mismatch[k])
        return en.BayesianArrow(k, k + 1, start, prior)

    net = en.BayesianPredictiveCoding(arrow(k) for k in range(2))
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(90, 4)))
    label = jax.nn.one_hot((x @ rng.normal(size=(4, 3))).argmax(axis=1), 3)
    args = (x, None, label)
    y = (None, jax.vmap(lambda x: net.point().forward((x, None, None))[1])(x), None)
    rule = learning.natural_gradient(net.prior(), 1.0, 0.05)

    @eqx.filter_jit
    def turn(net, y):
        for _ in range(5):
            slope = jax.vmap(jax.grad(net))(y, args)
            y = jax.tree.map(lambda v, g: jax.nn.relu(v - 0.1 * g), y, slope)
        eta = net.natural()
        moved, _ = rule.update(net.statistics(y, args), rule.init(eta), eta)
        net = net.at(optax.apply_updates(eta, moved))
        return net, y, net.free_energy(y, args)

    seen = []
    for _ in range(80):
        net, y, free = turn(net, y)
        seen.append(float(free))
    assert seen[-1] < seen[0] - 10 and (np.diff(seen) < 0.5).all()
    scores = jax.vmap(lambda x: net.point().forward((x, None, None))[2])(x)
    assert (scores.argmax(axis=1) == label.argmax(axis=1)).mean() > 0.85
