"""The logistic and the Henon map against published numbers."""

import numpy as np
import pytest

from theory.closed_forms import maps


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def test_period_doublings():
    # May (1976), Feigenbaum (1978): 3, 1 + sqrt(6), 3.544090, 3.564407, ..., 3.569946.
    result = maps.logistic_doublings(9)
    close(result[:4], [3, 3.449490, 3.544090, 3.564407], atol=5e-7, rtol=0)
    gaps = np.diff(result)
    close(gaps[-2] / gaps[-1], 4.669202, 1e-3)
    close(result[-1] + gaps[-1] / (4.669202 - 1), 3.569946, atol=5e-7, rtol=0)


def test_a_cycle_of_two_loses_stability_where_said():
    # Its points are roots of r^2 x^2 - r (r + 1) x + r + 1; the multiplier is 4 + 2 r - r^2.
    for r in (3.2, 1 + np.sqrt(6)):
        x = (r + 1 + np.sqrt((r + 1) * (r - 3))) / (2 * r)
        close(maps.logistic_orbit(r, x, 2)[2], x)
        close(maps.logistic_multiplier(r, x, 2), 4 + 2 * r - r * r, 1e-9)
    close(4 + 2 * r - r * r, -1)


def test_the_cycle_of_three():
    # Points at 1 + sqrt(8), as in ChaosTools' tests.
    points = [0.1599288, 0.5143553, 0.9563178]
    orbit = maps.logistic_orbit(maps.THREE_CYCLE, points[0], 3)
    close(orbit, [*points, points[0]], atol=2e-6, rtol=0)
    close(maps.logistic_multiplier(maps.THREE_CYCLE, points[1], 3), 1.0, atol=1e-4)


def test_exponents():
    # log 2 at r = 4; Henon 0.4193 and log 0.3 less that (2e7 iterates), here 1e5.
    orbit = maps.logistic_orbit(4.0, 0.2345, 200_000)
    close(np.log(np.abs(4 * (1 - 2 * orbit))).mean(), np.log(2), atol=5e-3, rtol=0)
    x, y, tangent, total = 0.1, 0.1, np.array([1.0, 0.0]), 0.0
    for _ in range(100_000):
        tangent = np.array([-2.8 * x * tangent[0] + tangent[1], 0.3 * tangent[0]])
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        size = np.abs(tangent).max()
        tangent, total = tangent / size, total + np.log(size)
    close(total / 1e5, 0.4193, atol=5e-3, rtol=0)


def test_henon_fixed_points():
    for x, y in maps.henon_fixed_points():
        close([1 - 1.4 * x * x + y, 0.3 * x], [x, y])
        result = np.linalg.eigvals([[-2.8 * x, 1.0], [0.3, 0.0]])
        close(np.sort(result)[::-1], maps.henon_multipliers(x))
        close(maps.henon_multipliers(x).prod(), -0.3)
        assert np.abs(result).max() > 1  # both are saddles
    # The known one in closed form: 0.631354.
    close(maps.henon_fixed_points()[0, 0], 0.631354, atol=5e-7, rtol=0)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: maps.logistic_orbit(4.1, 0.3, 3), "r must be in"),
        (lambda: maps.logistic_doublings(12), "count must be in"),
        (lambda: maps.henon_fixed_points(0.0), "a must be positive"),
        (lambda: maps.henon_multipliers(0.1, 1.4, -0.3), "not real"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
