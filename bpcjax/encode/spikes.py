"""Spikes in static room: what encoders give, decoders read, and a network takes as input."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._arrays import is_traced as is_traced


class Spikes(NamedTuple):
    """Spikes in the order of their times, from the channels of the same place.

    `times` is padded with `inf`, `channels` with -1. `count` is how many were due; where it
    exceeds the room (only possible under a transformation: elsewhere it is an error), `times` is
    NaN throughout, so that what is made of it is NaN too, and `ok` is False. Leading axes are
    batch axes. `bpcjax.SpikeTrain(spikes.times, spikes.channels)` feeds one row to a network.
    """

    times: Float[Array, "*batch room"]
    channels: Int[Array, "*batch room"]
    count: Int[Array, "*batch"]

    @property
    def ok(self) -> Bool[Array, "*batch"]:
        """Whether every spike found room, and what was encoded made sense."""
        fits = jnp.asarray(self.count) <= self.times.shape[-1]
        return fits & ~jnp.isnan(jnp.asarray(self.times)).any(axis=-1)


def is_known(*values: Any) -> bool:
    """Whether all values are numbers now: no transformation traces them."""
    return not is_traced(*values)


def require(good: Any, message: str) -> Bool[Array, ""]:
    """Whether `good` holds throughout.

    **Raises:** `ValueError` with the message where it is known not to.
    """
    good = jnp.all(jnp.asarray(good))
    if is_known(good) and not bool(good):
        raise ValueError(message)
    return good


def require_all(good: tuple[Any, ...], messages: tuple[str, ...]) -> Bool[Array, ""]:
    """Whether all of `good` hold.

    **Raises:** `ValueError` with the message of the first that is known not to.
    """
    for one, message in zip(good, messages, strict=True):
        require(one, message)
    return jnp.stack([jnp.all(jnp.asarray(one)) for one in good]).all()


def fit(spikes: Spikes, good: Bool[Array, ""], remedy: str) -> Spikes:
    """One row of spikes, NaN where some found no room or where `good` does not hold.

    **Raises:** `ValueError` where it is known that some found no room.
    """
    room = spikes.times.shape[-1]
    fits = require(
        spikes.count <= room, f"room: at least {_show(spikes.count)} spikes, room {room}. {remedy}"
    )
    return spikes._replace(times=jnp.where(good & fits, spikes.times, jnp.nan))


def _show(value: Array) -> str:
    return str(int(value)) if is_known(value) else "?"


def in_order(times: Float[Array, " n"], channels: Int[Array, " n"]) -> Spikes:
    """Spikes sorted by time; entries at `inf` are none. The room is the number of entries."""
    order = jnp.argsort(times, stable=True)
    times = times[order]
    real = jnp.isfinite(times)
    channels = jnp.where(real, channels[order], -1).astype(jnp.int32)
    return Spikes(times, channels, real.sum(dtype=jnp.int32))
