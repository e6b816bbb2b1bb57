"""Parameter sweeps: one function over the product of its arguments' values, to a labelled data
set."""

from .program import population as population
from .sweep import SweepError as SweepError, sweep as sweep
