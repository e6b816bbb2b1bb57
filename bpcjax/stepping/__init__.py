"""Solvers for spiking systems: spikes inside a diffrax solve."""

from ..spikes import Spikes as SpikeRecord
from .base import AbstractSpikes as AbstractSpikes
from .grid import GridSpikes as GridSpikes
from .local import LocalSpikes as LocalSpikes
from .ordered import OrderedSpikes as OrderedSpikes
from .results import RESULTS as RESULTS
from .surrogate import (
    Surrogate as Surrogate,
    arctan as arctan,
    fast_sigmoid as fast_sigmoid,
    gaussian as gaussian,
    triangle as triangle,
)
from .term import SpikingTerm as SpikingTerm
