"""Special points of a branch: folds, branch points, Hopf points, period doublings and tori."""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import PyTree

from .branches import Equilibria
from .corrector import Arc, Point, bordered

PRECISION = 1e-12  # of the part of a step at which a special point is
TOGETHER = 1e-6  # of a step: special points as near as this are one


class Bifurcation(Enum):
    """Kinds of bifurcations: FOLD, the parameter turns round (of equilibria, or of cycles); HOPF, a
    complex pair of eigenvalues crosses the imaginary axis (and cycles end there); BRANCH, another
    branch crosses; PERIOD_DOUBLING, a multiplier passes -1; TORUS, a complex pair of multipliers
    passes the unit circle."""

    FOLD = "fold"
    HOPF = "Hopf"
    BRANCH = "branch point"
    PERIOD_DOUBLING = "period doubling"
    TORUS = "torus"


class Special(NamedTuple):
    """Special point of a branch: its kind, the parameter `p` and the state `y` there."""

    kind: Bifurcation
    p: Any
    y: PyTree


def specials(arc: Arc, here: Point, there: Point) -> list[tuple[Special, int]]:
    """The special points between two successive points, in order, with how many exponents (or
    complex pairs of them) cross at each.
    """
    points = []
    turns = here.tangent[-1] * there.tangent[-1] < 0
    if np.sign(_determinant(arc, here)) * np.sign(_determinant(arc, there)) < 0:
        part = _root(arc, here, there, lambda point: _determinant(arc, point))
        points.append((Bifurcation.BRANCH, part, 1))
    elif turns:
        part = _root(arc, here, there, lambda point: point.tangent[-1])
        points.append((Bifurcation.FOLD, part, 1))
    for part, count in _crossings(arc, here, there):
        point = arc.between(here, there, part)
        kind = None if point is None else _kind_at(arc, point)  # none on a branch point
        if kind is Bifurcation.PERIOD_DOUBLING:
            points.append((kind, part, count))
        elif kind is not None:
            points.append((kind, part, max(1, count // 2)))
        elif count > 1:  # the determinant changes its sign twice, or more often, or not at all
            points = [one for one in points if abs(one[1] - part) > TOGETHER]
            points.append((Bifurcation.BRANCH, part, count))
    points.sort(key=lambda one: one[1])
    return [(_special(arc, here, there, kind, part), count) for kind, part, count in points]


def _kind_at(arc: Arc, point: Point) -> Bifurcation | None:
    growth = arc.growth(point)
    critical = growth[np.argmin(np.abs(growth.real))]
    return _kind(arc, critical, np.abs(growth[np.isfinite(growth)]).max())


def _kind(arc: Arc, critical: complex, scale: float) -> Bifurcation | None:
    """What crosses, by the exponent that is on the axis; real ones are folds and branch points."""
    angle = abs(critical.imag)
    # Two multipliers that meet at 1 are split by rounding, by about the root of it.
    if angle <= (1e-6 * (1 + scale) if isinstance(arc.of, Equilibria) else 1e-2):
        return None
    if isinstance(arc.of, Equilibria):
        return Bifurcation.HOPF
    return Bifurcation.PERIOD_DOUBLING if np.pi - angle < 1e-6 else Bifurcation.TORUS


def _determinant(arc: Arc, point: Point) -> float:
    """Determinant of the equations' derivative, bordered by the tangent: it changes sign where
    branches cross.

    Scaled, so that only its sign matters, and its zero. Neutral directions border it as well.
    """
    square, turn = np.vstack([point.derivative, point.tangent]), 1.0
    if arc.neutral:
        left, right = arc.borders(point)
        turn = np.sign(np.linalg.det(right[:, :-1] @ left))  # which way round must not matter
        square = np.asarray(bordered(square, left, right))
    sign, size = np.linalg.slogdet(square)
    return float(turn * sign * np.exp(size / len(square)))


def _crossings(arc: Arc, here: Point, there: Point) -> list[tuple[float, int]]:
    """Crossings of the imaginary axis by exponents, as parts of the way, and how many cross
    together.

    The k-th largest real part is a continuous function of the way.
    """
    a, b = (arc.growth(point).real for point in (here, there))
    low, high = sorted([int((a > 0).sum()), int((b > 0).sum())])
    parts: list[tuple[float, int]] = []
    for k in range(low, high):
        part = _root(arc, here, there, lambda point, k=k: arc.growth(point).real[k])
        same = [i for i, (other, _) in enumerate(parts) if abs(part - other) < TOGETHER]
        if same:
            parts[same[0]] = parts[same[0]][0], parts[same[0]][1] + 1
        else:
            parts.append((part, 1))
    return parts


def _root(arc: Arc, here: Point, there: Point, test) -> float:
    def value(part: float) -> float:
        point = here if part == 0 else there if part == 1 else arc.between(here, there, part)
        # Where branches cross the corrector's equations are singular, and it may fail: at zero.
        return 0.0 if point is None else float(np.clip(test(point), -1e3, 1e3))

    from scipy.optimize import brentq  # slow to load, and rarely needed

    root: Any = brentq(value, 0.0, 1.0, xtol=PRECISION)
    return root


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
