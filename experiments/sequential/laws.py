"""What the memory that decides early should cost: how long a wrong memory stays, without noise."""

import numpy as np

from bpcjax import cost

from .methods import Choice, order
from .tasks import Problem

PAIRS = 2000


def share(problem: Problem, choice: Choice, rng: np.random.Generator) -> float:
    """Share of the entries that memories get, by the mean evidence against them.

    Entry by entry a memory x' loses `(x - x')^2 / (2 sigma^2)` on the true one x, on average over
    the noise, and falls silent at the first test at which this is above theta: the mean over pairs
    of memories. On the sphere it is `min(1, theta sigma^2 / N)`, up to the length of a block. NaN
    for counts.
    """
    if problem.sigma is None:
        return float("nan")
    memories, width = problem.patterns.shape
    one = rng.integers(0, memories, PAIRS)
    other = (one + rng.integers(1, memories, PAIRS)) % memories
    turn = np.asarray(order(problem, choice.informed))
    if problem.seen is not None:
        turn = turn[problem.seen[turn]]
    gaps = problem.patterns[one][:, turn] - problem.patterns[other][:, turn]
    loss = np.cumsum(0.5 * gaps.astype(float) ** 2, axis=1) / problem.sigma**2
    ends = np.unique(np.append(np.arange(choice.block, len(turn), choice.block), len(turn)))
    refuted = loss[:, ends - 1] > choice.theta
    taken = np.where(refuted.any(axis=1), ends[refuted.argmax(axis=1)], len(turn))
    return float(taken.mean() / width)


def counts(macs: float, block: int) -> cost.Counts:
    """Operations of a memory that decides early by the multiply-accumulates alone: at each test,
    after a block, three additions, a broadcast, and a state both ways."""
    tests = macs / block
    return cost.Counts(macs=macs, adds=3 * tests, synaptic=tests, words=macs + 3 * tests)
