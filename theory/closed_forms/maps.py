"""Special points of the logistic and the Henon map: tests of anything that works on return maps."""

from math import sqrt

import numpy as np
from scipy.optimize import root

from ._require import require

THREE_CYCLE = 1 + sqrt(8)  # of the logistic map: where its stable cycle of three appears, in a fold


def logistic_orbit(r, x, count):
    """`x`, then its iterates under `x -> r x (1 - x)`: count + 1 values."""
    require(0 <= r <= 4, "r must be in [0, 4], where the unit interval is kept.")
    orbit = np.empty(count + 1)
    orbit[0] = x
    for k in range(count):
        orbit[k + 1] = r * orbit[k] * (1 - orbit[k])
    return orbit


def logistic_multiplier(r, x, period):
    """The slope of that many iterations at `x`: the product of `r (1 - 2 x)` along them."""
    return np.prod(r * (1 - 2 * logistic_orbit(r, x, period)[:-1]))


def logistic_doublings(count):
    """Where cycles of 1, 2, 4, ... points lose stability by period doubling.

    The first two are 3 and `1 + sqrt(6)`. Each further one solves `f^n(x) = x` and slope -1 from
    a guess by Feigenbaum's ratio 4.669202 of successive distances, and from the attractor there.
    """
    require(2 <= count <= 9, "count must be in 2 ... 9: later ones are too close for floats.")
    values = [3.0, 1 + sqrt(6)]
    for k in range(2, count):
        period = 2**k
        guess = values[-1] + (values[-1] - values[-2]) / 4.669202
        inside = values[-1] + 0.9 * (guess - values[-1])
        x = logistic_orbit(inside, 0.5, 40_000)[-1]

        def doubling(unknown, period=period):
            x, r = unknown
            return logistic_orbit(r, x, period)[-1] - x, logistic_multiplier(r, x, period) + 1

        solved = root(doubling, [x, guess], tol=1e-13)
        require(np.abs(solved.fun) < 1e-9, f"the doubling of {period} points was not found.")
        values.append(solved.x[1])
    return np.array(values)


def henon_fixed_points(a=1.4, b=0.3):
    """Of `(x, y) -> (1 - a x^2 + y, b x)`: rows, `x = (b - 1 +- sqrt((1 - b)^2 + 4 a)) / (2 a)`.

    The multipliers are the roots of `s^2 + 2 a x s - b`: their product is `-b` everywhere, so the
    Lyapunov exponents of every orbit add up to `log |b|`.
    """
    require(a > 0, "a must be positive.")
    width = sqrt((1 - b) ** 2 + 4 * a)
    x = (np.array([width, -width]) + b - 1) / (2 * a)
    return np.column_stack([x, b * x])


def henon_multipliers(x, a=1.4, b=0.3):
    """Of the map at a point with that `x`, descending: `-a x +- sqrt((a x)^2 + b)`."""
    require((a * x) ** 2 + b >= 0, "the multipliers are not real there.")
    width = sqrt((a * x) ** 2 + b)
    return np.array([-a * x + width, -a * x - width])
