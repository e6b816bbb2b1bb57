"""Modes of the spiking memory: what a spike of a memory does to the visible units."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from ..._require import floating
from ...energies import AbstractMemory
from ...system import Module, parameter

M = TypeVar("M", bound=eqx.Module)


class MemoryState(NamedTuple):
    """State of a spiking memory: visible units `x` [N], their target `held` [N], and, where visible
    units spike, the trace of their spikes, `seen` [N] (else `None`). Of the shape of a pattern:
    over `DelayHopfield` rasters [N, D]."""

    x: Float[Array, "*N"]
    held: Float[Array, "*N"]
    seen: Float[Array, "*N"] | None = None


def as_query(energy: AbstractMemory, query: ArrayLike) -> Float[Array, "*N"]:
    """The query as an array of the patterns' kind.

    **Raises:** `ValueError` if it does not have the patterns' shape.
    """
    query = floating("query", query, energy.patterns.shape[1:], like="energy")
    return query.astype(energy.patterns.dtype)


def check_energy(energy: Any) -> None:
    """Raise `ValueError` if `energy` is no `AbstractMemory`."""
    if not isinstance(energy, AbstractMemory):
        raise ValueError(
            "energy: spikes are draws from a softmax over patterns; take ModernHopfield or "
            f"DelayHopfield, got {type(energy).__name__}."
        )


def of_kind(memory: M, dtype: Any) -> M:
    """`memory` with all its numbers of one kind, that of the patterns."""

    def as_kind(leaf):
        real = eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return leaf.astype(dtype) if real else leaf

    return jax.tree.map(as_kind, memory)


class AbstractMode(Module):
    """Mode: how spikes of memories drive the visible units, whose flow is always `tau x' = held -
    x`."""

    @abstractmethod
    def held(self, query: Float[Array, "*N"]) -> Float[Array, "*N"]:
        """Initial target [N] of the visible units, before the first spike."""

    @abstractmethod
    def jump(
        self,
        y: MemoryState,
        sent: Float[Array, "*N"],
        spikes: Float[Array, ""],
        per_tau: Float[Array, ""],
    ) -> tuple[Float[Array, "*N"], Float[Array, "*N"]]:
        """Jump of `x` and of `held` by `spikes` whose patterns add up to `sent`, where `per_tau`
        spikes are due in a time constant. Linear in the spikes."""

    def temperature(self) -> Float[Array, ""] | None:
        """Hook: the temperature of the visible units' noise (default: none)."""
        return None

    def visible(self) -> VisibleSpikes | None:
        """Hook: how visible units spike (default: they do not, their state is seen as it is)."""
        return None


class Hold(AbstractMode):
    """Sample-and-hold: the last winner drives the visible units until the next spike, `tau x' = x_z
    - x`.

    Its noise vanishes at a sure memory.
    """

    def held(self, query):
        return query

    def jump(self, y, sent, spikes, per_tau):
        return jnp.zeros_like(sent), sent - spikes * y.held


class Shot(AbstractMode):
    """Shot noise: each spike adds its pattern over `rate * tau` to a leaky trace, `tau x' = -x`."""

    def held(self, query):
        return jnp.zeros_like(query)

    def jump(self, y, sent, spikes, per_tau):
        return sent / per_tau, jnp.zeros_like(sent)


class Thermal(AbstractMode):
    """Thermal mode: `Hold` with thermal noise, `tau dx = (x_z - x) dt + sqrt(2 temperature tau)
    dW`.

    At the temperature `1 / beta` the visible state and the winner have the joint law
    `pi_z N(x; x_z, 1 / beta)` at every rate: exact samples of `exp(-beta E)`.
    """

    value: Float[Array, ""] = parameter(nonnegative=True)

    def held(self, query):
        return Hold().held(query)

    def jump(self, y, sent, spikes, per_tau):
        return Hold().jump(y, sent, spikes, per_tau)

    def temperature(self):
        return self.value


class VisibleSpikes(AbstractMode):
    """Spiking visible units: visible unit i sends signed Poisson spikes at the rate `rate |x_i|`;
    the memories see only their trace, each spike `sign(x_i) / (rate tau)`, which decays with `tau`.

    On average that trace is the visible state; its noise falls as `1 / sqrt(rate tau)`. The
    memories' spikes act as in `mode`.
    """

    rate: Float[Array, ""] = parameter(positive=True)  # spikes per unit of time, at |x_i| = 1
    tau: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of time
    mode: AbstractMode = Hold()

    def held(self, query):
        return self.mode.held(query)

    def jump(self, y, sent, spikes, per_tau):
        return self.mode.jump(y, sent, spikes, per_tau)

    def temperature(self):
        return self.mode.temperature()

    def visible(self):
        return self

    def heard(
        self, y: MemoryState, spikes: Float[Array, "*N"] | Int[Array, "*N"]
    ) -> Float[Array, "*N"]:
        """Increment of the trace [N] by `spikes` of the visible units."""
        return jnp.sign(y.x) * spikes / (self.rate * self.tau)
