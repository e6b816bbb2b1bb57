"""Delayed input: a system's own spikes, which arrive after a transmission delay."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.lax as lax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from .._instant import rounding
from .._require import counts, describe
from ..system import parameter
from .base import AbstractInput, Landing

_NO_SPIKE = -9.0  # in the place of a spike in its step


class _OnTheirWay(NamedTuple):
    """Spikes that have not arrived everywhere: when and where from, and the longest delay that
    has passed. `none` has the shape of what arrives.
    """

    times: Float[Array, " room"]
    sources: Int[Array, " room"]
    passed: Float[Array, " room"]
    none: Float[Array, "pre parts"]


def _as_slice(pre: Any) -> tuple[int, int] | None:
    """The ends of a slice of neurons."""
    if pre is None:
        return None
    if not isinstance(pre, tuple) or len(pre) != 2:
        raise ValueError(f"pre must be the two ends of a slice, got {describe(pre)}.")
    start, stop = counts("pre", pre, least=0)
    if start >= stop:
        raise ValueError(f"pre must have neurons in it, got {pre}.")
    return start, stop


class Late(AbstractInput):
    """Delayed input: spikes of the system itself after `delays` (ms): one for all, `[pre, 1]`, or
    `[pre, parts]`, where each spike arrives in parts; `inf` means never. `pre`: the ends of the
    slice of neurons that are meant (`None`: all).

    What arrives has the shape `[pre, parts]`. Exact, with derivatives in times and delays, with
    `OrderedSpikes`. With `LocalSpikes` (second order) and `GridSpikes` (delays rounded to whole
    steps, no derivative in them) steps must be constant.
    """

    delays: Float[Array, "..."] = parameter(nonnegative=True)  # ms
    pre: tuple[int, int] | None = eqx.field(default=None, static=True, converter=_as_slice)

    def __check_init__(self) -> None:
        if self.delays.ndim not in (0, 2):
            raise ValueError(
                f"delays must be a number or [pre, parts], got shape {self.delays.shape}."
            )

    def _table(self, like: Float[Array, "pre parts"]) -> Float[Array, "pre parts"]:
        return jnp.broadcast_to(self.delays.astype(like.dtype), like.shape)

    def _none(self, neurons: int, dtype) -> Float[Array, "pre parts"]:
        parts = self.delays.shape[1] if self.delays.ndim else 1
        own = neurons if self.pre is None else self.pre[1] - self.pre[0]
        return jnp.zeros((own, parts), dtype)

    def _own(self, values: Shaped[Array, " n"]) -> Shaped[Array, " pre"]:
        return values if self.pre is None else values[self.pre[0] : self.pre[1]]

    # One event after another: a queue of spikes

    def leave(self, state):
        return state

    def resume(self, fresh, carried):
        shapes = [[x.shape for x in jax.tree.leaves(of)] for of in (fresh, carried)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "y0: the run before had other neurons, delays or room for spikes on their way; go "
                f"on with the same (its states have shapes {shapes[1]}, these {shapes[0]})."
            )
        return carried

    def wait(self, t0, neurons, room):
        dtype = jnp.result_type(t0)
        return _OnTheirWay(
            jnp.full(room, jnp.inf, dtype),
            jnp.zeros(room, jnp.int32),
            jnp.full(room, -1.0, dtype),
            self._none(neurons, dtype),
        )

    def _ahead(self, state: _OnTheirWay) -> Float[Array, "room parts"]:
        """The arrival times that are still to come."""
        delays = self._table(state.none)[state.sources]
        return jnp.where(delays > state.passed[:, None], state.times[:, None] + delays, jnp.inf)

    def due(self, state):
        return self._ahead(state).min()

    def take(self, state, t):
        ahead = self._ahead(state)
        now = ahead <= t + rounding(t)
        lead = jnp.where(now, ahead - t, 0.0)
        lead = lead - lax.stop_gradient(lead)
        counts = state.none.at[state.sources].add(now.astype(t.dtype))
        leads = state.none.at[state.sources].add(lead)
        delays = lax.stop_gradient(self._table(state.none)[state.sources])
        passed = jnp.where(now, delays, -1.0).max(1)
        passed = jnp.maximum(passed, state.passed)
        over = (jnp.isinf(ahead) | now).all(1)
        times = jnp.where(over, jnp.inf, state.times)
        return counts, leads, state._replace(times=times, passed=passed)

    def send(self, state, times, spiked):
        room = state.times.shape[0]
        times, spiked = self._own(times), self._own(spiked)
        spiked = spiked & jnp.isfinite(self._table(state.none)).any(1)
        free = jnp.isinf(state.times)
        places = jnp.nonzero(free, size=room, fill_value=room)[0]
        rank = jnp.cumsum(spiked, dtype=jnp.int32) - 1  # the k-th spike takes the k-th free place
        place = places.at[rank].get(mode="fill", fill_value=room)
        place = jnp.where(spiked, place, room)
        sources = jnp.arange(spiked.shape[0], dtype=jnp.int32)
        sent = state._replace(
            times=state.times.at[place].set(times, mode="drop"),
            sources=state.sources.at[place].set(sources, mode="drop"),
            passed=state.passed.at[place].set(-1.0, mode="drop"),
        )
        return sent, spiked.sum() <= free.sum()

    # Step by step: a ring with a row of neurons for each of the last steps, `index % rows`

    def begin(self, t0, neurons, room, dtype):
        none = self._none(neurons, dtype)
        return jnp.full((room, none.shape[0]), _NO_SPIKE, dtype), none

    def _look_back(self, ring, none, steps_back, index):
        """The rows of the ring so many steps ago, in the shape of the delays."""
        slot = (index - steps_back) % ring.shape[0]
        if self.delays.ndim == 0:
            return lax.dynamic_index_in_dim(ring, slot, keepdims=False)[:, None]
        slot = jnp.broadcast_to(slot, none.shape)
        return ring[slot, jnp.arange(none.shape[0])[:, None]]

    def _in_steps(self, step, ring):
        """The delays in steps, whole ones but for rounding as such, 0 for those that never end;
        which end; and whether the ring can hold them."""
        delays = self.delays.astype(ring.dtype) / jnp.asarray(step.span, ring.dtype)
        ever = jnp.isfinite(delays)
        delays = jnp.where(ever, delays, 0.0)
        whole = jnp.round(lax.stop_gradient(delays))
        close = jnp.abs(lax.stop_gradient(delays) - whole) <= rounding(whole)
        delays = jnp.where(close, whole + (delays - lax.stop_gradient(delays)), delays)
        return delays, ever, (delays + 2 <= ring.shape[0]).all()

    def land(self, state, step, places, spiked):
        ring, none = state
        ring = _write(ring, step.index, self._own(jnp.where(spiked, places, _NO_SPIKE)))
        delays, ever, ok = self._in_steps(step, ring)
        whole = jnp.floor(lax.stop_gradient(delays)).astype(jnp.int32)
        moments = none, none, none
        for shift in (-1, 0, 1):
            back = whole + shift
            place = self._look_back(ring, none, back, step.index)
            arrival = place + delays - back.astype(place.dtype)
            soon = (arrival < 1) & ((arrival >= 0) | (back == 0))
            now = (place > 0.5 * _NO_SPIKE) & (back >= 0) & ever & soon
            left = jnp.where(now, (1 - arrival) * step.span, 0.0)
            more = now.astype(left.dtype), left, 0.5 * left * left
            moments = tuple(a + b for a, b in zip(moments, more, strict=True))
        return Landing(moments, ok), (ring, none)

    def open(self, state, step):
        # A spike at the end of step k arrives, after a delay of n steps, as step k + 1 + n begins.
        ring, none = state
        delays, ever, ok = self._in_steps(step, ring)
        back = 1 + jnp.round(lax.stop_gradient(delays)).astype(jnp.int32)
        arrivals = self._look_back(ring, none, back, step.index)
        counts = jnp.where(ever & (arrivals > 0.5 * _NO_SPIKE), arrivals, 0.0)
        return jnp.broadcast_to(counts, none.shape), ok, state

    def close(self, state, step, spikes):
        ring, none = state
        return None, jnp.array(True), (_write(ring, step.index, self._own(spikes)), none)


def _write(ring, index, row):
    return lax.dynamic_update_index_in_dim(ring, row, index % ring.shape[0], 0)
