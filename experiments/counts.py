"""What a query costs: operations of the event-driven algorithm, and the error of a rate.

The numbers are those of the algorithm on hardware that works per event, not of the clocked
solver that simulates it. Reading off the nearest pattern from a state is not counted.
"""

from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Operations a query: synaptic (additions), multiply-accumulates, exponentials; arrays or one
    number each.
    """

    synaptic: np.ndarray | float
    macs: np.ndarray | float
    exps: np.ndarray | float


def spiking_counts(inputs, spikes, pixels: int, patterns: int) -> Counts:
    """The spiking memory: `inputs` P + S (N + P) synaptic operations for S `spikes`.

    `inputs` is the number of pixels that are not 0 (a pixel at the mean sends nothing); each
    reaches P memories, with a graded value. A spike of a memory reaches N visible units and, in
    the kernel form, P memories; their states decay meanwhile, which is counted as N + P
    multiply-accumulates an event, and the posterior of the next spike takes P exponentials.
    """
    inputs, spikes = np.asarray(inputs), np.asarray(spikes)
    fan = pixels + patterns
    return Counts(inputs * patterns + spikes * fan, spikes * fan, spikes * patterns)


def attention_counts(pixels: int, patterns: int) -> Counts:
    """One step of attention: scores and mixture take N P multiply-accumulates each."""
    return Counts(0, 2 * pixels * patterns, patterns)


def nearest_counts(pixels: int, patterns: int) -> Counts:
    """The nearest pattern: one product of the query with each (their norms are known)."""
    return Counts(0, pixels * patterns, 0)


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval of a proportion (1927, J. Am. Stat. Assoc. 22:209); `z` = 1.96 is 95 %.

    **Raises:** `ValueError` unless `0 <= successes <= trials` and `trials > 0`.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"successes must lie in 0..trials, trials > 0: {successes} of {trials}.")
    p, weight = successes / trials, z * z / trials
    centre = (p + weight / 2) / (1 + weight)
    half = z * np.sqrt(p * (1 - p) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
