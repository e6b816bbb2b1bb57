"""Every method's answers to the queries of `experiments.sequential`, with its operations."""

import dataclasses
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax import cost
from bpcjax.cost import Counts, Ledger
from bpcjax.energies import ModernHopfield
from bpcjax.energies.hopfield.entmax import entmax
from bpcjax.models import (
    AbstractLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
    SequentialRecall,
    SequentialStore,
    StudentLikelihood,
    bandit_search,
    by_information,
    by_variance,
    partial_distance_search,
)

from ..common.memories import with_flat_prior
from ..common.operations import ledgers
from ..common.precision import as_int8
from .tasks import Problem

ERROR = 0.01  # probability that the certificate grants, of silencing the true memory
BATCHES = 16, 64  # of attention, besides single queries
DRAWS = 1, 40  # spikes of the memory that draws
RIVAL_BLOCK = 16  # entries between comparisons of searches
PRICES = "fp32", "fp32+memory", "int8", "int8+memory"

RIVALS = (
    "argmax",
    "attention",
    *(f"attention, batch {b}" for b in BATCHES),
    "entmax 1.5",
    *(f"draws, {s}" for s in DRAWS),
    "partial distance",
    "BanditMIPS",
    "BanditMIPS, by variance",
)
SEQUENTIAL = (
    "sequential",
    "sequential, certified",
    "sequential, sigma estimated",
    "sequential, Student-t",
    "sequential, Student-t, certified",
    "sequential, int8",
)
MODELS = (*RIVALS, "argmax, int8", *SEQUENTIAL)


class Choice(NamedTuple):
    """What validation chooses: the memory's `theta`, `block`, order (`informed`: by information)
    and `lead`; the bandits' scales, in random order and by variance; the theta of Student's form;
    the noise as estimated."""

    theta: float
    block: int
    informed: bool = False
    lead: float = math.inf
    scale: float = 1.0
    scale_by_variance: float = 1.0
    student: float = 5.0
    sigma: float = 1.0


class Answer(NamedTuple):
    """Decisions [Q], operations of a query, and whether the true memory was silenced [Q]."""

    decision: np.ndarray
    counts: Counts
    silenced: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Prices:
    """Price lists of one memory: nJ a query by PRICES; the spiking memory's kernel is stored."""

    width: int
    memories: int
    kernel: bool = False

    @property
    def lists(self) -> dict[str, Ledger]:
        """The price lists by name."""
        return ledgers(self.width, self.memories, kernel=self.kernel)

    def __call__(self, counts: Counts) -> np.ndarray:
        """Mean energies (nJ) of a query."""
        return np.array([np.mean(self.lists[name].energy(counts)) for name in PRICES]) / 1e3


def likelihood(problem: Problem) -> AbstractLikelihood:
    """The likelihood that the problem assumes."""
    return PoissonLikelihood() if problem.sigma is None else GaussianLikelihood(problem.sigma)


def energy(problem: Problem) -> ModernHopfield:
    """The energy of the memories, under a flat prior."""
    return with_flat_prior(problem.patterns, 1 / (problem.sigma or 1.0) ** 2)


_by_information, _by_variance = eqx.filter_jit(by_information), eqx.filter_jit(by_variance)


def order(problem: Problem, informed: bool) -> jax.Array:
    """The order of entries, by information or by variance."""
    memory = energy(problem)
    return _by_information(memory, problem.sigma) if informed else _by_variance(memory)


def store(
    problem: Problem,
    choice: Choice,
    own: AbstractLikelihood | None = None,
    turn: jax.Array | None = None,
) -> SequentialStore:
    """The memories, ready for recall; `turn` is the order of entries where it is known."""
    return SequentialStore(
        energy(problem),
        likelihood=likelihood(problem) if own is None else own,
        order=order(problem, choice.informed) if turn is None else turn,
        block=choice.block,
    )


def ask(kept: SequentialStore, problem: Problem, theta: float, lead: float) -> SequentialRecall:
    """Recall of all queries; an infinite lead is none."""
    return kept.recall(problem.queries, theta=theta, lead=lead, seen=problem.seen)


