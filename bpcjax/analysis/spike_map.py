"""Spike map: the Poincare map of a spiking system, from just after one spike to just after the
next."""

import math
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from .._require import check_times, count as as_count, number
from ..simulate import simulate
from ..system import AbstractSpikingSystem, AbstractSystem, Scalar, bad_parameters
from ..views import AbstractView
from ._flow import Flow, as_floats, flow_of, known
from .flow_map import check_noiseless, check_solver
from .lyapunov import scatter


class _Seen(NamedTuple):
    """A state, and what it was just after the first spike, with when that came."""

    y: PyTree
    then: PyTree
    at: Float[Array, "*n"]  # infinite until then


class _Watched(AbstractView):
    """A system that remembers its state just after its first spike."""

    system: AbstractSpikingSystem
    neuron: int | None = eqx.field(static=True)

    @property
    def inner(self) -> AbstractSpikingSystem:
        """The spiking system whose next spike is awaited."""
        return self.system

    def down(self, y):
        return y.y

    def put(self, y, inner):
        return y._replace(y=inner)

    def up(self, y, change):
        return _Seen(change, *jax.tree.map(jnp.zeros_like, (y.then, y.at)))

    def vector_field(self, t, y, args):
        return self.up(y, self.inner.vector_field(t, y.y, args))

    def guard(self, t, y, args):
        return self.inner.guard(t, y.y, args)

    def reset(self, t, y, args, fired):
        after = self.inner.reset(t, y.y, args, fired)
        spikes = jnp.ravel(self.inner.emits(y.y, fired))
        counts = spikes.any() if self.neuron is None else spikes[self.neuron]
        now = counts & jnp.isinf(y.at).all()
        then = jax.tree.map(lambda new, old: jnp.where(now, new, old), after, y.then)
        return _Seen(after, then, jnp.where(now, t, y.at))

    def emits(self, y, fired):
        return self.inner.emits(y.y, fired)

    def kicked(self, t, y, change):
        now = (y.at == t).all()
        then = jax.tree.map(lambda k, x: jnp.where(now, k, jnp.zeros_like(x)), change, y.then)
        return _Seen(change, then, jnp.zeros_like(y.at))


class NextSpike(eqx.Module):
    """Image under the spike map: the state just after a spike, and the interval until it; NaN where
    `ok` is false."""

    y: PyTree
    interval: Scalar
    ok: Bool[Array, ""]


def next_spike(
    system: AbstractSystem,
    y: PyTree,
    args: PyTree = None,
    *,
    dt: Any,
    wait: float,
    t0: Any = 0.0,
    neuron: int | None = None,
    solver: Any = None,
) -> NextSpike:
    """Spike map: the state of a spiking system just after its next spike (of any neuron, or of the
    one by that index), its reset done and its kicks given.

    Iterated, it gives the orbit from spike to spike; with forward-mode derivatives, which move with
    the spike: a slope of an ISI return map is `jax.jvp` through it. No spike within `wait`, or a
    failed solve, is `ok=False`.

    **Raises:** `ValueError` for a system without spikes, for noise, for delays, for a solver that
    does not take spikes in order, for bad times, or if state and drive do not fit.
    """
    check_times(0.0, wait, dt, "wait")
    t0 = number("t0", t0, finite=True)
    flow = _spiking(system, y, args, solver, neuron, t0, "y")
    return after_spike(flow, flow.layout.ravel(as_floats(y)), t0, dt, wait, neuron, solver)


def _spiking(system, y, args, solver, neuron, t0, name: str) -> Flow:
    flow = flow_of(system, y, args, t0, name)
    if not isinstance(flow.system, AbstractSpikingSystem):
        raise ValueError(f"system: {type(system).__name__} has no spikes, so no spike map.")
    check_solver(flow.system, solver)
    check_noiseless(system, flow, as_floats(y))
    spiking: Any = flow.system
    size = jax.eval_shape(lambda: spiking.guard(flow.t, as_floats(y), args)).size
    if neuron is not None and not 0 <= as_count("neuron", neuron) < size:
        raise ValueError(f"neuron must be 0 to {size - 1}, got {neuron}.")
    return flow


