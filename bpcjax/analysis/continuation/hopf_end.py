"""Hopf point at which a branch of cycles ends: they shrink to a point there."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from .branches import Cycles, Equilibria
from .corrector import Arc, Point
from .special import Bifurcation, Special

GONE = 1e-6  # of the last speed: a cycle as slow as this is a point
NEAR = 4.0  # steps: how far the Hopf point may be
ON_AXIS = 1e-8  # of the frequency: how near the eigenvalues must be


def is_through(arc: Arc, here: Point, there: Point) -> bool:
    """Whether a step of a branch of cycles passed through the Hopf point, to the opposite phase of
    the cycles that it came from: their equations hold on both sides."""
    if not isinstance(arc.of, Cycles):
        return False
    speed = arc.rate(here)
    return bool(speed @ arc.rate(there) <= GONE * (speed @ speed))


def is_still(arc: Arc, here: Point, there: Point) -> bool:
    """Whether a step ended on an equilibrium."""
    rates = arc.rate(here), arc.rate(there)
    return bool(np.linalg.norm(rates[1]) <= GONE * np.linalg.norm(rates[0]))


def hopf_end(arc: Arc, here: Point, there: Point, step: float) -> Special | None:
    """The Hopf point between two cycles, or next to them, if there is one."""
    if not isinstance(arc.of, Cycles):
        return None
    speeds = [np.linalg.norm(arc.rate(point)) for point in (here, there)]
    z = here.z + speeds[0] / max(sum(speeds), 1e-300) * (there.z - here.z)
    frequency = 2 * np.pi / float(z[-2])
    hopf = _hopf(arc, np.append(arc.of.state(z[:-1]), z[-1]), frequency)
    if hopf is None:
        return None
    last = np.append(arc.of.state(here.z[:-1]), here.z[-1])
    if np.linalg.norm(hopf.z - last) > NEAR * step:
        return None
    return Special(Bifurcation.HOPF, float(hopf.z[-1]), arc.unravel(hopf.z[:-1]))


def _hopf(arc: Arc, z: np.ndarray, frequency: float) -> Point | None:
    """The rest near a state and a parameter of which a pair of eigenvalues is on the axis, next to
    a frequency.
    """
    size = len(z) - 1
    cycles: Any = arc.of
    rests = replace(arc, of=Equilibria(cycles.ready[1], jnp.asarray(z[:-1])), neutral=0)
    along_p = np.eye(size + 1)[-1]

    def rest(p: float) -> tuple[Point | None, complex]:
        guess = np.append(z[:-1], p)
        point = rests.correct(guess, along_p, guess)
        if point is None:
            return None, complex(np.nan, np.nan)
        values = np.asarray(point.eigenvalues)
        return point, values[np.argmin(np.abs(values - 1j * frequency))]

    start, near = float(z[-1]), 1e-3 * (1 + abs(float(z[-1])))
    from scipy.optimize import root_scalar  # slow to load, and rarely needed

    with np.errstate(all="ignore"):  # there may be none
        solved = root_scalar(lambda p: rest(p)[1].real, x0=start, x1=start + near, method="secant")
    point, value = rest(float(solved.root))
    ok = point is not None and abs(value.real) <= ON_AXIS * abs(value.imag)
    return point if ok and abs(value.imag / frequency - 1) < 0.5 else None
