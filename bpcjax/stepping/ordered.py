"""Event-driven solver: events one after another, each at its true time, inside the steps of any
diffrax solver."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from .._arrays import sized
from .._instant import rounding
from .._layout import Layout
from ..spikes import Spikes
from ..system import Scalar
from .base import AbstractSpikes, AbstractSpikesState, Around, as_inner, failed, resumed
from .clock import Clock
from .event_loop import EventLoop, Remainder, size
from .flat import FlatSystem, flat_terms
from .interpolation import Piece, PiecewiseInterpolation
from .record import empty_record
from .results import RESULTS
from .runge_kutta import both_modes
from .term import unwrap

ROOM = 128  # spikes on their way through a delayed projection, by default


class OrderedState(AbstractSpikesState):
    """State of `OrderedSpikes` from step to step: the record, and whether events were lost."""

    inner: PyTree
    spikes: Spikes | None
    inputs: tuple[PyTree, ...]  # what is on its way
    late: Bool[Array, ""]  # more events in a step than `per_step`
    lost: Bool[Array, ""]  # a crossing that could not be located
    full: Bool[Array, ""]  # no room for spikes on their way
    calm: Scalar  # no event may be due at the start of a step that is no longer than this

    def causes(self, guard, ended):
        causes = [
            (self.lost, RESULTS.event_not_located),
            (self.late, RESULTS.step_overflow),
            (self.full, RESULTS.arrivals_overflow),
        ]
        if self.spikes is not None:
            causes.append((~self.spikes.ok, RESULTS.record_overflow))
        return causes


class OrderedSpikes(AbstractSpikes):
    """Event-driven solver: sub-steps of `inner` to one event after another, in exact order, for any
    coupling.

    Spike times and states keep the order of `inner`; plain derivatives, forward and reverse,
    are those of the true event times (first and second derivatives; at an exact tie of neurons
    that drive each other they are one-sided). With noise, spikes are located on the path, but
    cannot be differentiated. A drive should be smooth within a step: see `simulate`.

    Delayed spikes and those of a `SpikeTrain` arrive at their own times, with derivatives in
    times and delays. At one instant (within rounding) thresholds are crossed first, the ends of
    holds among them; then all that arrives is one sum.

    `per_step` bounds the events in one step, `room` the spikes on their way through each delayed
    projection (`None`: 128), `max_spikes` the record (`None`: no record). What exceeds them ends a
    bare `diffeqsolve` with `RESULTS.nonlinear_max_steps_reached`, a crossing that cannot be located
    with `RESULTS.nonlinear_divergence`; `bpcjax.simulate` names the cause. `clock` is set by it.
    """

    inner: dfx.AbstractSolver = eqx.field(default_factory=dfx.Tsit5, converter=as_inner)
    per_step: int = eqx.field(default=16, converter=sized("per_step", 1), static=True)
    max_spikes: int | None = eqx.field(default=None, converter=sized("max_spikes"), static=True)
    room: int | None = eqx.field(default=None, converter=sized("room", 1), static=True)
    clock: Clock | None = None

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The inner solver, in a form that allows both modes of differentiation, batched."""
        return both_modes(self.inner)

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return Around(PiecewiseInterpolation, self.inner.interpolation_cls)

    def init(self, terms, t0, t1, y0, args) -> OrderedState:
        system, _, _ = unwrap(terms)
        layout, dtype = Layout.of(y0), jnp.result_type(t0)
        inner = self.solver.init(flat_terms(terms, layout), t0, t1, layout.ravel(y0), args)
        record = None if self.max_spikes is None else empty_record(self.max_spikes, dtype)
        no, room = jnp.array(False), ROOM if self.room is None else self.room
        guard = jax.eval_shape(lambda: system.guard(t0, y0, args))
        sources = system.inputs()
        inputs = tuple(source.wait(t0, guard.size, room) for source in sources)
        if self.clock is not None and self.clock.on_their_way is not None:
            inputs = resumed(sources, inputs, self.clock.on_their_way)
        return OrderedState(inner, record, inputs, no, no, no, jnp.array(-1.0, dtype))

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state: OrderedState, made_jump):
        system, direction, noisy = unwrap(terms)
        layout = Layout.of(y0)
        step = EventLoop(
            flat_terms(terms, layout), FlatSystem(system, args, layout), self.solver, noisy
        )
        y, before = layout.ravel(y0), solver_state
        y1, error, info, inner, result = step.solver.step(
            step.terms, t0, t1, y, args, before.inner, made_jump
        )
        # Steps of one length differ by the rounding of their ends: as far must one look ahead.
        ahead = 1.000001 * (t1 - t0) + 4 * rounding(t1)
        near = step.near(ahead, t1, y1)
        alert = near | (t1 - t0 > before.calm) | step.comes(before.inputs, t1)
        # The first trial's error and dense information stay outside of the loop below: where
        # nothing reads them they are then not computed either.
        blank_error = None if error is None else jnp.zeros_like(error)
        start = Remainder(
            t=t0,
            y=y,
            y1=y1,
            inner=inner,
            error=blank_error,
            passed=blank_error,
            info=jax.tree.map(jnp.zeros_like, info),
            result=result,
            spikes=before.spikes,
            inputs=before.inputs,
            full=before.full,
            lost=before.lost,
            busy=alert,
            events=jnp.array(0, jnp.int32),
        )
        turns_in_step = self.per_step + 1  # the last only to see whether an event is left

        def turn(now: Remainder, _):
            piece = Piece(now.t, t1, now.info)
            none = jax.tree.map(lambda x: x[0], piece.never(1))
            return lax.cond(
                eqxi.unvmap_any(now.busy),
                lambda now: step.next_event(now, t0, t1, none),
                lambda now: (now, none),
                now,
            )

        def turns(now: Remainder):
            return lax.scan(turn, now, length=turns_in_step)

        def no_turns(now: Remainder):
            return now, Piece(t0, t1, info).never(turns_in_step)

        end, earlier = lax.cond(eqxi.unvmap_any(alert), turns, no_turns, start)
        calm_step = end.events == 0
        info = jax.tree.map(lambda x, y: jnp.where(calm_step, x, y), info, end.info)
        pieces = Piece(end.t, t1, info).after(earlier)
        dense = dict(starts=pieces.start, ends=pieces.end, infos=pieces.info, like=y0)
        crowded = end.events > self.per_step
        late = before.late | crowded
        overflow = late | end.full
        overflow = overflow if end.spikes is None else overflow | ~end.spikes.ok
        result = failed(
            end.result,
            (end.lost | (direction < 0), dfx.RESULTS.nonlinear_divergence),
            (overflow, dfx.RESULTS.nonlinear_max_steps_reached),
        )
        if error is not None:  # too many events: an adaptive controller makes the step smaller
            smallest = 1e4 * jnp.finfo(t1.dtype).eps * (jnp.abs(t1) + 1)
            refuse = (crowded | (end.lost & ~before.lost)) & (t1 - t0 > smallest)
            error = jnp.where(calm_step, size(error), end.error)
            error = layout.unravel(jnp.where(refuse, jnp.inf, error))
        calm = jnp.where(near | (end.events > 0), -1.0, ahead)
        state = OrderedState(end.inner, end.spikes, end.inputs, late, end.lost, end.full, calm)
        return layout.unravel(end.y1), error, dense, state, result
