"""Spikes at the ends of steps: the convention of clock-driven simulators."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import PyTree

from .surrogate import AbstractSpike
from .term import unwrap
from .whole import AbstractWholeSteps, WholeState, add, as_leaves
from .wrapped import AbstractAroundInterpolation, Around

_END = 1e-3  # of a step: what is saved this close before its end, but for rounding, is the end
_SOON = 1e-4  # of a step: a crossing this close after its end counts, so that rounding does not


class GridSpikes(AbstractWholeSteps):
    """A threshold test at the end of every step of `inner`: first order, and the fastest.

    What it does not do: place a spike inside its step; order the spikes of a step (all reset,
    then all kick); carry a cascade of kicks through a step (a neuron that is kicked over its
    threshold fires at the end of the next one, even if it has decayed below by then); see an
    excursion above threshold that ends within the step. Its derivatives are not those of the
    system: a reset on the time grid has no derivative in time, so they are *wrong*, at any step.
    With `spike=Surrogate(...)` they are a direction for learning, and no more than that.

    `room` bounds delays, in steps (`None`: what `simulate` finds that the delays need, else 64).
    """

    inner: dfx.AbstractSolver = eqx.field(default_factory=dfx.Euler)
    spike: AbstractSpike | None = None
    max_spikes: int | None = eqx.field(default=None, static=True)
    room: int | None = eqx.field(default=None, static=True)

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return Around(_UntilTheEnd, self.inner.interpolation_cls)

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state: WholeState, made_jump):
        system, direction, _ = unwrap(terms)
        state, step = solver_state, self.clock(t0, t1, solver_state)
        y, error, info, inner, result = self.solver.step(
            terms, t0, t1, y0, args, state.inner, jnp.array(True)
        )
        before, g = system.guard(t0, y0, args), system.guard(t1, y, args)
        fired = (g >= 0) | (before >= 0) | (g + _SOON * (g - before) >= 0)
        if self.spike is None:

            def jump():
                spiked = system.emits(y, fired)
                after = _like(system.reset(t1, y, args, fired), y)
                kick = system.kick(t1, after, args, spiked.astype(g.dtype))
                return after if kick is None else add(after, kick), spiked

            if state.spikes is None and not system.inputs() and _uncoupled(system, t1, y, args, g):
                y1, spiked = jump()  # a few operations that fuse with the step
            else:
                # A branch, not for the work that it saves alone: what goes into it is computed
                # once, and not again for every use in it.
                nobody = jnp.zeros_like(fired)
                y1, spiked = lax.cond(eqxi.unvmap_any(fired), jump, lambda: (_like(y, y), nobody))
            spikes = spiked.astype(g.dtype)
        else:
            y1, spiked, spikes = self._soft_jump(system, t1, y, args, g, fired)

        moments, inputs, ok = self.landed(
            system, state, step, lambda source, own: source.snap(own, step, spikes.ravel())
        )
        if inputs:
            y1 = add(y1, system.arrive(t1, y1, args, moments[0]))
        record = state.spikes
        if record is not None:
            times = jnp.broadcast_to(jnp.asarray(t1, record.times.dtype), (g.size,))
            record = record.extend(times, spiked.ravel())
        ok = ok & (direction > 0)
        state, result = self.after(system, state, step, inner, record, inputs, ok, result)
        return y1, error, dict(info=info, after=y1), state, result

    def _soft_jump(self, system, t1, y, args, g, fired):
        """The state after the spikes, these as marks, and as numbers with surrogate derivatives."""
        assert self.spike is not None
        able, spiked = system.emits(y, jnp.ones_like(fired)), system.emits(y, fired)
        hard, soft = spiked.astype(g.dtype), self.spike(g)
        spikes = hard + jnp.where(able, soft - lax.stop_gradient(soft), 0.0)
        after = _like(system.reset(t1, y, args, fired), y)
        if self.spike.through_resets:
            # The reset by its value, with the derivative of `spikes` times what it changes.
            every = system.reset(t1, y, args, fired | able)
            ghost = as_leaves(spikes - lax.stop_gradient(spikes), y)
            after = jax.tree.map(
                lambda x, e, y, s: jnp.asarray(x + s * lax.stop_gradient(e - y), y.dtype),
                *(after, every, y, ghost),
            )
        kick = system.kick(t1, after, args, spikes)
        return after if kick is None else add(after, kick), spiked, spikes


def _uncoupled(system, t, y, args, g) -> bool:
    return jax.eval_shape(lambda: system.kick(t, y, args, jnp.zeros_like(g))) is None


def _like(tree: PyTree, y: PyTree) -> PyTree:
    return jax.tree.map(
        lambda x, leaf: jnp.broadcast_to(jnp.asarray(x, leaf.dtype), leaf.shape), tree, y
    )


class _UntilTheEnd(AbstractAroundInterpolation):
    """The inner solver's interpolation before the end of the step, and the state after it there."""

    t0: Any
    t1: Any
    info: PyTree
    after: PyTree
    interpolation_cls: Callable[..., Any] = eqx.field(static=True)

    def at(self, t):
        inside = self.interpolation_cls(t0=self.t0, t1=self.t1, **self.info).evaluate(t)
        ends = t >= self.t1 - _END * (self.t1 - self.t0)
        return jax.tree.map(lambda a, b: jnp.where(ends, b, a), inside, self.after)
