"""What is chosen on validation queries: the cheapest whose accuracy is near Bayes' argmax."""

import math
from collections.abc import Iterable
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

LOSS = 0.0025  # of accuracy, that a choice may cost on validation
THETAS = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.5)  # nat, below the certified one
LEADS = (0.5, 0.75)  # over theta
SCALES = tuple(np.geomspace(0.03, 1.0, 9))  # of the bandit, over the deviation of its samples
T = TypeVar("T")


class Trial(NamedTuple):
    """Accuracy and mean energy of one setting (geometric, over price lists)."""

    accuracy: float
    energy: float


def _trial(problems: list[Problem], asked: list[Answer]) -> Trial:
    rows = list(zip(problems, asked, strict=True))
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
    """The choice for problems like these: theta at the middle block, then, near it, the block, the
    order, and a lead; the scales of bandits; Student's theta; and the noise, from the distance to
    the argmax."""
    best = [np.asarray(scores(problem).argmax(axis=1)) for problem in problems]
    pairs = list(zip(problems, best, strict=True))
    bayes = float(np.mean([(own == problem.target).mean() for problem, own in pairs]))
    least, thetas = bayes - LOSS, (*THETAS, certain(problems[0]))

    def trials(choices: list[Choice], own=None) -> list[tuple[Choice, Trial]]:
        """Choices that differ in theta and the lead alone."""
        kept = [store(p, choices[0], None if own is None else own(p)) for p in problems]
        rows = []
        for choice in choices:
            asked = [
                answer(ask(k, p, choice.theta, choice.lead), p)
                for k, p in zip(kept, problems, strict=True)
            ]
            rows.append((choice, _trial(problems, asked)))
        return rows

    middle = blocks[len(blocks) // 2]
    rows = trials([Choice(theta, middle) for theta in thetas])
    for block in blocks:
        if block != middle:
            place = thetas.index(_cheapest(rows, least)[0].theta)
            rows += trials([Choice(theta, block) for theta in _near(thetas, place)])
    if problems[0].sigma is not None:
        choice = _cheapest(rows, least)[0]
        around = _near(thetas, thetas.index(choice.theta))
        rows += trials([choice._replace(informed=True, theta=theta) for theta in around])
    choice = _cheapest(rows, least)[0]
    rows += trials([choice._replace(lead=share * choice.theta) for share in LEADS])
    choice = _cheapest(rows, least)[0]
    if problems[0].sigma is None:
        return choice
    others = [choice._replace(theta=theta, lead=math.inf) for theta in thetas[::2]]
    return choice._replace(
        **_scales(problems, least, rng),
        student=_cheapest(trials(others, student_likelihood), least)[0].theta,
        sigma=_residual(pairs),
    )


def _near(thetas: tuple[float, ...], place: int) -> tuple[float, ...]:
    return thetas[max(place - 1, 0) : place + 2]


def _residual(pairs: list[tuple[Problem, np.ndarray]]) -> float:
    """Root mean square distance of queries from their argmax, an entry that is seen."""
    squares = []
    for problem, best in pairs:
        gaps = problem.queries - problem.patterns[best]
        squares.append((gaps if problem.seen is None else gaps[:, problem.seen]).ravel() ** 2)
    # A noise of 0 has no precision: a hundredth of the assumed one stands for it.
    return max(math.sqrt(np.concatenate(squares).mean()), 0.01 * pairs[0][0].sigma)


def _scales(problems: list[Problem], least: float, rng: np.random.Generator) -> dict[str, float]:
    """Scales of the bandit in random order and by variance: the smallest that is accurate enough,
    by bisection."""
    own = problems[0]
    samples = own.queries[:50, None] * own.patterns[None, :50] - 0.5 * own.patterns[None, :50] ** 2
    scales = [float(samples.std()) * share for share in SCALES]
    result = {}
    for name, turn in (("scale", rng), ("scale_by_variance", None)):
        low, high = 0, len(scales) - 1  # the largest stands for all that are too small
        while low < high:
            middle = (low + high) // 2
            made = _trial(problems, [bandit(p, scales[middle], turn) for p in problems])
            low, high = (low, middle) if made.accuracy >= least - 1e-9 else (middle + 1, high)
        result[name] = scales[high]
    return result
