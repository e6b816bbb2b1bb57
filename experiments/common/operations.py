"""Operation counts of an input through a network, and what they cost by every price list."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpcjax import connect, cost
from bpcjax.cost import FP32, INT8, Counts, Ledger, Technology
from bpcjax.models import Classifier, CurrentCode

PRICES = {"fp32": FP32, "int8": INT8}  # like for like: every method at the same precision


def relu_operations(
    sizes: Sequence[int], nonzero: float = 1.0, active: Sequence[float] = ()
) -> Counts:
    """Counts of an input through rectified layers of these sizes: a multiply-accumulate a synapse,
    a comparison a rectified unit. Where zeros are spared, `nonzero` is the share of inputs that are
    not zero, and `active` how many units of each hidden layer are not."""
    hidden = sizes[1:-1]
    sources = [nonzero * sizes[0], *(active or hidden)]
    macs = float(sum(n * m for n, m in zip(sources, sizes[1:], strict=True)))
    # A weight each, and of the numbers each is read once and, but for the inputs, written.
    words = macs + sizes[0] + 2.0 * sum(hidden) + sizes[-1]
    return Counts(macs=macs, adds=float(sum(hidden)), words=words)


def spiking_operations(
    model: Classifier, pixels: int, spikes: Sequence[Any], steps: Any, nonzero: float = 1.0
) -> Counts:
    """Counts of an image of so many pixels in so many steps of a spiking classifier. `spikes` are
    those of the inputs (0 where they are a current, whose products with weights are taken once) and
    of each layer; `nonzero` is the share of currents that are not spared, as those of black pixels
    may be.

    Moved between memory and unit are a weight for each product or addition, pixels, and a state
    both ways for each addition and update.
    """
    layers = model.layers.layers
    sources = [pixels, *(layer.size for layer in layers)]
    synapses = [_synapses(layer, n) for layer, n in zip(layers, sources, strict=False)]
    additions = sum(s * w / n for s, w, n in zip(spikes, synapses, sources, strict=False))
    current = isinstance(model.code, CurrentCode)
    macs = nonzero * synapses[0] if current else 0.0
    updates = 1.0 * steps * sum(layer.size for layer in layers)
    return Counts(
        synaptic=additions,
        macs=macs,
        updates=updates,
        spikes=sum(spikes),
        words=macs + (pixels if current else 0) + 3 * additions + 2 * updates,
    )


def _synapses(layer: Any, sources: int) -> int:
    """Synapses of a layer: those of a convolution each time that its kernel is used."""
    if isinstance(layer.weights, connect.Convolution):
        return layer.size * int(np.prod(layer.weights.kernel.shape[1:]))
    return layer.size * sources


def ledgers(width: int, memories: int, *, kernel: bool = False) -> dict[str, Ledger]:
    """Price lists of a memory by name: each precision without and with memory traffic. Reading off
    the nearest pattern from a state is not counted.

    The store is the smallest that holds the patterns, once, and, for the spiking memory's
    `kernel`, their overlaps.
    """
    stored = memories * (width + (memories if kernel else 0))
    prices = {}
    for name, technology in PRICES.items():
        store = cost.smallest_memory(stored * technology.word)
        prices |= {name: Ledger(technology), f"{name}+memory": Ledger(technology, store)}
    return prices


def price_lists(parameters: int) -> dict[str, Ledger]:
    """Price lists of a network: every technology by name; those without a price of memory in them
    also with the smallest memory that holds so many parameters."""
    prices = {}
    for technology in cost.TECHNOLOGIES.values():
        prices[technology.name] = Ledger(technology)
        if technology.macs is not None:
            store = cost.smallest_memory(parameters * technology.word)
            prices[f"{technology.name}+memory"] = Ledger(technology, store)
    return prices


def energies(counts: Counts, parameters: int) -> np.ndarray:
    """Energies of an input (pJ) by each price list; NaN where it has no price for an operation
    that is needed."""
    return np.array([_energy(ledger, counts) for ledger in price_lists(parameters).values()])


def _energy(ledger: Ledger, counts: Counts) -> float:
    for name in cost.OPERATIONS:
        if getattr(ledger.technology, name) is None and getattr(counts, name) > 0:
            return math.nan
    return float(ledger.energy(counts))


def means(counts: Counts) -> dict[str, float]:
    """Each count, averaged over queries."""
    fields = dataclasses.fields(counts)
    return {field.name: float(np.mean(getattr(counts, field.name))) for field in fields}


def loihi(counts: Counts, technology: Technology = cost.LOIHI) -> float:
    """The energy (pJ) on a chip that has spikes and neurons only, rates for free: a lower bound."""
    free = dataclasses.replace(technology, exps=0.0, adds=0.0)
    return float(np.mean(Ledger(free).energy(counts)))
