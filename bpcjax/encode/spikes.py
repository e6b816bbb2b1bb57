"""Construction and checks of encoded spikes, in static room."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._arrays import is_traced
from .._require import require
from ..spikes import Spikes as Spikes


def require_all(good: tuple[Any, ...], messages: tuple[str, ...]) -> Bool[Array, ""]:
    """Whether all of `good` hold.

    **Raises:** `ValueError` with the message of the first that is known not to.
    """
    return jnp.stack([require(*pair) for pair in zip(good, messages, strict=True)]).all()


def fit(spikes: Spikes, good: Bool[Array, ""], remedy: str) -> Spikes:
    """Spikes of one row, NaN where some found no room or where `good` does not hold.

    **Raises:** `ValueError` where it is known that some found no room.
    """
    room = spikes.times.shape[-1]
    fits = require(
        spikes.count <= room, f"room: at least {_show(spikes.count)} spikes, room {room}. {remedy}"
    )
    times = jnp.where(good & fits, spikes.times, jnp.nan)
    return eqx.tree_at(lambda s: s.times, spikes, times)


def _show(value: Array) -> str:
    return "?" if is_traced(value) else str(int(value))


def padded(times: Float[Array, " n"], channels: Int[Array, " n"]) -> Spikes:
    """Spikes in order, of which those at `inf` are none. The room is the number of entries."""
    real = jnp.isfinite(times)
    channels = jnp.where(real, channels, -1).astype(jnp.int32)
    return Spikes(times, channels, real.sum(dtype=jnp.int32)).in_order()
