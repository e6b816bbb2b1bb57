"""One front for every time integration: a system, a start, an end, a step."""

import dataclasses
import math
from typing import Any, cast

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from .checks import check_shapes, check_times, split_key
from .inputs import Late
from .stepping import RESULTS, OrderedSpikes, SpikeRecord, SpikingTerm
from .stepping.stages import unrolled
from .stepping.whole import AbstractWholeSteps, WholeState
from .stepping.wrapped import AbstractSpikes, AbstractSpikesState
from .system import (
    AbstractSpikingSystem,
    AbstractSystem,
    bad_parameters,
    bind,
    fill_keys,
    is_traced,
)


class Solution(eqx.Module):
    """What a simulation returns: `ts` and `ys` as in diffrax, the record of spikes, and `result`.

    `interpolation` is there with `SaveAt(dense=True)`, `spikes` with `max_spikes`.
    """

    ts: PyTree[Float[Array, "..."]] | None
    ys: PyTree | None
    spikes: SpikeRecord | None
    result: Any  # a RESULTS
    stats: dict[str, Any]
    interpolation: dfx.DenseInterpolation | None = None

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether the solve succeeded."""
        return (self.result == RESULTS.successful) | (self.result == RESULTS.event_occurred)

    def evaluate(self, t: Float[Array, ""]) -> PyTree:
        """The state at `t`, just after any event there.

        **Raises:** `ValueError` without `SaveAt(dense=True)`.
        """
        if self.interpolation is None:
            raise ValueError("saveat: dense output was not saved; pass SaveAt(dense=True).")
        return self.interpolation.evaluate(t, left=False)


def _terms(
    system: AbstractSystem, y0: PyTree, args, t0, t1, dt, fixed: bool, key
) -> tuple[Any, bool]:
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
    shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)), y0)
    # Adaptive steps may become much smaller than dt: a finer path.
    tol = dt / 4 if fixed else jnp.minimum(dt / 4, 2.0**-20 * (t1 - t0))
    path = dfx.VirtualBrownianTree(t0, t1, tol=tol, shape=shape, key=key)

    def amplitude(t, y, args):
        return lx.DiagonalLinearOperator(system.noise(t, y, args))

    return dfx.MultiTerm(flow, dfx.ControlTerm(amplitude, path)), True


def _steps_of_delay(system: AbstractSystem, dt) -> int | None:
    """The steps that the longest delay takes; `None` where that is not known."""
    if not isinstance(system, AbstractSpikingSystem):
        return None
    delays = [source.delays for source in system.inputs() if isinstance(source, Late)]
    if is_traced(dt, *delays):
        return None
    known = [np.asarray(d) for d in delays]  # `jnp` would trace it where `simulate` is traced
    longest = max((float(d.max(initial=0, where=np.isfinite(d))) for d in known), default=0.0)
    return math.ceil(longest / float(dt)) + 3


def _solver(
    system: AbstractSystem,
    solver: Any,
    noisy: bool,
    fixed: bool,
    max_spikes: int | None,
    steps_of_delay: int | None,
) -> Any:
    """The solver by kind of system, with room for `max_spikes` and for delays."""
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
    if max_spikes is None:
        return solver
    if not spiking:
        raise ValueError(f"max_spikes: {type(system).__name__} has no spikes; leave it out.")
    return dataclasses.replace(solver, max_spikes=max_spikes)


def _default_max_steps(t0, t1, dt, controller) -> int | None:
    if is_traced(t0, t1, dt):
        return None
    steps = math.ceil((float(t1) - float(t0)) / float(dt)) + 2
    fixed = isinstance(controller, dfx.ConstantStepSize)
    return steps if fixed else max(64 * steps, 65536)


def _finite(y: PyTree) -> Bool[Array, ""]:
    leaves = [x for x in jax.tree.leaves(y) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in leaves]).all() if leaves else jnp.array(True)


def _result(base, causes) -> Any:
    """The widened result: the first cause that holds, else diffrax's own."""
    result = RESULTS.promote(base)
    for failed, cause in reversed(causes):
        result = RESULTS.where(failed, cause, result)
    return result


