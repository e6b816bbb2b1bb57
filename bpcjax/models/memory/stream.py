"""Recall from a stream: the posterior stays, only changes are sent, and a surprise restarts."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ... import cost
from ..._arrays import is_traced
from ..._require import as_real, count as as_count, indices, instance, number, scalar
from ...energies import AbstractMemory, ModernHopfield
from ...system import as_parameter, bad_parameters
from .elimination import eliminate
from .likelihoods import GaussianLikelihood
from .sequential import SequentialStore, elimination_counts


class StreamRecall(eqx.Module):
    """Recall of the places that T frames come from, among P places; of S streams, [S, T] for [T].

    `decision` [T], the likeliest place (-1: not `ok`); the `posterior` [T, P], 0 for places that
    are silent; `restarts` [T], at which all places were alive again; how many entries were `sent`
    [T] as changes, and how many places they reached, the `candidates` [T]; the `deviance` [T] of
    the frame held from the nearest candidate, `|y - x|^2 / sigma^2` (infinite where there is none);
    the `operations` of each frame. `ok` [T] is false at a frame that is not finite: nothing of it
    is sent, and the next one restarts; so it is where evidence is beyond the range of its type.
    """

    decision: Int[Array, "*S T"]
    posterior: Float[Array, "*S T P"]
    restarts: Bool[Array, "*S T"]
    sent: Int[Array, "*S T"]
    candidates: Int[Array, "*S T"]
    deviance: Float[Array, "*S T"]
    operations: cost.Counts
    ok: Bool[Array, "*S T"]


def surprise_bound(size: int, alarm: float) -> float:
    """Bound that the deviance of N = `size` entries of Gaussian noise from their own place exceeds
    with the probability `alarm`: the quantile of chi-square with N degrees of freedom.

    **Raises:** `ValueError` unless `0 < alarm < 1`.
    """
    size, alarm = as_count("size", size, 1), scalar("alarm", alarm, above=0, below=1)
    from scipy.stats import chi2  # slow to load

    return float(chi2.isf(alarm, size))


def stream_recall(
    energy: ModernHopfield,
    frames: ArrayLike,  # [*S, T, N]
    *,
    theta: ArrayLike,
    sigma: ArrayLike,
    threshold: ArrayLike = 0.0,
    hazard: ArrayLike = 0.0,
    stay: ArrayLike = 0.0,
    successor: ArrayLike | None = None,
    alarm: float = 1e-3,
    bound: ArrayLike | None = None,
    order: ArrayLike | Callable[[ModernHopfield], Array] | None = None,
    block: int = 4,
) -> StreamRecall:
    """Recall of the place of each frame of a stream, by the changes of its entries.

    The filter of a hidden Markov model (Rabiner 1989, Proc. IEEE 77:257) with pruned places, the
    beam search of speech recognition, fed by changes: with the probability `hazard` a frame comes
    from any place, by the prior of the energy; else from the same one as the last frame (`stay`),
    else from its `successor`. An entry is sent if it is further than `threshold` from what was
    sent last, and adds `weights (y' - y)` to the evidence of the candidates, the places that are
    alive and their successors; one that becomes a candidate takes the whole frame that is held. A
    place falls silent where the posterior of another exceeds its own by more than `theta` nat. If
    no candidate is nearer to the frame than `bound`, all places are alive again, the past is
    forgotten, and the frame is recalled as by `sequential_recall`.

    Without silencing (`theta = bound = inf`, `threshold = 0`) this is the exact filter. With it,
    for Gaussian noise, a known `bound` raises a false alarm at a frame with the probability `alarm`
    at most while the true place is alive; and the true places `mu` of T frames from a restart on
    are ever silenced with the probability `(1 / w - 1) exp(-theta)` at most, where w is the prior
    of their path: `prior(mu) (1 - hazard)^(T - 1)` times `stay` or `1 - stay` for each step. (The
    evidence of all paths over that of the true one is a martingale with mean 1 / w, and to silence
    other places only makes it smaller: Ville's inequality.) Nothing bounds how late a jump to a
    place that is near the old one is seen, nor what a `threshold` above 0 or noise that outlasts a
    frame does to the posterior.

    **Arguments:** `successor` [P], the row of the next place of the same recording, -1 at its end,
    after which any place may follow; `None`: places have no order, each follows itself. `alarm`,
    the probability of false alarms that sets `bound` (`surprise_bound`), unless a `bound` is given.
    `order`, `block`: of the recall at a restart, as of `sequential_recall`.

    **Raises:** `ValueError` naming the argument, where it is known and makes no sense.
    """
    instance("energy", energy, AbstractMemory)
    if energy.patterns.ndim != 2:
        raise ValueError("energy: a stream has flat frames; pass energy.unrolled() of rasters.")
    count, size = energy.patterns.shape
    store = SequentialStore(energy, sigma=_positive("sigma", sigma), order=order, block=block)
    frames = as_real(frames, energy.patterns.dtype, "frames")
    if frames.ndim not in (2, 3) or frames.shape[-1] != size:
        raise ValueError(f"frames must have shape [T, {size}] or [S, T, {size}], a stream of rows, "
                         f"got {frames.shape}.")  # fmt: skip
    limit = surprise_bound(size, alarm) if bound is None else bound
    rules = _Rules(
        _positive("theta", theta),
        _number("threshold", threshold, lambda x: x >= 0, "at least 0"),
        _number("hazard", hazard, _is_share, "a probability"),
        _number("stay", stay, _is_share, "a probability"),
        _positive("bound", limit),
        _successor(successor, count),
    )
    many = frames if frames.ndim == 3 else frames[None]
    result = _stream(store, energy.patterns, many, rules)
    return result if frames.ndim == 3 else jax.tree.map(lambda leaf: leaf[0], result)


class _Rules(NamedTuple):
    theta: Float[Array, ""]
    threshold: Float[Array, ""]
    hazard: Float[Array, ""]
    stay: Float[Array, ""]
    bound: Float[Array, ""]
    successor: Int[Array, " P"]  # P: none

    def are_sound(self) -> Bool[Array, ""]:
        """Whether traced numbers make sense, too."""
        shares = _is_share(self.hazard) & _is_share(self.stay)
        return shares & (self.theta > 0) & (self.bound > 0) & (self.threshold >= 0)

    def predict(
        self, belief: Float[Array, "S P"], prior: Float[Array, " P"]
    ) -> Float[Array, "S P"]:
        """The probability of places at the next frame."""
        moved = jnp.zeros_like(belief).at[:, self.successor].add(belief, mode="drop")
        ended = jnp.where(self.successor == len(prior), belief, 0).sum(axis=1, keepdims=True)
        follows = self.stay * belief + (1 - self.stay) * moved
        jumps = self.hazard + (1 - self.hazard) * (1 - self.stay) * ended
        return (1 - self.hazard) * follows + jumps * prior[None]

    def wake(self, alive: Bool[Array, "S P"]) -> Bool[Array, "S P"]:
        """Those that are alive, and their successors."""
        return alive.at[:, self.successor].max(alive, mode="drop")


class _Stream(NamedTuple):
    """State of S streams between frames. The evidence `u` is that of the frame held; here it is
    kept up for all places, but only that of candidates is used and counted."""

    held: Float[Array, "S N"]
    u: Float[Array, "S P"]
    belief: Float[Array, "S P"]
    alive: Bool[Array, "S P"]
    candidates: Bool[Array, "S P"]  # whose evidence is kept up
    lost: Bool[Array, " S"]  # nothing is held


def _is_share(x: Any) -> Any:
    return (x >= 0) & (x <= 1)


def _positive(name: str, value: ArrayLike) -> Float[Array, ""]:
    return _number(name, value, lambda x: x > 0, "positive")


def _number(name: str, value: ArrayLike, allowed: Callable, what: str) -> Float[Array, ""]:
    array = as_parameter(number(name, value))
    if not is_traced(array) and not bool(allowed(np.asarray(array))):
        raise ValueError(f"{name} must be {what}, got {value}.")
    return array


def _successor(successor: ArrayLike | None, count: int) -> Int[Array, " P"]:
    rows = indices("successor", jnp.arange(count) if successor is None else successor,
                   shape=(count,))  # fmt: skip
    known = rows if is_traced(rows) else np.asarray(rows)
    if not is_traced(rows) and not ((known >= -1) & (known < count)).all():
        raise ValueError(f"successor must hold rows 0 to {count - 1}, or -1 at an end.")
    return jnp.where(rows < 0, count, rows)


@eqx.filter_jit
def _stream(store: SequentialStore, patterns, frames, rules: _Rules) -> StreamRecall:
    likelihood = cast(GaussianLikelihood, store.likelihood)
    weights, offsets = likelihood.synapses(patterns)
    base, precision = offsets.sum(axis=1), jnp.asarray(likelihood.sigma, frames.dtype) ** -2
    rules = jax.tree.map(lambda x: x.astype(frames.dtype) if x.ndim == 0 else x, rules)
    log_prior = jax.nn.log_softmax(store.log_prior)
    sound = store.sound & ~bad_parameters(likelihood) & rules.are_sound()
    streams, count = frames.shape[0], len(log_prior)

    def silence(evidence, alive):
        """Who stays alive, and their posterior."""
        evidence = jnp.where(alive, evidence, -jnp.inf)
        top = evidence.max(axis=1, keepdims=True)
        stays = alive & (evidence > -jnp.inf) & (top - evidence <= rules.theta)
        share = jax.nn.softmax(jnp.where(stays, evidence, -jnp.inf), axis=1)
        return stays, jnp.where(stays, share, 0)

    def restart(y, which):
        y = jnp.where(which[:, None], y, 0)
        end = eliminate(
            store.stored, log_prior, y, which, likelihood, None, rules.theta, None,
            jnp.asarray(y.shape[1]),
        )  # fmt: skip
        u = y @ weights.T + base[None]
        return u, *silence(u + log_prior[None], end.alive), _restart_counts(likelihood, end, y)

    def stand(y, which):
        shape = jax.eval_shape(restart, y, which)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)

    def step(state: _Stream, y):
        good = jnp.isfinite(y).all(axis=1) & sound
        held = good & ~state.lost  # and changes of it are sent
        changed = held[:, None] & (jnp.abs(y - state.held) > rules.threshold)
        change = jnp.where(changed, y - state.held, 0)
        frame = jnp.where(changed, y, state.held)
        u = state.u + change @ weights.T
        ahead = jnp.log(rules.predict(state.belief, jnp.exp(log_prior)))
        # what the prediction alone refutes does not wake
        candidates, _ = silence(ahead, rules.wake(state.alive) & held[:, None])
        alive, belief = silence(ahead + u, candidates)
        deviance = precision * (frame**2).sum(axis=1, keepdims=True) - 2 * u
        deviance = jnp.where(candidates, deviance, jnp.inf).min(axis=1)
        again = good & ~(candidates.any(axis=1) & (deviance <= rules.bound))
        anew = jax.lax.cond(again.any(), restart, stand, y, again)
        tracked = _tracking_counts(frame, changed, candidates, state.candidates)
        counts = jax.tree.map(
            lambda a, b: jnp.where(held, a, 0) + jnp.where(again, b, 0), tracked, anew[-1]
        )
        number = candidates.sum(axis=1, dtype=jnp.int32)
        u, alive, belief, frame, candidates = (
            jnp.where(again[:, None], new, old)
            for new, old in zip(
                (*anew[:-1], y, anew[1]), (u, alive, belief, frame, candidates), strict=True
            )
        )
        good = good & alive.any(axis=1)  # else evidence is beyond the range of its type
        state = _Stream(frame, u, belief, alive, candidates, ~good)
        row = StreamRecall(
            jnp.where(good, belief.argmax(axis=1), -1).astype(jnp.int32),
            jnp.where(good[:, None], belief, jnp.nan),
            again,
            changed.sum(axis=1, dtype=jnp.int32),
            number,
            deviance,
            counts,
            good,
        )
        return state, row

    zero = jnp.zeros((streams, count), frames.dtype)
    start = _Stream(
        jnp.zeros((streams, frames.shape[2]), frames.dtype),
        zero,
        zero,
        zero > 0,
        zero > 0,
        jnp.ones(streams, bool),
    )
    _, rows = jax.lax.scan(step, start, frames.swapaxes(0, 1))
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), rows)


def _tracking_counts(frame, changed, candidates, before) -> cost.Counts:
    """Operations of a frame without a restart. The sender compares all entries with those sent
    last; a change reaches those that were candidates before, others take the frame held; two
    products a change keep its square up. Of several candidates, one takes its prediction (two
    products and a sum), an exponential, its product and a division; and each is compared with the
    largest, which is sent to all, and with theta."""
    size, dtype = frame.shape[1], frame.dtype
    sent, inputs = changed.sum(axis=1).astype(dtype), (frame != 0).sum(axis=1).astype(dtype)
    number = candidates.sum(axis=1).astype(dtype)
    kept = (candidates & before).sum(axis=1).astype(dtype)
    woken = number - kept
    products = sent * kept + inputs * woken
    several = jnp.where(number > 1, number, 0)
    return cost.Counts(
        synaptic=number,
        macs=products + 2 * sent + 3 * several,
        adds=2 * size + woken + 2 * number + several + 2,
        exps=several,
        divides=several,
        updates=jnp.zeros_like(sent),
        spikes=sent + 2,
        words=products + 2 * sent + size + 4 * number,
    )


def _restart_counts(likelihood, end, y) -> cost.Counts:
    """Operations of a restart: the recall, the square of the frame, and for survivors the entries
    that the recall left out, and their posterior."""
    left = end.alive.sum(axis=1).astype(y.dtype)
    inputs = (y != 0).sum(axis=1).astype(y.dtype)
    rest = jnp.maximum(inputs - end.events, 0) * left
    several = jnp.where(left > 1, left, 0)
    zero = jnp.zeros_like(left)
    more = cost.Counts(
        synaptic=zero, macs=rest + inputs, adds=3 * left, exps=several, divides=several,
        updates=zero, spikes=inputs - end.events, words=rest + 3 * left + inputs,
    )  # fmt: skip
    recall = elimination_counts(likelihood, end, True)
    return jax.tree.map(jnp.add, jax.tree.map(lambda x: jnp.asarray(x, y.dtype), recall), more)