def after_spike(flow: Flow, x, t0, dt, wait, neuron, solver) -> NextSpike:
    """`next_spike` for a state as a vector."""
    system: Any = flow.system
    y = flow.layout.unravel(x)
    t0 = jnp.asarray(t0, x.dtype)
    unseen = jnp.full(jax.eval_shape(lambda: system.guard(t0, y, flow.args)).shape, jnp.inf)
    solution = simulate(
        _Watched(system, neuron),
        _Seen(y, y, unseen),
        flow.args,
        t0=t0,
        t1=t0 + wait,
        dt=dt,
        solver=solver,
        adjoint=dfx.ForwardMode(),
        max_steps=None if not known(wait, dt) else math.ceil(float(wait) / float(dt)) + 2,
        event=dfx.Event(lambda t, y, args, **_: jnp.isfinite(y.at).all()),
        throw=False,
    )
    end = jax.tree.map(lambda leaf: leaf[-1], solution.ys)
    at = jnp.ravel(end.at)[0]
    ok = solution.ok & jnp.isfinite(at)
    then = jax.tree.map(lambda leaf: jnp.where(ok, leaf, jnp.nan), end.then)
    return NextSpike(then, jnp.where(ok, at - t0, jnp.nan), ok)


class Orbit(eqx.Module):
    """Orbit of the spike map: successive states just after spikes, the intervals before them, and
    the largest Lyapunov exponent of the map, per spike, with its standard error."""

    y: PyTree[Float[Array, "count ..."]]
    interval: Float[Array, " count"]
    exponent: Scalar
    error: Scalar
    ok: Bool[Array, ""]


def orbit(
    system: AbstractSystem,
    y0: PyTree,
    args: PyTree = None,
    *,
    dt: Any,
    wait: float,
    count: int,
    burn_in: int = 0,
    neuron: int | None = None,
    solver: Any = None,
) -> Orbit:
    """Orbit of the spike map of `next_spike`: `count` spikes from `y0`, after the first `burn_in`.

    The drive is taken as it is from `t = 0` at each spike, so it should be constant. If the system
    falls silent (no spike within `wait`) all that follows is NaN, and `ok` is false.

    **Raises:** `ValueError` as `next_spike`, and for a `count` below 1.
    """
    count, burn_in = as_count("count", count, 1), as_count("burn_in", burn_in)
    check_times(0.0, wait, dt, "wait")
    bad_parameters(system)
    flow = _spiking(system, y0, args, solver, neuron, 0.0, "y0")
    return _orbit(flow, flow.layout.ravel(as_floats(y0)), dt, wait, count, burn_in, neuron, solver)


@eqx.filter_jit
def _orbit(flow: Flow, x, dt, wait, count: int, burn_in: int, neuron, solver) -> Orbit:
    def advance(now, _):
        x, direction, ok = now

        def to_next(x):
            spike = after_spike(flow, x, 0.0, dt, wait, neuron, solver)
            return flow.layout.ravel(spike.y), spike

        after, tangent, spike = jax.jvp(to_next, (x,), (direction,), has_aux=True)
        size = jnp.linalg.norm(tangent)
        direction = jnp.where(size > 0, tangent / jnp.where(size > 0, size, 1.0), direction)
        ok = ok & spike.ok
        return (after, direction, ok), (after, spike.interval, jnp.log(size))

    start = x, jnp.ones_like(x) / x.size**0.5, jnp.array(True)
    (_, _, ok), orbit = lax.scan(advance, start, length=burn_in + count)
    states, intervals, growth = jax.tree.map(lambda leaf: leaf[burn_in:], orbit)
    y = jax.vmap(flow.layout.unravel)(states)
    return Orbit(y, intervals, growth.mean(), scatter(growth[:, None])[0], ok)
