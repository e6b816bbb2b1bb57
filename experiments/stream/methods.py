"""Methods that name the place of each frame, with what each frame costs them."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from bpcjax import cost
from bpcjax.cost import Counts
from bpcjax.energies import ModernHopfield
from bpcjax.models import by_variance, sequential_recall, stream_recall
from theory.closed_forms import place_filter

from ..common.operations import ledgers, means
from .streams import Places

METHODS = (
    "attention", "argmax", "argmax, zeros skipped", "delta-argmax", "sequential recall",
    "exact filter", "beam search", "stream, no order", "stream",
)  # fmt: skip
DELTA, SEQUENTIAL, FILTER, BEAM, LOOSE, STREAM = METHODS[3:]


class Rules(NamedTuple):
    """Settings of the methods, chosen on other streams: thresholds below which a change is not
    sent, `theta` (nat), standard deviations, the probability to `stay` at a place, and the squared
    distance beyond which a stream restarts."""

    threshold: float
    theta: float
    sigma: float
    stay: float
    surprise: float
    delta_threshold: float
    sequential_theta: float
    sequential_sigma: float


class Task(NamedTuple):
    """Streams `y` [S, T, N] of places, which jump with this hazard."""

    here: Places
    y: np.ndarray
    hazard: float

    @property
    def energy(self) -> ModernHopfield:
        """The energy of a memory of the places, each as likely as any other."""
        patterns = jnp.asarray(self.here.patterns, jnp.float32)
        return ModernHopfield.from_prior(patterns, 1.0, jnp.zeros(len(patterns)))


class Row(NamedTuple):
    """A method's decisions [S, T] and the mean counts of a frame."""

    decision: np.ndarray
    counts: Counts


