"""Closed forms of the fixed points of a modern Hopfield network with orthogonal patterns."""

from typing import NamedTuple

import numpy as np
from scipy.special import comb

from ..closed_forms import modern_hopfield as exact

LOW = 0.4  # of P: the least beta, under which only the mean is there
HIGH = 1.4  # of P: the largest


class Kind(NamedTuple):
    """A kind of fixed point in closed form: sorted weights, how many there are, and what they are
    like.
    """

    weights: np.ndarray
    number: int
    unstable: int
    energy: float
    curvatures: np.ndarray


def kind(beta: float, count: int, shared: int, weight: float, number: int, extra: int) -> Kind:
    """Kind of the `number` fixed points in which `shared` patterns have that weight."""
    pairs = exact.eigenvalues(weight, beta, count, shared)
    slopes = np.repeat([value for value, _ in pairs], [times for _, times in pairs])
    slopes = np.append(slopes, np.zeros(1 + extra))
    return Kind(
        np.sort(exact.weights(weight, count, shared)),
        number,
        int((slopes > 1).sum()),
        float(exact.energy(weight, beta, count, shared)),
        np.sort(1 - slopes),
    )


def kinds(beta: float, count: int, extra: int = 0) -> list[Kind]:
    """All kinds of fixed points at `beta`, the mean first; `extra` dimensions are outside of the
    span of the patterns.
    """
    result = [kind(beta, count, 1, 1 / count, 1, extra)]
    for shared in range(1, count // 2 + 1):
        low, high = map(float, exact.branches(beta, count, shared))
        if np.isfinite(high) and (2 * shared < count or beta > count):
            number = comb(count, shared, exact=True)
            result.append(kind(beta, count, shared, high, number, extra))
            if 2 * shared < count:  # else the other one is the same with the patterns exchanged
                result.append(kind(beta, count, shared, low, number, extra))
    return result


def exact_barriers(beta, count: int) -> dict[str, np.ndarray]:
    """Barriers memory to mean, mean to memory, memory to memory; NaN where a state is missing."""

    def energy(weight, b, shared=1):
        return exact.energy(weight, b, count, shared) if np.isfinite(weight) else np.nan

    rows = {"out": [], "back": [], "swap": []}
    for b in np.asarray(beta, float):
        low, high = (energy(float(w), b) for w in exact.branches(b, count))
        both = energy(float(exact.branches(b, count, 2)[1]), b, 2)
        rows["out"].append(low - high if b < count else np.nan)
        rows["back"].append(low - energy(1 / count, b) if b < count else np.nan)
        rows["swap"].append(both - high)
    return {name: np.array(row) for name, row in rows.items()}


def closed_forms(count: int, beta: np.ndarray) -> dict[str, tuple]:
    """Closed forms as variables of a data set: over `line_beta` the number of fixed points by
    unstable directions, energies above the mean's, and barriers; weights and curvatures at some
    marks; the betas of folds and of the mean's bifurcation; the energy of the mean at `beta`.
    """
    half = count // 2
    line = np.linspace(LOW * count, HIGH * count, 600)
    number = np.zeros((len(line), count), int)
    for row, b in enumerate(line):
        for own in kinds(float(b), count):
            number[row, own.unstable] += own.number
    marks = np.linspace(exact.spinodal(count).b, HIGH * count, 12)
    weights = [exact.branches(marks, count, k) for k in range(1, half + 1)]
    if 2 * half == count:  # else the other one is the same with the patterns exchanged
        weights[-1] = (np.full(len(marks), np.nan), weights[-1][1])
    curvature = [
        1 - max(value for value, _ in exact.eigenvalues(w, b, count))
        for w, b in zip(weights[0][1], marks, strict=True)
    ]
    folds = [exact.spinodal(count, k).b for k in range(1, (count + 1) // 2)]
    walls = {f"line_{k}": ("line_beta", x) for k, x in exact_barriers(line, count).items()}
    return walls | {
        "line_beta": ("line_beta", line),
        "line_number": (("line_beta", "directions"), number),
        "line_energy": (("line_beta", "family", "side"), _energies(line, count)),
        "mark_beta": ("mark_beta", marks),
        "mark_weight": (("family", "side", "mark_beta"), np.array(weights)),
        "mark_curvature": ("mark_beta", np.array(curvature)),
        "critical_beta": ("critical_beta", np.array([*folds, count], float)),
        "mean_energy": ("beta", np.array([exact.energy(1 / count, b, count) for b in beta])),
    }


def _energies(line: np.ndarray, count: int) -> np.ndarray:
    """Energies above that of the mean [beta, family, side]."""
    mean = np.array([exact.energy(1 / count, b, count) for b in line])
    result = np.full((len(line), count // 2, 2), np.nan)
    for shared in range(1, count // 2 + 1):
        for side, weights in enumerate(exact.branches(line, count, shared)):
            exists = np.isfinite(weights) & ((2 * shared < count) | (line > count))
            for k in np.flatnonzero(exists):
                result[k, shared - 1, side] = exact.energy(weights[k], line[k], count, shared)
    return result - mean[:, None, None]
