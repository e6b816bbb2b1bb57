"""Hopfield's network of phasors at zero temperature.

Units `z = h / |h|` on the unit circle, `h = W z`, `W = X X^H / n` without its diagonal, for
`alpha n` patterns of random phases. The field of a unit is `m` (along its pattern) plus complex
Gaussian noise of variance `s^2`, `s = sqrt(alpha) / (1 - C)`, where `C = E 1 / (2 |h|)` is the
susceptibility. `|h|` has Rice's law; with `rho = sqrt(2) m / s`, `y = rho^2 / 4` and Bessel's
functions `I`,

    m = sqrt(pi / 8) rho exp(-y) (I_0 + I_1)(y),   s C = sqrt(pi) / 2 exp(-y) I_0(y),

so that `sqrt(alpha) = s - s C = sqrt(pi) / 2 exp(-y) I_1(y)`: the whole curve is explicit in `y`
(capacity 0.038: Cook 1989, J. Phys. A 22:2057).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ive

from ._require import require


class PhasorState(NamedTuple):
    """Load, overlap, and the parameter `y` of the curve."""

    alpha: float
    m: float
    y: float


def state(y):
    """The state at that point of the curve; retrieval is the part above `capacity().y`."""
    y = np.asarray(y, float)
    require(y > 0, "y must be positive.")
    alpha = np.pi / 4 * ive(1, y) ** 2
    return PhasorState(alpha, np.sqrt(np.pi / 2 * y) * (ive(0, y) + ive(1, y)), y)


def capacity():
    """The largest load: where `exp(-y) I_1(y)` is stationary, `I_0 + I_2 = 2 I_1`."""
    top = brentq(lambda y: ive(0, y) + ive(2, y) - 2 * ive(1, y), 0.5, 5.0, xtol=1e-15)
    return PhasorState(*map(float, state(top)))


def retrieval(alpha):
    """The retrieval state at that load; there `alpha` is about `1 / (8 y)` for small loads."""
    top = capacity()
    require(0 < alpha <= top.alpha, f"alpha must be in (0, {top.alpha:.6g}].")
    y = brentq(lambda y: state(y).alpha - alpha, top.y, 1 + 1 / alpha, xtol=1e-14)
    return PhasorState(*map(float, state(y)))
