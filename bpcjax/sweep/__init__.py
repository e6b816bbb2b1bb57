"""Sweeps: one function over the product of its arguments' values, to a labelled data set."""

from .front import SweepError as SweepError, sweep as sweep
from .program import population as population
