"""Local events of one step of a population, each neuron on its own."""

from typing import Any, NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from .. import _bits
from ..system import AbstractSpikingSystem, drive_at, varies
from .root import Guards, crosses, cubic, first_root

_NEVER = 2.0  # the place of an event that is not there
_LAST = 64  # units of rounding of a step, before its end


class Outcome(NamedTuple):
    """Outcome of a step for the neurons: where in it their events fell (2: nowhere), which of these
    were spikes, and the state at its end."""

    place: Float[Array, "*n"]
    spiked: Bool[Array, "*n"]
    end: PyTree


class Watch(NamedTuple):
    """Guards at both ends of a step, and their change over it at the slope of the start."""

    g0: Guards
    d0: Guards
    g1: Guards

    @property
    def alert(self) -> Bool[Array, "*n"]:
        """Mask of neurons that may have an event: past threshold at an end, or bound for it at the
        start."""
        return ~((self.g0 < 0) & (self.g1 < 0) & (self.g0 + 0.5 * self.d0 < 0))


class Neurons(eqx.Module):
    """Population in a step: neurons over a step of length `h`: the drive and the state at both
    ends, as if there were no events.

    `back` is how far before the step, in steps, an event may be detected late.
    """

    system: AbstractSpikingSystem
    drive0: PyTree
    drive1: PyTree
    t0: Any
    h: Any
    y0: PyTree
    y1: PyTree
    back: Any

    @classmethod
    def over(cls, system: AbstractSpikingSystem, args, t0, h, y0, y1, back) -> "Neurons":
        """All neurons of a system; a drive that is a function of time is read at the ends.

        **Raises:** `ValueError` if a leaf of the state does not belong to the neurons.
        """
        ends = (drive_at(t0, args), drive_at(t0 + h, args)) if varies(args) else (args, args)
        these = cls(system, *ends, t0, h, y0, y1, back)
        shape = these.shape
        if any(jnp.shape(x)[jnp.ndim(x) - len(shape) :] != shape for x in jax.tree.leaves(y0)):
            shapes = [jnp.shape(x) for x in jax.tree.leaves(y0)]
            raise ValueError(
                f"solver: LocalSpikes needs the neurons, of shape {shape}, on the last axes of "
                f"every leaf of the state, which has shapes {shapes}. Pass OrderedSpikes()."
            )
        return these

    @property
    def t1(self) -> Any:
        """The time at which the step ends."""
        return self.t0 + self.h

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the guard: one entry a neuron."""
        return jax.eval_shape(lambda: self.system.guard(self.t0, self.y0, self.drive0)).shape

    def watch(self) -> Watch:
        """The guards of all neurons: cheap, on every step."""
        g0, d0 = self._slope(self.t0, self.y0, self.drive0)
        return Watch(g0, d0, self.system.guard(self.t1, self.y1, self.drive1))

    def _flow(self, t, y, drive):
        """The change of the state in a whole step at the rate of (t, y)."""
        rate = self.system.vector_field(t, y, drive)
        return jax.tree.map(
            lambda f, x: jnp.broadcast_to(jnp.asarray(self.h * f, x.dtype), x.shape), rate, y
        )

    def _slope(self, t, y, drive) -> tuple[Guards, Guards]:
        """The guards and their change in a step."""
        drift = jax.tree.map(lambda a, b: b - a, self.drive0, self.drive1)
        t, h = jnp.asarray(t), jnp.asarray(self.h)
        tangents = h.astype(t.dtype), self._flow(t, y, drive), drift
        return jax.jvp(self.system.guard, (t, y, drive), tangents)

    def _drive(self, place):
        """The drive at each neuron's own place, linear within the step."""
        if self.drive0 is self.drive1:
            return self.drive0

        def between(a, b):
            a, b = jnp.asarray(a), jnp.asarray(b)
            fits = a.ndim == 0 or a.shape[-1:] == place.shape[-1:]
            return a + (b - a) * (place if fits else 0.5)

        return jax.tree.map(between, self.drive0, self.drive1)

    def take(self, index: Int[Array, " few"]) -> "Neurons":
        """Sub-population of the neurons at `index` on the last axis."""
        (n,) = self.shape

        def some(x):
            own = eqx.is_array(x) and x.shape[-1:] == (n,)
            return x.at[..., index].get(mode="clip") if own else x

        return jax.tree.map(some, self)

    def outcome(self, watch: Watch) -> Outcome:
        """The events of these neurons, and the end of the step after them."""
        return self.outcome_and_resets(watch)[0]

    def outcome_and_resets(self, watch: Watch) -> tuple[Outcome, PyTree]:
        """Outcome of the step, and each neuron's state just after its own event."""
        flow0 = self._flow(self.t0, self.y0, self.drive0)
        flow1 = self._flow(self.t1, self.y1, self.drive1)
        d1 = self._slope(self.t1, self.y1, self.drive1)[1]
        place, hit = _places(watch.g0, watch.d0, watch.g1, d1, self.back)

        def inside(a, f, b, e):
            return cubic(a, f, b, e, place)[0]

        before = jax.tree.map(inside, self.y0, flow0, self.y1, flow1)
        spiked = self.system.emits(before, hit)
        # The end of a hold at the very end of the step is one of the next: what arrives in this
        # one comes before it.
        very_end = 1 - _LAST * float(jnp.finfo(place.dtype).eps)
        hit = hit & (spiked | (watch.g0 >= 0) | (lax.stop_gradient(place) < very_end))
        t, drive = self.t0 + place * self.h, self._drive(place)
        reset = self.system.reset(t, before, drive, hit)
        left = 1 - place
        k1 = self._flow(t, reset, drive)
        k2 = self._flow(self.t1, jax.tree.map(lambda y, k: y + left * k, reset, k1), self.drive1)

        def finish(y, x, a, b):
            return jnp.where(hit, (x + 0.5 * left * (a + b)).astype(y.dtype), y)

        end = jax.tree.map(finish, self.y1, reset, k1, k2)
        return Outcome(jnp.where(hit, place, _NEVER), spiked, end), reset

    def nothing(self) -> Outcome:
        """The outcome if nobody has an event."""
        shape, dtype = self.shape, jnp.result_type(*jax.tree.leaves(self.y0))
        return Outcome(jnp.full(shape, _NEVER, dtype), jnp.zeros(shape, bool), self.y1)


