"""Replay of recorded spikes to a rule of spike timing, one instant after another."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..._arrays import as_indices, as_times
from ..._require import counts, describe, floating, instance, number, require
from ...spikes import Spikes
from ...system import as_parameter, is_traced
from .stdp import AbstractSTDP, Moment, Window


class Rewards(NamedTuple):
    """Reward train: `amounts` of rewards by the order of their `times` (ms), padded with `inf`."""

    times: Float[Array, " events"]
    amounts: Float[Array, " events"]


def pair_sum(window: Window, pre: Spikes, post: Spikes, shape: tuple[int, int]) -> Array:
    """Sum over spike pairs: the change [post, pre], of this shape, by all pairs of the spikes of
    two trains.

    What `TraceSTDP(window)` sums up; it has derivatives in the times.

    **Raises:** `ValueError` as `replay`.
    """
    instance("window", window, Window)
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"shape must be two sizes, [post, pre], got {describe(shape)}.")
    shape = counts("shape", shape)
    pre, post, good = _checked(pre, post, shape)
    return _paired(window, pre, post, shape, good)


@eqx.filter_jit
def _paired(window, pre, post, shape, good):
    each = window(post.times[:, None] - pre.times[None])
    rows = jax.nn.one_hot(post.neurons, shape[0], dtype=each.dtype)
    columns = jax.nn.one_hot(pre.neurons, shape[1], dtype=each.dtype)
    return jnp.where(good, rows.T @ each @ columns, jnp.nan)


def replay(
    rule: AbstractSTDP,
    weights: Float[ArrayLike, "post pre"],
    pre: Spikes,
    post: Spikes,
    *,
    rewards: Rewards | None = None,
    state: PyTree = None,
    t0: ArrayLike = 0.0,
    t1: ArrayLike | None = None,
) -> tuple[Float[Array, "post pre"], PyTree]:
    """Replay of two trains of spikes from `t0` on: the weights, and the state of the rule, after
    them.

    For synapses within one population give its spikes twice; those of a part of a network are
    `spikes.of(slice)`. `rewards` follow the
    spikes of their instant. The state is that of the last event, or of `t1` if given, with which
    the next record goes on.

    **Raises:** `ValueError` for times that are NaN, do not rise, or lie outside `t0`...`t1`, for
    neurons that the weights do not have, and for rewards that are not finite. Where values are
    traced, weights are NaN instead.
    """
    instance("rule", rule, AbstractSTDP)
    weights = as_parameter(floating("weights", weights, ("post", "pre")))
    pre, post, good = _checked(pre, post, weights.shape)
    if rewards is None:
        rewards = Rewards(jnp.zeros(0), jnp.zeros(0))
    instance("rewards", rewards, Rewards)
    amounts = as_parameter(rewards.amounts, "rewards: amounts")
    rewards = Rewards(as_times(rewards.times, "rewards: times"), amounts)
    if rewards.times.ndim != 1 or rewards.times.shape != rewards.amounts.shape:
        raise ValueError("rewards: times and amounts must be two arrays of one length.")
    good = good & _rising("rewards", rewards.times)
    (amounts,) = _concrete(rewards.amounts)
    good &= require(abs(amounts) < np.inf, "rewards: amounts must be finite.")

    dtype = jnp.result_type(pre.times, post.times, rewards.times)
    start = number("t0", t0, finite=True).astype(dtype)
    end = None if t1 is None else number("t1", t1, finite=True).astype(dtype)
    for times in (pre.times, post.times, rewards.times):
        good &= _within(times, start, end)
    return _replayed(rule, weights, pre, post, rewards, state, start, end, good)


@eqx.filter_jit
def _replayed(rule, weights, pre, post, rewards, state, start, end, good):
    n_post, n_pre = weights.shape
    times = jnp.concatenate([pre.times, post.times, rewards.times])
    # One number says who: a presynaptic neuron, a postsynaptic one, or the reward, last of all.
    who = [pre.neurons, n_pre + post.neurons, jnp.full(rewards.times.shape, n_pre + n_post)]
    much = [jnp.ones(pre.times.shape), jnp.ones(post.times.shape), rewards.amounts]
    order = jnp.argsort(times, stable=True)
    times, who, much = times[order], jnp.concatenate(who)[order], jnp.concatenate(much)[order]
    real = jnp.isfinite(times)
    last = real & (times != jnp.append(times[1:], jnp.inf))

    def step(carry, event):
        weights, state, now, pending = carry
        t, who, much, real, last = event
        pending = pending.at[who].add(jnp.where(real, much, 0.0), mode="drop")
        # A rule sees an instant once it is over: all its spikes at once.
        counts = jnp.where(last, pending, 0.0)
        dt = jnp.where(last, t - now, 0.0)
        moment = Moment(dt, counts[:n_pre], counts[n_pre:-1], counts[-1])
        change, state = rule.update(moment, state, weights)
        now, pending = jnp.where(last, t, now), jnp.where(last, 0.0, pending)
        return (weights + change, state, now, pending), None

    state = rule.init(weights) if state is None else state
    events = jnp.where(real, times, 0.0), who, much, real, last
    carry = weights, state, start, jnp.zeros(n_pre + n_post + 1, times.dtype)
    (weights, state, now, _), _ = jax.lax.scan(step, carry, events)
    if end is not None:
        silence = Moment(end - now, jnp.zeros(n_pre), jnp.zeros(n_post))
        change, state = rule.update(silence, state, weights)
        weights = weights + change
    return jnp.where(good, weights, jnp.nan), state


def _concrete(*values: Any) -> tuple[Any, ...]:
    """Values that are known as numpy's, on which a check compiles nothing."""
    return values if is_traced(*values) else tuple(np.asarray(value) for value in values)


def _rising(name: str, times: Array) -> Any:
    (times,) = _concrete(times)  # pyright: ignore[reportAssignmentType]
    good = require(times == times, f"{name}: times must not be NaN; pad with inf.")
    up = (times[1:] >= times[:-1]).all() & (times > -np.inf).all()
    return good & require(up, f"{name}: times must rise; sort them, padding (inf) last.")


def _within(times: Array, start: Array, end: Array | None) -> Any:
    last = start + np.inf if end is None else end
    times, start, last = _concrete(times, start, last)
    inside = (times == np.inf) | ((times >= start) & (times <= last))
    return require(inside, "t0, t1: there are times of spikes or rewards before t0 or after t1.")


def _checked(pre: Spikes, post: Spikes, shape: Any) -> tuple[Spikes, Spikes, Any]:
    good, checked = np.array(True), []
    for name, train, size in (("pre", pre, shape[1]), ("post", post, shape[0])):
        instance(name, train, Spikes)
        times = as_times(train.times, f"{name}: times")
        neurons = as_indices(train.neurons, f"{name}: neurons")
        if times.ndim != 1 or times.shape != neurons.shape:
            raise ValueError(
                f"{name}: times and neurons must be two arrays of one length, got shapes "
                f"{times.shape} and {neurons.shape}."
            )
        good = good & _rising(name, times)
        at, who = _concrete(times, neurons)
        named = (at == np.inf) | ((who >= 0) & (who < size))
        good &= require(named, f"{name}: neurons must be in 0..{size - 1}, as the weights have.")
        checked.append(Spikes(times, neurons))
    return checked[0], checked[1], good
