"""Recall certificate: what a modern Hopfield memory guarantees for a query, before it runs."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from ..._require import floating, indices, number, scalar
from ...energies import ModernHopfield
from ...energies.base import as_bias, as_patterns


class RecallCertificate(eqx.Module):
    """Recall certificate for one query [N] put to P memories; logarithms, so that none underflows.

    Of every memory i: `separation` Delta_i, the least difference of scores (over beta) by which
    the pattern itself prefers it to another; whether it is `well_separated`, so that exactly one
    fixed point lies within `radius` of it; the `distance` of the query; `log_error_bound`, of
    `|f(q) - x_i|` after one update f (theorem 5 of Ramsauer et al. 2020, arXiv:2008.02217);
    `log_contraction_bound`, of how much closer that update brings the query to the fixed point
    (theorem 4; `inf` where it is not well separated); `log_miss`, of `1 - p_i`, exact.

    Of the memory: `lipschitz = beta diameter^2 / 4`, which bounds the slope of the update
    everywhere, so that below 1 it has one fixed point only (`unique`); `log_variance` of
    `tr Cov_p`, what one spike's pattern varies by about the mean of the posterior at the query;
    `squares` [P], the squared distances of the memories from the likeliest one for the query.
    """

    beta: Float[Array, ""]
    separation: Float[Array, " P"]
    well_separated: Bool[Array, " P"]
    radius: Float[Array, ""]
    distance: Float[Array, " P"]
    margin: Float[Array, " P"]
    longest: Float[Array, ""]
    log_error_bound: Float[Array, " P"]
    log_contraction_bound: Float[Array, " P"]
    log_miss: Float[Array, " P"]
    lipschitz: Float[Array, ""]
    log_variance: Float[Array, ""]
    squares: Float[Array, " P"]

    @property
    def unique(self) -> Bool[Array, ""]:
        """Whether the update contracts everywhere: one attractor, no memory of its own."""
        return self.lipschitz < 1

    def spikes_for(self, error: ArrayLike) -> Float[Array, ""]:
        """Number of spikes that, averaged at the query, come within `error` (rms) of attention's
        answer.

        `tr Cov_p / error^2`, and at least one: their mean square error is `tr Cov_p / S` exactly.
        """
        error = floating("error", error, above=0).astype(self.log_variance.dtype)
        return jnp.maximum(jnp.ceil(jnp.exp(self.log_variance - 2 * jnp.log(error))), 1.0)

    def beta_for(self, error: ArrayLike) -> Float[Array, " P"]:
        """The beta from which theorem 5 puts one update within `error` of each memory.

        `inf` for a memory that the query is too far from for the theorem.
        """
        count = self.separation.shape[0]
        error = number("error", error, above=0)
        needed = jnp.log(2 * (count - 1) * self.longest) - jnp.log(error)
        safe = jnp.where(self.margin > 0, self.margin, 1.0)
        return jnp.where(self.margin > 0, jnp.maximum(needed, 0.0) / safe, jnp.inf)

    def silencing_bound(self, theta: ArrayLike) -> Float[Array, "..."]:
        """Bound, by Ville's inequality, on the probability that `sequential_recall` with `theta`
        (nat) ever silences the true memory: `(P - 1) exp(-theta)`, at most 1."""
        theta = _at_least_0("theta", theta, self.beta.dtype)
        return jnp.minimum((self.squares.shape[0] - 1) * jnp.exp(-theta), 1.0)

    def theta_for(self, error: ArrayLike) -> Float[Array, "..."]:
        """The theta (nat) from which that bound is `error` at most: `ln((P - 1) / error)`, or 0.

        A decision then loses no more than `error` to that of the largest posterior.
        """
        others = max(self.squares.shape[0] - 1, 1)
        error = _at_least_0("error", error, self.beta.dtype)
        return jnp.maximum(jnp.log(1.0 * others) - jnp.log(error), 0.0)

    def expected_share(self, theta: ArrayLike) -> Float[Array, ""]:
        """Expected share of the P N multiply-accumulates that `sequential_recall` with `theta`
        takes in random order, if the likeliest memory is the true one and beta the precision.

        A law, no bound: in the mean a memory x falls silent after the share
        `theta / (beta |x - x_best|^2 / 2)` of the entries, at most all; the best is alive as long
        as any other.
        """
        gain = 0.5 * self.beta * self.squares  # nat
        theta = _at_least_0("theta", theta, gain.dtype)
        if theta.ndim != 0:
            raise ValueError(f"theta must be a number, got shape {theta.shape}; use jax.vmap.")
        shares = jnp.where(gain > theta, theta / jnp.where(gain > 0, gain, 1.0), 1.0)
        best = jnp.arange(gain.shape[0]) == jnp.argmin(gain)
        others = jnp.where(best, 0.0, shares)
        return (others.sum() + others.max()) / gain.shape[0]


def _at_least_0(name: str, value: ArrayLike, dtype) -> Float[Array, "..."]:
    return floating(name, value, least=0).astype(dtype)


def _log_miss(gaps: Float[Array, " P"]) -> Float[Array, " P"]:
    """Log of `1 - softmax(u)` from `u` less its maximum.

    Only the first entry of the maximum can have more than half: it alone needs the others' sum.
    """
    top = jnp.argmax(gaps)
    others = jax.nn.logsumexp(jnp.where(jnp.arange(gaps.shape[0]) == top, -jnp.inf, gaps))
    log_p = jax.nn.log_softmax(gaps)
    complement = jnp.log1p(-jnp.exp(jnp.minimum(log_p, -jnp.log(2.0))))
    return jnp.where(
        jnp.arange(gaps.shape[0]) == top, others - jnp.logaddexp(0.0, others), complement
    )


def certify(
    patterns: ArrayLike, beta: ArrayLike, query: ArrayLike, *, bias: ArrayLike | None = None
) -> RecallCertificate:
    """Recall certificate of `ModernHopfield(patterns, beta, bias)` for a query [N].

    Differences of scores are taken before they are multiplied by beta, so that it may be extreme.
    Takes P^2 N operations.

    **Raises:** `ValueError` naming the argument: no memory, beta not positive, another width.
    """
    energy = ModernHopfield(patterns, beta, bias)
    x = energy.patterns
    count, width = x.shape
    if count == 0:
        raise ValueError(f"patterns: a memory must hold at least one, got shape {x.shape}.")
    query = floating("query", query, (width,), like="patterns")
    return _certify(energy, query.astype(x.dtype))


@eqx.filter_jit
def _certify(energy: ModernHopfield, query: Float[Array, " N"]) -> RecallCertificate:
    x, beta, a = energy.patterns, energy.beta, energy.bias
    count = x.shape[0]

    def against_others(i):
        away = x[i][None] - x
        gaps = away @ x[i] + (a[i] - a)
        return jnp.where(jnp.arange(count) == i, jnp.inf, gaps).min(), jnp.sum(away**2, axis=-1)

    separation, squares = jax.lax.map(against_others, jnp.arange(count))
    longest = jnp.sqrt(jnp.sum(x * x, axis=-1).max())
    radius = 1 / (beta * count * longest)
    distance = jnp.sqrt(jnp.sum((query[None] - x) ** 2, axis=-1))
    margin = separation - 2 * longest * distance
    pairs = jnp.log(2.0 * (count - 1))
    needed = 2 / (beta * count) + (pairs + jnp.log(count * beta) + 2 * jnp.log(longest)) / beta
    well = separation >= needed
    slope = pairs + jnp.log(beta * count) + 2 * jnp.log(longest)
    reach = jnp.maximum(longest * distance, 1 / (beta * count))  # the longest times the radius
    slope = slope - beta * (separation - 2 * reach)
    best = jnp.argmax(energy.scores(query))
    gaps = beta * ((x - x[best][None]) @ query + (a - a[best]))
    gaps = gaps - gaps.max()  # where rounding chose another best
    log_p = jax.nn.log_softmax(gaps)
    spread = log_p[:, None] + log_p[None, :] + jnp.log(squares)
    return RecallCertificate(
        beta,
        separation,
        well,
        radius,
        distance,
        margin,
        longest,
        pairs + jnp.log(longest) - beta * margin,
        jnp.where(well, slope, jnp.inf),
        _log_miss(gaps),
        beta * squares.max() / 4,
        jax.nn.logsumexp(spread) - jnp.log(2.0),
        squares[best],
    )


def smallest_beta(
    patterns: ArrayLike, query: ArrayLike, memory: int, miss: float,
    *, bias: ArrayLike | None = None,
) -> Float[Array, ""]:  # fmt: skip
    """Smallest beta at which the posterior misses `memory` with probability `miss`, exactly.

    `1 - p = s / (1 + s)`, `s = sum_j exp(-beta g_j)` over the other memories with the gaps g_j of
    scores at the query; found by bisection. `inf` where another memory is preferred at any beta,
    0 where already the uniform posterior misses no more often.

    **Raises:** `ValueError` unless `0 < miss < 1`, or if the patterns are no rows.
    """
    x = as_patterns(patterns)
    miss = scalar("miss", miss, above=0, below=1)
    a = as_bias(None if bias is None else floating("bias", bias, finite=True), len(x), x.dtype)
    query = floating("query", query, x.shape[1:], like="patterns", finite=True)
    memory = indices("memory", memory, len(x), ())
    odds = jnp.asarray(math.log(miss) - math.log1p(-miss), x.dtype)
    return _smallest_beta(x, a, query.astype(x.dtype), memory, odds)


@jax.jit
def _smallest_beta(x, a, query, memory, odds):
    own = jnp.arange(len(x)) == memory
    gaps = (x[memory][None] - x) @ query + (a[memory] - a)
    least = jnp.where(own, jnp.inf, gaps).min()

    def excess(beta):
        return jax.nn.logsumexp(jnp.where(own, -jnp.inf, -beta * gaps)) - odds

    # s lies between its largest term and P - 1 of these.
    safe = jnp.where((least > 0) & jnp.isfinite(least), least, 1.0)
    low = jnp.maximum(-odds / safe, 0.0)
    high = jnp.maximum((jnp.log(1.0 * max(len(x) - 1, 1)) - odds) / safe, 0.0)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = excess(middle) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    root = jax.lax.fori_loop(0, 80, halve, (low, high))[1]
    root = jnp.where(excess(jnp.zeros_like(root)) <= 0, 0.0, root)
    return jnp.where((least > 0) | (root == 0), root, jnp.inf)
