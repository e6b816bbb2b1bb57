"""Event-driven simulation of the spiking memory: no equation is solved in time steps."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from ..._require import count, instance, key as one_key, number
from ...jumps.path import AbstractJumps, jump_path, jump_until
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
    """State of the process: that of the memory at the time `t`, and how often visible units spiked.

    Where spikes are late: when each was `sent`, and by whom, of which number `arrived` is the next
    to arrive. `last` [P] says when each memory spiked, where that matters.
    """

    y: MemoryState
    t: Float[Array, ""]
    heard: Int[Array, ""]
    sent: tuple[Float[Array, " S"], Int[Array, " S"]] | None
    spikes: Int[Array, ""]
    arrived: Int[Array, ""]
    last: Float[Array, " P"] | None


class _Memories(AbstractJumps):
    """Spikes of memories: a total rate that is constant, but for memories that are silent."""

    memory: SpikingHopfield

    def start(self, query: Float[Array, "*N"], room: int) -> _Past:
        memory, zero = self.memory, jnp.zeros((), jnp.int32)
        trace = None if memory.mode.visible() is None else jnp.zeros_like(query)
        never = jnp.full(memory.energy.hypotheses, -jnp.inf, query.dtype)
        queue = jnp.full(room, jnp.inf, query.dtype), jnp.full(room, -1, jnp.int32)
        return _Past(
            MemoryState(query, memory.mode.held(query), trace),
            jnp.zeros((), query.dtype),
            zero,
            None if memory.delay is None else queue,
            zero,
            zero,
            None if memory.refractory is None else never,
        )

    def log_bound(self, y, args):
        return jnp.log(self.memory.rate)

    def log_rates(self, y, args):
        memory, state = self.memory, y.y
        signal = state.x if state.seen is None else state.seen
        logs = jnp.log(memory.rate) + memory.energy.log_posterior(signal).ravel()
        if y.last is None:
            return logs
        return jnp.where(y.t - y.last >= memory.refractory, logs, -jnp.inf)

    def jump(self, y, channel):
        if y.last is not None:
            y = y._replace(last=y.last.at[channel].set(y.t))
        if y.sent is None:  # felt at once
            return y._replace(y=self._felt(y.y, channel))
        k, (times, winners) = y.spikes, y.sent
        sent = times.at[k].set(y.t), winners.at[k].set(channel)
        return y._replace(sent=sent, spikes=k + 1)

    def _felt(self, y: MemoryState, winner: Int[Array, ""]) -> MemoryState:
        """The state after the arrival of a spike of the memory `winner`."""
        memory = self.memory
        pattern, per_tau = memory.energy.pattern(winner), memory.rate * memory.tau
        x, target = memory.mode.jump(y, pattern, jnp.ones((), pattern.dtype), per_tau)
        return y._replace(x=y.x + x, held=y.held + target)

    def relax(self, y, span, key):
        """To the next candidate; spikes that were sent earlier arrive on the way."""
        delay, t = self.memory.delay, y.t + span
        if delay is None or y.sent is None:
            return self._drift(y, t, key)
        times, winners = y.sent

        def arrival(past):
            return times[jnp.minimum(past.arrived, times.shape[0] - 1)] + delay

        def waits(carry):
            past, _ = carry
            return (past.arrived < past.spikes) & (arrival(past) <= t)

        def arrive(carry):
            past, key = carry
            key, own = jax.random.split(key)
            winner = winners[past.arrived]
            past = self._drift(past, arrival(past), own)
            return past._replace(y=self._felt(past.y, winner), arrived=past.arrived + 1), key

        y, key = jax.lax.while_loop(waits, arrive, (y, key))
        return self._drift(y, t, key)

    def _drift(self, past: _Past, t: Float[Array, ""], key) -> _Past:
        """To the time `t`, while nothing arrives from memories; visible units may spike."""
        visible = self.memory.mode.visible()
        if visible is None:
            return past._replace(t=t, y=_relaxed(self.memory, past.y, t - past.t, key))
        start = past.y, past.heard
        y, heard = jump_until(_Visible(self.memory, visible), start, None, t - past.t, key)
        return past._replace(t=t, y=y, heard=heard)


class _Visible(AbstractJumps):
    """Spikes of visible units between events of memories: each stays below its larger end. The
    state is that of the memory, and how many spikes there were."""

    memory: SpikingHopfield
    visible: VisibleSpikes

    def __check_init__(self) -> None:
        if self.memory.mode.temperature() is not None:
            raise ValueError(
                "mode: visible spikes of thermal units have no bounded rate; use Hold()."
            )

    def log_bound(self, y, args):
        x, held = y[0].x, y[0].held
        return jnp.log(self.visible.rate * jnp.maximum(jnp.abs(x), jnp.abs(held)).sum())

    def relax(self, y, span, key):
        return _relaxed(self.memory, y[0], span, key), y[1]

    def log_rates(self, y, args):
        return jnp.log(self.visible.rate) + jnp.log(jnp.abs(y[0].x)).ravel()

    def jump(self, y, channel):
        state, count = y
        spikes = jnp.zeros(state.x.size, state.x.dtype).at[channel].set(1.0)
        heard = self.visible.heard(state, spikes.reshape(state.x.shape))
        return state._replace(seen=state.seen + heard), count + 1


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


def event_path(
    memory: SpikingHopfield,
    query: ArrayLike,  # [N], of rasters [N, D]
    key: Key[Array, ""],
    *,
    spikes: int,
    t1: ArrayLike | None = None,
    save: Callable[[MemoryState], PyTree] | None = None,
) -> EventPath:
    """Event-driven simulation of the memory on one query [N]: exact in law, spike after spike, by
    `jump_path`; `vmap` it over queries.

    Memories are due at the constant total rate, so that the times of their spikes do not depend
    on the state, and between spikes the visible units relax in closed form (with `Thermal`: an
    Ornstein-Uhlenbeck process). Visible spikes are thinned from a rate that bounds theirs until
    the next event; they take no room. Exact for delays and refractory periods too. Winners over
    `DelayHopfield` are numbers of its hypotheses, which its method `hypothesis` reads as memory and
    shift.

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
    process = _Memories(memory)
    path = jump_path(
        process, process.start(query, spikes), key=key, jumps=spikes,
        t1=jnp.inf if t1 is None else t1, save=None if save is None else lambda past: save(past.y),
    )  # fmt: skip
    times, winners, past = path.times, path.channels, path.y
    if memory.refractory is not None:  # those that were silent go last
        order = jnp.argsort(times, stable=True)
        times, winners = times[order], winners[order]
    ok = path.ok & ~bad & jnp.isfinite(past.y.x).all()
    return EventPath(
        times, winners, path.count, past.y, path.t, path.saved, path.candidates, past.heard, ok
    )
