"""`simulate`: time integration of a system, from a start to an end in steps."""

import dataclasses
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key, PyTree

from ._arrays import sized
from ._fit import check_shapes
from ._require import check_times, floating, instance, require, unresolved
from .restart import Restart, Start, begin, clock_of, make_restart, room_for
from .solution import Solution, is_finite, succeeded, widened
from .stepping import RESULTS, OrderedSpikes, SpikingTerm
from .stepping.base import AbstractSpikes, AbstractSpikesState
from .stepping.brownian import noise_term
from .stepping.clock import Clock, GridSteps, beyond, starting
from .stepping.record import until
from .stepping.runge_kutta import unrolled
from .stepping.stepwise import AbstractWholeSteps
from .system import AbstractSpikingSystem, AbstractSystem, bad_parameters, fill_keys, is_traced
from .views import bind


def _terms(system: AbstractSystem, y0: PyTree, args, t0, dt, fixed: bool, key) -> tuple[Any, bool]:
    """The diffrax terms of a system, and whether there is noise."""
    flow = (
        SpikingTerm(system)
        if isinstance(system, AbstractSpikingSystem)
        else dfx.ODETerm(system.vector_field)
    )
    if jax.eval_shape(lambda: system.noise(t0, y0, args)) is None:
        return flow, False
    if key is None:
        raise ValueError("key: this system has noise: pass `key=jax.random.key(...)`.")
    return dfx.MultiTerm(flow, noise_term(system, y0, key, dt, fixed)), True


def _steps_of_delay(system: AbstractSystem, dt) -> int | None:
    """The steps that the longest delay takes; `None` where that is not known."""
    if not isinstance(system, AbstractSpikingSystem):
        return None
    delays = [source.delays for source in system.inputs() if source.delays is not None]
    if is_traced(dt, *delays):
        return None
    concrete = [np.asarray(d) for d in delays]  # `jnp` would trace it where `simulate` is traced
    longest = max((float(d.max(initial=0, where=np.isfinite(d))) for d in concrete), default=0.0)
    return room_for(math.ceil(longest / float(dt)) + 3)


def _solver(
    system: AbstractSystem,
    solver: Any,
    noisy: bool,
    fixed: bool,
    max_spikes: int | None,
    steps_of_delay: int | None,
    clock: Clock,
) -> Any:
    """The solver by kind of system, with its clock and with room for `max_spikes` and delays."""
    spiking = isinstance(system, AbstractSpikingSystem)
    if solver is None:
        rough: Any = dfx.EulerHeun() if fixed else dfx.Heun()  # which estimates its error
        inner = rough if noisy else dfx.Tsit5()
        solver = OrderedSpikes(inner) if spiking else inner
    if spiking and not isinstance(solver, AbstractSpikes):
        raise ValueError(
            f"solver: {type(system).__name__} spikes, so {type(solver).__name__} would miss its "
            f"resets; pass OrderedSpikes({type(solver).__name__}())."
        )
    if not spiking and isinstance(solver, AbstractSpikes):
        raise ValueError(
            f"solver: {type(system).__name__} has no spikes; pass the inner solver of "
            f"{type(solver).__name__} by itself."
        )
    if isinstance(solver, AbstractWholeSteps) and solver.room is None:
        solver = dataclasses.replace(solver, room=steps_of_delay)
    if spiking:
        adapted = not fixed and isinstance(solver, AbstractWholeSteps)
        if adapted and any(source.constant_steps for source in system.inputs()):
            raise ValueError(
                "stepsize_controller: an input is drawn step by step, so steps must be constant; "
                "leave the controller out, or pass a SpikeTrain drawn beforehand."
            )
        solver = dataclasses.replace(solver, clock=None if adapted else clock)
    if max_spikes is None:
        return solver
    if not spiking:
        raise ValueError(f"max_spikes: {type(system).__name__} has no spikes; leave it out.")
    return dataclasses.replace(solver, max_spikes=max_spikes)


_KINDS = {
    "system": AbstractSystem,
    "solver": dfx.AbstractSolver,
    "saveat": dfx.SaveAt,
    "stepsize_controller": dfx.AbstractStepSizeController,
}


