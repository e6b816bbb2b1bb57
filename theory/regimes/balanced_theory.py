"""Brunel's network by theory, and the spectra of its activity: for the study `balanced_network`."""

from typing import NamedTuple

import numpy as np
from scipy.signal import welch

from ..closed_forms import lif_response, siegert

CELL = {"tau": 20.0, "threshold": 20.0, "reset": 10.0, "ref": 2.0}  # ms, mV
DELAY = 1.5  # ms
WINDOW = 200  # bins of 1 ms: the frequencies of spectra lie 5 Hz apart
FREQUENCIES = np.arange(5.0, 455.0, 5.0)  # Hz, of rhythms
HIGH = np.arange(460.0, 1000.0, 20.0)  # Hz, on which instability may also set in


class Expected(NamedTuple):
    """The asynchronous state: rate (Hz), CV, the largest real part with which the loop gain crosses
    the real axis (unstable above 1), and the spectrum [frequency] of the activity, over that of
    independent Poisson trains.
    """

    rate: np.ndarray
    cv: np.ndarray
    gain: np.ndarray
    spectrum: np.ndarray


def sources(neurons: int) -> tuple[int, int]:
    """How many excitatory and inhibitory neurons of the network reach each neuron."""
    excitatory = 4 * neurons // 5
    return excitatory // 10, (neurons - excitatory) // 10


def expected(neurons: int, weight: float, drive: float, ratio: float) -> Expected:
    """The network at one drive and ratio. Of several states it is the one of the highest rate."""
    excitatory, inhibitory = sources(neurons)
    external = drive * CELL["threshold"] / (weight * CELL["tau"])
    inputs = excitatory, inhibitory, weight, ratio
    state = siegert.brunel_states(*inputs, external, **CELL)[-1]
    frequencies = np.concatenate([FREQUENCIES, HIGH])
    omega = 2e-3 * np.pi * frequencies
    loop = lif_response.brunel_loop(state, *inputs, omega, DELAY, **CELL, steps=1000)
    gain = lif_response.crossing(loop.gain)[0]
    power = loop.spectrum(4 / 5)[: FREQUENCIES.size]
    return Expected(1e3 * state.rate, state.cv, gain, power)


def spectrum(activity, neurons: int) -> np.ndarray:
    """The power of `activity` [..., ms] (Hz) at `FREQUENCIES`, over that of as many independent
    Poisson trains of the same rate; each spectrum is the mean of those of windows.
    """
    activity = np.asarray(activity)
    frequency, power = welch(activity, fs=1e3, nperseg=min(WINDOW, activity.shape[-1]))
    mean = activity.mean(axis=-1, keepdims=True)
    poisson = 2 * np.where(mean > 0, mean, np.nan) / neurons  # white, also in bins
    return np.apply_along_axis(lambda x: np.interp(FREQUENCIES, frequency, x), -1, power) / poisson


def strongest(power) -> np.ndarray:
    """The frequency (Hz) at which a spectrum [..., frequency] is highest; NaN where it is NaN."""
    power = np.asarray(power)
    finite = np.isfinite(power).all(axis=-1)
    highest = FREQUENCIES[np.where(finite[..., None], power, 0.0).argmax(axis=-1)]
    return np.where(finite, highest, np.nan)