def _places(
    g0: Guards, d0: Guards, g1: Guards, d1: Guards, most: Any
) -> tuple[Guards, Bool[Array, "*n"]]:
    """Where each guard rises through zero, in steps from the start, with its derivatives, and
    whether it does. One past zero at the start rose before: back along its cubic, `most` at most.
    """
    ends = lax.stop_gradient((g0, d0, g1, d1))
    late = ends[0] >= 0
    hit = late | crosses(*ends)
    inside = first_root(jnp.where(late, -1.0, ends[0]), *ends[1:])

    def back(_, place):
        value, slope = cubic(*ends, place)
        rising = slope > 0
        there = place - value / jnp.where(rising, slope, 1.0)
        return jnp.clip(jnp.where(rising, there, 0.0), -most, 0.0)

    guess = jnp.where(late, lax.fori_loop(0, 3, back, jnp.zeros_like(g0)), inside)
    guess = jnp.where(hit, guess, 0.0)
    # One more step of Newton's, which carries the derivative of the place.
    slope = cubic(*ends, guess)[1]
    value = cubic(g0, d0, g1, d1, guess)[0]
    safe = hit & (slope > 0) & (jnp.abs(lax.stop_gradient(value)) < 0.1 * slope)
    place = guess - jnp.where(safe, value, 0.0) / jnp.where(safe, slope, 1.0)
    return jnp.where(late & (most == 0), 0.0, place), hit


def take_events(neurons: Neurons, watch: Watch, few: int) -> Outcome:
    """The outcome of a step: of nobody, of the few that may have an event, or of all at once."""
    alert = watch.alert
    if alert.ndim != 1 or alert.shape[0] <= 2 * few:
        branches = [lambda: neurons.nothing(), lambda: neurons.outcome(watch)]
        return lax.switch(eqxi.unvmap_any(alert).astype(jnp.int32), branches)

    def some() -> Outcome:
        n = alert.shape[0]
        index = _bits.indices(_bits.pack(alert), few, n)
        part = Watch(*(g.at[index].get(mode="clip") for g in watch))
        outcome = neurons.take(index).outcome(part)
        return jax.tree.map(
            lambda all_, some: all_.at[..., index].set(some, mode="drop"),
            neurons.nothing(),
            outcome,
        )

    number = alert.sum(dtype=jnp.int32)
    level = jnp.where(number > few, 2, (number > 0).astype(jnp.int32))
    branches = [lambda: neurons.nothing(), some, lambda: neurons.outcome(watch)]
    return lax.switch(eqxi.unvmap_max(level), branches)
