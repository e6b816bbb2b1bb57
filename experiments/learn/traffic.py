"""Traffic of learning: bits that values and errors take a training sample."""

import math
from collections.abc import Mapping
from typing import Any

from bpcjax.models import AbstractPhases, Backpropagation, NudgedPhases, RatePhases

from ..common.predictive import Training

NUMBER = 32  # bits of a number in single precision
FINE = 1e-3  # an error quantum below which errors count as numbers
CLASSES = 10


def bits(settings: Training, phases: AbstractPhases, spent: Mapping[str, Any]) -> float:
    """Bits a training sample, of the spikes `spent` in the last epoch or of numbers.

    A spike is the address of its unit and a sign, a number 32 bits; only errors that a layer below
    hears travel. The image, its label and weights are not counted; nor are convolutions (NaN).
    """
    if settings.maps:
        return math.nan
    hidden = sum(settings.hidden)
    errors = hidden - settings.hidden[0] + CLASSES  # those of the first layer end there
    event = math.ceil(math.log2(hidden + CLASSES)) + 1
    free, values, sent = (float(spent[name]) for name in ("free", "values", "errors"))
    if isinstance(phases, NudgedPhases):
        if float(phases.output_quantum) < FINE:
            return (free + values) * event + NUMBER * errors * (phases.steps + 1)
        return (free + values + sent) * event
    if isinstance(phases, RatePhases):
        return NUMBER * (hidden + errors) * (phases.steps + 1)
    assert isinstance(phases, Backpropagation)
    return (NUMBER * hidden if phases.quantum is None else free * event) + NUMBER * errors
