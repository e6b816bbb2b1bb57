"""Grid-based spikes, at the ends of steps: the convention of clock-driven simulators."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._arrays import sized
from ..inputs import AbstractInput, Step
from .base import AbstractAroundInterpolation, Around, as_inner
from .clock import Clock
from .stepwise import AbstractWholeSteps, WholeState, add, as_leaves
from .surrogate import AbstractSpike
from .term import unwrap

_END = 1e-3  # of a step: what is saved this close before its end, but for rounding, is the end
_SOON = 1e-4  # of a step: a crossing this close after its end counts, so that rounding does not


class GridSpikes(AbstractWholeSteps):
    """Clock-driven solver: a threshold test at the end of every step of `inner`, first order, and
    the fastest.

    What it does not do: place a spike inside its step; order the spikes of a step (all reset,
    then all kick); carry a cascade of kicks through a step (a neuron that is kicked over its
    threshold fires at the end of the next one, even if it has decayed below by then); see an
    excursion above threshold that ends within the step. What arrives in a step, late or from
    outside, arrives as the step begins. Its derivatives are not those of the system: a reset on
    the time grid has no derivative in time, so they are *wrong*, at any step. With
    `spike=Surrogate(...)` they are a direction for learning, and no more than that.

    `room` bounds delays, in steps (`None`: what the delays need in `simulate`, else 64); `clock` is
    set by `simulate`.
    """

    inner: dfx.AbstractSolver = eqx.field(default_factory=dfx.Euler, converter=as_inner)
    spike: AbstractSpike | None = None
    max_spikes: int | None = eqx.field(default=None, converter=sized("max_spikes"), static=True)
    room: int | None = eqx.field(default=None, converter=sized("room", 1), static=True)
    clock: Clock | None = None

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return Around(_UntilTheEnd, self.inner.interpolation_cls)

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state: WholeState, made_jump):
        system, direction, _ = unwrap(terms)
        state, step = solver_state, self.now(t0, t1, solver_state)
        sources, begins, ends = system.inputs(), step.t0, step.t0 + step.span
        opening, inputs, opened = self.landed(
            sources, state.inputs, lambda source, own: source.open(own, step)
        )
        size = jax.eval_shape(lambda: system.guard(begins, y0, args)).size
        start = y0
        y0 = _arrived(system, begins, y0, args, step, state.inputs, opening, size)
        y, error, info, inner, result = self.flow(terms, step, y0, args, state.inner)
        before, g = system.guard(begins, y0, args), system.guard(ends, y, args)
        fired = (g >= 0) | (before >= 0) | (g + _SOON * (g - before) >= 0)
        if self.spike is None:

            def jump():
                spiked = system.emits(y, fired)
                after = _like(system.reset(ends, y, args, fired), y)
                kick = system.kick(ends, after, args, spiked.astype(g.dtype))
                return after if kick is None else add(after, kick), spiked

            if state.spikes is None and not sources and _uncoupled(system, ends, y, args, g):
                y1, spiked = jump()  # a few operations that fuse with the step
            else:
                # A branch, not for the work that it saves alone: what goes into it is computed
                # once, and not again for every use in it.
                nobody = jnp.zeros_like(fired)
                y1, spiked = lax.cond(eqxi.unvmap_any(fired), jump, lambda: (_like(y, y), nobody))
            spikes = spiked.astype(g.dtype)
        else:
            y1, spiked, spikes = self._soft_jump(system, ends, y, args, g, fired)

        closing, inputs, closed = self.landed(
            sources, inputs, lambda source, own: source.close(own, step, spikes.ravel())
        )
        y1 = _arrived(system, ends, y1, args, step, inputs, closing, size)
        y1 = system.whole_steps(y1, step.span)
        offsets = jnp.broadcast_to(step.span, (size,))
        record = self.recorded(state, t1, step, offsets, spiked)
        ok = opened & closed & (direction > 0)
        state, result = self.after(system, state, t0, t1, inner, record, inputs, ok, result, start)
        within = self.inner.interpolation_cls(t0=jnp.zeros_like(step.span), t1=step.span, **info)
        y1 = self.cut(solver_state, t1, step, y1, within.evaluate)
        dense = dict(info=info, after=y1, begins=begins, span=step.span)
        return y1, error, dense, state, result

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


def _arrived(system, t, y: PyTree, args, step: Step, states, arrivals: list[Any], n: int) -> PyTree:
    """The state after what arrives, `None` from a source that sends nothing here: zeros, then."""
    if all(x is None for x in arrivals):
        return y
    triples = zip(system.inputs(), states, arrivals, strict=True)
    whole = (_nothing(source, own, step, n) if x is None else x for source, own, x in triples)
    return add(y, system.arrive(t, y, args, tuple(whole)))


def _nothing(source: AbstractInput, state: PyTree, step: Step, n: int) -> Array:
    """No arrivals, in the shape that those of a source have."""
    like = jax.eval_shape(
        lambda: (source.open(state, step)[0], source.close(state, step, jnp.zeros(n))[0])
    )
    own = next(x for x in like if x is not None)
    return jnp.zeros(own.shape, own.dtype)


def _uncoupled(system, t, y, args, g) -> bool:
    return jax.eval_shape(lambda: system.kick(t, y, args, jnp.zeros_like(g))) is None


def _like(tree: PyTree, y: PyTree) -> PyTree:
    return jax.tree.map(
        lambda x, leaf: jnp.broadcast_to(jnp.asarray(x, leaf.dtype), leaf.shape), tree, y
    )


class _UntilTheEnd(AbstractAroundInterpolation):
    """The inner solver's interpolation, in the step's own time, before the end of the step, and
    the state after it there."""

    t0: Any
    t1: Any
    info: PyTree
    after: PyTree
    begins: Any
    span: Any
    interpolation_cls: Callable[..., Any] = eqx.field(static=True)

    def at(self, t):
        zero = jnp.zeros_like(self.span)
        inner = self.interpolation_cls(t0=zero, t1=self.span, **self.info)
        inside = inner.evaluate(t - self.begins)
        ends = t >= self.t1 - _END * (self.t1 - self.t0)
        return jax.tree.map(lambda a, b: jnp.where(ends, b, a), inside, self.after)
