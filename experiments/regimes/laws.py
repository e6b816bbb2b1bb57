"""What is known exactly of equidistant memories, and is drawn over the maps."""

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from theory.closed_forms import hold_escape
from theory.closed_forms.modern_hopfield import inverse_temperature, spinodal

DENSITY_RATES = 1.0, 4.0, 60.0  # R tau, at b = 1, where the density turns at 4


def start_weight(b: float, count: int) -> float:
    """The weight of the pattern at its minimum of the flow's energy; 1 where there is none."""
    turn = spinodal(count)
    if b <= turn.b:
        return 1.0
    return float(brentq(lambda w: inverse_temperature(w, count) - b, turn.weight, 1 - 1e-12))


def flow_exponent(b: float) -> float:
    """The largest exponent of the pair's flow at its memory, per tau."""
    m = hold_escape.rest(b / 2)
    return -(1 - b / 2 * (1 - m * m))


def boundary(time: float, rate: float) -> float:
    """b at which half of the paths of the pair are lost by then, by the exact escape time."""
    half_life = time / np.log(2)

    def excess(b):
        return np.log(hold_escape.escape_time(b / 2, rate) / half_life)

    low, high = 2.02, 2.1
    if excess(low) > 0:
        return 2.0
    while excess(high) < 0:
        high = 2 + 1.5 * (high - 2)
        if high > 60:
            return np.nan
    return float(brentq(excess, low, high, xtol=1e-4))


def curves(exponent_bs: np.ndarray) -> xr.Dataset:
    """Theory as curves: the rate below which the state sits at the patterns, the density of the
    pair at b = 1, the exponent of its flow over the range of `exponent_bs`."""
    b = np.linspace(0.0, 1.985, 200)
    m = np.linspace(-0.995, 0.995, 201)
    fine = np.linspace(exponent_bs[0], exponent_bs[-1], 200)
    density = [hold_escape.density(m, 0.5, rate) for rate in DENSITY_RATES]
    return xr.Dataset(
        {
            "critical_rate": ("critical_b", [hold_escape.critical_rate(x / 2) for x in b]),
            "density": (("density_rate", "density_m"), np.array(density)),
            "flow_exponent": ("flow_b", [flow_exponent(x) for x in fine]),
        },
        coords={
            "critical_b": b, "density_rate": list(DENSITY_RATES), "density_m": m, "flow_b": fine
        },
        attrs={"spinodal_of_ten": float(spinodal(10).b)},
    )  # fmt: skip