def held(y: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """What is held [S, T, N] if only changes beyond the threshold are sent, and how many are
    [S, T]; of the first frame all entries."""
    result, sent = y.copy(), np.full(y.shape[:2], y.shape[2])
    for t in range(1, y.shape[1]):
        changed = np.abs(y[:, t] - result[:, t - 1]) > threshold
        result[:, t] = np.where(changed, y[:, t], result[:, t - 1])
        sent[:, t] = changed.sum(axis=1)
    return result, sent


def nearest(here: Places, y: np.ndarray) -> np.ndarray:
    """The nearest place [S, T]."""
    x = here.patterns.astype(np.float32)
    return (y.astype(np.float32) @ x.T - 0.5 * (x**2).sum(axis=1)).argmax(axis=-1)


def mean(counts: Counts) -> Counts:
    """Counts of the mean frame."""
    return Counts(**means(counts))


def delta_argmax(here: Places, y: np.ndarray, threshold: float) -> Row:
    """Argmax whose P scores are updated by the changes alone. The sender compares all entries with
    those sent last; a changed entry is a word, and a score is read and written."""
    count, size = here.patterns.shape
    frames, sent = held(y, threshold)
    counts = Counts(
        macs=sent * count,
        adds=2 * size + count,
        spikes=sent,
        words=sent * count + 2 * sent + size + 2 * count,
    )
    return Row(nearest(here, frames), mean(counts))


def recall_each(task: Task, theta: float, sigma: float) -> Row:
    """Sequential recall of each frame, whatever came before."""
    flat = task.y.reshape(-1, task.y.shape[2])
    end = sequential_recall(task.energy, flat, theta=theta, sigma=sigma, order=by_variance)
    return Row(np.asarray(end.decision).reshape(task.y.shape[:2]), mean(end.operations))


def stream(task: Task, rules: Rules, *, threshold: float, order: bool = True):
    """Recall from the streams, whole."""
    return stream_recall(
        task.energy,
        task.y,
        theta=rules.theta,
        sigma=rules.sigma,
        threshold=threshold,
        hazard=task.hazard,
        stay=rules.stay if order else 1.0,
        successor=task.here.successor if order else None,
        bound=rules.surprise / rules.sigma**2,
        order=by_variance,
    )


def exact_filter(task: Task, sigma: float, stay: float) -> Row:
    """Exact filter of the hidden Markov model. A place takes its score, its prediction (two
    products and a sum), an exponential and a product with it; the decision, a comparison."""
    x, y = task.here.patterns, task.y
    count, size = x.shape
    prior = np.ones(count)
    matrix = place_filter.transition(prior, task.here.successor, stay=stay, hazard=task.hazard)
    log = (y @ x.T - 0.5 * (x**2).sum(axis=1)) / sigma**2
    decision = np.array([place_filter.posterior(one, prior, matrix).argmax(1) for one in log])
    products = size * count
    counts = Counts(
        macs=products + 3 * count, adds=4 * count, exps=count, divides=count,
        words=products + 2 * (size + count),
    )  # fmt: skip
    return Row(decision, counts)


def beam_counts(task: Task, end) -> Counts:
    """Operations if every candidate takes the whole frame instead of its changes."""
    number, again = np.asarray(end.candidates), np.asarray(end.restarts)
    inputs = (task.y != 0).sum(axis=2)
    several = np.where(number > 1, number, 0)
    whole = number * inputs
    quiet = Counts(
        synaptic=number, macs=whole + inputs + 3 * several, adds=3 * number + several + 2,
        exps=several, divides=several, updates=np.zeros_like(number), spikes=inputs + 2,
        words=whole + inputs + 4 * number,
    )  # fmt: skip
    names = [field.name for field in dataclasses.fields(Counts)]
    pairs = {n: (getattr(end.operations, n), getattr(quiet, n)) for n in names}
    return Counts(**{n: np.where(again, a, b) for n, (a, b) in pairs.items()})


class Work(NamedTuple):
    """What a stream's frame takes: changes as a share of entries, candidates (without restarts),
    restarts, products of weights; and products by the law of changes and restarts."""

    sent: float
    candidates: float
    restarts: float
    products: float
    law: float


def work(task: Task, rules: Rules, end) -> Work:
    """What a frame takes, and the law `delta N A + r P n`: each of r restarts a frame brings to P
    places the entries that refute one, `theta` over half the mean square between places in units
    of sigma; zeros bring none."""
    x = task.here.patterns
    again, number = np.asarray(end.restarts), np.asarray(end.candidates)
    quiet = float(number[~again].mean()) if (~again).any() else np.nan
    apart = 2 * x.var(axis=0).mean()  # mean square between places
    taken = min(2 * rules.theta * rules.sigma**2 / apart, x.shape[1])
    sent, restarts = float(np.asarray(end.sent).mean()), float(again.mean())
    inputs = float((task.y != 0).mean())
    law = sent * np.nan_to_num(quiet) + restarts * taken * inputs * len(x)
    macs = float(np.asarray(end.operations.macs).mean())
    return Work(sent / x.shape[1], quiet, restarts, macs, law)


def ask(task: Task, rules: Rules, only: tuple[str, ...]) -> tuple[dict[str, Row], Work]:
    """Rows of the methods, and what the stream takes."""
    here, y = task.here, task.y
    count, size = here.patterns.shape
    best, inputs = nearest(here, y), float((y != 0).sum(axis=2).mean())
    products = inputs * count
    sparse = Counts(macs=products, adds=2 * count, words=products + 3 * size)
    end = stream(task, rules, threshold=rules.threshold)
    makers = {
        "attention": lambda: Row(best, cost.attention_counts(size, count)),
        "argmax": lambda: Row(best, cost.hard_attention_counts(size, count)),
        "argmax, zeros skipped": lambda: Row(best, sparse),
        DELTA: lambda: delta_argmax(here, y, rules.delta_threshold),
        SEQUENTIAL: lambda: recall_each(task, rules.sequential_theta, rules.sequential_sigma),
        FILTER: lambda: exact_filter(task, rules.sigma, rules.stay),
        BEAM: lambda: _beam(task, rules),
        LOOSE: lambda: _row(stream(task, rules, threshold=rules.threshold, order=False)),
        STREAM: lambda: _row(end),
    }
    return {name: makers[name]() for name in only}, work(task, rules, end)


def _row(end) -> Row:
    return Row(np.asarray(end.decision), mean(end.operations))


def _beam(task: Task, rules: Rules) -> Row:
    end = stream(task, rules, threshold=0.0)
    return Row(np.asarray(end.decision), mean(beam_counts(task, end)))


def prices(here: Places, counts: Counts) -> np.ndarray:
    """The energy (nJ) of a frame by each price list."""
    count, size = here.patterns.shape
    return np.array([float(own.energy(counts)) / 1e3 for own in ledgers(size, count).values()])