def answer(end: SequentialRecall, problem: Problem) -> Answer:
    """The answer of a recall."""
    silenced = ~np.asarray(end.alive)[np.arange(len(problem.target)), problem.target]
    return Answer(np.asarray(end.decision), jax.device_get(end.operations), silenced)


def certain(problem: Problem) -> float:
    """The theta whose certificate is ERROR."""
    return math.log((len(problem.patterns) - 1) / ERROR)


@eqx.filter_jit
def _scores(patterns, queries, seen, sigma) -> jax.Array:
    """Log posterior [Q, P] up to a constant, of Gaussian noise, or of Poisson counts."""
    if sigma is None:
        return queries @ jnp.log(patterns).T - patterns.sum(axis=1)[None]
    if seen is not None:
        patterns, queries = jnp.where(seen, patterns, 0), jnp.where(seen, queries, 0)
    half = 0.5 * (patterns**2).sum(axis=1)
    return (queries @ patterns.T - half[None]) / sigma**2


def scores(problem: Problem) -> jax.Array:
    """Log posterior [Q, P] of a problem, up to a constant."""
    return _scores(problem.patterns, problem.queries, problem.seen, problem.sigma)


@eqx.filter_jit
def _mixed(patterns, log_posterior) -> jax.Array:
    """The pattern nearest to attention's answer: to its mixture of the patterns."""
    mixture = jax.nn.softmax(log_posterior, axis=1) @ patterns
    return (mixture @ patterns.T - 0.5 * (patterns**2).sum(axis=1)[None]).argmax(axis=1)


@eqx.filter_jit
def _support(log_posterior) -> jax.Array:
    return (jax.vmap(lambda row: entmax(row, 1.5))(log_posterior) > 0).sum(axis=1)


@eqx.filter_jit
def _votes(log_posterior, key) -> jax.Array:
    """Memories [draws, Q] with most of the first S spikes, each a draw from the posterior."""
    keys = jax.random.split(key, max(DRAWS))
    drawn = jax.lax.map(lambda own: jax.random.categorical(own, log_posterior), keys)
    same = (drawn[:, None] == drawn[None]).astype(jnp.int32)
    rows = []
    for spikes in DRAWS:
        most = same[:spikes, :spikes].sum(axis=1).argmax(axis=0)
        rows.append(jnp.take_along_axis(drawn[:spikes], most[None], axis=0)[0])
    return jnp.stack(rows)


def _spared(problem: Problem, whole: Counts, batch: int = 1) -> Counts:
    """A rival's operations without those of entries that are 0; events are added, not multiplied.
    In a batch weights are read for all entries."""
    memories, width = problem.patterns.shape
    inputs = problem.inputs.astype(float)
    none = (width - inputs) * memories
    words = none if batch == 1 else 0 * none
    if problem.sigma is None:
        scored = inputs * memories
        added, none = whole.synaptic + scored, float(width * memories)
        whole = dataclasses.replace(whole, synaptic=added)
    return dataclasses.replace(whole, macs=whole.macs - none, words=whole.words - words)


def rivals(problem: Problem, key: jax.Array) -> dict[str, Answer]:
    """Answers of the methods that have nothing to choose."""
    memories, width = problem.patterns.shape
    log_posterior = scores(problem)
    best = np.asarray(log_posterior.argmax(axis=1))
    mixed, votes = (np.asarray(x) for x in (
        _mixed(problem.patterns, log_posterior), _votes(log_posterior, key)
    ))  # fmt: skip
    support = np.asarray(_support(log_posterior)).astype(float)
    hard = cost.hard_attention_counts(width, memories)
    sparse = cost.sparse_attention_counts(width, memories, support)
    result = {
        "argmax": Answer(best, _spared(problem, hard)),
        "attention": Answer(mixed, _spared(problem, cost.attention_counts(width, memories))),
        "entmax 1.5": Answer(best, _spared(problem, sparse)),
    }
    for batch in BATCHES:
        shared = cost.attention_counts(width, memories, batch=batch)
        result[f"attention, batch {batch}"] = Answer(mixed, _spared(problem, shared, batch))
    graded = problem.sigma is not None
    for spikes, decision in zip(DRAWS, votes, strict=True):
        counts = cost.spiking(problem.inputs.astype(float), spikes, width, memories, graded=graded)
        result[f"draws, {spikes}"] = Answer(decision, counts)
    return result


