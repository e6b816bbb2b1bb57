"""Start of a branch: its first point, and in how many directions it is not isolated there."""

from dataclasses import replace
from typing import Any

import numpy as np

from .._flow import as_floats
from .corrector import Arc, Point

EPSILON = 1e-2  # of a step, away from a branch point
MANY = 7  # more neutral directions than a continuous symmetry commonly makes


def first_point(arc: Arc, guess: np.ndarray, toward: Any, step: float) -> tuple[Arc, Point]:
    """The first point: at p0, or a little away from it in a given direction of the state; and the
    branch's equations, which know in how many directions it is not isolated.
    """
    candidates = []
    for neutral in range(min(MANY, len(guess))):
        arc = replace(arc, neutral=neutral)
        here = _start(arc, guess, toward, step)
        if here is not None:
            candidates.append((arc, here))
            if arc.lasting(here, step) <= neutral:
                break
    if not candidates and _is_side(toward):
        raise ValueError(
            "y0: no solution near the guess at p0. Start from `fixed_points`, `find_cycle` or "
            "`orbit`."
        )
    if not candidates:
        raise ValueError("toward: no branch leaves the point in that direction.")
    arc, here = candidates[-1]
    if not arc.is_inside(here.z):
        raise ValueError("y0: a guard is past its threshold there: it is no rest of the system.")
    return arc, here


def _is_side(toward: Any) -> bool:
    return np.ndim(toward) == 0 and isinstance(toward, int | float)


def _start(arc: Arc, guess: np.ndarray, toward: Any, step: float) -> Point | None:
    size = len(guess)
    if not _is_side(toward):
        direction = np.zeros(size)
        change = np.asarray(arc.layout.ravel(as_floats(toward, "toward")))
        direction[: len(change)] = change / np.linalg.norm(change)
        return arc.correct(guess + EPSILON * step * direction, direction, guess)
    here = arc.correct(guess, np.eye(size)[-1], guess)
    if here is None:
        return None
    tangent = here.tangent if here.tangent[-1] * toward >= 0 else -here.tangent
    return Point(here.z, tangent, here.derivative, here.eigenvalues)
