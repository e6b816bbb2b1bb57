"""Closed forms of sequential recall on the sphere, against walks and quadrature."""

import numpy as np
import pytest
from scipy import integrate, stats

from theory.closed_forms import sequential as law


def walks(sigma, theta, size, runs, seed=0):
    """First passages of the log odds, entry by entry, at most `size`."""
    rng = np.random.default_rng(seed)
    d = np.sqrt(2) * rng.standard_normal((runs, size))
    odds = ((0.5 * d * d + d * sigma * rng.standard_normal(d.shape)) / sigma**2).cumsum(axis=1)
    passed = odds > theta
    return np.where(passed.any(axis=1), passed.argmax(axis=1) + 1, size), odds


def test_moments_of_an_entry():
    _, odds = walks(1.5, 5.0, 40, 20_000)
    mean, variance = law.moments(1.5)
    np.testing.assert_allclose(odds[:, -1].mean(), 40 * mean, rtol=0.01)
    np.testing.assert_allclose(odds[:, -1].var(), 40 * variance, rtol=0.03)


@pytest.mark.parametrize("size", [3, 40, 80, 400])
def test_share_is_the_integral_of_the_inverse_gaussian(size):
    theta, sigma = 10.0, 2.0
    mean, variance = law.moments(sigma)
    shape = theta**2 / variance
    passage = stats.invgauss(theta / mean / shape, scale=shape)
    expected = integrate.quad(passage.sf, 0, size, limit=200)[0] / size
    np.testing.assert_allclose(law.share(theta, sigma, size), expected, rtol=1e-7)


def test_limits_of_the_share():
    # Wald: the mean is theta sigma^2 far from the end; far beyond it all is done.
    np.testing.assert_allclose(law.share(10.0, 2.0, 4000), law.simple_share(10.0, 2.0, 4000))
    np.testing.assert_allclose(law.share(10.0, 2.0, 4), 1.0, rtol=1e-9)
    assert law.share(10.0, 2.0, 40) < 0.85  # near the end it is less than either


@pytest.mark.parametrize(("sigma", "theta"), [(1.0, 10.0), (2.0, 5.0), (2.0, 20.0), (4.0, 10.0)])
def test_walks_take_as_long(sigma, theta):
    for size in (int(theta * sigma**2), int(4 * theta * sigma**2)):
        times, _ = walks(sigma, theta, size, 4000)
        expected = law.share(theta, sigma, size, law.overshoot(sigma))
        # 5 % more at sigma = 1, where sums of few entries are not normal; 1 % of chance.
        assert abs(times.mean() / size / expected - 1) < (0.07 if sigma == 1 else 0.04)


def test_overshoot_of_small_steps():
    """Of small normal steps: 0.5826 of their standard deviation (Siegmund 1985, ch. 10)."""
    for sigma in (8.0, 16.0):
        sd = np.sqrt(law.moments(sigma)[1])
        np.testing.assert_allclose(law.overshoot(sigma) / sd, 0.5826, rtol=0.06)
