"""Events one after another, each at its true time, inside the steps of any diffrax solver."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from diffrax._solution import update_result
from jaxtyping import Array, Bool, Int, PyTree

from ..system import Scalar
from .flat import FlatSystem, Layout, Vector, flat_terms
from .locate import locate, near_zero
from .pieces import Piece, PiecewiseBy
from .record import SpikeRecord, empty_record
from .saltation import jump
from .stages import looped, unrolled
from .term import unwrap
from .wrapped import AbstractAround


class OrderedState(eqx.Module):
    """What `OrderedSpikes` carries from step to step: the record, and whether events were lost."""

    inner: PyTree
    spikes: SpikeRecord | None
    late: Bool[Array, ""]  # more events in a step than `per_step`
    lost: Bool[Array, ""]  # a crossing that could not be located
    calm: Scalar  # no event may be due at the start of a step that is no longer than this


class _Rest(eqx.Module):
    """The rest of a step: from (t, y), just after the last event, on trial to its end (y1)."""

    t: Scalar
    y: Vector
    y1: Vector
    inner: PyTree
    error: Vector | None  # of all pieces of the step
    passed: Vector | None  # of those before t
    info: PyTree
    result: Any
    spikes: SpikeRecord | None
    lost: Bool[Array, ""]
    busy: Bool[Array, ""]
    events: Int[Array, ""]


class OrderedSpikes(AbstractAround):
    """Sub-steps of `inner` to one event after another: exact order, any coupling.

    Spike times and states keep the order of `inner`; plain derivatives, forward and reverse,
    are those of the true event times (first and second derivatives; at an exact tie of neurons
    that drive each other they are one-sided). With noise, spikes are located on the path, but
    cannot be differentiated. A drive should be smooth within a step: see `simulate`.

    `per_step` bounds the events in one step, `max_spikes` the record (`None`: no record). What
    exceeds them ends a bare `diffeqsolve` with `RESULTS.nonlinear_max_steps_reached`, a crossing
    that cannot be located with `RESULTS.nonlinear_divergence`; `bpcjax.simulate` names the cause.
    """

    inner: dfx.AbstractSolver = eqx.field(default_factory=dfx.Tsit5)
    per_step: int = eqx.field(default=16, static=True)
    max_spikes: int | None = eqx.field(default=None, static=True)

    def __check_init__(self):
        if self.per_step < 1:
            raise ValueError(f"per_step must be at least 1, got {self.per_step}.")
        if self.max_spikes is not None and self.max_spikes < 0:
            raise ValueError(f"max_spikes must not be negative, got {self.max_spikes}.")

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The inner solver, in a form that allows both modes of differentiation, batched."""
        if issubclass(type(self.inner), dfx.AbstractERK):
            return unrolled(self.inner)
        if issubclass(type(self.inner), dfx.AbstractRungeKutta):
            return eqx.tree_at(
                lambda s: s.scan_kind, self.inner, self.scan_kind, is_leaf=lambda x: x is None
            )
        return self.inner

    @property
    def scan_kind(self) -> str:
        """For diffrax's adjoints, which would set the loops of a Runge-Kutta solver: they are."""
        return "bounded"

    @property
    def root_finder(self):
        """That of an implicit inner solver, whose tolerances diffrax sets."""
        return self.inner.root_finder  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def root_find_max_steps(self):
        """That of an implicit inner solver."""
        return self.inner.root_find_max_steps  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return PiecewiseBy(self.inner.interpolation_cls)

    def init(self, terms, t0, t1, y0, args) -> OrderedState:
        unwrap(terms)
        layout, room = Layout.of(y0), self.max_spikes
        inner = self.solver.init(flat_terms(terms, layout), t0, t1, layout.ravel(y0), args)
        record = None if room is None else empty_record(room, jnp.result_type(t0))
        no = jnp.array(False)
        return OrderedState(inner, record, no, no, jnp.array(-1.0, jnp.result_type(t0)))

    def step(self, terms, t0: Any, t1: Any, y0, args, solver_state: OrderedState, made_jump):
        system, direction, noisy = unwrap(terms)
        layout = Layout.of(y0)
        step = _Step(
            flat_terms(terms, layout), FlatSystem(system, args, layout), self.solver, noisy
        )
        y, before = layout.ravel(y0), solver_state
        y1, error, info, inner, result = step.solver.step(
            step.terms, t0, t1, y, args, before.inner, made_jump
        )
        near = step.near(t1 - t0, t1, y1)
        alert = near | (t1 - t0 > before.calm)
        # The first trial's error and dense information stay outside of the loop below: where
        # nothing reads them they are then not computed either.
        blank_error = None if error is None else jnp.zeros_like(error)
        start = _Rest(
            t=t0,
            y=y,
            y1=y1,
            inner=inner,
            error=blank_error,
            passed=blank_error,
            info=jax.tree.map(jnp.zeros_like, info),
            result=result,
            spikes=before.spikes,
            lost=before.lost,
            busy=alert,
            events=jnp.array(0, jnp.int32),
        )
        turns_in_step = self.per_step + 1  # the last only to see whether an event is left

        def turn(now: _Rest, _):
            piece = Piece(now.t, t1, now.info)
            none = jax.tree.map(lambda x: x[0], piece.never(1))
            return lax.cond(
                eqxi.unvmap_any(now.busy),
                lambda now: step.next_event(now, t0, t1, none),
                lambda now: (now, none),
                now,
            )

        def turns(now: _Rest):
            return lax.scan(turn, now, length=turns_in_step)

        def no_turns(now: _Rest):
            return now, Piece(t0, t1, info).never(turns_in_step)

        end, earlier = lax.cond(eqxi.unvmap_any(alert), turns, no_turns, start)
        calm_step = end.events == 0
        info = jax.tree.map(lambda x, y: jnp.where(calm_step, x, y), info, end.info)
        pieces = Piece(end.t, t1, info).after(earlier)
        dense = dict(starts=pieces.start, ends=pieces.end, infos=pieces.info, like=y0)
        crowded = end.events > self.per_step
        late = before.late | crowded
        overflow = late if end.spikes is None else late | ~end.spikes.ok
        result = end.result
        failures: Any = dfx.RESULTS.nonlinear_max_steps_reached, dfx.RESULTS.nonlinear_divergence
        for failed, cause in zip((overflow, end.lost | (direction < 0)), failures, strict=True):
            result = dfx.RESULTS.where(failed, cause, result)
        if error is not None:  # too many events: an adaptive controller makes the step smaller
            smallest = 1e4 * jnp.finfo(t1.dtype).eps * (jnp.abs(t1) + 1)
            refuse = (crowded | (end.lost & ~before.lost)) & (t1 - t0 > smallest)
            error = jnp.where(calm_step, _size(error), end.error)
            error = layout.unravel(jnp.where(refuse, jnp.inf, error))
        calm = jnp.where(near | (end.events > 0), -1.0, 1.000001 * (t1 - t0))
        state = OrderedState(end.inner, end.spikes, late, end.lost, calm)
        return layout.unravel(end.y1), error, dense, state, result


