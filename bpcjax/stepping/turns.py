"""The turns of a step: from one event to the next, until its end."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from diffrax._solution import update_result
from jaxtyping import Array, Bool, Int, PyTree

from ..system import Scalar
from .flat import FlatSystem, Vector
from .locate import locate, near_zero
from .pieces import Piece
from .record import SpikeRecord
from .saltation import Jump, arrive, jump
from .stages import looped


class Rest(eqx.Module):
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
    inputs: tuple[PyTree, ...]
    full: Bool[Array, ""]
    lost: Bool[Array, ""]
    busy: Bool[Array, ""]
    events: Int[Array, ""]


class Turns(eqx.Module):
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

    def due(self, inputs: tuple[PyTree, ...]) -> Any:
        """When something arrives next."""
        pairs = zip(self.system.inputs, inputs, strict=True)
        times = [source.due(state) for source, state in pairs]
        return jnp.stack(times).min() if times else jnp.inf

    def first_crossing(self, now: Rest, t1):
        """Where to look for the next crossing, up to `t1`, whether there is one, whether the
        search converged, and whether it is due at once.
        """

        def flow(a):
            return self.to(now.t, a, now.y, now.inner, jnp.array(True))[0]

        def search():
            at_once = (self.system.guard(now.t, now.y) >= 0).any()
            y1 = flow(t1) if self.system.inputs else now.y1
            a, found, converged = locate(self.system, flow, now.t, now.y, t1, y1, self.noisy)
            broken = ~found & jnp.isnan(self.system.guard(t1, y1)).any()
            return a, found | broken, converged & ~broken, at_once

        a, found, converged, at_once = _frozen(search)
        return a, found | at_once, converged | at_once, at_once

    def next_event(self, now: Rest, t0, t1, none: Piece) -> tuple[Rest, Piece]:
        """The rest of the step after the next event, and the piece before it; `now` itself, no
        longer busy, and `none`, if there is no event.
        """
        yes = jnp.array(True)
        due = jnp.maximum(self.due(now.inputs), now.t)
        a, found, converged, at_once = self.first_crossing(now, jnp.minimum(t1, due))
        comes = ~found & (due <= t1)  # an arrival, before any crossing
        a = lax.select(at_once, now.t, a)
        a = jnp.where(comes, due, a) if self.system.inputs else a
        y, error, info, inner, result = self.to(now.t, a, now.y, now.inner, yes)
        reach = 1e-2 * (t1 - t0) + 16 * jnp.finfo(t1.dtype).eps * jnp.abs(t1)
        smooth = ~at_once & ~comes & (not self.noisy)
        event, inputs, room = self.with_inputs(
            jump(self.system, a, y, smooth, reach), now.inputs, comes
        )
        found = found | comes
        y1, error1, info1, inner, result1 = self.to(event.t, t1, event.y, inner, yes)
        ok = (event.ok | comes) & (converged | comes)
        spikes = None if now.spikes is None else now.spikes.append(event.times, event.spiked)
        left = t1 - event.t
        busy = ok & (self.near(left, event.t, event.y) | self.near(left, t1, y1))
        busy = busy | (ok & (self.due(inputs) <= t1))
        result = update_result(now.result, update_result(result, result1))
        lost = now.lost | ~ok
        passed, ahead = size(error), size(error1)
        then = Rest(
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
        return _select(now.busy & found, (then, piece), (idle, none))

    def with_inputs(self, event: Jump, states: tuple[PyTree, ...], comes: Bool[Array, ""]):
        """An event to which is added what arrives then (if it `comes`), what is on its way after,
        its own spikes included, and whether there was room for these.
        """
        sources = self.system.inputs
        if not sources:
            return event, states, jnp.array(True)
        pairs = zip(sources, states, strict=True)
        counts, leads, after = zip(*(s.take(state, event.t) for s, state in pairs), strict=True)
        counts, leads = (jax.tree.map(lambda x: x * comes, of) for of in (counts, leads))
        after = jax.tree.map(lambda a, b: jnp.where(comes, a, b), after, states)
        y = arrive(self.system, event.t, event.y, counts, leads)
        pairs = zip(sources, after, strict=True)
        sent = [s.send(state, event.times, event.spiked) for s, state in pairs]
        room = jnp.stack([ok for _, ok in sent]).all()
        event = eqx.tree_at(lambda e: e.y, event, y)
        return event, tuple(state for state, _ in sent), room


def _select(which: Bool[Array, ""], yes: PyTree, no: PyTree) -> PyTree:
    """Without a batch a branch, so that nothing is copied; in a batch a choice by `which`."""
    return lax.cond(which, lambda: yes, lambda: no)


def size(error: Vector | None) -> Any:
    """The absolute error of a step, held constant; `None` where there is none."""
    return None if error is None else lax.stop_gradient(jnp.abs(error))


def _frozen(fn: Callable[[], PyTree]) -> PyTree:
    """`fn()` with everything that it closes over, drives and hazards included, held constant."""
    closed = eqx.filter_closure_convert(fn)
    return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_array(x) else x, closed)()
