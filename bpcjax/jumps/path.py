"""Jump processes with a closed-form flow between jumps, simulated exactly by thinning."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, PyTree

from .._require import count as as_count, instance, key as one_key, number


class AbstractJumps(eqx.Module):
    """Jump process: channel c jumps at the rate `exp(log_rates(y)[c])`, and between jumps the state
    relaxes in closed form.

    Two methods make a pure jump process; one with a flow says how the state relaxes, and how large
    the total rate may become on the way.
    """

    @abstractmethod
    def log_rates(self, y: PyTree, args: PyTree) -> Float[Array, " channels"]:
        """Logarithms of the channels' rates (-inf: never)."""

    @abstractmethod
    def jump(self, y: PyTree, channel: Int[Array, ""]) -> PyTree:
        """The state after a jump of the channel."""

    def log_bound(self, y: PyTree, args: PyTree) -> Float[Array, ""] | None:
        """Hook: the logarithm of a bound of the total rate until the next jump, -inf: there is
        none; `None` (default): rates are constant until then, and are asked for once."""
        return None

    def relax(self, y: PyTree, span: Float[Array, ""], key: Key[Array, ""]) -> PyTree:
        """Hook: the state after the time `span` without a jump, where there is noise a draw of it
        (default: as it is)."""
        return y


class Candidate(NamedTuple):
    """Candidate for a jump: whether it `comes` in time, after which `span` (else all that is left);
    its `channel` (-1: none jumps); the state before it and after; whether the bound held."""

    comes: Bool[Array, ""]
    span: Float[Array, ""]
    channel: Int[Array, ""]
    before: PyTree
    after: PyTree
    bounded: Bool[Array, ""]


def next_candidate(
    process: AbstractJumps, y: PyTree, args: PyTree, left: Float[Array, ""], key: Key[Array, ""]
) -> Candidate:
    """The next candidate within the time `left`: thinning (Lewis & Shedler 1979, Nav. Res. Logist.
    Q. 26:403).

    If none comes the state relaxes for what is left; without an end it stays as it is.
    """
    wait_key, flow_key, draw_key = jax.random.split(key, 3)
    log_bound, logs = _bound(process, y, args)
    wait = jax.random.exponential(wait_key, (), log_bound.dtype) * jnp.exp(-log_bound)
    comes = wait < left
    span = jnp.where(comes, wait, left)
    before = process.relax(y, jnp.where(jnp.isfinite(span), span, 0.0), flow_key)
    if logs is None:
        channel, bounded = _thinned(process.log_rates(before, args), log_bound, draw_key)
    else:
        channel, bounded = jax.random.categorical(draw_key, logs), jnp.array(True)
    channel = jnp.where(comes, channel, -1).astype(jnp.int32)
    jumped = process.jump(before, jnp.maximum(channel, 0))
    after = jax.tree.map(lambda a, b: jnp.where(channel >= 0, a, b), jumped, before)
    return Candidate(comes, span, channel, before, after, bounded | ~comes)


def _bound(
    process: AbstractJumps, y: PyTree, args: PyTree
) -> tuple[Float[Array, ""], Float[Array, " channels"] | None]:
    """The log of the bound, and the log rates where they are constant."""
    bound = process.log_bound(y, args)
    if bound is not None:
        return bound, None
    logs = process.log_rates(y, args)
    return jax.nn.logsumexp(logs), logs


def _thinned(
    logs: Float[Array, " channels"], log_bound: Float[Array, ""], key: Key[Array, ""]
) -> tuple[Int[Array, ""], Bool[Array, ""]]:
    """The channel of a candidate that comes at the bound, -1 if none jumps; and whether the bound
    holds. Rates that sum to it within rounding do so exactly."""
    silent = -jnp.expm1(jax.nn.logsumexp(logs) - log_bound)
    rounding = jnp.finfo(silent.dtype).eps ** 0.75
    thinned = jax.random.uniform(jax.random.fold_in(key, 1), (), silent.dtype) < silent
    channel = jax.random.categorical(key, logs)
    return jnp.where(thinned & (silent > rounding), -1, channel), silent > -rounding


class JumpPath(eqx.Module):
    """Path of a jump process: its candidates one after another, and the state they lead to.

    `times` [S] (`inf`: no jump) and `channels` [S] (-1: no jump, the candidate was thinned or there
    was none); `spans` [S], how long since the candidate before, or until the end (`inf`: for ever),
    the weight in time averages of `saved`, what `save` gave of the state just before it. The state
    `y` at the time `t`; the `count` of jumps, and of `candidates`; `at_rest`, whether no jump can
    follow. `ok` is false where the room ended before `t1`, rates were above their bound, or a
    number is not one.
    """

    times: Float[Array, " S"]
    channels: Int[Array, " S"]
    spans: Float[Array, " S"]
    saved: PyTree
    y: Any
    t: Float[Array, ""]
    count: Int[Array, ""]
    candidates: Int[Array, ""]
    at_rest: Bool[Array, ""]
    ok: Bool[Array, ""]


def jump_path(
    process: AbstractJumps,
    y0: PyTree,
    args: PyTree = None,
    *,
    key: Key[Array, ""],
    jumps: int,
    t1: ArrayLike = jnp.inf,
    save: Callable[[PyTree], PyTree] | None = None,
) -> JumpPath:
    """Gillespie's algorithm (1977, J. Phys. Chem. 81:2340) with a closed-form flow and thinning:
    the process from jump to jump, exact in law. `vmap` it over starts and keys.

    **Arguments:** `jumps`, the room for jumps, those that are thinned among them; the end `t1`,
    without which the path ends at the last jump; `save(y)`, of the state just before a candidate.

    **Raises:** `ValueError` if there is no room.
    """
    instance("process", process, AbstractJumps)
    key, jumps = one_key("key", key), as_count("jumps", jumps, 1)
    t1 = number("t1", t1, least=0)
    dtype = jax.eval_shape(lambda: _bound(process, y0, args)[0]).dtype
    end = jnp.asarray(t1, dtype)

    def to_next(carry, key):
        t, y, fine = carry
        new = next_candidate(process, y, args, end - t, key)
        t = jnp.where(new.comes, t + new.span, jnp.where(jnp.isfinite(end), end, t))
        time = jnp.where(new.channel >= 0, t, jnp.inf)
        record = new.comes, time, new.channel, new.span, None if save is None else save(new.before)
        return (t, new.after, fine & new.bounded), record

    start = jnp.zeros((), dtype), y0, jnp.array(True)
    (t, y, fine), records = jax.lax.scan(to_next, start, jax.random.split(key, jumps))
    comes, times, channels, spans, saved = records
    last, _ = _bound(process, y, args)
    ok = fine & (~comes[-1] | jnp.isinf(end)) & ~jnp.isnan(last)
    count, candidates = (channels >= 0).sum(dtype=jnp.int32), comes.sum(dtype=jnp.int32)
    rests = jnp.isneginf(last)
    return JumpPath(times, channels, spans, saved, y, t, count, candidates, rests, ok)


def jump_until(
    process: AbstractJumps, y: PyTree, args: PyTree, span: Float[Array, ""], key: Key[Array, ""]
) -> PyTree:
    """The state after the time `span`, whatever number of jumps it takes, none of them recorded:
    for a fast process within another's `relax`."""

    def going(carry):
        return carry[1] > 0

    def one(carry):
        y, left, key = carry  # the time left, not the time: it keeps its precision
        key, own = jax.random.split(key)
        new = next_candidate(process, y, args, left, own)
        return new.after, jnp.where(new.comes, left - new.span, 0.0), key

    return jax.lax.while_loop(going, one, (y, span, key))[0]
