"""Restart of runs that are cut: what goes over a cut, and the steps of the run that goes on."""

import dataclasses
import math
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from ._arrays import choose
from ._require import split_key, state as as_state
from .stepping import RESULTS
from .stepping.base import AbstractSpikes
from .stepping.clock import Clock
from .stepping.stepwise import AbstractWholeSteps
from .system import Scalar, is_traced, without_cut


class _Partitioned(eqx.Module):
    """An object whose arrays may be batched and traced, while all else in it is static."""

    arrays: PyTree
    static: Any = eqx.field(static=True)

    @classmethod
    def of(cls, tree: PyTree) -> "_Partitioned":
        return cls(*eqx.partition(tree, eqx.is_array))

    @property
    def whole(self) -> PyTree:
        return eqx.combine(self.arrays, self.static)


class Restart(eqx.Module):
    """Restart point, which stands in the place of `y0` for the run that goes on: the state, its
    time, and all that the state does not hold.

    `simulate(system, solution.restart, args, t1=...)` is the run that was not cut: to the bit with
    `GridSpikes` and `LocalSpikes`, wherever the cut is; to the accuracy of the inner solver with
    `OrderedSpikes`, as the step that the cut falls in is made in two; to the tolerances of
    adaptive steps. An event at the cut happens once. Solver, controller, `dt` and keys are those
    of the run before where none are passed.
    """

    final: PyTree  # the state at `t`
    y: PyTree  # the state from which steps are made: at `t`, or where the step cut short began
    t: Scalar
    dt: Scalar
    first_dt: Scalar  # of the next step, where steps are adapted
    origin: Scalar  # of the grid of steps
    step: Int[Array, ""]  # the number of the next step, counted from there
    told: Scalar  # events up to this long after its start are on record
    on_their_way: tuple[PyTree, ...]
    keys: tuple[Any, Any] | None  # of the white noise, and of systems with draws
    solver: _Partitioned
    controller: _Partitioned
    result: Any  # a RESULTS: a run that failed cannot go on


class Start(NamedTuple):
    """Beginning of a run: its state, and by what it goes; `before`: the run that it goes on from,
    `grid`: the same if its steps go on too; `cut`: whether the state is known not to be whole."""

    y: PyTree
    t0: Any
    dt: Any
    solver: Any
    controller: Any
    keys: tuple[Any, Any] | None
    before: Restart | None
    grid: Restart | None
    cut: bool


def begin(y0: PyTree, t0: Any, dt: Any, solver: Any, controller: Any, key: Any) -> Start:
    """The start of a run from a state, or from the end of another run.

    **Raises:** `ValueError` naming the argument that does not fit.
    """
    keys = None if key is None else tuple(split_key(key))
    if not isinstance(y0, Restart):
        if dt is None:
            raise ValueError("dt must be a number, got None: the step in the system's time unit.")
        y0, cut = without_cut(y0)
        y0 = as_state("y0", y0)
        controller = dfx.ConstantStepSize() if controller is None else controller
        return Start(y0, 0.0 if t0 is None else t0, dt, solver, controller, keys, None, None, cut)
    before = y0
    if t0 is not None:
        raise ValueError("t0: the run goes on at the time of its restart; leave it out.")
    keys = before.keys if keys is None else keys
    former = before.solver.whole
    solver = former if solver is None else solver
    goes_on = dt is None or (not is_traced(dt, before.dt) and float(dt) == float(before.dt))
    goes_on = goes_on and type(solver) is type(former)
    dt = before.dt if dt is None else dt
    controller = before.controller.whole if controller is None else controller
    start = Start(before.y, before.t, dt, solver, controller, keys, before, before, False)
    if goes_on:
        return start
    waiting = any(x is not None for x in before.on_their_way)
    if waiting and (isinstance(solver, AbstractWholeSteps) or type(solver) is not type(former)):
        raise ValueError(
            "dt and solver: spikes are on their way in steps of the run before; go on with its "
            "`dt` and its kind of solver."
        )
    return start._replace(y=before.final, grid=None)


