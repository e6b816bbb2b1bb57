"""Whole-step solvers: what solvers share that take all events of a step at once.

Their steps are whole, whatever the times of the solve: a run that ends inside a step makes the
whole step, reads its state off the dense output and keeps the start of the step, from where the
run that goes on makes it again. So it has the same steps, draws and bits as one that was not cut.

A step is made in time of its own, from 0 to its length, so that its length does not depend on
how far single precision resolves the time.
"""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from .._arrays import choose
from .._instant import rounding
from ..inputs import Step
from ..spikes import Spikes
from ..system import AbstractSpikingSystem, Scalar
from .base import AbstractSpikes, AbstractSpikesState, failed, resumed
from .clock import Clock
from .record import empty_record, extend
from .results import RESULTS
from .runge_kutta import both_modes
from .term import unwrap

ROOM = 64  # steps that a ring of delayed spikes holds, by default


class WholeState(AbstractSpikesState):
    """State of a whole-step solver: the record of spikes, and the events on their way."""

    inner: PyTree
    spikes: Spikes | None
    inputs: tuple[PyTree, ...]
    index: Int[Array, ""]  # of the next step
    start: PyTree | None  # the state at the start of the last step, if a run may end inside
    span: Scalar  # the length of the first step
    crowded: Bool[Array, ""]  # arrivals without room
    uneven: Bool[Array, ""]  # steps of different lengths, with spikes on their way

    def causes(self, guard, ended):
        causes = [(self.uneven, RESULTS.uneven_steps), (self.crowded, RESULTS.arrivals_overflow)]
        if self.spikes is not None:
            causes.append((~self.spikes.ok, RESULTS.record_overflow))
        # a step tests guards without a look at NaN
        return [*causes, (ended & jnp.isnan(guard()).any(), RESULTS.event_not_located)]

    def resumption(self):
        return None if self.start is None else (self.start, self.index)


class AbstractWholeSteps(AbstractSpikes):
    """Whole-step solver: a step of `inner`, and then all events of that step at once.

    Without a `clock` (in a bare `diffeqsolve`) steps are those of the controller.
    """

    clock: eqx.AbstractVar[Clock | None]

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The inner solver, in a form that allows both modes of differentiation, batched."""
        return both_modes(self.inner)

    @property
    def inside(self) -> bool:
        """Whether a run may end or begin inside a step."""
        return self.clock is not None and self.clock.inside

    def init(self, terms, t0, t1, y0, args) -> WholeState:
        system, _, _ = unwrap(terms)
        guard = jax.eval_shape(lambda: system.guard(t0, y0, args))
        dtype = jnp.result_type(t0)
        room = ROOM if self.room is None else self.room
        clock, inputs = self.clock, system.inputs()
        first = jnp.int32(0) if clock is None else clock.first
        begins = t0 if clock is None else clock.time(first)
        states = tuple(i.begin(begins, guard.size, room, guard.dtype) for i in inputs)
        if clock is not None and clock.on_their_way is not None:
            states = resumed(inputs, states, clock.on_their_way)
        record = None if self.max_spikes is None else empty_record(self.max_spikes, dtype, True)
        span = jnp.asarray(t1 - t0, dtype) if clock is None else clock.dt
        inner = self.solver.init(terms, t0, t1, y0, args)
        no, start = jnp.array(False), y0 if self.inside else None
        return WholeState(inner, record, states, first, start, span, no, no)

    def now(self, t0, t1, state: WholeState) -> Step:
        """The current step: its start, its length and its numbers."""
        if self.clock is None:
            span = t1 - t0
            return Step(t0, span, state.index, jnp.round(t0 / span).astype(jnp.int32))
        begins = self.clock.time(state.index)
        return Step(begins, state.span, state.index, self.clock.base + state.index)

    def unfinished(self, state: WholeState) -> Bool[Array, ""]:
        """Whether the run ends inside this step."""
        return jnp.array(False) if self.clock is None else state.index >= self.clock.whole

    def flow(self, terms, step: Step, y, args, inner):
        """The inner solver's step, in the step's own time."""
        zero = jnp.zeros_like(step.span)
        local = in_own_time(terms, step.t0)
        return self.solver.step(local, zero, step.span, y, args, inner, jnp.array(True))

    def cut(
        self, state: WholeState, t1, step: Step, whole: PyTree, inside: Callable[[Any], PyTree]
    ) -> PyTree:
        """The state at the end of the step, `whole`, or where the run ends inside it."""
        if not self.inside:
            return whole
        return lax.cond(self.unfinished(state), lambda: inside(t1 - step.t0), lambda: whole)

    def recorded(self, state: WholeState, t1, step: Step, offsets, spiked) -> Spikes | None:
        """The record with the spikes of this step, at `offsets` after its start."""
        if state.spikes is None:
            return None
        offsets = jnp.asarray(offsets, state.spikes.times.dtype).ravel()
        spiked = spiked.ravel()
        if self.inside:
            assert self.clock is not None
            close = rounding(step.t0) + rounding(step.span)
            horizon = jnp.where(state.index == self.clock.first, self.clock.horizon, -jnp.inf)
            end = jnp.where(self.unfinished(state), t1 - step.t0, jnp.inf)
            spiked = spiked & (offsets > horizon + close) & (offsets <= end + close)
        past = jnp.floor(offsets / step.span + 1e-6).astype(jnp.int32)
        return extend(state.spikes, step.t0 + offsets, spiked, state.index + past)

    def landed(
        self, inputs, states, take: Callable[[Any, PyTree], tuple[Any, Bool[Array, ""], PyTree]]
    ) -> tuple[list[Any], tuple[PyTree, ...], Bool[Array, ""]]:
        """Arrivals from each input by `take`, the inputs' states after, and whether it is whole."""
        if not inputs:
            return [], (), jnp.array(True)
        pairs = zip(inputs, states, strict=True)
        arrivals, ok, states = zip(*(take(source, own) for source, own in pairs), strict=True)
        return list(arrivals), states, jnp.stack(ok).all()

    def after(
        self, system: AbstractSpikingSystem, state: WholeState, t0, t1, inner, spikes, inputs, ok,
        result, y0,
    ):  # fmt: skip
        """The state for the next step, and the result of this one, which began in `y0`."""
        waiting = any(source.delays is not None for source in system.inputs())
        index, start, even = state.index + 1, None, jnp.array(True)
        if self.inside:
            inputs, index = choose(self.unfinished(state), (state.inputs, index - 1),
                                    (inputs, index))  # fmt: skip
            start = y0
        if self.clock is None:
            slack = 1e-6 * state.span + rounding(t1)
            even = jnp.abs(t1 - t0 - state.span) <= slack
        crowded = state.crowded | ~ok
        uneven = state.uneven | ~even if waiting else state.uneven
        then = WholeState(inner, spikes, inputs, index, start, state.span, crowded, uneven)
        overflow = crowded | uneven if spikes is None else crowded | uneven | ~spikes.ok
        return then, failed(result, (overflow, dfx.RESULTS.nonlinear_max_steps_reached))


