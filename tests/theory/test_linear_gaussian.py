"""Linear predictive coding: the evidence, the posterior and the least energy by other routes."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from theory.closed_forms import linear_gaussian as lg

SIZES = (3, 5, 4, 2)


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def chain(seed=0, sizes=SIZES):
    key = np.random.default_rng(seed)
    weights = [key.normal(size=pair) for pair in zip(sizes[1:], sizes[:-1], strict=True)]
    roots = [key.normal(size=(n, n)) for n in sizes[1:]]
    covariances = [r @ r.T / n + 0.3 * np.eye(n) for r, n in zip(roots, sizes[1:], strict=True)]
    return weights, covariances, key.normal(size=(6, sizes[0])), key.normal(size=(6, sizes[-1]))


def split(hidden, sizes=SIZES):
    return np.split(hidden, np.cumsum(sizes[1:-2]), axis=-1)


def test_evidence_is_that_of_the_marginal_and_of_laplace():
    weights, covariances, x, y = chain()
    path, s = lg.marginal(weights, covariances)
    direct = [multivariate_normal(path @ a, s).logpdf(b) for a, b in zip(x, y, strict=True)]
    result = lg.log_evidence(weights, covariances, x, y)
    close(result, direct)
    log_dets = sum(np.linalg.slogdet(m)[1] for m in covariances)
    log_det_h = np.linalg.slogdet(lg.hessian(weights, covariances))[1]
    close(np.linalg.slogdet(s)[1], log_dets + log_det_h)
    laplace = lg.least_energy(weights, covariances, x, y) + 0.5 * (
        log_dets + log_det_h + SIZES[-1] * np.log(2 * np.pi)
    )
    close(-laplace, result)


def test_the_mean_of_the_posterior_is_the_least_energy():
    weights, covariances, x, y = chain(1)
    mean, _ = lg.posterior(weights, covariances, x, y)
    least = lg.least_energy(weights, covariances, x, y)
    close(lg.energy(weights, covariances, [x, *split(mean), y]), least)

    def energy(hidden):
        return lg.energy(weights, covariances, [x[0], *split(hidden), y[0]])

    result = minimize(energy, np.zeros(9), method="BFGS", options=dict(gtol=1e-6))
    close(result.fun, least[0], 1e-9)
    close(result.x, mean[0], atol=1e-4)


def test_the_hessian_is_the_curvature_of_the_energy():
    weights, covariances, x, y = chain(2)
    h, step = lg.hessian(weights, covariances), np.eye(9)

    def energy(hidden):
        return lg.energy(weights, covariances, [x[0], *split(hidden), y[0]])

    # F is quadratic: differences are exact.
    curvature = [
        [energy(a + b) - energy(a) - energy(b) + energy(np.zeros(9)) for a in step] for b in step
    ]
    close(h, curvature, atol=1e-10)
    close(lg.posterior(weights, covariances, x, y)[1] @ h, np.eye(9), atol=1e-11)


def test_the_posterior_by_conditioning_the_joint_law():
    # Joint covariance of (z_1, z_2, y) given x from its generation, then the usual conditioning.
    weights, covariances, x, y = chain(3)
    w1, w2, w3 = weights
    s1, s2, s3 = covariances
    make = np.block(
        [
            [np.eye(5), np.zeros((5, 4)), np.zeros((5, 2))],
            [w2, np.eye(4), np.zeros((4, 2))],
            [w3 @ w2, w3, np.eye(2)],
        ]
    )
    noise = np.zeros((11, 11))
    noise[:5, :5], noise[5:9, 5:9], noise[9:, 9:] = s1, s2, s3
    joint = make @ noise @ make.T
    start = x @ np.concatenate([w1, w2 @ w1, w3 @ w2 @ w1]).T
    gain = np.linalg.solve(joint[9:, 9:], joint[9:, :9]).T
    mean, covariance = lg.posterior(weights, covariances, x, y)
    close(mean, start[:, :9] + (y - start[:, 9:]) @ gain.T)
    close(covariance, joint[:9, :9] - gain @ joint[9:, :9], 1e-9, 1e-12)


def test_the_evidence_of_a_scalar_chain_by_quadrature():
    weights, covariances, x, y = chain(4, (1, 1, 1, 1))
    x, y = x[:1], y[:1]

    # The trapezoidal rule is exact to rounding for such smooth, narrow functions.
    grid = np.linspace(-15, 15, 301)
    a, b = (z.reshape(-1, 1) for z in np.meshgrid(grid, grid))
    area = 0.01 * np.exp(-lg.energy(weights, covariances, [x[0], a, b, y[0]])).sum()
    scale = np.prod([2 * np.pi * s[0, 0] for s in covariances]) ** -0.5
    close(lg.log_evidence(weights, covariances, x, y), np.log(area * scale), 1e-9)


def test_without_hidden_layers_it_is_regression():
    weights, covariances, x, y = chain(5, (3, 2))
    miss = y - x @ weights[0].T
    close(
        lg.least_energy(weights, covariances, x, y),
        0.5 * np.einsum("bi,ij,bj->b", miss, np.linalg.inv(covariances[0]), miss),
    )


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w, s: (w, s[:2]), "one covariance for each"),
        (lambda w, s: (w[::-1], s[::-1]), "act on the layer below"),
        (lambda w, s: (w, s[::-1]), "square, of their layer's size"),
        (lambda w, s: (w, [-s[0], *s[1:]]), "positive definite"),
        (lambda w, s: (w, [s[0] + np.triu(s[0]), *s[1:]]), "symmetric"),
        (lambda w, s: (w[:1], s[:1]), "no hidden states"),
    ],
)
def test_input_out_of_range_is_refused(change, words):
    weights, covariances, x, y = chain()
    with pytest.raises(ValueError, match=words):
        lg.posterior(*change(weights, covariances), x, y)
