"""Spike traces from which a BCPNN learns its probabilities (Tully, Hennig & Lansner 2014)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.linalg import expm
from jaxtyping import Array, ArrayLike, Float

from ..system import check_parameters, parameter


class Traces(NamedTuple):
    """Of each unit [H, M] the traces `z` of synapses, `e` of eligibility, `p` of probability; of
    each pair [H, M, H, M] those of the product of their `z`."""

    z: Float[Array, "H M"]
    e: Float[Array, "H M"]
    p: Float[Array, "H M"]
    pair_e: Float[Array, "H M H M"]
    pair_p: Float[Array, "H M H M"]


class SpikeTraces(eqx.Module):
    """Three low-pass filters in a row, `z -> e -> p`, of spikes and of coincidences.

    A spike adds `1 / (f_max tau_z)` to `z`, so that a unit that fires at `f_max` has a mean trace
    of 1. Between spikes all is linear and is solved exactly (Tully, Hennig & Lansner 2014, Front.
    Synaptic Neurosci. 6:8; their baseline is the prior of `energies.BCPNN`).
    """

    tau_z: Float[Array, ""] = parameter(10.0, positive=True)  # ms
    tau_e: Float[Array, ""] = parameter(100.0, positive=True)  # ms
    tau_p: Float[Array, ""] = parameter(10_000.0, positive=True)  # ms
    f_max: Float[Array, ""] = parameter(0.1, positive=True)  # 1/ms

    def __check_init__(self) -> None:
        check_parameters(self)

    def init(self, columns: int, units: int) -> Traces:
        """No spike yet."""
        single, pair = jnp.zeros((columns, units)), jnp.zeros((columns, units) * 2)
        return Traces(single, single, single, pair, pair)

    def _after(self, dt: Array, rate: Array, traces: tuple[Array, Array, Array]) -> Array:
        """A chain of filters whose first trace decays at that rate, after the time `dt`."""
        e, p = 1 / self.tau_e, 1 / self.tau_p
        zero = jnp.zeros_like(e)
        chain = jnp.array([[-rate, zero, zero], [e, -e, zero], [zero, p, -p]])
        return jnp.tensordot(expm(chain * dt), jnp.stack(traces), axes=1)

    def update(
        self, traces: Traces, spikes: Float[Array, "H M"], dt: Float[ArrayLike, ""]
    ) -> Traces:
        """The traces a time `dt` (ms) later, and then those of `spikes`, their number a unit."""
        dt = jnp.asarray(dt)
        products = traces.z[:, :, None, None] * traces.z[None, None]
        pair = self._after(dt, 2 / self.tau_z, (products, traces.pair_e, traces.pair_p))
        z, e, p = self._after(dt, 1 / self.tau_z, (traces.z, traces.e, traces.p))
        return Traces(z + spikes / (self.f_max * self.tau_z), e, p, pair[1], pair[2])

    def probabilities(self, traces: Traces) -> tuple[Float[Array, "H M"], Float[Array, "H M H M"]]:
        """Probabilities of units and of pairs, for `energies.BCPNN.from_probabilities`: the traces
        over their sums in each column and pair of columns; equal where nothing was seen."""

        def share(trace, axes):
            total = trace.sum(axis=axes, keepdims=True)
            equal = 1 / jnp.prod(jnp.array([trace.shape[axis] for axis in axes]))
            return jnp.where(total > 0, trace / jnp.where(total > 0, total, 1.0), equal)

        return share(traces.p, (1,)), share(traces.pair_p, (1, 3))

    def run(self, spikes: Float[Array, "T H M"], dt: Float[ArrayLike, ""]) -> Traces:
        """The traces at the last of T bins of `dt` (ms), from none."""
        start = self.init(*spikes.shape[1:])
        return jax.lax.scan(lambda y, s: (self.update(y, s, dt), None), start, spikes)[0]
