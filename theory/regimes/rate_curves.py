"""The f-I curves of the study `firing_rates` by theory: drives, rates, and where rest is lost."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from ..closed_forms import (
    fi,
    folds,
    hodgkin_huxley as membrane,
    hodgkin_huxley_cycles as cycles,
    neurons,
    neurons_ivp,
    siegert,
)

LINE = 400  # drives of a line that has a closed form

TAU, THRESHOLD, RESET = 20.0, 20.0, 10.0  # ms, mV above rest, mV: the cell of Brunel (2000)
REFRACTORY = {"none": 0.0, "2 ms": 2.0, "5 ms": 5.0}  # ms
NOISE = {"1 mV": 1.0, "4 mV": 4.0, "8 mV": 8.0}  # mV

LENGTHS = {"RS": 600.0, "LTS": 400.0, "FS": 150.0}  # ms until the intervals are all the same
_START = {"v0": -65.0, "v_peak": 30.0}
IZHIKEVICH = {  # Izhikevich (2003), Fig. 2
    "RS": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "u0": -13.0, **_START},
    "LTS": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 2.0, "u0": -16.25, **_START},
    "FS": {"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0, "u0": -13.0, **_START},
}
# Without recovery the model is v' = 0.04 (v + 62.5)^2 + I - 16.25: in x = 0.04 (v + 62.5) it is
# x' = x^2 + 0.04 (I - 16.25), in ms.
SCALE, MIDDLE, BIAS = 0.04, -62.5, 16.25
_CUT = 10.0


def _quadratic(low: float) -> dict[str, float]:
    potentials = {"c": low, "v_peak": _CUT, "v0": 0.9}  # it starts above any unstable rest here
    own = {name: MIDDLE + x / SCALE for name, x in potentials.items()}
    return {"a": 0.02, "b": 0.0, "d": 0.0, "u0": 0.0, **own}


RESETS = {"QIF, reset $-1$": -1.0, "QIF, reset $+0.5$": 0.5}
QUADRATIC = {label: _quadratic(low) for label, low in RESETS.items()}

_ADEX = {
    "c": 281.0, "g_l": 30.0, "e_l": -70.6, "v_t": -50.4, "delta_t": 2.0, "tau_w": 144.0,
    "v_reset": -70.6, "v_cut": -40.4,
}  # fmt: skip
ADEX = {  # Brette & Gerstner (2005), and without adaptation
    "$a = b = 0$": _ADEX | {"a": 0.0, "b": 0.0},
    "$a = 4$ nS": _ADEX | {"a": 4.0, "b": 0.0},
    "$b = 80.5$ pA too": _ADEX | {"a": 4.0, "b": 80.5},
}

SILENT, FIRST, LAST = 6.0, 6.4, 60.0  # uA/cm2, for the squid axon: without and with a cycle


class Curve(NamedTuple):
    """One neuron: drives, and the rates (Hz) that theory gives there and along a line."""

    panel: str
    label: str
    onset: float  # the drive beyond which there is no stable rest; NaN: at none
    drive: np.ndarray
    theory: np.ndarray  # Hz
    line_drive: np.ndarray
    line_rate: np.ndarray  # Hz


def _rising(low: float, high: float, count: int) -> np.ndarray:
    """Drives above `low`, closer together near it: there the rate may rise like a root."""
    return low + (high - low) * (np.arange(1, count + 1) / count) ** 2


def _closed(
    panel: str, label: str, onset: float, high: float, points: int, rate: Callable
) -> Curve:
    """A curve by its formula, `rate` in 1/ms; the first drive is below the onset."""
    below = onset - 0.05 * (high - onset)
    drive = np.append(below, _rising(onset, high, points - 1))
    line = np.concatenate([[below, onset], _rising(onset, high, LINE)])
    return Curve(panel, label, onset, drive, 1e3 * rate(drive), line, 1e3 * rate(line))


def _solved(
    panel: str, label: str, onset: float, high: float, points: int, rate: Callable
) -> Curve:
    """A curve by a solver, which takes one drive at a time, from the largest down."""
    drive = np.append(onset - 0.05 * (high - onset), _rising(onset, high, points - 1))
    theory = np.array([0.0, *[1e3 * rate(x) for x in drive[:0:-1]][::-1]])
    line = np.concatenate([[drive[0], onset], drive[1:]])
    return Curve(panel, label, onset, drive, theory, line, np.append(0.0, theory))


def leaky(points: int) -> list[Curve]:
    """Leaky neurons without noise: `1 / (refractory + tau log((I - reset) / (I - threshold)))`."""
    return [
        _closed(
            "LIF", label, THRESHOLD, 60.0, points,
            lambda drive, hold=hold: fi.lif_rate(drive, TAU, THRESHOLD, RESET, hold),
        )
        for label, hold in REFRACTORY.items()
    ]  # fmt: skip


def in_noise(means: int) -> list[Curve]:
    """The same in white noise, by Siegert's formula."""
    drive, line = np.linspace(12.0, 30.0, means), np.linspace(11.0, 31.0, LINE)

    def rate(mean, sigma):
        return 1e3 * siegert.rate(mean, sigma, TAU, THRESHOLD, RESET)

    return [
        Curve("LIF in white noise", label, np.nan, drive, rate(drive, s), line, rate(line, s))
        for label, s in NOISE.items()
    ]


