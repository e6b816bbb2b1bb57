"""Find the first threshold crossing inside a step, on the true flow."""

from collections.abc import Callable

import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..system import Scalar
from .crossing import crosses, first_root
from .flat import FlatSystem, Vector

_CLOSE = 1e-4  # of the step: what `saltation.jump` then polishes to third order
_STRAIGHT = 1e-2  # relative change of a slope over the last step of the search
_TRIES = 120


def near_zero(system: FlatSystem, h: Scalar, t: Scalar, y: Vector, noisy: bool) -> Bool[Array, ""]:
    """Whether some guard is within a third of its change in a time `h` of zero, or past it.

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
    """Time of the first crossing in (t, t1]; whether there is one; whether the search converged.

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
        guess, found = earliest(lo, low, hi, high)

        def straight(step):
            """Whether the slope of no guard that crosses changes much over the last step."""
            change = jnp.abs(step / (hi - lo) * (high[1] - low[1]))
            return ((high[0] < 0) | (change <= _STRAIGHT * jnp.abs(here[1]))).all()

        near = jnp.array(not noisy) & (jnp.abs(guess - a) <= close) & straight(guess - a)
        done = ~found | (hi - lo <= tiny) | near
        stuck = (tries > 2) & (tries % 2 == 1)  # halve the bracket too: it always shrinks
        guess = jnp.where(done | ~stuck, guess, lo + 0.5 * (hi - lo))
        return lo, low, hi, high, guess, found, tries + 1, done

    low, high = system.slope(t, y), system.slope(t1, y1)
    guess, found = earliest(t, low, t1, high)
    start = (t, low, t1, high, guess, found, jnp.array(0, jnp.int32), ~found)
    _, _, hi, _, a, found, _, done = lax.while_loop(
        lambda c: ~c[-1] & (c[-2] < _TRIES), body, start
    )
    return (hi if noisy else a), found, done
