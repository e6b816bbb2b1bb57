"""Intervals of shares and samples."""

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import binomtest


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a proportion (1927, J. Am. Stat. Assoc. 22:209).

    **Raises:** `ValueError` unless `0 <= successes <= trials` and `trials > 0`.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"successes must lie in 0..trials, trials > 0: {successes} of {trials}.")
    interval = binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def error_bars(successes: ArrayLike, trials: ArrayLike) -> np.ndarray:
    """Error bars [2, n] of shares [n]: how far Wilson's 95 % interval reaches down and up."""
    pairs = np.broadcast_arrays(successes, trials)
    share = pairs[0] / pairs[1]
    ends = np.array([wilson(int(k), int(n)) for k, n in zip(*pairs, strict=True)]).T
    return np.maximum([share - ends[0], ends[1] - share], 0)  # rounding, at 0 and 1


def joint_level(points: int, level: float = 0.95) -> float:
    """Level of each of so many intervals that hold all at once with `level` (Bonferroni)."""
    return 1 - (1 - level) / points


def inside(successes: ArrayLike, trials: ArrayLike, law: ArrayLike, level: float = 0.95) -> int:
    """Number of points at which an exact law lies in Wilson's interval of the counts."""
    rows = map(np.ravel, np.broadcast_arrays(successes, trials, law))
    ends = [(value, wilson(int(k), int(n), level)) for k, n, value in zip(*rows, strict=True)]
    return sum(bool(low - 1e-12 <= value <= high + 1e-12) for value, (low, high) in ends)


def mcnemar(one: ArrayLike, other: ArrayLike) -> float:
    """P-value of McNemar's exact test (1947, Psychometrika 12:153) that two methods are right
    equally often on the same trials: two-sided, by the trials on which they differ."""
    one, other = (np.asarray(x, bool).ravel() for x in (one, other))
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def paired_difference(one: ArrayLike, other: ArrayLike) -> tuple[float, float, float]:
    """Mean of the differences of two methods on the same trials, and its normal 95 % interval."""
    gaps = np.asarray(one, float).ravel() - np.asarray(other, float).ravel()
    half = 1.96 * gaps.std(ddof=1) / np.sqrt(gaps.size) if gaps.size > 1 else np.nan
    return float(gaps.mean()), float(gaps.mean() - half), float(gaps.mean() + half)


def standard_error(values: xr.DataArray, dim: str) -> xr.DataArray:
    """Standard error of the mean along `dim`; 0 where there is one value only."""
    size = values.sizes[dim]
    return values.std(dim, ddof=1) / np.sqrt(size) if size > 1 else 0.0 * values.mean(dim)
