"""Synapses: the current that a spike makes at its targets."""

from abc import abstractmethod
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ..system import Module, Time, parameter

Reversal = Float[Array, "..."] | None


def _through(s: Float[Array, "*n"], v: Float[Array, "*n"], reversal: Reversal):
    """The current of a synapse whose variable is `s`: itself, or that of a conductance."""
    return s if reversal is None else s * (reversal - v)


class AbstractSynapse(Module):
    """Lumped synapse of a postsynaptic population: a state that weighted spikes kick."""

    @abstractmethod
    def rest(self, shape: tuple[int, ...]) -> PyTree:
        """The state with no spike yet, one entry per postsynaptic neuron."""

    @abstractmethod
    def vector_field(self, t: Time, s: PyTree) -> PyTree:
        """The rate of change of the state."""

    @abstractmethod
    def kick(self, weighted: Float[Array, "*n"]) -> PyTree:
        """Increment of the state by weighted spikes, linear in them."""

    @abstractmethod
    def current(self, s: PyTree, v: Float[Array, "*n"]) -> Float[Array, "*n"] | None:
        """The current (pA) into neurons at potential `v` (mV); `None` for none at all."""

    def jump(self, weighted: Float[Array, "*n"]) -> Float[Array, "*n"] | None:
        """Hook: what weighted spikes add to the potential (mV) at once; `None` for nothing."""
        return None


class Delta(AbstractSynapse):
    """Delta synapse: the potential jumps by the weight (mV) at a spike; refractory neurons ignore
    it."""

    def rest(self, shape):
        return None

    def vector_field(self, t, s):
        return None

    def kick(self, weighted):
        return None

    def current(self, s, v):
        return None

    def jump(self, weighted):
        return weighted


class Exponential(AbstractSynapse):
    """Exponential synapse: a current that jumps by the weight (pA) at a spike and decays with `tau`
    (ms).

    With a `reversal` potential (mV) it is a conductance (nS), and the current `g (reversal - v)`.
    """

    tau: Float[Array, "*n"] = parameter(5.0, positive=True)  # ms
    reversal: Reversal = parameter(optional=True)  # mV

    def rest(self, shape):
        return jnp.zeros(shape)

    def vector_field(self, t, s):
        return -s / self.tau

    def kick(self, weighted):
        return weighted

    def current(self, s, v):
        return _through(s, v, self.reversal)


def _log_over(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`log(1 + x) / x`; near 0 its series, which keeps the digits of derivatives as well."""
    near = jnp.abs(x) < 0.06
    small, large = jnp.where(near, x, 0.0), jnp.where(near, 1.0, x)
    series = jnp.zeros_like(small)
    for k in range(13, 0, -1):
        series = 1 / k - small * series
    return jnp.where(near, series, jnp.log1p(large) / large)


class RisingState(NamedTuple):
    """State of a double-exponential synapse: the current or conductance `s`, and the rate `h` (per
    ms) that feeds it."""

    s: Float[Array, "*n"]
    h: Float[Array, "*n"]


class DoubleExponential(AbstractSynapse):
    """Double-exponential synapse: a current (pA), or with a `reversal` (mV) a conductance (nS),
    that rises and decays.

    Each spike adds `w k (exp(-t / decay) - exp(-t / rise))` with k such that its peak is the
    weight w (Rall 1967; Dayan & Abbott 2001, eq. 5.34). The two times may be equal: an alpha
    function.
    """

    rise: Float[Array, "*n"] = parameter(1.0, positive=True)  # ms
    decay: Float[Array, "*n"] = parameter(5.0, positive=True)  # ms
    reversal: Reversal = parameter(optional=True)  # mV

    def rest(self, shape):
        return RisingState(jnp.zeros(shape), jnp.zeros(shape))

    def vector_field(self, t, s):
        return RisingState(s.h - s.s / self.decay, -s.h / self.rise)

    def kick(self, weighted):
        # The peak is where s = decay * h, at t = rise * log(ratio) * ratio / (ratio - 1).
        ratio = self.decay / self.rise
        height = jnp.exp(ratio * _log_over(ratio - 1))
        return RisingState(jnp.zeros_like(weighted), weighted / self.decay * height)

    def current(self, s, v):
        return _through(s.s, v, self.reversal)


class Alpha(AbstractSynapse):
    """Alpha synapse: a current (pA), or with a `reversal` (mV) a conductance (nS), `w (t / tau)
    exp(1 - t / tau)` after each spike: the double exponential with equal times, its peak w at
    `tau`."""

    tau: Float[Array, "*n"] = parameter(5.0, positive=True)  # ms
    reversal: Reversal = parameter(optional=True)  # mV

    @property
    def both(self) -> DoubleExponential:
        """The double-exponential synapse with both time constants equal to `tau`."""
        return DoubleExponential(self.tau, self.tau, self.reversal)

    def rest(self, shape):
        return self.both.rest(shape)

    def vector_field(self, t, s):
        return self.both.vector_field(t, s)

    def kick(self, weighted):
        return self.both.kick(weighted)

    def current(self, s, v):
        return self.both.current(s, v)