def _check_kinds(*values: Any) -> None:
    """Refuse by name objects of the wrong kind, and saved times that are NaN."""
    for (name, kind), value in zip(_KINDS.items(), values, strict=True):
        if value is not None or name == "system":
            instance(name, value, kind)
    saveat = values[2]
    subs = [] if saveat is None else jax.tree.leaves(saveat.subs, is_leaf=_is_sub)
    for ts in (sub.ts for sub in subs if isinstance(sub, dfx.SubSaveAt) and sub.ts is not None):
        known = np.zeros(0) if is_traced(ts) else np.asarray(ts)
        require(known == known, "saveat: NaN is among its times ts.")
        require(known[1:] >= known[:-1], "saveat: times ts must rise. Sort them.")


def _default_max_steps(t0, t1, dt, controller) -> int | None:
    if is_traced(t0, t1, dt):
        return None
    steps = room_for(math.ceil((float(t1) - float(t0)) / float(dt)) + 2)
    fixed = isinstance(controller, dfx.ConstantStepSize)
    return steps if fixed else max(64 * steps, 65536)


def _as_drive(leaf: Any) -> Any:
    """Numbers as arrays: they would be static in `diffeqsolve`, a new value would compile anew."""
    if isinstance(leaf, np.datetime64 | np.timedelta64 | Fraction | Decimal):
        return floating("args", leaf)
    number = isinstance(leaf, (int, float, complex, np.generic)) and not isinstance(leaf, bool)
    return jnp.asarray(leaf) if number else leaf


class _Leaves(eqx.Module):
    """The leaves of what a user saves (diffrax takes no empty tuples), at times that diffrax may
    have beyond the end."""

    fn: Any
    t1: Any

    def __call__(self, t, y, args):
        return jax.tree.leaves(self.fn(jnp.minimum(t, self.t1), y, args))


def _is_sub(x: Any) -> bool:
    return isinstance(x, dfx.SubSaveAt)


_END = dfx.SubSaveAt(t1=True)


def _with_end(saveat: dfx.SaveAt, t1) -> dfx.SaveAt:
    """`SaveAt` of the solve: what the user saves, and always the end, to tell whether the state
    stayed finite, and to go on."""

    def leaves(sub: dfx.SubSaveAt) -> dfx.SubSaveAt:
        sub = eqx.tree_at(lambda s: s.fn, sub, _Leaves(sub.fn, t1))
        if sub.ts is None:
            return sub
        ts = jnp.asarray(sub.ts)  # one that rounding puts after the end is the end
        ts = jnp.where(ts <= beyond(t1), jnp.minimum(ts, t1), ts)
        return eqx.tree_at(lambda s: s.ts, sub, ts)

    return dfx.SaveAt(
        subs=jax.tree.map(leaves, (saveat.subs, _END), is_leaf=_is_sub),
        dense=saveat.dense, solver_state=True, controller_state=True, made_jump=saveat.made_jump,
    )  # fmt: skip


def _saved(subs: PyTree, rows: PyTree, t0, y0, args) -> PyTree:
    """Saved states, in the structure that the user's functions give it."""

    def one(sub: dfx.SubSaveAt, leaves: PyTree) -> PyTree:
        like = eqx.filter_eval_shape(sub.fn, t0, y0, args)
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    return jax.tree.map(one, subs, rows, is_leaf=_is_sub)


def _from_the_cut(saveat: dfx.SaveAt, ys: PyTree, before: Restart, args) -> PyTree:
    """Saved states, with the state at the cut for that from which steps are made."""

    def one(sub: dfx.SubSaveAt, rows: PyTree) -> PyTree:
        if not sub.t0:
            return rows
        first = sub.fn(before.t, before.final, args)
        return jax.tree.map(lambda row, x: row.at[0].set(x), rows, first)

    return jax.tree.map(one, saveat.subs, ys, is_leaf=_is_sub)


def _marked(system: AbstractSpikingSystem, saveat: dfx.SaveAt, ys: PyTree) -> PyTree:
    """Saved states, marked as out of the middle of a run."""

    def one(sub: dfx.SubSaveAt, rows: PyTree) -> PyTree:
        return system.mark_cut(rows) if sub.fn is _END.fn else rows

    return jax.tree.map(one, saveat.subs, ys, is_leaf=_is_sub)


