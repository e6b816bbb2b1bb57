"""What queries cost in the tasks, in the trained layer, and in a large memory of images."""

import numpy as np

from bpcjax import cost
from bpcjax.cost import FP32, INT8, Counts, Ledger

from ..common.operations import PRICES, loihi
from .tasks import METHODS, counts
from .training import BUDGETS, POOLINGS, TOKENS, UPDATES, WIDTH

EXAMPLE = 784, 1000  # pixels and patterns, of the energies that are computed only
EXAMPLE_SPIKES = tuple(np.unique(np.geomspace(1, 3000, 60).round()))  # of a query there


def of_task(patterns: int, name: str, inputs: np.ndarray) -> np.ndarray:
    """The energy (nJ) of a query [levels, METHODS, prices]."""
    return np.array(
        [
            [
                [float(Ledger(own).energy(counts(name, m, patterns, k))) / 1e3
                 for own in PRICES.values()]
                for m in METHODS
            ]
            for k in inputs
        ]
    )  # fmt: skip


def layer_counts(pooling: str, spikes: float) -> Counts:
    """Operations of pooling one bag."""
    if pooling == POOLINGS[0]:
        return cost.attention_counts(WIDTH, TOKENS)
    if pooling == POOLINGS[1]:
        return cost.attention_counts(WIDTH, TOKENS, steps=UPDATES)
    return cost.sampled_attention_counts(WIDTH, TOKENS, spikes)


def of_example() -> dict[str, np.ndarray]:
    """Energy of the spiking memory over that of attention, by the spikes of a query, where it is
    the same, and its energy (nJ) on a chip of spikes."""
    width, memories = EXAMPLE
    dram = cost.MEMORIES[-1]
    cases = {
        "100 input spikes, weights alone": (FP32, None, 100, False, 1),
        "100 input spikes": (FP32, None, 100, False, 1),
        "784 graded inputs": (FP32, None, 784, True, 1),
        "100 input spikes, int8": (INT8, None, 100, False, 1),
        "784 graded inputs, int8": (INT8, None, 784, True, 1),
        "100 input spikes, DRAM": (FP32, dram, 100, False, 1),
        "100 input spikes, DRAM, batch of 64": (FP32, dram, 100, False, 64),
    }
    ratio, even = [], []
    for label, (technology, memory, inputs, graded, batch) in cases.items():
        ledger = Ledger(technology, memory)
        only = cost.synapses_alone if "alone" in label else lambda own: own
        rival = only(cost.attention_counts(width, memories, batch=batch))

        def made(s, inputs=inputs, graded=graded, only=only):
            return only(cost.spiking(inputs, s, width, memories, graded=graded))

        ratio.append([ledger.energy(made(s)) / ledger.energy(rival) for s in EXAMPLE_SPIKES])
        even.append(cost.break_even(ledger, made, rival))
    chip = [loihi(cost.spiking(100.0, s, *EXAMPLE)) / 1e3 for s in EXAMPLE_SPIKES]
    columns = {"case": list(cases), "ratio": ratio, "even": even, "loihi": chip}
    return {name: np.array(values) for name, values in columns.items()}


def of_pooling() -> np.ndarray:
    """The energy (nJ) of pooling a bag [POOLINGS, BUDGETS, prices]."""
    return np.array(
        [
            [[float(Ledger(own).energy(layer_counts(pooling, s))) / 1e3 for own in PRICES.values()]
             for s in BUDGETS]
            for pooling in POOLINGS
        ]
    )  # fmt: skip
