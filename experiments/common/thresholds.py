"""Threshold loads: where a success rate passes a level, with a standard error, from counts."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq


class Crossing(NamedTuple):
    """Threshold in the logarithm of the load, with its standard error; NaN outside of the loads."""

    place: float
    error: float


def crossing(
    loads: np.ndarray, successes: np.ndarray, trials: np.ndarray, level: float, degree: int = 1
) -> Crossing:
    """Where the fitted `success(log load)` is `level`: `success = exp(-exp(polynomial))`.

    With independent errors whose number grows as a power of the load it is exact with degree 1.
    Fitted by maximum likelihood of the binomial counts (Newton's method with Fisher information).
    """
    x, trials = np.log(np.asarray(loads, float)), np.asarray(trials, float)
    middle = x.mean()
    basis = np.vander(x - middle, degree + 1, increasing=True)
    share = (trials - successes + 0.5) / (trials + 1.0)
    weight = np.sqrt(trials * share)
    target = np.log(-np.log1p(-np.minimum(share, 1 - 1e-9)))
    coefficients = np.linalg.lstsq(basis * weight[:, None], target * weight, rcond=None)[0]
    covariance = np.full((degree + 1, degree + 1), np.nan)
    for _ in range(100):
        rate = np.exp(np.clip(basis @ coefficients, -30, 4))
        success = np.exp(-rate)
        failure = -np.expm1(-rate)
        # d log-likelihood / d eta, and the expected curvature, at eta = log rate.
        slope = rate * ((trials - successes) * success / failure - successes)
        curvature = trials * rate**2 * success / failure
        information = basis.T @ (curvature[:, None] * basis)
        covariance = np.linalg.inv(information)
        step = covariance @ (basis.T @ slope)
        coefficients = coefficients + step / max(1.0, np.abs(step).max())
        if np.abs(step).max() < 1e-10:
            break
    aim = np.log(-np.log(level))

    def excess(at):
        return np.vander([at], degree + 1, increasing=True)[0] @ coefficients - aim

    low, high = x.min() - middle, x.max() - middle
    if not excess(low) * excess(high) < 0:
        return Crossing(np.nan, np.nan)
    at = brentq(excess, low, high)
    row = np.vander([at], degree + 1, increasing=True)[0]
    gradient = (excess(at + 1e-5) - excess(at - 1e-5)) / 2e-5
    return Crossing(at + middle, float(np.sqrt(row @ covariance @ row) / abs(gradient)))
