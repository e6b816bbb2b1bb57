"""Laws fitted to capacities: the power of the rate near the fold, and the slope over the size."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

NEAR = 10.0  # R tau from which the law of the fold is fitted


class Power(NamedTuple):
    """`ln P = A - (l / (C R tau))^exponent`: the exponent, the logarithm l of the time, and the
    capacity of the flow `flow`, A, of each curve."""

    exponent: float
    log_time: float
    flow: np.ndarray


def power(logs: np.ndarray, scales: np.ndarray, exponent: float | None = None) -> Power:
    """Least squares over `logs` [curve, point] (NaN: none), of the capacities at `scales`
    `1 / (C R tau)` [curve, point]; an A for each curve, and the rest in common."""
    some = np.isfinite(logs) & np.isfinite(scales)
    curves = np.nonzero(some)[0]
    y, x = logs[some], scales[some]
    labels, rows = np.unique(curves, return_inverse=True)

    def solved(gamma):
        columns = np.zeros((len(y), len(labels) + 1))
        columns[np.arange(len(y)), rows] = 1.0
        columns[:, -1] = -(x**gamma)
        found = np.linalg.lstsq(columns, y, rcond=None)[0]
        return found, float(np.sum((columns @ found - y) ** 2))

    if exponent is None:
        exponent = float(
            minimize_scalar(lambda g: solved(g)[1], bounds=(0.2, 2.0), method="bounded").x
        )
    found = solved(exponent)[0]
    flow = np.full(len(logs), np.nan)
    flow[labels] = found[:-1]
    return Power(exponent, float(np.maximum(found[-1], 0.0) ** (1 / exponent)), flow)


def slope(sizes: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Slopes over the sizes [curve] of `logs` [curve, ...]; NaN where one is."""
    away = sizes - sizes.mean()
    return np.tensordot(away, logs, 1) / np.sum(away**2)