class _OwnTime(dfx.AbstractTerm):
    """A term as a function of the time since `origin`; the length of a step of a flow (`is_flow`)
    is exact there."""

    term: dfx.AbstractTerm
    origin: Scalar
    is_flow: bool = eqx.field(static=True)

    def vf(self, t, y, args):
        return self.term.vf(self.origin + t, y, args)

    def contr(self, t0, t1, **kwargs):
        if self.is_flow:
            return t1 - t0
        return self.term.contr(self.origin + t0, self.origin + t1, **kwargs)

    def prod(self, vf, control):
        return self.term.prod(vf, control)


def in_own_time(terms: PyTree, origin: Scalar) -> PyTree:
    """The terms of a solve, in a time that begins at `origin`."""
    if isinstance(terms, dfx.MultiTerm):
        flow, *others = terms.terms
        noises = (_OwnTime(term, origin, is_flow=False) for term in others)
        return dfx.MultiTerm(_OwnTime(flow, origin, is_flow=True), *noises)
    return _OwnTime(terms, origin, is_flow=True)


def if_any(which: Bool[Array, "..."], change: Callable[[PyTree], PyTree], y: PyTree) -> PyTree:
    """`change(y)`, or, where nothing is marked in the whole batch, `y`."""
    return lax.cond(eqxi.unvmap_any(which), change, lambda y: y, y)


def add(y: PyTree, increment: PyTree) -> PyTree:
    """`y + increment`, in the dtypes of `y`."""
    return jax.tree.map(lambda a, b: a + jnp.asarray(b, a.dtype), y, increment)


def as_leaves(values: Array, y: PyTree) -> PyTree:
    """`values`, one a guard, for every leaf of `y` that carries the guards on its last axes."""

    def fit(leaf):
        own = leaf.shape[len(leaf.shape) - values.ndim :] == values.shape
        return values if own else jnp.zeros((), values.dtype)

    return jax.tree.map(fit, y)