def simulate(
    system: AbstractSystem,
    y0: PyTree,
    args: PyTree = None,
    *,
    t1: Any,
    dt: Any = None,
    t0: Any = None,
    solver: dfx.AbstractSolver | None = None,
    saveat: dfx.SaveAt | None = None,
    stepsize_controller: dfx.AbstractStepSizeController | None = None,
    adjoint: dfx.AbstractAdjoint | None = None,
    max_steps: int | None = None,
    max_spikes: int | None = None,
    key: Key[Any, ""] | Any | None = None,
    event: dfx.Event | None = None,
    progress_meter: dfx.AbstractProgressMeter | None = None,
    throw: bool = True,
) -> Solution:
    """Time integration of `system` from `y0` at `t0` (0 unless given) to `t1` with steps `dt` (all
    in the system's time unit).

    Steps begin at `t0 + n dt`; the last one is shorter where `t1` is not among these. Events from
    outside in [t0, t1) are taken; what arrives as a step begins is not yet in a state that is
    saved there. `solution.restart` in the place of `y0` goes on from the end of a
    run with all that is on its way, by default with its solver, steps and keys: see `Restart`.

    `args` is the drive: a pytree of arrays and of functions of `t`, smooth within a step (where
    one jumps, pass `ClipStepSizeController(PIDController(...), jump_ts=...)`). Every other
    argument is diffrax's, with defaults by kind of system: `OrderedSpikes(Tsit5())` if it spikes,
    `Tsit5()` for a smooth flow, and with noise (which needs `key`) `EulerHeun()`, or `Heun()` for
    adaptive steps, in their place; `SaveAt(t1=True)`; a constant step;
    `RecursiveCheckpointAdjoint` (reverse mode; forward mode needs `ForwardMode()`, a Hessian
    `ForwardMode()` twice or `DirectAdjoint()`); `max_steps` from the times (where these are
    traced, pass it for reverse mode and dense output). `max_spikes` is the room of the spike
    record; `None` records nothing.

    **Raises:** `ValueError` naming the argument for bad input; where values are traced, and for
    failures of the solve, `RuntimeError` with `throw=True`, else `result` and `ok` tell. Under
    `vmap` pass `throw=False` and look at `ok` row by row.
    """
    _check_kinds(system, solver, saveat, stepsize_controller)
    start = begin(y0, t0, dt, solver, stepsize_controller, key)
    y0, t0, dt, controller = start.y, start.t0, start.dt, start.controller
    wrong_time = check_times(t0, t1, dt)
    max_spikes, max_steps = sized("max_spikes")(max_spikes), sized("max_steps", 1)(max_steps)
    wrong_parameter = bad_parameters(system)
    brownian, escape = (None, None) if start.keys is None else start.keys
    system = bind(fill_keys(system, escape), args)
    fixed = isinstance(controller, dfx.ConstantStepSize)
    if max_steps is None:  # while the times are still numbers: under `jit` arrays are traced
        max_steps = _default_max_steps(t0, t1, dt, controller)
    steps_of_delay = _steps_of_delay(system, dt)
    dtype = jnp.result_type(float, *(jnp.result_type(x) for x in (t0, t1, dt)))
    clock = clock_of(start, t1, dtype)
    too_fine = unresolved(t0, t1, dt, dtype) if fixed else jnp.array(False)
    t0, t1, dt = (jnp.asarray(x, dtype) for x in (t0, t1, dt))
    y0 = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x, float)), y0)
    args = jax.tree.map(_as_drive, args)
    check_shapes(system, t0, y0, args)

    terms, noisy = _terms(system, y0, args, t0, dt, fixed, brownian)
    method = _solver(system, start.solver, noisy, fixed, max_spikes, steps_of_delay, clock)
    saveat = dfx.SaveAt(t1=True) if saveat is None else saveat
    if max_steps is None and saveat.dense:
        raise ValueError("max_steps: dense output under `jit` needs it: pass a bound on the steps.")
    wrong = wrong_time | too_fine
    raw = dfx.diffeqsolve(
        terms,
        unrolled(method),
        t0,
        jnp.where(wrong, t0, beyond(t1) if fixed else t1),
        None,
        y0,
        args,
        saveat=_with_end(saveat, t1),
        stepsize_controller=_steps(start, clock, wrong),
        adjoint=_adjoint(max_steps) if adjoint is None else adjoint,
        max_steps=max_steps,
        event=event,
        progress_meter=dfx.NoProgressMeter() if progress_meter is None else progress_meter,
        throw=False,
    )
    causes = [
        (wrong_time, RESULTS.bad_time),
        (too_fine, RESULTS.unresolved_time),
        (wrong_parameter, RESULTS.bad_parameter),
        (jnp.array(start.cut), RESULTS.cut_state),
    ]
    solution = _read(raw, start, clock, system, args, method, saveat, event, causes)
    return _checked(solution) if throw else solution


