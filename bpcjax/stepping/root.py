"""Root finding for guards: roots of cubics, and the search on the true flow."""

from collections.abc import Callable

import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._layout import Vector
from ..system import Scalar
from .flat import FlatSystem

Guards = Float[Array, "*n"]


def _cubic(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> tuple[Guards, Guards]:
    """Coefficients of theta^3 and theta^2 of the Hermite cubic on [0, 1]."""
    return 2 * (g0 - g1) + d0 + d1, 3 * (g1 - g0) - 2 * d0 - d1


def cubic(g0: Guards, d0: Guards, g1: Guards, d1: Guards, at: Guards) -> tuple[Guards, Guards]:
    """Hermite cubic: value and slope at `at`, for the given values and slopes at 0 and 1."""
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
    """Crossing test: whether the cubic with values `g0 < 0`, `g1` and slopes `d0`, `d1` (per unit
    of the interval) reaches zero, at its end or on an excursion inside."""
    return (g1 >= 0) | (_peak(g0, d0, g1, d1)[1] >= 0)


def first_root(g0: Guards, d0: Guards, g1: Guards, d1: Guards) -> Guards:
    """First root: the place in [0, 1] of the first rise of each cubic through zero; `inf` where
    none."""
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


_CLOSE = 1e-4  # of the step: what `saltation.jump` then polishes to third order
_STRAIGHT = 1e-2  # relative change of a slope over the last step of the search
_TRIES = 120


def near_zero(system: FlatSystem, h: Scalar, t: Scalar, y: Vector, noisy: bool) -> Bool[Array, ""]:
    """Cautious test: whether some guard is within a third of its change in a time `h` of zero, or
    past it.

    A cubic stays below its Bezier points, which are its ends and those a third of its end
    slopes away: where this is false at both ends of a step, no guard can rise to zero inside.
    """
    if noisy:  # slopes of a rough path say nothing
        return jnp.array(True)
    g, d = system.slope(t, y)
    return ~(g + jnp.abs(h / 3 * d) < 0).all()  # so that NaN counts as near


def locate(
    system: FlatSystem,
    advance: Callable[[Scalar], Vector],
    t: Scalar,
    y: Vector,
    t1: Scalar,
    y1: Vector,
    noisy: bool,
) -> tuple[Scalar, Bool[Array, ""], Bool[Array, ""]]:
    """Event location: time of the first crossing in (t, t1]; whether there is one; whether the
    search converged.

    `advance(a)` is the state at time `a` on the flow from (t, y). Each try evaluates the flow at
    the root of the cubics on the current bracket and keeps the part that holds the first
    crossing. Nothing here is differentiated: call it on stopped gradients.
    """

    def earliest(lo, low, hi, high):
        h = hi - lo
        if noisy:
            return lo + 0.5 * h, (high[0] >= 0).any()
        theta = first_root(low[0], h * low[1], high[0], h * high[1]).min()
        return lo + jnp.minimum(theta, 1.0) * h, theta <= 1.0

    span = t1 - t
    tiny = 4 * jnp.finfo(jnp.result_type(t)).eps * (jnp.abs(t1) + span)
    close = jnp.maximum(0.0 if noisy else _CLOSE * span, tiny)

    def body(carry):
        lo, low, hi, high, a, _, tries, _ = carry
        here = system.slope(a, advance(a))
        h = a - lo
        left = here[0] >= 0
        if not noisy:
            left = left | crosses(low[0], h * low[1], here[0], h * here[1])
        left = left.any()

        def pick(x, y):
            return jnp.where(left, x, y)

        lo, hi = pick(lo, a), pick(a, hi)
        low, high = jax.tree.map(pick, low, here), jax.tree.map(pick, here, high)
        guess, exists = earliest(lo, low, hi, high)

        def straight(step):
            """Whether the slope of no guard that crosses changes much over the last step."""
            change = jnp.abs(step / (hi - lo) * (high[1] - low[1]))
            return ((high[0] < 0) | (change <= _STRAIGHT * jnp.abs(here[1]))).all()

        near = jnp.array(not noisy) & (jnp.abs(guess - a) <= close) & straight(guess - a)
        done = ~exists | (hi - lo <= tiny) | near
        stuck = (tries > 2) & (tries % 2 == 1)  # halve the bracket too: it always shrinks
        guess = jnp.where(done | ~stuck, guess, lo + 0.5 * (hi - lo))
        return lo, low, hi, high, guess, exists, tries + 1, done

    low, high = system.slope(t, y), system.slope(t1, y1)
    guess, exists = earliest(t, low, t1, high)
    start = (t, low, t1, high, guess, exists, jnp.array(0, jnp.int32), ~exists)
    _, _, hi, _, a, exists, _, done = lax.while_loop(
        lambda c: ~c[-1] & (c[-2] < _TRIES), body, start
    )
    return (hi if noisy else a), exists, done
