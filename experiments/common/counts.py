"""What the methods of a comparison cost a query in operations, and the error of a rate.

Reading off the nearest pattern from a state is not counted.
"""

import dataclasses

import numpy as np

from bpcjax import cost
from bpcjax.cost import FP32, INT8, Counts, Ledger, Technology

PRICES = {"fp32": FP32, "int8": INT8}  # like for like: every method at the same precision


def ledgers(width: int, memories: int, *, kernel: bool = False) -> dict[str, Ledger]:
    """Price lists by name: each precision without and with memory traffic.

    The memory is the smallest that holds the patterns, once, and, for the spiking memory's
    `kernel`, their overlaps.
    """
    stored = memories * (width + (memories if kernel else 0))
    found = {}
    for name, technology in PRICES.items():
        found[name] = Ledger(technology)
        store = cost.smallest_memory(stored * technology.word)
        found[f"{name}+memory"] = Ledger(technology, store)
    return found


def means(counts: Counts) -> dict[str, float]:
    """Each count, averaged over queries."""
    fields = dataclasses.fields(counts)
    return {field.name: float(np.mean(getattr(counts, field.name))) for field in fields}


def loihi(counts: Counts, technology: Technology = cost.LOIHI) -> float:
    """The energy (pJ) on a chip that has spikes and neurons only, rates for free: a lower bound."""
    free = dataclasses.replace(technology, exps=0.0, adds=0.0)
    return float(np.mean(Ledger(free).energy(counts)))


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