class _Step(eqx.Module):
    """One step of a solve, over the vector of the state."""

    terms: PyTree
    system: FlatSystem
    solver: dfx.AbstractSolver
    noisy: bool = eqx.field(static=True)

    def to(self, t, until, y, inner, jumped):
        """The inner solver's step from (t, y), to or after an event."""
        return looped(self.solver).step(self.terms, t, until, y, self.system.args, inner, jumped)

    def near(self, h, t, y) -> Bool[Array, ""]:
        """Whether an event may be due within `h` of (t, y), before or after: a cheap, cautious
        test.
        """
        return jnp.asarray(_frozen(lambda: near_zero(self.system, h, t, y, self.noisy)))

    def first_crossing(self, now: _Rest, t1):
        """Where to look for the next event, whether there is one, whether the search converged,
        and whether it is due at once.
        """

        def flow(a):
            return self.to(now.t, a, now.y, now.inner, jnp.array(True))[0]

        def search():
            at_once = (self.system.guard(now.t, now.y) >= 0).any()
            a, found, converged = locate(self.system, flow, now.t, now.y, t1, now.y1, self.noisy)
            broken = ~found & jnp.isnan(self.system.guard(t1, now.y1)).any()
            return a, found | broken, converged & ~broken, at_once

        a, found, converged, at_once = _frozen(search)
        return a, found | at_once, converged | at_once, at_once

    def next_event(self, now: _Rest, t0, t1, none: Piece) -> tuple[_Rest, Piece]:
        """The rest of the step after the next event, and the piece before it; `now` itself, no
        longer busy, and `none`, if there is no event.
        """
        yes = jnp.array(True)
        a, found, converged, at_once = self.first_crossing(now, t1)
        a = lax.select(at_once, now.t, a)
        y, error, info, inner, result = self.to(now.t, a, now.y, now.inner, yes)
        reach = 1e-2 * (t1 - t0) + 16 * jnp.finfo(t1.dtype).eps * jnp.abs(t1)
        event = jump(self.system, a, y, ~at_once & (not self.noisy), reach)
        y1, error1, info1, inner, result1 = self.to(event.t, t1, event.y, inner, yes)
        ok = event.ok & converged
        spikes = None if now.spikes is None else now.spikes.append(event.times, event.spiked)
        left = t1 - event.t
        busy = ok & (self.near(left, event.t, event.y) | self.near(left, t1, y1))
        result = update_result(now.result, update_result(result, result1))
        lost = now.lost | ~ok
        passed, ahead = _size(error), _size(error1)
        then = _Rest(
            t=event.t,
            y=event.y,
            y1=y1,
            inner=inner,
            error=None if now.passed is None else now.passed + passed + ahead,
            passed=None if now.passed is None else now.passed + passed,
            info=info1,
            result=result,
            spikes=spikes,
            lost=lost,
            busy=busy,
            events=now.events + 1,
        )
        idle = eqx.tree_at(lambda s: s.busy, now, jnp.array(False))
        piece = Piece(now.t, event.t, info)
        return _select(now.busy & found, (then, piece), (idle, none))


def _select(which: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """Without a batch a branch, so that nothing is copied; in a batch a choice by `which`."""
    return lax.cond(which, lambda: yes, lambda: no)


def _size(error: Vector | None) -> Any:
    return None if error is None else lax.stop_gradient(jnp.abs(error))


def _frozen(fn: Callable[[], PyTree]) -> PyTree:
    """`fn()` with everything that it closes over, drives and hazards included, held constant."""
    closed = eqx.filter_closure_convert(fn)
    return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, closed)()
