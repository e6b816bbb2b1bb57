"""Saltation matrices: the derivative of a state across a jump, by the state before it.

At the guard `g(t, y) = 0` the state `y` becomes `R(t, y)`. A disturbed path meets the guard at
another time, so to first order its disturbance becomes `S` times what it was,

    S = R_y + (f_after - R_y f_before - R_t) g_y / (g_t + g_y f_before)

(Bizzarri, Brambilla & Storti Gajani 2013, J. Comput. Neurosci. 35:201).
"""

import numpy as np

from ._require import require


def saltation(reset_slope, before, after, guard_slope, reset_rate=0.0, guard_rate=0.0):
    """`S` [n, n] from `R_y` [n, n], the fields before and after [n], `g_y` [n], `R_t` and `g_t`."""
    reset_slope, before = np.asarray(reset_slope, float), np.asarray(before, float)
    guard_slope = np.asarray(guard_slope, float)
    speed = guard_rate + guard_slope @ before
    require(np.abs(speed) > 0, "the path must cross the guard, not touch it.")
    return reset_slope + np.outer(after - reset_slope @ before - reset_rate, guard_slope) / speed


def lif(drive, threshold=1.0, reset=0.0):
    """Of the leaky neuron: `(drive - reset) / (drive - threshold)`.

    The flow of one period shrinks a disturbance by the inverse of that: over a cycle it is kept.
    """
    drive = np.asarray(drive, float)
    require(drive > threshold, "drive must be above threshold, where the neuron fires.")
    return (drive - reset) / (drive - threshold)


def bouncing_ball(speed, restitution, gravity=9.81):
    """Of (height, velocity) at the floor, met at the velocity `speed < 0`: determinant `e^2`.

    `h' = v`, `v' = -gravity`, and `v` becomes `-e v`:
    `S = [[-e, 0], [-(1 + e) gravity / speed, -e]]`.
    """
    require(np.asarray(speed) < 0, "speed must be negative: the ball falls onto the floor.")
    require(np.asarray(restitution) >= 0, "restitution must not be negative.")
    kick = -(1 + restitution) * gravity / speed
    return np.array([[-restitution, 0.0], [kick, -restitution]])
