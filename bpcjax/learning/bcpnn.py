"""BCPNN traces: low-pass filtered spikes from which a BCPNN learns its probabilities (Tully, Hennig
& Lansner 2014)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._require import floating, instance, number, sizes, state
from ..system import Module, parameter


class Traces(NamedTuple):
    """BCPNN traces: of each unit [H, M] the traces `z` of synapses, `e` of eligibility, `p` of
    probability; of each pair [H, M, H, M] those of the product of their `z`."""

    z: Float[Array, "H M"]
    e: Float[Array, "H M"]
    p: Float[Array, "H M"]
    pair_e: Float[Array, "H M H M"]
    pair_p: Float[Array, "H M H M"]


_SMALL = 0.5  # up to here by a series
_TERMS = 14  # 0.5^14 / 16! is below the rounding of double precision


def _mean(u: Array) -> Array:
    """The mean of `exp(-u s)` over `s` in 0..1, for `u >= 0`."""
    small = u < _SMALL
    low, high = jnp.where(small, u, 0.0), jnp.where(small, 1.0, u)
    series = sum((-low) ** k / float(math.factorial(k + 1)) for k in range(_TERMS))
    return jnp.where(small, series, -jnp.expm1(-high) / high)


def _mean_of_two(u: Array, v: Array) -> Array:
    """The integral of `exp(-u s - v t)` over `s, t >= 0` with `s + t <= 1`, for `0 <= u <= v`."""
    small = v < _SMALL
    low, high = jnp.where(small, jnp.stack([u, v]), 0.0), jnp.where(small, 1.0, v)
    inner = jnp.where(small, 0.0, u)
    series, products = 0.0, jnp.ones_like(v)  # sums of all products of k factors
    for k in range(_TERMS):
        series = series + (-1) ** k * products / float(math.factorial(k + 2))
        products = low[0] * products + low[1] ** (k + 1)
    apart = (_mean(inner) - jnp.exp(-inner) * _mean(high - inner)) / high
    return jnp.where(small, series, apart)


class SpikeTraces(Module):
    """BCPNN learning rule: three low-pass filters in a row, `z -> e -> p`, of spikes and of
    coincidences.

    A spike adds `1 / (f_max tau_z)` to `z`, so that a unit that fires at `f_max` has a mean trace
    of 1. Between spikes all is linear and is solved exactly (Tully, Hennig & Lansner 2014, Front.
    Synaptic Neurosci. 6:8; their baseline is the prior of `energies.BCPNN`).
    """

    tau_z: Float[Array, ""] = parameter(10.0, positive=True)  # ms
    tau_e: Float[Array, ""] = parameter(100.0, positive=True)  # ms
    tau_p: Float[Array, ""] = parameter(10_000.0, positive=True)  # ms
    f_max: Float[Array, ""] = parameter(0.1, positive=True)  # 1/ms

    def init(self, columns: int, units: int) -> Traces:
        """Initial traces before any spike: zero throughout, for columns [H, M]."""
        columns, units = sizes(columns=columns, units=units)
        single, pair = jnp.zeros((columns, units)), jnp.zeros((columns, units) * 2)
        return Traces(single, single, single, pair, pair)

    def _after(self, dt: Array, rate: Array, traces: tuple[Array, Array, Array]) -> Array:
        """A chain of filters whose first trace decays at that rate, after the time `dt`.

        The exponential of the chain entry by entry: positive, whatever the time and the rates,
        as that by a general rule is not.
        """
        first, second, third = traces
        u = dt * jnp.stack([rate, 1 / self.tau_e, 1 / self.tau_p])
        slow, fast = jnp.sort(jnp.stack([u[:-1], u[1:]]), axis=0)
        through = jnp.exp(-slow) * _mean(fast - slow)
        low, middle, high = jnp.sort(u)
        twice = jnp.exp(-low) * _mean_of_two(middle - low, high - low)
        stay = jnp.exp(-u)
        return jnp.stack(
            [
                stay[0] * first,
                u[1] * through[0] * first + stay[1] * second,
                u[1] * u[2] * twice * first + u[2] * through[1] * second + stay[2] * third,
            ]
        )

    def update(
        self, traces: Traces, spikes: Float[Array, "H M"], dt: Float[ArrayLike, ""]
    ) -> Traces:
        """The traces a time `dt` (ms) later, and then those of `spikes`, their number a unit."""
        instance("traces", traces, Traces)
        traces = state("traces", traces, real=True)
        if len({x.shape for x in traces[:3]}) > 1 or traces.pair_e.shape != traces.z.shape * 2:
            raise ValueError("traces must be [H, M] of units and [H, M, H, M] of pairs.")
        spikes = floating("spikes", spikes, traces.z.shape, like="traces", least=0)
        span = number("dt", dt, least=0)
        products = traces.z[:, :, None, None] * traces.z[None, None]
        pair = self._after(span, 2 / self.tau_z, (products, traces.pair_e, traces.pair_p))
        z, e, p = self._after(span, 1 / self.tau_z, (traces.z, traces.e, traces.p))
        return Traces(z + spikes / (self.f_max * self.tau_z), e, p, pair[1], pair[2])

    def probabilities(self, traces: Traces) -> tuple[Float[Array, "H M"], Float[Array, "H M H M"]]:
        """Probabilities of units and of pairs, for `energies.BCPNN.from_probabilities`: the traces
        over their sums in each column and pair of columns; equal where there was no activity."""

        def share(trace, axes):
            total = trace.sum(axis=axes, keepdims=True)
            equal = 1 / jnp.prod(jnp.array([trace.shape[axis] for axis in axes]))
            return jnp.where(total > 0, trace / jnp.where(total > 0, total, 1.0), equal)

        return share(traces.p, (1,)), share(traces.pair_p, (1, 3))

    def run(self, spikes: Float[Array, "T H M"], dt: Float[ArrayLike, ""]) -> Traces:
        """The traces at the last of T bins of `dt` (ms), from none."""
        spikes, dt = floating("spikes", spikes, ("T", "H", "M"), least=0), number("dt", dt, least=0)
        start = self.init(*spikes.shape[1:])
        return jax.lax.scan(lambda y, s: (self.update(y, s, dt), None), start, spikes)[0]
