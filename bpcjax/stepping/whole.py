"""What solvers share that take all events of a step at once."""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox.internal as eqxi
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from ..inputs import Landing, Late, Step
from ..system import AbstractSpikingSystem, Scalar
from .record import SpikeRecord, empty_record
from .results import RESULTS
from .stages import both_modes
from .term import unwrap
from .wrapped import AbstractSpikes, AbstractSpikesState, failed

ROOM = 64  # steps that a ring of delayed spikes holds, unless told otherwise


class WholeState(AbstractSpikesState):
    """The record of spikes, and the events on their way."""

    inner: PyTree
    spikes: SpikeRecord | None
    inputs: tuple[PyTree, ...]
    index: Int[Array, ""]  # of the next step
    span: Scalar  # the length of the first step
    even: Bool[Array, ""]  # the last step was as long
    crowded: Bool[Array, ""]  # arrivals without room
    uneven: Bool[Array, ""]  # steps of different lengths, with spikes on their way

    def causes(self):
        causes = [(self.uneven, RESULTS.uneven_steps), (self.crowded, RESULTS.arrivals_overflow)]
        if self.spikes is not None:
            causes.append((~self.spikes.ok, RESULTS.record_overflow))
        return causes


class AbstractWholeSteps(AbstractSpikes):
    """A solver that makes a step of `inner` and then takes all events of that step at once."""

    @property
    def solver(self) -> dfx.AbstractSolver:
        """The inner solver, in a form that allows both modes of differentiation, batched."""
        return both_modes(self.inner)

    def init(self, terms, t0, t1, y0, args) -> WholeState:
        system, _, _ = unwrap(terms)
        guard = jax.eval_shape(lambda: system.guard(t0, y0, args))
        dtype = jnp.result_type(t0)
        room = ROOM if self.room is None else self.room
        states = tuple(i.begin(t0, guard.size, room, guard.dtype) for i in system.inputs())
        record = None if self.max_spikes is None else empty_record(self.max_spikes, dtype)
        inner = self.solver.init(terms, t0, t1, y0, args)
        no = jnp.array(False)
        span = jnp.asarray(t1 - t0, dtype)
        return WholeState(inner, record, states, jnp.int32(0), span, ~no, no, no)

    def clock(self, t0, t1, state: WholeState) -> Step:
        """This step; one as long as the first but for rounding counts as whole."""
        part = (t1 - t0) / state.span
        return Step(t0, t1, state.span, jnp.where(jnp.abs(part - 1) < 1e-3, 1.0, part), state.index)

    def landed(
        self,
        system: AbstractSpikingSystem,
        state: WholeState,
        step: Step,
        land: Callable[[Any, PyTree], tuple[Landing, PyTree]],
    ) -> tuple[list[tuple[Array, ...]], tuple[PyTree, ...], Bool[Array, ""]]:
        """The arrivals of all inputs, by moment, the inputs' states after, and whether all of
        them had room.
        """
        inputs = system.inputs()
        if not inputs:
            return [], (), jnp.array(True)
        pairs = zip(inputs, state.inputs, strict=True)
        landings, states = zip(*(land(source, own) for source, own in pairs), strict=True)
        moments = zip(*(landing.moments for landing in landings), strict=True)
        ok = jnp.stack([landing.ok for landing in landings]).all()
        return list(moments), states, ok

    def after(
        self,
        system: AbstractSpikingSystem,
        state: WholeState,
        step: Step,
        inner,
        spikes,
        inputs,
        ok,
        result,
    ):
        """The state for the next step, and the result of this one."""
        waiting = any(isinstance(source, Late) for source in system.inputs())
        whole = step.fraction == 1.0
        uneven = state.uneven | ~state.even if waiting else state.uneven
        crowded = state.crowded | ~ok
        then = WholeState(
            inner, spikes, inputs, state.index + 1, state.span, whole, crowded, uneven
        )
        overflow = crowded | uneven if spikes is None else crowded | uneven | ~spikes.ok
        return then, failed(result, (overflow, dfx.RESULTS.nonlinear_max_steps_reached))


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
