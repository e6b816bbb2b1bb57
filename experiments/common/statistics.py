"""Intervals of shares and samples."""

from scipy.stats import binomtest


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a proportion (1927, J. Am. Stat. Assoc. 22:209).

    **Raises:** `ValueError` unless `0 <= successes <= trials` and `trials > 0`.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"successes must lie in 0..trials, trials > 0: {successes} of {trials}.")
    interval = binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)
