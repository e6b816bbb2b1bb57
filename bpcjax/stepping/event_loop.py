"""Event loop of a step: from one event to the next, until its end."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from diffrax._solution import update_result
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jaxtyping import Array, Bool, Int, PyTree

from .._instant import rounding
from .._layout import Vector
from ..spikes import Spikes
from ..system import Scalar
from .flat import FlatSystem
from .interpolation import Piece
from .jump import Jump, arrive, jump
from .record import append
from .root import locate, near_zero
from .runge_kutta import looped


class Remainder(eqx.Module):
    """Remainder of a step: from (t, y), just after the last event, on trial to its end (y1)."""

    t: Scalar
    y: Vector
    y1: Vector
    inner: PyTree
    error: Vector | None  # of all pieces of the step
    passed: Vector | None  # of those before t
    info: PyTree
    result: Any
    spikes: Spikes | None
    inputs: tuple[PyTree, ...]
    full: Bool[Array, ""]
    lost: Bool[Array, ""]
    busy: Bool[Array, ""]
    events: Int[Array, ""]


class EventLoop(eqx.Module):
    """Event loop of one step of a solve, over the vector of the state."""

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

        def test(system: FlatSystem, h, t, y):
            return near_zero(system, h, t, y, self.noisy)

        return jnp.asarray(_frozen(test, self.system, h, t, y))

    def due(self, inputs: tuple[PyTree, ...]) -> Any:
        """Time of the next arrival from any of the inputs."""
        pairs = zip(self.system.inputs, inputs, strict=True)
        times = [source.due(state) for source, state in pairs]
        return jnp.stack(times).min() if times else jnp.inf

    def comes(self, inputs: tuple[PyTree, ...], t1: Any) -> Bool[Array, ""]:
        """Whether something arrives before the instant `t1`, which belongs to what follows."""
        return jnp.asarray(self.due(inputs) < t1 - rounding(t1))

    def first_crossing(self, now: Remainder, t1):
        """Root search: where to look for the next crossing, up to `t1`, whether there is one,
        whether the search converged, whether it is due at once, and whether something jumped over
        zero."""

        def search(this: EventLoop, now: Remainder, t1):
            def flow(a):
                return this.to(now.t, a, now.y, now.inner, jnp.array(True))[0]

            g = this.system.guard(now.t, now.y)
            y1 = flow(t1) if this.system.inputs else now.y1
            a, exists, converged = locate(this.system, flow, now.t, now.y, t1, y1, this.noisy)
            broken = ~exists & jnp.isnan(this.system.guard(t1, y1)).any()
            return a, exists | broken, converged & ~broken, (g >= 0).any(), (g > 0).any()

        a, exists, converged, at_once, jumped = _frozen(search, self, now, t1)
        return a, exists | at_once, converged | at_once, at_once, jumped

    def next_event(self, now: Remainder, t0, t1, none: Piece) -> tuple[Remainder, Piece]:
        """Next event: the remainder of the step after it, and the piece before it; `now` itself, no
        longer busy, and `none`, if there is no event."""
        yes = jnp.array(True)
        due = _no_sooner(self.due(now.inputs), now.t)
        # What is crossed in the instant of an arrival is crossed before it.
        until = jnp.minimum(t1, due + rounding(due)) if self.system.inputs else t1
        a, exists, converged, at_once, jumped = self.first_crossing(now, until)
        comes = ~exists & self.comes(now.inputs, t1)
        a = lax.select(at_once, now.t, a)
        a = jnp.where(comes, due, a) if self.system.inputs else a
        y, error, info, inner, result = self.to(now.t, a, now.y, now.inner, yes)
        reach = 1e-2 * (t1 - t0) + 16 * jnp.finfo(t1.dtype).eps * jnp.abs(t1)
        # A guard at zero, not over it, is crossed by the flow, though at once: after a hold of 0.
        smooth = ~jumped & ~comes & (not self.noisy)
        event, inputs, room = self.with_inputs(
            jump(self.system, a, y, smooth, reach), now.inputs, comes
        )
        exists = exists | comes
        y1, error1, info1, inner, result1 = self.to(event.t, t1, event.y, inner, yes)
        ok = (event.ok | comes) & (converged | comes)
        spikes = None if now.spikes is None else append(now.spikes, event.times, event.spiked)
        left = t1 - event.t
        busy = ok & (self.near(left, event.t, event.y) | self.near(left, t1, y1))
        busy = busy | (ok & self.comes(inputs, t1))
        result = update_result(now.result, update_result(result, result1))
        lost = now.lost | ~ok
        passed, ahead = size(error), size(error1)
        then = Remainder(
            t=event.t,
            y=event.y,
            y1=y1,
            inner=inner,
            error=None if now.passed is None else now.passed + passed + ahead,
            passed=None if now.passed is None else now.passed + passed,
            info=info1,
            result=result,
            spikes=spikes,
            inputs=inputs,
            full=now.full | ~room,
            lost=lost,
            busy=busy,
            events=now.events + 1,
        )
        idle = eqx.tree_at(lambda s: s.busy, now, jnp.array(False))
        piece = Piece(now.t, event.t, info)
        return _select(now.busy & exists, (then, piece), (idle, none))

    def with_inputs(self, event: Jump, states: tuple[PyTree, ...], comes: Bool[Array, ""]):
        """An event to which is added what arrives then (if it `comes`), what is on its way after,
        its own spikes included, and whether there was room for these.
        """
        sources = self.system.inputs
        if not sources:
            return event, states, jnp.array(True)
        pairs = zip(sources, states, strict=True)
        counts, leads, after = zip(*(s.take(state, event.t) for s, state in pairs), strict=True)
        counts, leads = (
            jax.tree.map(lambda x: jnp.where(comes, x, 0.0), of) for of in (counts, leads)
        )
        after = jax.tree.map(lambda a, b: jnp.where(comes, a, b), after, states)
        y = arrive(self.system, event.t, event.y, counts, leads)
        pairs = zip(sources, after, strict=True)
        sent = [s.send(state, event.times, event.spiked) for s, state in pairs]
        room = jnp.stack([ok for _, ok in sent]).all()
        event = eqx.tree_at(lambda e: e.y, event, y)
        return event, tuple(state for state, _ in sent), room


def _no_sooner(due: Any, t: Scalar) -> Any:
    """`due`, or `t` where that is later by rounding, with the derivative of `due`."""
    late = lax.stop_gradient(t - due)
    return jnp.where(late > 0, due + late, due)


def _select(which: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """Without a batch a branch, so that nothing is copied; in a batch a choice by `which`."""
    return lax.cond(which, lambda: yes, lambda: no)


def size(error: Vector | None) -> Any:
    """The absolute error of a step, held constant; `None` where there is none."""
    return None if error is None else lax.stop_gradient(jnp.abs(error))


def _frozen(fn: Callable[..., PyTree], *args: PyTree) -> PyTree:
    """`fn(*args)` with everything that it depends on, what drives and hazards close over included,
    held constant.
    """
    arrays, static = eqx.partition(args, eqx.is_array)
    program, shape = jax.make_jaxpr(
        lambda arrays: fn(*eqx.combine(arrays, static)), return_shape=True
    )(arrays)

    def still(x):  # keys have no derivative to stop
        return lax.stop_gradient(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x

    program = ClosedJaxpr(program.jaxpr, [still(x) for x in program.consts])
    out = jax.jit(jaxpr_as_fun(program))(*map(still, jax.tree.leaves(arrays)))
    return jax.tree.unflatten(jax.tree.structure(shape), out)
