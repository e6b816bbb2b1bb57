"""Spike-timing-dependent plasticity (STDP): pairs, traces, and rewards.

A rule has the shape of optax: `init(weights) -> state`, `update(seen, state, weights) -> (change,
state)`, with weights [post, pre] (a projection's are their transpose). What it takes in place of a
gradient is a `Moment`: the time that passed without a spike, and the spikes at its end. Traces
decay exactly in between, so a moment may be a bin of a loop or the next event of a record
(`replay`). Spikes at one instant are no pair of each other.
"""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..._require import floating, instance, number
from ...system import Module, is_traced, parameter

Weights = Float[Array, "post pre"]


class Moment(NamedTuple):
    """Event of a rule: a time `dt` (ms) without spikes, then the numbers of spikes `pre` and
    `post`, of each neuron, and after them the `reward`."""

    dt: Float[Array, ""]
    pre: Float[Array, " pre"]
    post: Float[Array, " post"]
    reward: Float[Array, ""] | float = 0.0


class AbstractBounds(Module):
    """Weight dependence: how a weight resists its growth."""

    @abstractmethod
    def __call__(self, weights: Weights, up: Weights, down: Weights) -> Weights:
        """The change of weights that gain `up` and lose `down`, neither negative."""


class Free(AbstractBounds):
    """Free weights: no bounds, so changes add up in any order."""

    def __call__(self, weights, up, down):
        return up - down


def _check_order(low: Array, high: Array) -> None:
    if not is_traced(low, high) and (np.asarray(low) > np.asarray(high)).any():
        raise ValueError(f"low must not be above high, got {low} and {high}. Swap them.")


class Hard(AbstractBounds):
    """Hard bounds: changes stop at `low` and `high` (Song, Miller & Abbott 2000).

    **Raises:** `ValueError` if `low` is above `high`.
    """

    low: Float[Array, ""] = parameter(0.0)
    high: Float[Array, ""] = parameter(1.0)

    def __check_init__(self) -> None:
        super().__check_init__()
        _check_order(self.low, self.high)

    def __call__(self, weights, up, down):
        return jnp.clip(weights + up - down, self.low, self.high) - weights


class Soft(AbstractBounds):
    """Soft bounds: gains shrink as `(high - w)^power`, losses as `(w - low)^power`: additive at
    power 0, multiplicative at 1 (Gütig, Aharonov, Rotter & Sompolinsky 2003, J. Neurosci. 23:3697).
    A step too large for that stops at the bound.

    **Raises:** `ValueError` if `low` is above `high`.
    """

    low: Float[Array, ""] = parameter(0.0)
    high: Float[Array, ""] = parameter(1.0)
    power: Float[Array, ""] = parameter(1.0, nonnegative=True)

    def __check_init__(self) -> None:
        super().__check_init__()
        _check_order(self.low, self.high)

    def __call__(self, weights, up, down):
        above = jnp.maximum(self.high - weights, 0.0) ** self.power
        below = jnp.maximum(weights - self.low, 0.0) ** self.power
        return jnp.clip(weights + up * above - down * below, self.low, self.high) - weights


class Window(Module):
    """STDP window: the change by one pair, `t_post - t_pre` (ms) apart: `a_plus exp(-d / tau_plus)`
    where the presynaptic spike came first, `-a_minus exp(d / tau_minus)` where it came second, 0 at
    once.

    Defaults: Song, Miller & Abbott (2000, Nat. Neurosci. 3:919), for weights up to 1.
    """

    a_plus: Float[Array, ""] = parameter(0.005, nonnegative=True)
    a_minus: Float[Array, ""] = parameter(0.00525, nonnegative=True)
    tau_plus: Float[Array, ""] = parameter(20.0, positive=True)  # ms
    tau_minus: Float[Array, ""] = parameter(20.0, positive=True)  # ms

    def __call__(self, delay: Float[Array, "*pairs"]) -> Float[Array, "*pairs"]:
        """The change by pairs of these delays; none for those that are not finite."""
        delay = floating("delay", delay)
        pair = jnp.isfinite(delay)
        apart = jnp.where(pair, jnp.abs(delay), 0.0)
        up = self.a_plus * jnp.exp(-apart / self.tau_plus)
        down = self.a_minus * jnp.exp(-apart / self.tau_minus)
        return jnp.where(pair & (delay > 0), up, jnp.where(pair & (delay < 0), -down, 0.0))


class AbstractSTDP(Module):
    """STDP rule: for synapses that see the spikes of the two neurons which they join."""

    @abstractmethod
    def init(self, weights: Weights) -> PyTree:
        """Initial state of the rule, before any spike."""

    @abstractmethod
    def update(self, seen: Moment, state: PyTree, weights: Any = None) -> tuple[Weights, PyTree]:
        """The change of the weights, and the state, at the end of a moment.

        **Raises:** `ValueError` without the weights.
        """


class STDPTraces(NamedTuple):
    """Spike traces of neurons, one number for each of `pre` and of `post`."""

    pre: Float[Array, " pre"]
    post: Float[Array, " post"]


