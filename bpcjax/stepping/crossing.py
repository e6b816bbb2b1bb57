"""Where a guard rises through zero: cubics through its values and slopes at two times."""

import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Guards = Float[Array, "*n"]


def _cubic(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> tuple[Guards, Guards]:
    """Coefficients of theta^3 and theta^2 of the Hermite cubic on [0, 1]."""
    return 2 * (g0 - g1) + d0 + d1, 3 * (g1 - g0) - 2 * d0 - d1


def cubic(g0: Guards, d0: Guards, g1: Guards, d1: Guards, at: Guards) -> tuple[Guards, Guards]:
    """Value and slope at `at` of the Hermite cubic with the given values and slopes at 0 and 1."""
    a, b = _cubic(g0, d0, g1, d1)
    return ((a * at + b) * at + d0) * at + g0, (3 * a * at + 2 * b) * at + d0


def _peak(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> tuple[Guards, Guards, Guards]:
    """Place, height and curvature of the inner maximum; meaningful where d0 > 0 > d1."""
    a, b = _cubic(g0, d0, g1, d1)
    inner = (d0 > 0) & (d1 < 0)
    root = jnp.sqrt(jnp.where(inner, b * b - 3 * a * d0, 1.0))
    place = jnp.where(inner, d0 / jnp.where(inner, root - b, 1.0), 1.0)
    height = ((a * place + b) * place + d0) * place + g0
    return place, jnp.where(inner, height, -jnp.inf), 2 * root


def crosses(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> Bool[Array, "*n"]:
    """Whether the cubic with values `g0 < 0`, `g1` and slopes `d0`, `d1` (per unit of the
    interval) reaches zero: at its end, or on an excursion inside.
    """
    return (g1 >= 0) | (_peak(g0, d0, g1, d1)[1] >= 0)


def first_root(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> Guards:
    """The place in [0, 1] of the first rise of each cubic through zero; `inf` where none."""
    a, b = _cubic(g0, d0, g1, d1)
    place, height, curvature = _peak(g0, d0, g1, d1)
    ends_above = g1 >= 0
    secant = g0 / jnp.where(ends_above, g0 - g1, -1.0)
    below_peak = place - jnp.sqrt(2 * jnp.maximum(height, 0.0) / jnp.maximum(curvature, 1e-30))
    top = jnp.where(height >= 0, place, 1.0)
    theta = jnp.clip(jnp.where(height >= 0, below_peak, secant), 0.0, top)

    def newton(_, theta):
        value = ((a * theta + b) * theta + d0) * theta + g0
        slope = (3 * a * theta + 2 * b) * theta + d0
        step = value / jnp.where(slope > 0, slope, 1.0)
        return jnp.clip(jnp.where(slope > 0, theta - step, theta), 0.0, top)

    theta = lax.fori_loop(0, 3, newton, theta)
    return jnp.where(ends_above | (height >= 0), theta, jnp.inf)
