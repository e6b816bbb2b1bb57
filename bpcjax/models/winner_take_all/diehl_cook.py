"""Diehl-Cook network: unsupervised learning by a winner-take-all circuit with plastic inputs (Diehl
& Cook 2015)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Key

from ..._arrays import sized
from ..._require import floating, require
from ...networks.wrappers import Refractory
from ...neurons import LIF
from ...system import Module, parameter
from .circuits import WinnerTakeAll


class Learned(NamedTuple):
    """Learned parameters: `weights` [neurons, inputs] and `thresholds` (mV)."""

    weights: Float[Array, "n inputs"]
    thresholds: Float[Array, " n"]


class _State(NamedTuple):
    v: Float[Array, "*batch n"]  # mV above rest, of the excitatory neurons
    partner: Float[Array, "*batch n"]  # mV above rest, of the inhibitory ones
    inhibition: Float[Array, "*batch n"]  # synaptic currents, mV
    excitation: Float[Array, "*batch n"]
    refractory: Float[Array, "*batch n"]  # steps of refractoriness left
    partner_refractory: Float[Array, "*batch n"]


class DiehlCook(Module):
    """Diehl-Cook network: the circuit `WinnerTakeAll` of leaky neurons in steps of `dt / substeps`,
    for batches.

    Inputs are spikes in bins of `dt`; in a bin they are a constant drive of `gain` mV each, times
    their weights. Between the ends of its steps the circuit is solved exactly. Its potentials are
    in mV above rest, its currents in the mV they would add to a neuron that they drive for ever.
    All inhibitory neurons have `partner_threshold` and `partner_tau`.

    Diehl & Cook (2015, Front. Comput. Neurosci. 9:99), with currents for conductances and, for a
    shorter presentation, shorter times. `rest` holds before each presentation.
    """

    dt: Float[Array, ""] = parameter(1.0, positive=True)  # ms
    substeps: int = eqx.field(static=True, converter=sized("substeps", 1), default=4)
    gain: Float[Array, ""] = parameter(15.0, nonnegative=True)  # mV
    tau: Float[Array, ""] = parameter(100.0, positive=True)  # ms
    hold: Float[Array, ""] = parameter(5.0, nonnegative=True)  # ms
    excitation: Float[Array, ""] = parameter(1000.0, nonnegative=True)  # mV
    inhibition: Float[Array, ""] = parameter(500.0, nonnegative=True)  # mV
    tau_e: Float[Array, ""] = parameter(1.0, positive=True)  # ms
    tau_i: Float[Array, ""] = parameter(10.0, positive=True)  # ms
    partner_tau: Float[Array, ""] = parameter(20.0, positive=True)  # ms
    partner_threshold: Float[Array, ""] = parameter(10.0, positive=True)  # mV
    partner_hold: Float[Array, ""] = parameter(2.0, nonnegative=True)  # ms

    def circuit(self, thresholds: Float[Array, " n"]) -> WinnerTakeAll:
        """Equivalent circuit for the engine's solvers: its drive is the `args` of a solve."""
        size = thresholds.shape[0]

        def both(excitatory: Array, inhibitory: Array) -> Array:
            return jnp.repeat(jnp.stack([excitatory, inhibitory]), size)

        th = jnp.concatenate([thresholds, jnp.full(size, self.partner_threshold)])
        zero = jnp.zeros(())
        neuron = LIF(both(self.tau, self.partner_tau), jnp.ones(()), zero, th, zero)
        refractory = Refractory(neuron, both(self.hold, self.partner_hold))
        return WinnerTakeAll(
            refractory, size, self.excitation, self.inhibition, self.tau_e, self.tau_i
        )

    def drive(
        self, weights: Float[Array, "n inputs"], spikes: Float[Array, "bins *batch inputs"]
    ) -> Float[Array, "bins *batch n"]:
        """The drive (mV) in each bin of the spikes: one product for all bins."""
        weights, spikes = floating("weights", weights, ("n", "inputs")), floating("spikes", spikes)
        if spikes.shape[-1:] != weights.shape[1:]:
            raise ValueError(
                f"spikes must have {weights.shape[1]} inputs on the last axis, as weights have, "
                f"got shape {spikes.shape}."
            )
        return self.gain * (spikes @ weights.T)

    def spikes(
        self, thresholds: Float[Array, " n"], drive: Float[Array, "bins *batch n"]
    ) -> Bool[Array, "bins *batch n"]:
        """The bins in which excitatory neurons spike, from rest.

        **Raises:** an error if the drive is not finite or a threshold is NaN, also where traced.
        """
        thresholds, drive = floating("thresholds", thresholds, ("n",)), floating("drive", drive)
        if drive.ndim < 2 or drive.shape[-1:] != thresholds.shape:
            raise ValueError(
                f"drive must be [bins, ..., {thresholds.size}], as thresholds are, got shape "
                f"{drive.shape}."
            )
        good = jnp.isfinite(drive).all() & ~jnp.isnan(thresholds).any()
        message = "drive must be finite, thresholds not NaN; look at weights and input spikes."
        require(good, message)
        drive = eqx.error_if(drive, ~good, message)
        h = self.dt / self.substeps
        decay = jnp.exp(-h / self.tau)
        kick = _response(h, self.tau_i, self.tau)
        decay_i, decay_e = jnp.exp(-h / self.tau_i), jnp.exp(-h / self.tau_e)
        partner_decay = jnp.exp(-h / self.partner_tau)
        partner_kick = _response(h, self.tau_e, self.partner_tau)
        thresholds = jnp.broadcast_to(thresholds, drive.shape[1:])
        hold, partner_hold = jnp.round(self.hold / h), jnp.round(self.partner_hold / h)

        def step(y: _State, drive: Array) -> tuple[_State, Array]:
            v = decay * y.v + (1 - decay) * drive - kick * y.inhibition
            v = jnp.where(y.refractory > 0, 0.0, v)
            partner = partner_decay * y.partner + partner_kick * y.excitation
            partner = jnp.where(y.partner_refractory > 0, 0.0, partner)
            won, answered = v >= thresholds, partner >= self.partner_threshold
            sent = answered.astype(v.dtype)
            others = sent.sum(axis=-1, keepdims=True) - sent
            new = _State(
                v=jnp.where(won, 0.0, v),
                partner=jnp.where(answered, 0.0, partner),
                inhibition=decay_i * y.inhibition + self.inhibition * others,
                excitation=decay_e * y.excitation + self.excitation * won,
                refractory=jnp.where(won, hold, jnp.maximum(y.refractory - 1, 0.0)),
                partner_refractory=jnp.where(
                    answered, partner_hold, jnp.maximum(y.partner_refractory - 1, 0)
                ),
            )
            return new, won

        def one_bin(y: _State, drive: Array) -> tuple[_State, Array]:
            any_won = jnp.zeros(drive.shape, bool)
            for _ in range(self.substeps):
                y, won = step(y, drive)
                any_won = any_won | won
            return y, any_won

        rest = _State(*(jnp.zeros(drive.shape[1:], drive.dtype) for _ in _State._fields))
        return jax.lax.scan(one_bin, rest, drive)[1]


