"""Searches for the nearest pattern that stop early, as rivals of sequential recall: partial
distances, which are exact, and a bandit, which knows no noise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ... import cost
from ..._arrays import as_size
from ..._require import as_real, indices, number
from ...energies import ModernHopfield
from ...energies.base import as_patterns
from ...system import as_parameter, parameter
from .likelihoods import AbstractLikelihood, Synapses
from .orders import as_order
from .sequential import SequentialStore


class Search(eqx.Module):
    """Search for the nearest pattern of Q queries: the `decision` [Q] (-1: not `ok`) and the
    `operations` of each query. `ok` [Q] is false for queries that are not finite."""

    decision: Int[Array, " Q"]
    operations: cost.Counts
    ok: Bool[Array, " Q"]


def partial_distance_search(
    patterns: ArrayLike,  # [P, N]
    y: ArrayLike,  # [Q, N]
    *,
    order: ArrayLike | None = None,
    block: int = 4,
    first: ArrayLike | None = None,
) -> Search:
    """Partial-distance search: pattern after pattern, each left as soon as its squared distance in
    the entries so far exceeds the least one yet (Bei & Gray 1985, IEEE Trans. Commun. 33:1132).

    The decision is the nearest pattern, whatever the arguments; these move the operations alone:
    the `order` [N] of the entries, how many are taken between comparisons (`block`), and the
    pattern [Q] that is tried `first` (as they come, if not said).

    Charged is the cheaper form, a multiply-accumulate an entry. Half the distance in the entries
    so far is `y^2 / 2 - (x y - x^2 / 2)`: the last term of a block is stored with the pattern, and
    what the sum is compared with, `y^2 / 2` less the least distance, is made anew when that falls.

    **Raises:** `ValueError` naming the argument, where it is known and makes no sense.
    """
    x, y = _checked(patterns, y)
    count, size = x.shape
    rank = jnp.arange(size) if order is None else as_order(order, size)
    candidate = None if first is None else _candidates(first, y.shape[0], count)
    return _partial_distances(x, y, rank, candidate, min(as_size(block, "block", 1, None), size))


def bandit_search(
    patterns: ArrayLike,  # [P, N]
    y: ArrayLike,  # [Q, N]
    *,
    sigma: ArrayLike,
    delta: ArrayLike = 0.01,
    order: ArrayLike | None = None,
    block: int = 4,
) -> Search:
    """BanditMIPS (Tiwari et al. 2024, ICML, arXiv:2212.07551) for the nearest pattern: entries are
    samples of each pattern's mean of `x y - x^2 / 2`, and one whose confidence interval ends below
    that of the best is dropped.

    Intervals are those of samples without replacement, of the sub-Gaussian scale `sigma`, that hold
    for all patterns at once but for the probability `delta` (Hoeffding & Serfling, as in the code
    of the authors). They need entries in a random `order` [N]; another order may be better, without
    the guarantee. After all entries the decision is exact. Of what a test costs this is
    `sequential_recall`: a pattern is charged the same.

    **Raises:** `ValueError` naming the argument, where it is known and makes no sense.
    """
    x, y = _checked(patterns, y)
    count, size = x.shape
    scale = as_parameter(number("sigma", sigma, above=0))
    level = as_parameter(number("delta", delta, above=0, below=1))
    interval = _Interval(scale, jnp.log(max(count, 1) / level), jnp.asarray(size, y.dtype))
    energy = ModernHopfield.from_prior(x, jnp.ones((), x.dtype), jnp.zeros(count, x.dtype))
    store = SequentialStore(energy, likelihood=interval, order=order, block=block)
    end = store.recall(y, theta=jnp.finfo(y.dtype).tiny)  # the interval itself is the lead
    return Search(end.decision, end.operations, end.ok)


class _Interval(AbstractLikelihood):
    """Sums of samples, in place of evidence, and the ends of their confidence intervals."""

    graded = True
    sigma: Float[Array, ""] = parameter(positive=True)
    log_odds: Float[Array, ""] = parameter()  # ln(P / delta)
    size: Float[Array, ""] = parameter(positive=True)

    def synapses(self, patterns):
        return Synapses(patterns, -0.5 * patterns**2)

    def most(self, u, common, count):
        t, n = jnp.maximum(count, 1), self.size.astype(u.dtype)
        left = jnp.minimum(1 - (t - 1) / n, (1 - t / n) * (1 + 1 / t))
        spread = jnp.sqrt(2 * jnp.maximum(left, 0) * self.log_odds.astype(u.dtype) * t)
        return u + 2 * self.sigma.astype(u.dtype) * spread


@eqx.filter_jit
def _partial_distances(x, y, rank, first, block: int) -> Search:
    count, size = x.shape
    ok = jnp.isfinite(y).all(axis=1) & jnp.isfinite(x).all()
    short = -size % block
    blocks = [jnp.pad(a[:, rank], ((0, 0), (0, short))) for a in (x, jnp.where(ok[:, None], y, 0))]
    x_blocks, y_blocks = (
        a.reshape(len(a), a.shape[1] // block, block).swapaxes(0, 1) for a in blocks
    )

    def gain(own, query):
        squares = (query**2).sum(axis=1)[:, None] + (own**2).sum(axis=1)[None]
        return 0.5 * squares - query @ own.T

    def add(total, pair):
        return total + gain(*pair), None

    zero = jnp.zeros((y.shape[0], count), y.dtype)
    whole = jax.lax.scan(add, zero, (x_blocks, y_blocks))[0]
    rows = jnp.arange(len(y))
    turn = jnp.broadcast_to(jnp.arange(count)[None], whole.shape)
    if first is not None:  # in front of all others, which keep their order
        key = jnp.where(turn == first[:, None], -1, turn)
        turn = jnp.argsort(key, axis=1)
    visited = jnp.take_along_axis(whole, turn, axis=1)
    least = jax.lax.cummin(visited, axis=1)
    yet = jnp.concatenate([jnp.full((len(y), 1), jnp.inf, y.dtype), least[:, :-1]], axis=1)
    better = (visited < yet).sum(axis=1)
    bar = jnp.zeros_like(whole).at[rows[:, None], turn].set(yet)
    entries = jnp.minimum(block, size - block * jnp.arange(len(x_blocks)))

    def compare(state, pair):
        total, on, taken, tests = state
        own, query, number = pair
        total = total + gain(own, query)
        here = on.sum(axis=1).astype(y.dtype)
        return (total, on & (total <= bar), taken + number * here, tests + here), None

    state = zero, jnp.ones_like(zero, bool), jnp.zeros_like(rows, y.dtype), zero[:, 0]
    end, _ = jax.lax.scan(compare, state, (x_blocks, y_blocks, entries.astype(y.dtype)))
    taken, tests = end[2:]
    decision = jnp.where(ok, turn[rows, visited.argmin(axis=1)], -1).astype(jnp.int32)
    bars = len(x_blocks) * better
    operations = cost.Counts(
        macs=taken + size,  # the squares of the query, once
        adds=2 * tests + bars,
        words=taken + tests + size + bars,
    )
    operations = jax.tree.map(lambda n: jnp.broadcast_to(n, taken.shape), operations)
    return Search(decision, operations, ok)


def _checked(patterns: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    x = as_patterns(patterns)
    y = as_real(y, x.dtype, "y")
    if y.ndim != 2 or y.shape[1] != x.shape[1]:
        raise ValueError(
            f"y must have shape [Q, {x.shape[1]}], one query a row as patterns are, got {y.shape}."
        )
    return x, y


def _candidates(first: Any, queries: int, count: int) -> Int[Array, " Q"]:
    return indices("first", first, count, (queries,))