def theta(points: int) -> list[Curve]:
    """The theta neuron: `sqrt(I) / pi`, and at rest below 0."""

    def rate(drive):
        return np.where(drive > 0, 1 / neurons.theta_period(np.where(drive > 0, drive, 1.0)), 0.0)

    return [_closed("theta, QIF", "theta", 0.0, 1.0, points, rate)]


def quadratic(points: int) -> list[Curve]:
    """Izhikevich neurons by a solver, then those that are quadratic neurons, in closed form.

    The latter's drives are those of the Izhikevich model: see `as_quadratic`.
    """
    family = []
    for label, cell in IZHIKEVICH.items():
        a, b = cell["a"], cell["b"]
        onset = np.fmin(folds.izhikevich_fold(b).drive, folds.izhikevich_hopf(a, b).drive)

        def rate(drive, cell=cell, length=LENGTHS[label]):
            times = neurons_ivp.izhikevich(lambda t: drive, length, **cell)
            return 1 / (times[-1] - times[-2])

        family.append(_solved("Izhikevich", label, float(onset), 12.0, points, rate))
    for label, low in RESETS.items():
        onset = -(max(low, 0.0) ** 2)  # below, also a neuron that has fired comes to rest

        def rate(drive, low=low):
            return fi.qif_rate(as_quadratic(drive), low, _CUT)

        ends = (BIAS + x / SCALE for x in (onset, 1.0))
        family.append(_closed("theta, QIF", label, *ends, points, rate))
    return family


def as_quadratic(drive):
    """Drive of `x' = x^2 + I` (in ms) for a drive of an Izhikevich neuron without recovery."""
    return SCALE * (drive - BIAS)


def adaptive(points: int) -> list[Curve]:
    """AdEx neurons: the interval at the fixed point of the map from spike to spike."""
    family = []
    for label, cell in ADEX.items():
        own = {name: cell[name] for name in folds.AdExCell._fields}
        onset = np.fmin(folds.adex_fold(folds.AdExCell(**own)).drive,
                        folds.adex_hopf(folds.AdExCell(**own)).drive)  # fmt: skip
        guess = [500.0 if cell["b"] else 20.0]  # pA; then the solution at the last drive

        def rate(drive, label=label, cell=cell, guess=guess):
            for _ in range(30):  # Newton's method
                after, slope, interval = neurons_ivp.adex_spike_map(drive, guess[0], **cell)
                if abs(after - guess[0]) < 1e-9 * (1 + abs(after)):
                    return 1 / interval
                guess[0] -= (after - guess[0]) / (slope - 1)
            raise ValueError(f"AdEx, {label}: no fixed point at {drive} pA.")

        family.append(_solved("AdEx", label, float(onset), 2000.0, points, rate))
    return family


def squid(points: int) -> list[Curve]:
    """The squid axon: its stable cycles. They begin at a drive of 6.26, at a fold; rest is stable
    up to the Hopf point beyond, so that in between the axon can do both.
    """
    drive = FIRST + (LAST - FIRST) * np.linspace(0, 1, points - 1) ** 2
    orbits = [cycles.settled(x) for x in drive]
    rate = np.array([1e3 / own.period for own in orbits])
    line = CubicHermiteSpline(
        1e3 / rate[::-1], drive[::-1], [own.tangent[3] for own in orbits[::-1]]
    )
    period = np.linspace(orbits[0].period, orbits[-1].period, LINE)
    hopf = float(membrane.hopf_points(high=-50.0, points=26)[0].drive)
    lines = np.append(SILENT, drive), np.append(0.0, rate), line(period), 1e3 / period
    return [Curve("squid axon", "", hopf, *lines)]