def _response(h: Array, tau: Array, membrane: Array) -> Array:
    """Response of a membrane in the time `h` to a current of 1 that decays with `tau`: `tau (exp(-h
    / tau) - exp(-h / membrane)) / (tau - membrane)`, and its limit where the two times are equal.
    """
    apart = h / tau - h / membrane
    equal = apart == 0
    safe = jnp.where(equal, 1.0, apart)
    growth = jnp.where(equal, 1 + apart / 2, jnp.expm1(safe) / safe)
    return h / membrane * jnp.exp(-h / tau) * growth


def poisson_spikes(
    key: Key[Array, ""],
    rates: Float[Array, "*batch inputs"],
    bins: int,
    dt: Float[ArrayLike, ""] = 1.0,
) -> Float[Array, "bins *batch inputs"]:
    """Bernoulli approximation of Poisson spikes: bins of `dt` (ms) with or without one, at `rates`
    (1/ms), to a probability of 2^-16."""
    spike = -jnp.expm1(-jnp.asarray(dt) * rates)
    bits = jax.random.bits(key, (bins, *rates.shape), jnp.uint16)
    return (bits < jnp.round(65535 * spike)[None].astype(jnp.uint16)).astype(rates.dtype)


def traces_at(
    inputs: Float[Array, "bins batch inputs"],
    spikes: Bool[Array, "bins batch n"],
    decay: Float[ArrayLike, ""],
    room: int,
) -> Float[Array, "n inputs"]:
    """Spike-triggered sums: for each neuron, of the inputs' traces at its spikes, all `room` of
    them at most.

    A trace gains 1 at the start of a bin with an input spike, and falls by `decay` to its end,
    where the circuit's spikes are.

    **Raises:** `ValueError` if there are more spikes than `room` (where they are traced, the sums
    are NaN).
    """

    left = jnp.asarray(decay)

    def step(trace: Array, count: Array) -> tuple[Array, Array]:
        trace = left * (trace + count)
        return trace, trace

    fits = require(spikes.sum() <= room, f"room: there are more spikes than {room}. Pass more.")
    size = spikes.shape[-1]
    traces = jax.lax.scan(step, jnp.zeros_like(inputs[0]), inputs)[1]
    place = jnp.nonzero(spikes.ravel(), size=room, fill_value=spikes.size)[0]
    rows = traces.reshape(-1, inputs.shape[-1])[place // size]
    neuron = jnp.where(place < spikes.size, place % size, size)
    sums = jnp.zeros((size, inputs.shape[-1]), inputs.dtype).at[neuron].add(rows, mode="drop")
    return jnp.where(fits, sums, jnp.nan)


def unit_length(weights: Float[Array, "n inputs"], length: Float[ArrayLike, ""]) -> Array:
    """Weight normalisation: those of each neuron are scaled to this length, by the neuron alone."""
    norm = jnp.sqrt((weights**2).sum(axis=1, keepdims=True))
    return weights * (jnp.asarray(length) / norm)
