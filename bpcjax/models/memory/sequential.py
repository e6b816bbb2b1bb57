"""Sequential recall: a memory that decides early, as refuted memories fall silent."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ... import cost
from ..._arrays import as_size
from ..._require import as_real, instance, mask, number
from ...energies import DelayHopfield, ModernHopfield
from ...system import Module, as_parameter, bad_parameters
from .elimination import Elimination, Stored, eliminate, store
from .likelihoods import AbstractLikelihood, GaussianLikelihood, StudentLikelihood
from .orders import as_order


class SequentialRecall(eqx.Module):
    """Sequential recall of Q queries among P memories.

    `decision` [Q], the likeliest survivor (-1: not `ok`); the `posterior` [Q, P], 0 for those that
    fell silent; who is `alive` [Q, P]; how many entries of the query were `used` [Q]; the
    `operations` of each query, for the decision; `bound`, of the probability that the true memory
    was ever silenced. `ok` [Q] is false where an entry that arrived has no likelihood (NaN, a
    negative count), or evidence is beyond the range of its type.
    """

    decision: Int[Array, " Q"]
    posterior: Float[Array, "Q P"]
    alive: Bool[Array, "Q P"]
    used: Int[Array, " Q"]
    operations: cost.Counts
    bound: Float[Array, ""]
    ok: Bool[Array, " Q"]

    @property
    def certain(self) -> Bool[Array, " Q"]:
        """Whether one memory alone is left."""
        return self.alive.sum(axis=1) == 1


class SequentialStore(Module):
    """Memories of an energy made ready for sequential recall, once for many queries.

    **Arguments:** as `sequential_recall`, which says what each is.

    **Raises:** `ValueError` naming the argument, where it is known and makes no sense.
    """

    likelihood: AbstractLikelihood
    log_prior: Float[Array, " P"]
    stored: Stored
    sound: Bool[Array, ""]  # whether all these numbers are finite, but for priors of 0
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        energy: ModernHopfield | DelayHopfield,
        *,
        sigma: ArrayLike | None = None,
        likelihood: AbstractLikelihood | None = None,
        order: ArrayLike | Callable[[ModernHopfield], Array] | None = None,
        block: int = 4,
    ):
        instance("energy", energy, ModernHopfield, DelayHopfield)
        if likelihood is None:
            known = None if sigma is None else GaussianLikelihood(_number("sigma", sigma))
            likelihood = known or StudentLikelihood(jnp.asarray(0.5), 0.5 / energy.beta)
        elif sigma is not None:
            raise ValueError("sigma: the likelihood has its own noise; give one of the two.")
        if not isinstance(likelihood, AbstractLikelihood):
            raise ValueError(
                f"likelihood must be one, as GaussianLikelihood(0.5), got {likelihood}."
            )
        if jnp.iscomplexobj(energy.patterns):
            raise ValueError("patterns must be real: complex ones have no likelihood here.")
        self.shape = energy.patterns.shape[1:]
        energy = energy.unrolled() if isinstance(energy, DelayHopfield) else energy
        x = energy.patterns
        self.likelihood, self.log_prior = likelihood, energy.log_prior.astype(x.dtype)
        block = min(as_size(block, "block", 1, None), x.shape[1])
        self.stored = store(x, likelihood, _order(energy, order), block)
        self.sound = self._is_sound()

    def _is_sound(self) -> Bool[Array, ""]:
        prior, stored = self.log_prior, self.stored
        sums = jnp.isfinite(stored.sums).all() & jnp.isfinite(stored.weights).all()
        known = (prior < jnp.inf).all() & (prior > -jnp.inf).any()
        return sums & known

    def recall(
        self,
        y: ArrayLike,  # [Q, N]
        *,
        theta: ArrayLike,
        seen: ArrayLike | None = None,
        lead: ArrayLike | None = None,
        budget: int | None = None,
    ) -> SequentialRecall:
        """Sequential recall of queries; arguments and errors as of `sequential_recall`."""
        size, one = self.stored.rank.shape[0], ", ".join(map(str, self.shape))
        queries = as_real(y, self.log_prior.dtype, "y")
        if queries.ndim != 1 + len(self.shape) or queries.shape[1:] != self.shape:
            raise ValueError(f"y must have shape [Q, {one}], one query a row, got {queries.shape}.")
        theta = _number("theta", theta)
        lead = None if lead is None else _number("lead", lead)
        limit = jnp.asarray(
            size if budget is None else min(as_size(budget, "budget", 1, None), size)
        )
        flat = len(queries), size
        there = None if seen is None else _mask(seen, queries.shape).reshape(flat)
        return _recall(self, queries.reshape(flat), there, theta, lead, limit)


def sequential_recall(
    energy: ModernHopfield | DelayHopfield,
    y: ArrayLike,  # [Q, N]
    *,
    theta: ArrayLike,
    sigma: ArrayLike | None = None,
    likelihood: AbstractLikelihood | None = None,
    seen: ArrayLike | None = None,
    order: ArrayLike | Callable[[ModernHopfield], Array] | None = None,
    block: int = 4,
    lead: ArrayLike | None = None,
    budget: int | None = None,
) -> SequentialRecall:
    """Sequential recall: entries of the queries `y` [Q, N] come one after another, each adds its
    evidence to the memories that are alive, and one that the best leads by more than `theta` nat
    falls silent for good; until one is left.

    The multihypothesis sequential probability ratio test (Baum & Veeravalli 1994, IEEE Trans. Inf.
    Theory 40:1994) with elimination. Its evidence is that of the energy: without silencing
    (`theta = inf`, `sigma = beta^-1/2`) the posterior is `energy.posterior(y, seen)`. By Ville's
    inequality the true memory, drawn from the prior, is ever silenced with the probability
    `(P - 1) exp(-theta)` at most, whatever the order and the rule of stopping.

    **Arguments:** `sigma`, of Gaussian noise; `None`: unknown, with the prior of precisions
    Gamma(1/2, 1 / (2 beta)), whose mean is beta; a `likelihood` stands for either. `seen` [N] or
    [Q, N], the entries that arrive: missing ones send nothing. `order` of the entries [N], or a
    function that gives it for the energy (`by_variance`); `None`: as they come. `block`, entries
    between tests. Further rules of stopping: the `lead` (nat) of the best over the second, and a
    `budget` of entries, which ends with the block that reaches it.

    **Raises:** `ValueError` naming the argument, where it is known and makes no sense.
    """
    store = SequentialStore(energy, sigma=sigma, likelihood=likelihood, order=order, block=block)
    return store.recall(y, theta=theta, seen=seen, lead=lead, budget=budget)


def _number(name: str, value: ArrayLike) -> Float[Array, ""]:
    return as_parameter(number(name, value, above=0))


def _mask(seen: ArrayLike, shape: tuple[int, ...]) -> Bool[Array, "Q ..."]:
    one = len(jnp.shape(seen)) == len(shape) - 1
    there = mask("seen", seen, shape[1:] if one else shape)
    return jnp.broadcast_to(there[None] if one else there, shape)


def _order(energy: ModernHopfield, order: Any) -> Int[Array, " N"]:
    size = energy.patterns.shape[1]
    if order is None:
        return jnp.arange(size)
    rank: Any = order(energy) if callable(order) else order
    return as_order(rank, size)


@eqx.filter_jit
def _recall(store: SequentialStore, y, seen, theta, lead, limit) -> SequentialRecall:
    likelihood, count = store.likelihood, store.log_prior.shape[0]
    allowed = likelihood.allowed(y)
    ok = (allowed if seen is None else allowed | ~seen).all(axis=1)
    ok = ok & store.sound & ~bad_parameters(likelihood) & (theta > 0)
    ok = ok if lead is None else ok & (lead > 0)
    end = eliminate(store.stored, store.log_prior, y, ok, likelihood, seen, theta, lead, limit)
    n = end.used.astype(y.dtype)[:, None]
    evidence = likelihood.evidence(end.u, end.common[:, None], n) + store.log_prior[None]
    evidence = jnp.where(end.alive, evidence, -jnp.inf)
    # beyond the range of the type: nobody is the likeliest, or an evidence is none
    ok = ok & jnp.isfinite(evidence.max(axis=1)) & ~jnp.isnan(end.u).any(axis=1)
    decision = jnp.where(ok, evidence.argmax(axis=1), -1).astype(jnp.int32)
    posterior = jnp.where(ok[:, None], jax.nn.softmax(evidence, axis=1), jnp.nan)
    bound = jnp.minimum((count - 1) * jnp.exp(-theta), 1.0).astype(y.dtype)
    operations = elimination_counts(likelihood, end, seen is None)
    return SequentialRecall(decision, posterior, end.alive, end.used, operations, bound, ok)


def elimination_counts(likelihood, end: Elimination, stored: bool) -> cost.Counts:
    """Operations for the decision. Offsets of a block are `stored` as one number where no entry
    is missing; else each entry takes an addition. At a test a memory adds its offset, is compared
    with the largest, which an inhibitory neuron sends to all that are alive, and with theta.
    """
    left = end.alive.sum(axis=1) - 1.0
    offsets = end.tested if stored else end.entries
    words = end.reached + 2 * end.tested + end.used
    if stored or not likelihood.graded:
        words = words + offsets
    products = dict(macs=end.reached) if likelihood.graded else dict(synaptic=end.reached)
    kept = cost.Counts(**products, adds=offsets + 2 * end.tested + left, words=words)
    sent = cost.Counts(synaptic=end.tested, spikes=end.events + end.tests + 1)
    counts = kept + sent + cost.Counts(exps=likelihood.exponentials * end.tests)
    return jax.tree.map(lambda count: jnp.broadcast_to(count, left.shape), counts)