def simulate(
    system: AbstractSystem,
    y0: PyTree,
    args: PyTree = None,
    *,
    t1: Any,
    dt: Any,
    t0: Any = 0.0,
    solver: dfx.AbstractSolver | None = None,
    saveat: dfx.SaveAt | None = None,
    stepsize_controller: dfx.AbstractStepSizeController | None = None,
    adjoint: dfx.AbstractAdjoint | None = None,
    max_steps: int | None = None,
    max_spikes: int | None = None,
    key: Key[Array, ""] | Any | None = None,
    event: dfx.Event | None = None,
    progress_meter: dfx.AbstractProgressMeter | None = None,
    throw: bool = True,
) -> Solution:
    """Integrate `system` from `y0` at `t0` to `t1` with steps `dt` (all in the system's time unit).

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
    wrong_time = check_times(t0, t1, dt)
    if max_spikes is not None and max_spikes < 0:
        raise ValueError(f"max_spikes must not be negative, got {max_spikes}.")
    wrong_parameter = bad_parameters(system)
    brownian, escape = (None, None) if key is None else split_key(key)
    system = bind(fill_keys(system, escape), args)
    controller = dfx.ConstantStepSize() if stepsize_controller is None else stepsize_controller
    if max_steps is None:  # while the times are still numbers: under `jit` arrays are traced
        max_steps = _default_max_steps(t0, t1, dt, controller)
    steps_of_delay = _steps_of_delay(system, dt)
    dtype = jnp.result_type(float, *(jnp.result_type(x) for x in (t0, t1, dt)))
    t0, t1, dt = (jnp.asarray(x, dtype) for x in (t0, t1, dt))
    y0 = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x, float)), y0)
    # Numbers would be static in `diffeqsolve`: a new value would compile anew.
    args = jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, float) else x, args)
    check_shapes(system, t0, y0, args)

    fixed = isinstance(controller, dfx.ConstantStepSize)
    terms, noisy = _terms(system, y0, args, t0, t1, dt, fixed, brownian)
    method = _solver(system, solver, noisy, fixed, max_spikes, steps_of_delay)
    saveat = dfx.SaveAt(t1=True) if saveat is None else saveat
    end = dfx.SubSaveAt(t1=True)  # always there, to tell whether the state stayed finite
    ask = eqx.tree_at(
        lambda s: (s.subs, s.solver_state), saveat, ((saveat.subs, end), True), is_leaf=_is_leaf
    )
    if max_steps is None and saveat.dense:
        raise ValueError("max_steps: dense output under `jit` needs it: pass a bound on the steps.")
    found = dfx.diffeqsolve(
        terms,
        unrolled(method),
        t0,
        jnp.where(wrong_time, t0, t1),
        None if isinstance(controller, dfx.StepTo) else jnp.where(wrong_time, 1.0, dt),
        y0,
        args,
        saveat=ask,
        stepsize_controller=controller,
        adjoint=dfx.RecursiveCheckpointAdjoint() if adjoint is None else adjoint,
        max_steps=max_steps,
        event=event,
        progress_meter=dfx.NoProgressMeter() if progress_meter is None else progress_meter,
        throw=False,
    )
    (ts, ended_at), (ys, last) = cast(Any, found.ts), cast(Any, found.ys)
    causes = [(wrong_time, RESULTS.bad_time), (wrong_parameter, RESULTS.bad_parameter)]
    ended = (found.result == dfx.RESULTS.successful) | (found.result == dfx.RESULTS.event_occurred)
    lost = jnp.array(False)
    spikes = None
    state = found.solver_state
    if isinstance(state, AbstractSpikesState):
        causes += state.causes()
        lost = jnp.stack([wrong for wrong, _ in state.causes()]).any()
        spikes = None if state.spikes is None else state.spikes.sorted()
        # Solvers of whole steps test guards without a look at NaN.
        if isinstance(state, WholeState) and isinstance(system, AbstractSpikingSystem):
            y1 = jax.tree.map(lambda x: x[-1], last)
            blind = jnp.isnan(system.guard(ended_at[-1], y1, args)).any()
            causes.append((ended & blind, RESULTS.event_not_located))
    causes.insert(2, ((ended | lost) & ~_finite(last), RESULTS.not_finite))
    result = _result(found.result, causes)
    if saveat.solver_state:
        stats = dict(found.stats, solver_state=found.solver_state)
    else:
        stats = found.stats
    solution = Solution(ts, ys, spikes, result, stats, found.interpolation)
    return result.error_if(solution, ~solution.ok) if throw else solution


def _is_leaf(x: Any) -> bool:
    return x is None or isinstance(x, dfx.SubSaveAt) or isinstance(x, bool)