def _adjoint(max_steps: int | None) -> dfx.AbstractAdjoint:
    """Reverse mode by checkpoints; inside of `shard_map`, where equinox's loop with checkpoints
    refuses that its counters have another sharding on the way back, by a bounded loop.
    """
    mapped = bool(jax.sharding.get_abstract_mesh().manual_axes)
    direct = mapped and max_steps is not None
    return dfx.DirectAdjoint() if direct else dfx.RecursiveCheckpointAdjoint()


def _checked(solution: Solution) -> Solution:
    """The solution, or an error that names what failed. (An error cannot pass on keys.)"""
    if not is_traced(solution.ok):
        if not np.asarray(solution.ok).all():
            raise RuntimeError(f"simulate failed: {RESULTS[solution.result]}")
        return solution
    keys, arrays = eqx.partition(solution, _is_key)
    return eqx.combine(keys, solution.result.error_if(arrays, ~solution.ok))


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _steps(start: Start, clock: Clock, wrong) -> dfx.AbstractStepSizeController:
    """The controller of a run, which knows its first step."""
    if isinstance(start.controller, dfx.ConstantStepSize):
        return GridSteps(clock)
    if isinstance(start.controller, dfx.StepTo):
        return start.controller
    first = clock.dt if start.grid is None else start.grid.first_dt
    return starting(start.controller, jnp.where(wrong, 1.0, first))


def _read(raw, start: Start, clock: Clock, system, args, method, saveat, event, causes):
    """The solution that diffrax's is, with all causes of failure, those given first."""
    (ts, ended_at) = cast(Any, raw.ts)
    ys, last = _saved((saveat.subs, _END), raw.ys, clock.t1, start.y, args)
    ts, ended_at = jax.tree.map(
        lambda t: jnp.where(t == beyond(clock.t1), clock.t1, t), (ts, ended_at[-1])
    )
    final, state = jax.tree.map(lambda x: x[-1], last), raw.solver_state
    ended = succeeded(RESULTS.promote(raw.result))
    lost, spikes, more = jnp.array(False), None, []
    if isinstance(state, AbstractSpikesState):
        assert isinstance(system, AbstractSpikingSystem)
        if start.before is not None and state.resumption() is not None:
            ys = _from_the_cut(saveat, ys, start.before, args)
        more = state.causes(lambda: system.guard(ended_at, final, args), ended)
        lost = jnp.stack([wrong for wrong, _ in more]).any()
        spikes = None if state.spikes is None else state.spikes.in_order()
        if spikes is not None and event is not None:
            spikes = until(spikes, ended_at)
    causes = [*causes, ((ended | lost) & ~is_finite(last), RESULTS.not_finite), *more]
    result = widened(raw.result, causes)
    if start.before is not None:
        result = RESULTS.where(succeeded(start.before.result), result, start.before.result)
    by_event = False if event is None else raw.result == dfx.RESULTS.event_occurred
    adapted = isinstance(raw.controller_state, tuple)
    next_dt = raw.controller_state[1] if adapted else clock.dt
    restart = make_restart(
        start, clock, system, method, state, next_dt, ended_at, final, result, by_event
    )
    stats = dict(raw.stats, solver_state=state) if saveat.solver_state else raw.stats
    if isinstance(system, AbstractSpikingSystem):
        ys, final = _marked(system, saveat, ys), system.mark_cut(final)
    return Solution(ts, ys, spikes, result, stats, final, restart, raw.interpolation)
