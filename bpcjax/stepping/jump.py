"""Jump at an event: its true time, the reset, the kicks, and their exact derivatives."""

from typing import Any

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._layout import Vector
from ..system import Scalar
from .flat import FlatSystem


class Jump(eqx.Module):
    """Jump at an event: when, the state after it, which guards emitted a spike and when, and
    whether a crossing was there at all."""

    t: Scalar
    y: Vector
    times: Float[Array, " n"]
    spiked: Bool[Array, " n"]
    ok: Bool[Array, ""]


def jump(system: FlatSystem, a: Scalar, y: Vector, smooth: Bool[Array, ""], reach: Scalar) -> Jump:
    """Jump at the event at or next to time `a`, where the state is `y`.

    `smooth`: the guards rose through zero on the flow, near `a` (at most `reach` away); their
    times follow by one step of Chebyshev's iteration, which carries the exact first and second
    derivatives of each time. Otherwise the guards are past zero because something jumped: the
    event is at `a`. Guards that cross together jump together, each by its own time.
    """

    one = jnp.ones_like(a)
    rate, along = jax.linearize(system.rate, a, y)
    turn = along(one, rate)

    def after(s):
        return y + s * (rate + 0.5 * s * turn)

    def guard(s):
        return jax.jvp(lambda s: system.guard(a + s, after(s)), (s,), (one,))

    (g, d), (_, curve) = jax.jvp(guard, (jnp.zeros_like(a),), (one,))
    near = (d > 0) & (jnp.abs(g) <= reach * d)
    safe = lax.select(near, d, jnp.ones_like(d))
    newton = lax.select(near, g, jnp.zeros_like(g)) / safe
    shift = -newton - 0.5 * curve / safe * newton * newton
    first = lax.select(near, shift, jnp.full_like(g, jnp.inf)).min()
    smooth = smooth & jnp.isfinite(first)
    together = 16 * jnp.finfo(a.dtype).eps * (jnp.abs(a) + reach)
    s = lax.select(smooth, first, jnp.zeros_like(first))
    hit = jnp.where(smooth, near & (shift <= s + together), g >= 0)

    t, before = a + s, after(s)
    if g.size == 1:
        return _finish(system, t, before, hit, jnp.broadcast_to(t, g.shape))
    delay = lax.select(hit & smooth, shift - s, jnp.zeros_like(g))
    delay = delay - lax.stop_gradient(delay)  # zero, with each neuron's own derivative
    return _finish(system, t, before, hit, t + delay, delay, rate)


def _finish(system, t, before, hit, times, delay: Any = None, rate: Any = None) -> Jump:
    """Reset and kick at `t`. With a `delay`, each neuron flows to its own time and back: to first
    order, so that neurons which cross together keep their own derivatives.
    """
    spiked = system.emits(t, before, hit)
    spikes = spiked.astype(t.dtype)
    own = jnp.zeros(()) if delay is None else system.per_neuron(delay, t, before)
    y = system.reset(t, before if delay is None else before + own * rate, hit)
    kick = system.kick(t, y, spikes)  # after the reset: who is held by then ignores it
    if delay is None:
        return Jump(t, y if kick is None else y + kick, times, spiked.ravel(), hit.any())
    if kick is None:
        return Jump(t, y - own * system.rate(t, y), times, spiked.ravel(), hit.any())
    lead = spikes * delay.reshape(spikes.shape)
    kick, moment = jax.jvp(lambda s: system.kick(t, y, s), (spikes,), (lead,))
    drift, missed = jax.jvp(lambda y: system.rate(t, y), (y + kick,), (moment,))
    return Jump(t, y + kick - own * drift - missed, times, spiked.ravel(), hit.any())


def arrive(system: FlatSystem, t: Scalar, y: Vector, counts, leads) -> Vector:
    """The state after arrivals at `t`, of which each is later by its lead (zero, but with a
    derivative): it then finds its way as if it had come at its own time.
    """
    change, moment = jax.jvp(lambda c: system.arrive(t, y, c), (counts,), (leads,))
    return y + change - jax.jvp(lambda y: system.rate(t, y), (y + change,), (moment,))[1]
