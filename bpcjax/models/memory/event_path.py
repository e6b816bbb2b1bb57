"""Event-driven simulation of the spiking memory: no equation is solved in time steps."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from ..._require import count, instance, key as one_key, number
from ...system import bad_parameters
from .modes import MemoryState, VisibleSpikes, as_query, of_kind
from .spiking_hopfield import SpikingHopfield


class EventPath(eqx.Module):
    """Trajectory of a memory: its spikes and the state they lead to.

    `times` [S] (`inf`: no spike), `winners` [S] (-1: no spike), `count` of spikes; the state `y` at
    the time `t`, of which `x` [N] is the visible one; `saved`, what `save` gave of the state just
    before each of the first `due` spikes, at the times of a Poisson process (those that a
    refractory memory did not send are due too); `heard`, how often visible units spiked. `ok` is
    false where the room for spikes ended before `t1`, or a number is not one.
    """

    times: Float[Array, " S"]
    winners: Int[Array, " S"]
    count: Int[Array, ""]
    y: MemoryState
    t: Float[Array, ""]
    saved: PyTree
    due: Int[Array, ""]
    heard: Int[Array, ""]
    ok: Bool[Array, ""]

    @property
    def x(self) -> Float[Array, "*rows_and_N"]:
        """Visible state [N] at the end of the path."""
        return self.y.x


class _Past(NamedTuple):
    """The path so far. Where spikes are late: those `sent`, of which number `arrived` is the next
    to arrive. `last` [P] says when each memory spiked, where that matters.
    """

    t: Float[Array, ""]
    y: MemoryState
    sent: tuple[Float[Array, " S"], Int[Array, " S"]] | None
    tried: Int[Array, ""]
    arrived: Int[Array, ""]
    last: Float[Array, " P"] | None
    heard: Int[Array, ""]


def event_path(
    memory: SpikingHopfield,
    query: ArrayLike,  # [N], of rasters [N, D]
    key: Key[Array, ""],
    *,
    spikes: int,
    t1: ArrayLike | None = None,
    save: Callable[[MemoryState], PyTree] | None = None,
) -> EventPath:
    """Event-driven simulation of the memory on one query [N]: exact in law, spike after spike;
    `vmap` it over queries.

    Memories are due at the constant total rate, so that the times of their spikes do not depend
    on the state, and between spikes the visible units relax in closed form (with `Thermal`: an
    Ornstein-Uhlenbeck process). Visible spikes are thinned from a rate that bounds theirs until
    the next event. Exact for delays and refractory periods too. Winners over `DelayHopfield` are
    numbers of its hypotheses, which its method `hypothesis` reads as memory and shift.

    **Arguments:** `spikes`, the room for spikes of memories (those that a refractory memory would
    have sent count); the end `t1`, without which the path ends at the last spike; `save(y)`, of
    the state just before a spike.

    **Raises:** `ValueError` naming `query` or `spikes` where they do not fit.
    """
    instance("memory", memory, SpikingHopfield)
    query, key = as_query(memory.energy, query), one_key("key", key)
    spikes = count("spikes", spikes, 1)
    t1 = None if t1 is None else number("t1", t1, least=0)
    bad, memory = bad_parameters(memory), of_kind(memory, query.dtype)
    dtype, visible = query.dtype, memory.mode.visible()
    end = jnp.asarray(jnp.inf if t1 is None else t1, dtype)
    never = jnp.full(memory.energy.hypotheses, -jnp.inf, dtype)
    zero, nobody = jnp.zeros((), jnp.int32), jnp.full(spikes, -1, jnp.int32)
    past = _Past(
        jnp.zeros((), dtype),
        MemoryState(
            query, memory.mode.held(query), None if visible is None else jnp.zeros_like(query)
        ),
        None if memory.delay is None else (jnp.full(spikes, jnp.inf, dtype), nobody),
        zero,
        zero,
        None if memory.refractory is None else never,
        zero,
    )

    def to_next(past: _Past, key):
        wait_key, path_key, draw_key = jax.random.split(key, 3)
        wait = jax.random.exponential(wait_key, (), dtype) / memory.rate
        t = past.t + wait
        due = t <= end
        past = _travel(memory, past, jnp.minimum(t, end), path_key)
        signal = past.y.x if past.y.seen is None else past.y.seen
        scores = memory.energy.scores(signal).ravel()
        winner = jax.random.categorical(draw_key, scores).astype(jnp.int32)
        fires, last = due, past.last
        if last is not None and memory.refractory is not None:
            fires = due & (past.t - last[winner] >= memory.refractory)
            last = last.at[winner].set(jnp.where(fires, past.t, last[winner]))
        before = past.y
        spike = jnp.where(fires, past.t, jnp.inf), jnp.where(fires, winner, -1)
        past = past._replace(last=last)
        if past.sent is None:  # felt at once
            felt = _felt(memory, past.y, winner)
            y = jax.tree.map(lambda a, b: jnp.where(fires, a, b), felt, past.y)
            past = past._replace(y=y)
        else:
            k, (times, winners) = past.tried, past.sent
            sent = times.at[k].set(spike[0]), winners.at[k].set(spike[1])
            past = past._replace(sent=sent, tried=k + 1)
        return past, (due, *spike, None if save is None else save(before))

    end_key, keys = jax.random.fold_in(key, spikes), jax.random.split(key, spikes)
    past, (due, times, winners, saved) = jax.lax.scan(to_next, past, keys)
    if t1 is not None:  # the last spike may have been followed by none before the end
        past = _travel(memory, past, jnp.where(due.all(), past.t, end), end_key)
    if memory.refractory is not None:  # those that were silent go last
        order = jnp.argsort(times, stable=True)
        times, winners = times[order], winners[order]
    fits = jnp.array(True) if t1 is None else ~due.all()
    ok = fits & ~bad & jnp.isfinite(past.y.x).all()
    return EventPath(
        times,
        winners,
        (winners >= 0).sum(dtype=jnp.int32),
        past.y,
        past.t,
        saved,
        due.sum(dtype=jnp.int32),
        past.heard,
        ok,
    )


def _felt(memory: SpikingHopfield, y: MemoryState, winner: Int[Array, ""]) -> MemoryState:
    """The state after the arrival of a spike of the memory `winner`."""
    pattern, per_tau = memory.energy.pattern(winner), memory.rate * memory.tau
    x, target = memory.mode.jump(y, pattern, jnp.ones((), pattern.dtype), per_tau)
    return y._replace(x=y.x + x, held=y.held + target)


def _travel(memory: SpikingHopfield, past: _Past, t: Float[Array, ""], key) -> _Past:
    """To the time `t`, which no new spike of a memory precedes; earlier ones may arrive."""
    delay, sent = memory.delay, past.sent
    if delay is None or sent is None:
        return _drift(memory, past, t, key)
    times, winners = sent

    def waits(carry):
        past, _ = carry
        k = jnp.minimum(past.arrived, times.shape[0] - 1)
        due = (winners[k] < 0) | (times[k] + delay <= t)
        return (past.arrived < past.tried) & due

    def arrive(carry):
        past, key = carry
        key, own = jax.random.split(key)
        k = past.arrived
        silent = winners[k] < 0
        past = _drift(memory, past, jnp.where(silent, past.t, times[k] + delay), own)
        felt = _felt(memory, past.y, winners[k])
        y = jax.tree.map(lambda a, b: jnp.where(silent, b, a), felt, past.y)
        return past._replace(y=y, arrived=k + 1), key

    past, key = jax.lax.while_loop(waits, arrive, (past, key))
    return _drift(memory, past, t, key)


def _relaxed(memory: SpikingHopfield, y: MemoryState, span: Float[Array, ""], key) -> MemoryState:
    """The visible units and their trace after `span` without an event."""
    decay = jnp.exp(-span / memory.tau)
    x, temperature = y.held + (y.x - y.held) * decay, memory.mode.temperature()
    if temperature is not None:
        spread = jnp.sqrt(temperature * -jnp.expm1(-2 * span / memory.tau))
        x = x + spread * jax.random.normal(key, x.shape, x.dtype)
    visible = memory.mode.visible()
    trace = None if visible is None or y.seen is None else y.seen * jnp.exp(-span / visible.tau)
    return MemoryState(x, y.held, trace)


def _drift(memory: SpikingHopfield, past: _Past, t: Float[Array, ""], key) -> _Past:
    """To the time `t`, while nothing arrives from memories; visible units may spike."""
    visible = memory.mode.visible()
    if visible is None:
        return past._replace(t=t, y=_relaxed(memory, past.y, t - past.t, key))
    return _listen(memory, visible, past, t, key)


def _listen(memory: SpikingHopfield, visible: VisibleSpikes, past: _Past, t, key) -> _Past:
    """As `_drift`, with visible spikes: each unit stays below its larger end, so candidates come
    at that bound and count with the probability that their unit's true rate asks for.
    """
    if memory.mode.temperature() is not None:
        raise ValueError("mode: visible spikes of thermal units have no bounded rate; use Hold().")

    def going(carry):
        return carry[1] > 0

    def candidate(carry):
        past, left, key = carry  # the time left, not the time: it keeps its precision
        key, wait_key, unit_key, keep_key = jax.random.split(key, 4)
        y = past.y
        bound = jnp.maximum(jnp.abs(y.x), jnp.abs(y.held))
        total = visible.rate * bound.sum()
        wait = jax.random.exponential(wait_key, (), y.x.dtype) / total  # inf where all are still
        comes = wait < left
        y = _relaxed(memory, y, jnp.minimum(wait, left), key)
        unit = jax.random.categorical(unit_key, jnp.log(bound.ravel()))
        share = jnp.abs(y.x.ravel()[unit]) / bound.ravel()[unit]
        hit = comes & (jax.random.uniform(keep_key, (), y.x.dtype) < share)
        spikes = jnp.zeros(y.x.size, y.x.dtype).at[unit].set(hit.astype(y.x.dtype))
        heard = visible.heard(y, spikes.reshape(y.x.shape))
        y = y._replace(seen=heard if y.seen is None else y.seen + heard)
        left = jnp.where(comes, left - wait, 0.0)
        return past._replace(y=y, heard=past.heard + hit), left, key

    return jax.lax.while_loop(going, candidate, (past, t - past.t, key))[0]._replace(t=t)
