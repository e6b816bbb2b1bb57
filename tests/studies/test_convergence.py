"""The study of convergence, small, against theory."""

import numpy as np
import pytest

from experiments.convergence import maps as parallel, measure as measure

pytestmark = pytest.mark.study


@pytest.mark.slow
def test_dither_is_poissons_sum():
    # Two sums of one number: over the lattice, and over waves (Poisson). The leading wave decays
    # as exp(-2 pi^2 (T / d^2) k^T H^-1 k), here for k = (1, 0) with (H^-1)_11 = 1 / 1.64.
    ratios = 0.1, 0.2, 0.3, 0.4
    metrics = measure.dither(ratios, 0.5, 200)
    np.testing.assert_allclose(metrics["law"], metrics["exact"], atol=1e-9)
    size = np.linalg.norm(metrics["exact"], axis=1)
    fit = np.log(size[-2:] / ratios[-2:])
    slope = (fit[1] - fit[0]) / (ratios[-1] - ratios[-2])
    np.testing.assert_allclose(slope, -2 * np.pi**2 / 1.64, rtol=0.01)


@pytest.mark.slow
def test_greedy_spikes_come_to_rest_within_the_bound():
    metrics = measure.orders((0.2, 0.1), 3, (6, 8, 7, 4), False, 0.01)
    assert metrics["rest"].all() and not metrics["rises"].any()
    assert (metrics["rms"] <= metrics["bound"]).all()
    assert (metrics["spikes"] * 0.01 <= metrics["budget"]).all()


def test_the_radius_of_a_delayed_map_is_known():
    # x' = x - g x_delayed: one step of delay is stable for g < 1 (Jury), none for g < 2.
    one = np.eye(1)
    for delay, edge in ((0, 2.0), (1, 1.0)):
        below, above = (
            parallel._radius(g * edge, np.zeros((1, 1)), -one, delay) for g in (0.99, 1.01)
        )
        assert below < 1 < above
