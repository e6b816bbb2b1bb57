"""What is chosen on validation queries: the cheapest whose accuracy is near Bayes' argmax."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import numpy as np

from .methods import (
    Answer,
    Choice,
    Prices,
    answer,
    ask,
    bandit,
    certain,
    scores,
    store,
    student_likelihood,
)
from .tasks import Problem

LOSS = 0.005  # of accuracy, that a choice may cost on validation
THETAS = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.5)  # nat, below the certified one
LEADS = (0.5, 0.75)  # over theta
SCALES = tuple(np.geomspace(0.03, 1.0, 9))  # of the bandit, over the deviation of its samples
T = TypeVar("T")


class Trial(NamedTuple):
    """Accuracy and mean energy of one setting (geometric, over price lists)."""

    accuracy: float
    energy: float


def _trial(problems: list[Problem], made: Callable[[Problem], Answer]) -> Trial:
    rows = [(problem, made(problem)) for problem in problems]
    right = [(own.decision == problem.target).mean() for problem, own in rows]
    prices = [Prices(*problem.patterns.shape[::-1])(own.counts) for problem, own in rows]
    return Trial(float(np.mean(right)), float(np.exp(np.log(prices).mean())))


def _cheapest(trials: Iterable[tuple[T, Trial]], least: float) -> tuple[T, Trial]:
    """The cheapest of those that are accurate enough; the most accurate one if none is."""
    rows = list(trials)
    enough = [row for row in rows if row[1].accuracy >= least - 1e-9]
    if enough:
        return min(enough, key=lambda row: row[1].energy)
    return max(rows, key=lambda row: (row[1].accuracy, -row[1].energy))


def choose(problems: list[Problem], blocks: tuple[int, ...], rng: np.random.Generator) -> Choice:
    """The choice for problems like these: theta and block first, then the order, then a lead; the
    scales of bandits; Student's theta; and the noise, from the distance to the argmax."""
    best = [np.asarray(scores(problem).argmax(axis=1)) for problem in problems]
    pairs = list(zip(problems, best, strict=True))
    bayes = float(np.mean([(own == problem.target).mean() for problem, own in pairs]))
    least, thetas = bayes - LOSS, (*THETAS, certain(problems[0]))

    def trial(choice: Choice, kept) -> Trial:
        stores = iter(kept)
        return _trial(
            problems, lambda p: answer(ask(next(stores), p, choice.theta, choice.lead), p)
        )

    rows = []
    for block in blocks:
        kept = [store(problem, Choice(1.0, block)) for problem in problems]
        rows += [(own, trial(own, kept)) for own in (Choice(theta, block) for theta in thetas)]
    found = [_cheapest(rows, least)]
    if problems[0].sigma is not None:
        other = found[0][0]._replace(informed=True)
        kept = [store(problem, other) for problem in problems]
        around = [other._replace(theta=theta) for theta in thetas]
        found = [_cheapest([*found, *((own, trial(own, kept)) for own in around)], least)]
    choice = found[0][0]
    kept = [store(problem, choice) for problem in problems]
    leads = [choice._replace(lead=share * choice.theta) for share in LEADS]
    choice = _cheapest([*found, *((own, trial(own, kept)) for own in leads)], least)[0]
    if problems[0].sigma is None:
        return choice
    return choice._replace(
        **_scales(problems, least, rng),
        student=_student(problems, choice, thetas, least),
        sigma=_residual(pairs),
    )


def _residual(pairs: list[tuple[Problem, np.ndarray]]) -> float:
    """Root mean square distance of queries from their argmax, an entry that is seen."""
    squares = []
    for problem, best in pairs:
        gaps = problem.queries - problem.patterns[best]
        squares.append((gaps if problem.seen is None else gaps[:, problem.seen]).ravel() ** 2)
    # A noise of 0 has no precision: a hundredth of the assumed one stands for it.
    return max(math.sqrt(np.concatenate(squares).mean()), 0.01 * pairs[0][0].sigma)


def _student(problems, choice: Choice, thetas, least: float) -> float:
    kept = [store(problem, choice, student_likelihood(problem)) for problem in problems]

    def made(theta: float) -> Trial:
        stores = iter(kept)
        return _trial(problems, lambda p: answer(ask(next(stores), p, theta, math.inf), p))

    return _cheapest([(theta, made(theta)) for theta in thetas], least)[0]


def _scales(problems, least: float, rng: np.random.Generator) -> dict[str, float]:
    """Scales of the bandit in random order and by variance."""
    own = problems[0]
    samples = own.queries[:50, None] * own.patterns[None, :50] - 0.5 * own.patterns[None, :50] ** 2
    deviation = float(samples.std())
    rows: dict[str, list] = {"scale": [], "scale_by_variance": []}
    for scale in (deviation * share for share in SCALES):
        for name, turn in (("scale", rng), ("scale_by_variance", None)):
            made = _trial(problems, lambda p, s=scale, t=turn: bandit(p, s, t))
            rows[name].append((scale, made))
    return {name: _cheapest(trials, least)[0] for name, trials in rows.items()}
