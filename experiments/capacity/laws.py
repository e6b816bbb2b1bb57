"""Capacities of memories: the law of each, the exact success over the load, and its measurement."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from theory.closed_forms import capacity, crosstalk, phasor, sphere_recall

from ..common.memories import power
from . import memories as memories

STEPS = 100  # at most, until a memory of Hebb's rule is at rest
STABLE = 0.7  # overlap above which a phasor pattern is said to stay; it ends at 0.90 or below 0.4
Success = Callable[[float], float]


class Curve(NamedTuple):
    """Capacity of one kind of memory at one size: what theory says, and how to measure it."""

    kind: str
    size: int
    law: float
    level: float
    expected: Success
    span: tuple[float, float]  # of the loads, over the law
    measure: Callable[[np.random.Generator, int], tuple[int, int]]


def polynomial(kind: str, order: int, size: int, queries: int) -> Curve:
    """One pattern without error, `F = u^order`."""
    law = float(capacity.dense_capacity(size, order))
    level = float(np.exp(-size * capacity.dense_error(law, size, order)))

    def expected(count: float) -> float:
        return float(np.exp(-size * crosstalk.flip_probability(round(count), size, order)))

    def measure(rng, count):
        least = 16 if order == 2 else 4  # memories: patterns of one share their crosstalk
        return memories.one_pattern(rng, count, size, order, queries, least)

    return Curve(kind, size, law, level, expected, (0.65, 1.4), measure)


def all_of_hebb(size: int, number: int) -> Curve:
    """All patterns of Hebb's rule without error, in a `number` of memories."""
    law = float(capacity.hebb_capacity(size, everywhere=True))
    level = float(np.exp(-law * size * capacity.dense_error(law, size, 2)))

    def expected(count: float) -> float:
        flips = crosstalk.flip_probability(round(count), size, 2)
        return float(np.exp(-round(count) * size * flips))

    def measure(rng, count):
        return memories.all_patterns(rng, count, size, power(2), number)

    return Curve("hebb, all", size, law, level, expected, (0.9, 1.6), measure)


def exponential(size: int, number: int) -> Curve:
    """All patterns without error, `F = exp`, in a `number` of memories."""
    law = float(np.sqrt(2 * np.log(2) * 2.0**size / size))
    separation = memories.exponential(size)

    def measure(rng, count):
        return memories.all_patterns(rng, count, size, separation, number)

    def expected(count: float) -> float:
        return float(crosstalk.birthday_success(round(count), size))

    return Curve("exponential", size, law, 0.5, expected, (0.5, 1.7), measure)


def modern(size: int, noise: float, queries: int) -> Curve:
    """Half of the queries with noise find their pattern."""

    def success(log_count):
        return sphere_recall.gaussian(noise, np.exp(log_count), size)

    def measure(rng, count):
        return memories.modern(rng, count, size, noise, queries, room)

    law = float(np.exp(brentq(lambda x: success(x) - 0.5, 0.1, 40)))
    room = round(2.5 * law)
    expected = lambda count: success(np.log(round(count)))  # noqa: E731
    return Curve("modern", size, law, 0.5, expected, (0.4, 2.5), measure)


def sparse(size: int, margin: float, queries: int) -> Curve:
    """Half of the patterns have a weight of exactly 1."""
    alone = np.log1p(-sphere_recall.cap(margin, size))
    beta = 1 / (size * (1 - margin))  # a lead of 1 in the scores

    def measure(rng, count):
        return memories.sparse(rng, count, size, beta, queries, room)

    def expected(count: float) -> float:
        return float(np.exp((round(count) - 1) * alone))

    law = float(1 + np.log(0.5) / alone)
    room = round(2.5 * law)
    return Curve("sparse", size, law, 0.5, expected, (0.4, 2.5), measure)


def phasors(size: int, queries: int) -> Curve:
    """Half of the phasor patterns stay."""

    def measure(rng, count):
        each = min(count, 16)
        overlaps = [
            memories.settled_overlaps(rng, count, size, each, STEPS, phases=True)
            for _ in range(-(-queries // (4 * each)))
        ]
        return int((np.concatenate(overlaps) > STABLE).sum()), each * len(overlaps)

    law = phasor.capacity().alpha * size
    return Curve("phasor", size, law, 0.5, lambda count: np.nan, (0.8, 1.6), measure)
