"""The fixed points of a modern Hopfield network with orthogonal patterns, sorted and labelled."""

from typing import NamedTuple

import numpy as np
from scipy.special import comb

from ..closed_forms import modern_hopfield as exact


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
    """Of the `number` fixed points in which `shared` patterns have that weight."""
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
    found = [kind(beta, count, 1, 1 / count, 1, extra)]
    for shared in range(1, count // 2 + 1):
        low, high = map(float, exact.branches(beta, count, shared))
        if np.isfinite(high) and (2 * shared < count or beta > count):
            number = comb(count, shared, exact=True)
            found.append(kind(beta, count, shared, high, number, extra))
            if 2 * shared < count:  # else the other one is the same with the patterns exchanged
                found.append(kind(beta, count, shared, low, number, extra))
    return found


def exact_barriers(beta, count: int) -> dict[str, np.ndarray]:
    """Those barriers in closed form; NaN where one of the states is not there."""

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