class TraceSTDP(AbstractSTDP):
    """Pair-based STDP: the `window`, summed over pairs of spikes by two traces: each spike leaves 1
    in its neuron's trace, and reads the trace of the neuron at the other end.

    All pairs count, or, with `nearest`, those of a spike with the last one before it at the other
    end: there a trace returns to 1 (Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459).
    Without bounds the weights depend on pairs alone: `pair_sum`.
    """

    window: Window = eqx.field(default_factory=Window)
    bounds: AbstractBounds = eqx.field(default_factory=Free)
    nearest: bool = eqx.field(default=False, static=True)

    def init(self, weights):
        return STDPTraces(jnp.zeros(weights.shape[1]), jnp.zeros(weights.shape[0]))

    def _left(self, trace: Array, spikes: Array) -> Array:
        return jnp.where(spikes > 0, 1.0, trace) if self.nearest else trace + spikes

    def update(self, seen, state, weights=None):
        seen, weights = _checked(seen, weights)
        instance("state", state, STDPTraces)
        state = STDPTraces(
            floating("state: pre", state.pre, weights.shape[1:], like="weights"),
            floating("state: post", state.post, weights.shape[:1], like="weights"),
        )
        pre = state.pre * jnp.exp(-seen.dt / self.window.tau_plus)
        post = state.post * jnp.exp(-seen.dt / self.window.tau_minus)
        up = self.window.a_plus * seen.post[:, None] * pre[None]
        down = self.window.a_minus * post[:, None] * seen.pre[None]
        traces = STDPTraces(self._left(pre, seen.pre), self._left(post, seen.post))
        return self.bounds(weights, up, down), traces


class TriggeredSTDP(AbstractSTDP):
    """Post-triggered STDP: postsynaptic spikes alone change weights, by `rate (x - target) (high -
    w)^power`, where `x` is the presynaptic trace; synapses silent before the spike are weakened.

    The third rule of Diehl & Cook (2015, Front. Comput. Neurosci. 9:99, eq. 2). Weights stay in
    0...`high`. The state is `x` [pre].
    """

    rate: Float[Array, ""] = parameter(0.01, nonnegative=True)
    tau: Float[Array, ""] = parameter(20.0, positive=True)  # ms
    target: Float[Array, ""] = parameter(0.4, nonnegative=True)
    high: Float[Array, ""] = parameter(1.0, positive=True)
    power: Float[Array, ""] = parameter(1.0, nonnegative=True)

    def init(self, weights):
        return jnp.zeros(weights.shape[1])

    def change(
        self, weights: Weights, seen: Weights, spikes: Float[Array, " post"]
    ) -> Float[Array, "post pre"]:
        """The change by so many `spikes` of each neuron, with `seen` the sum of the traces that
        its synapses had at them."""
        room = jnp.maximum(self.high - weights, 0.0) ** self.power
        proposal = weights + self.rate * (seen - self.target * spikes[:, None]) * room
        return jnp.where(spikes[:, None] > 0, jnp.clip(proposal, 0.0, self.high) - weights, 0.0)

    def update(self, seen, state, weights=None):
        seen, weights = _checked(seen, weights)
        trace = state * jnp.exp(-seen.dt / self.tau)
        at_spikes = seen.post[:, None] * trace[None]
        return self.change(weights, at_spikes, seen.post), trace + seen.pre


class Eligible(NamedTuple):
    """State of reward-modulated STDP: that of the inner rule, and the eligibility `trace` of its
    changes."""

    rule: PyTree
    trace: Weights


class RewardSTDP(AbstractSTDP):
    """Reward-modulated STDP: the changes of `rule` enter an eligibility trace that decays with
    `tau`; a reward makes `rate * reward * trace` of them true.

    Rewards are impulses (for a reward that lasts, `reward * dt` in each moment) and common to all
    synapses. Izhikevich (2007, Cereb. Cortex 17:2443). `bounds` hold the weights; give `rule`
    none, or its trace will feel them too.
    """

    rule: AbstractSTDP = eqx.field(default_factory=TraceSTDP)
    tau: Float[Array, ""] = parameter(1000.0, positive=True)  # ms
    rate: Float[Array, ""] = parameter(1.0, nonnegative=True)
    bounds: AbstractBounds = eqx.field(default_factory=Free)

    def init(self, weights):
        return Eligible(self.rule.init(weights), jnp.zeros(weights.shape))

    def update(self, seen, state, weights=None):
        seen, weights = _checked(seen, weights)
        increment, inner = self.rule.update(seen, state.rule, weights)
        trace = state.trace * jnp.exp(-seen.dt / self.tau) + increment
        change = self.rate * seen.reward * trace
        change = self.bounds(weights, jnp.maximum(change, 0.0), jnp.maximum(-change, 0.0))
        return change, Eligible(inner, trace)


def _checked(seen: Moment, weights: Any) -> tuple[Moment, Array]:
    """A moment and weights of floating arrays that fit together."""
    if weights is None:
        raise ValueError(
            "params, weights: the rule needs the weights, as update(seen, state, weights)."
        )
    weights = floating("weights", weights, ("post", "pre"))
    post, pre = weights.shape
    instance("seen", seen, Moment)
    return Moment(
        number("seen: dt", seen.dt),
        floating("seen: pre", seen.pre, (pre,), like="weights"),
        floating("seen: post", seen.post, (post,), like="weights"),
        number("seen: reward", seen.reward),
    ), weights
