"""Periods of neurons at constant drive, in closed form."""

import numpy as np


def if_period(drive, c, span):
    """Of the perfect integrator `c dv/dt = drive`, whose threshold is `span` above its reset."""
    return c * np.asarray(span, float) / drive


def theta_period(drive, tau=1.0):
    """Of `tau dv/dt = v^2 + drive` from minus to plus infinity: `v = sqrt(I) tan(sqrt(I) t)`."""
    return tau * np.pi / np.sqrt(drive)


def theta_time_to_spike(v, drive, tau=1.0):
    """How long the same neuron takes from `v` to infinity."""
    root = np.sqrt(drive)
    return tau * (np.pi / 2 - np.arctan(v / root)) / root


def theta_advance(v, drive, tau=1.0):
    """How much sooner its next spike comes for each unit that a small kick adds to `v`."""
    return tau / (drive + np.asarray(v, float) ** 2)
