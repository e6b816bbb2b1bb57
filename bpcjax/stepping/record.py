"""A bounded, ordered, differentiable record of spikes."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class SpikeRecord(eqx.Module):
    """Spikes in the order of their times; `count` may exceed the room, `ok` says if it does.

    `times` is padded with `inf`, `neurons` (index into the flattened guard) with -1.
    """

    times: Float[Array, " room"]
    neurons: Int[Array, " room"]
    count: Int[Array, ""]

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether every spike found room."""
        return self.count <= self.times.shape[-1]

    def append(self, times: Float[Array, " n"], spiked: Bool[Array, " n"]) -> "SpikeRecord":
        """The record with one entry per marked neuron, in the order of their indices."""
        rank = jnp.cumsum(spiked, dtype=self.count.dtype)
        place = jnp.where(spiked, self.count + rank - 1, self.times.shape[0])
        index = jnp.arange(spiked.shape[0], dtype=self.neurons.dtype)
        return SpikeRecord(
            self.times.at[place].set(times, mode="drop"),
            self.neurons.at[place].set(index, mode="drop"),
            self.count + rank[-1],
        )


def empty_record(room: int, dtype) -> SpikeRecord:
    """A record with `room` free places for times of the given dtype."""
    return SpikeRecord(
        jnp.full(room, jnp.inf, dtype), jnp.full(room, -1, jnp.int32), jnp.array(0, jnp.int32)
    )
