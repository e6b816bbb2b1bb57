"""What the methods of a comparison cost a query in operations.

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
