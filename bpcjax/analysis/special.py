"""The special points of a branch: where it turns, splits, or loses its stability."""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import PyTree
from scipy.optimize import brentq

from .arc import Arc, Point
from .followed import Equilibria

PRECISION = 1e-12  # of the part of a step at which a special point is


class Bifurcation(Enum):
    """Kinds of special points: the parameter turns round (of equilibria, or of cycles); a complex
    pair of eigenvalues crosses the imaginary axis; another branch crosses; a multiplier passes
    -1; a complex pair of multipliers passes the unit circle.
    """

    FOLD = "fold"
    HOPF = "Hopf"
    BRANCH = "branch point"
    PERIOD_DOUBLING = "period doubling"
    TORUS = "torus"


class Special(NamedTuple):
    """A special point of a branch."""

    kind: Bifurcation
    p: Any
    y: PyTree


def specials(arc: Arc, here: Point, there: Point) -> list[Special]:
    """The special points between two successive points, in order."""
    found = []
    turns = here.tangent[-1] * there.tangent[-1] < 0
    if np.sign(_determinant(here)) * np.sign(_determinant(there)) < 0:
        found.append((Bifurcation.BRANCH, _root(arc, here, there, _determinant)))
    elif turns:
        found.append((Bifurcation.FOLD, _root(arc, here, there, lambda point: point.tangent[-1])))
    for part in _crossings(arc, here, there):
        point = arc.between(here, there, part)
        if point is None:  # on a branch point, which is found by its determinant
            continue
        growth = arc.of.growth(point.eigenvalues)
        critical = growth[np.argmin(np.abs(growth.real))]
        kind = _kind(arc, critical, np.abs(growth[np.isfinite(growth)]).max())
        if kind is not None:
            found.append((kind, part))
    found.sort(key=lambda pair: pair[1])
    return [_special(arc, here, there, kind, part) for kind, part in found]


def _kind(arc: Arc, critical: complex, scale: float) -> Bifurcation | None:
    """What crosses, by the exponent that is on the axis; real ones are folds and branch points."""
    angle = abs(critical.imag)
    # Two multipliers that meet at 1 are split by rounding, by about the root of it.
    if angle <= (1e-6 * (1 + scale) if isinstance(arc.of, Equilibria) else 1e-2):
        return None
    if isinstance(arc.of, Equilibria):
        return Bifurcation.HOPF
    return Bifurcation.PERIOD_DOUBLING if np.pi - angle < 1e-6 else Bifurcation.TORUS


def _determinant(point: Point) -> float:
    """Of the equations' derivative, bordered by the tangent: it changes sign where branches cross.

    Scaled, so that only its sign matters, and its zero.
    """
    sign, size = np.linalg.slogdet(np.vstack([point.derivative, point.tangent]))
    return float(sign * np.exp(size / len(point.z)))


def _crossings(arc: Arc, here: Point, there: Point) -> list[float]:
    """Where exponents cross the imaginary axis, as parts of the way; a pair counts once.

    The k-th largest real part is a continuous function of the way.
    """
    a, b = (arc.of.growth(point.eigenvalues).real for point in (here, there))
    low, high = sorted([int((a > 0).sum()), int((b > 0).sum())])
    parts: list[float] = []
    for k in range(low, high):
        part = _root(arc, here, there, lambda point, k=k: arc.of.growth(point.eigenvalues).real[k])
        if not any(abs(part - other) < 1e-7 for other in parts):
            parts.append(part)
    return parts


def _root(arc: Arc, here: Point, there: Point, test) -> float:
    def value(part: float) -> float:
        point = here if part == 0 else there if part == 1 else arc.between(here, there, part)
        # Where branches cross the corrector's equations are singular, and it may fail: at zero.
        return 0.0 if point is None else float(np.clip(test(point), -1e3, 1e3))

    found: Any = brentq(value, 0.0, 1.0, xtol=PRECISION)
    return found


def _special(arc: Arc, here: Point, there: Point, kind: Bifurcation, part: float) -> Special:
    point = arc.between(here, there, part)
    z = _from_both_sides(arc, here, there, part) if point is None else point.z
    return Special(kind, float(z[-1]), arc.unravel(arc.of.state(z[:-1])))


def _from_both_sides(arc: Arc, here: Point, there: Point, part: float) -> np.ndarray:
    """The point of the branch where it cannot be corrected, to fourth order in a small distance."""
    near = 0.02 * min(part, 1 - part) + 1e-6
    means = []
    for distance in (near, 2 * near):
        sides = [arc.between(here, there, part + sign * distance) for sign in (1, -1)]
        if any(side is None for side in sides):
            return here.z + part * (there.z - here.z)
        means.append(sum(side.z for side in sides if side is not None) / 2)
    return (4 * means[0] - means[1]) / 3