def room_for(steps: int) -> int:
    """The next power of two: programs for nearly as many steps are then one program."""
    return 1 << max(steps - 1, 0).bit_length()


def clock_of(start: Start, t1: Any, dtype: Any) -> Clock:
    """Clock of a run up to `t1`: its grid of steps."""
    grid = start.grid
    origin, first, horizon = (
        (start.t0, 0, -math.inf) if grid is None else (grid.origin, grid.step, grid.told)
    )
    whole, last, cut_short = _count(origin, t1, start.dt, dtype)
    begins_inside = is_traced(horizon) or math.isfinite(float(horizon))
    on_their_way = None if start.before is None else start.before.on_their_way
    origin, dt, end, horizon = (jnp.asarray(x, dtype) for x in (origin, start.dt, t1, horizon))
    first, whole, last = (jnp.asarray(x).astype(jnp.int32) for x in (first, whole, last))
    # Only for solvers of whole steps is a run that ends inside a step another program.
    whole_steps = isinstance(start.solver, AbstractWholeSteps)
    inside = begins_inside or cut_short or not whole_steps
    return Clock(origin, dt, end, first, whole, last, horizon, on_their_way, inside)


def _count(origin, t1, dt, dtype) -> tuple[Any, Any, bool]:
    """How many whole steps there are from `origin` to `t1`, how many with one cut short, and
    whether there may be such a one: times equal within their rounding are equal."""
    concrete = not is_traced(origin, t1, dt)
    xp: Any = np if concrete else jnp
    origin, t1, dt = (float(x) if concrete else jnp.asarray(x, dtype) for x in (origin, t1, dt))
    steps = (t1 - origin) / dt
    relative = 2 * float(jnp.finfo(dtype).eps) * (abs(t1) + abs(origin)) / dt
    nearest = xp.round(steps)
    on = xp.abs(steps - nearest) <= xp.minimum(relative, 0.5)
    whole = xp.where(on, nearest, xp.floor(steps))
    return whole, whole + xp.where(on, 0, 1), not (concrete and bool(on))


def make_restart(
    start: Start, clock: Clock, system: Any, solver: Any, solver_state: Any, next_dt: Any, t: Any,
    final: PyTree, result: Any, by_event: Any,
) -> Restart:  # fmt: skip
    """Restart point at the end of a run: `solver` and its last state, the next adapted step.

    `by_event`: whether the run was ended by an event of diffrax (`False` where none was passed).
    """
    y, step, on_their_way = final, clock.whole, ()
    horizon, origin = jnp.full((), -jnp.inf, clock.dt.dtype), clock.origin
    if isinstance(solver, AbstractSpikes):
        inside = solver_state.resumption()
        if inside is not None:
            before, step = inside
            unfinished = step < clock.last
            y = choose(unfinished, before, final)
            horizon = jnp.where(unfinished, t - clock.time(step), horizon)
        pairs = zip(system.inputs(), solver_state.inputs, strict=True)
        on_their_way = tuple(source.leave(state) for source, state in pairs)
        solver = dataclasses.replace(solver, clock=None, max_spikes=None)
    constant = isinstance(start.controller, dfx.ConstantStepSize)
    if by_event is not False or not constant:  # steps begin anew
        anew = jnp.asarray(by_event) if constant else jnp.array(True)
        first = final, t, jnp.zeros_like(step), jnp.full_like(horizon, -jnp.inf)
        y, origin, step, horizon = choose(anew, first, (y, origin, step, horizon))
    if by_event is not False and any(x is not None for x in on_their_way):
        result = RESULTS.where(by_event, RESULTS.ended_by_event, result)
    return Restart(
        final, y, t, clock.dt, next_dt, origin, step, horizon, on_their_way, start.keys,
        _Partitioned.of(solver), _Partitioned.of(start.controller), result,
    )  # fmt: skip