def visible(problem: Problem) -> Problem:
    """The problem in the entries that are seen, for methods that know no others."""
    if problem.seen is None:
        return problem
    seen = problem.seen
    return problem._replace(
        patterns=problem.patterns[:, seen], queries=problem.queries[:, seen], seen=None
    )


def bandit(problem: Problem, scale: float, rng: np.random.Generator | None) -> Answer:
    """BanditMIPS in a random order, or by variance (no `rng`)."""
    own = visible(problem)
    turn = order(own, False) if rng is None else rng.permutation(own.patterns.shape[1])
    end = bandit_search(
        own.patterns, own.queries, sigma=scale, delta=ERROR, order=turn, block=RIVAL_BLOCK
    )
    return Answer(np.asarray(end.decision), jax.device_get(end.operations))


def searches(problem: Problem, choice: Choice, rng: np.random.Generator) -> dict[str, Answer]:
    """Answers of rivals that stop early. Partial distances begin, for free, with the nearest
    pattern: no choice of the first candidate does better."""
    own = visible(problem)
    end = partial_distance_search(
        own.patterns, own.queries, order=order(own, False), block=RIVAL_BLOCK,
        first=scores(own).argmax(axis=1),
    )  # fmt: skip
    return {
        "partial distance": Answer(np.asarray(end.decision), jax.device_get(end.operations)),
        "BanditMIPS": bandit(problem, choice.scale, rng),
        "BanditMIPS, by variance": bandit(problem, choice.scale_by_variance, None),
    }


def coarse(problem: Problem) -> Problem:
    """The problem with patterns and queries of 8 bits."""
    return problem._replace(
        patterns=as_int8(problem.patterns).astype(np.float32),
        queries=as_int8(problem.queries).astype(np.float32),
    )


def sequential(problem: Problem, choice: Choice) -> dict[str, Answer]:
    """Answers of the memory that decides early, in all its forms."""
    sure, turn = certain(problem), order(problem, choice.informed)

    def forms(problem: Problem, own: AbstractLikelihood, *rules: tuple[float, float]):
        kept = store(problem, choice, own, turn)
        return [answer(ask(kept, problem, *rule), problem) for rule in rules]

    chosen = choice.theta, choice.lead
    names = "sequential", "sequential, certified"
    pair = forms(problem, likelihood(problem), chosen, (sure, math.inf))
    result = dict(zip(names, pair, strict=True))
    if problem.sigma is None:
        return result
    rules = (choice.student, math.inf), (sure, math.inf)
    student = forms(problem, student_likelihood(problem), *rules)
    guess, rounded = problem._replace(sigma=choice.sigma), coarse(problem)
    return result | {
        "sequential, sigma estimated": forms(guess, likelihood(guess), chosen)[0],
        "sequential, Student-t": student[0],
        "sequential, Student-t, certified": student[1],
        "sequential, int8": forms(rounded, likelihood(rounded), chosen)[0],
        "argmax, int8": Answer(
            np.asarray(scores(rounded).argmax(axis=1)),
            _spared(problem, cost.hard_attention_counts(*problem.patterns.shape[::-1])),
        ),
    }


def swept(problem: Problem, choice: Choice, thetas: tuple[float, ...]) -> list[Answer]:
    """Answers of the memory that decides early over theta, without a lead."""
    kept = store(problem, choice)
    return [answer(ask(kept, problem, theta, math.inf), problem) for theta in thetas]


def student_likelihood(problem: Problem) -> StudentLikelihood:
    """The likelihood of unknown noise whose prior has the assumed precision as its mean."""
    return StudentLikelihood(0.5, 0.5 * problem.sigma**2)


def answers(problem: Problem, choice: Choice, rng: np.random.Generator) -> dict[str, Answer]:
    """All that apply: searches and forms of the noise need Gaussian noise."""
    result = rivals(problem, jax.random.key(int(rng.integers(2**31))))
    if problem.sigma is not None:
        result |= searches(problem, choice, rng)
    return result | sequential(problem, choice)
