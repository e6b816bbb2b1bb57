"""Solvers for spiking systems: spikes inside a diffrax solve."""

from .ordered import OrderedSpikes as OrderedSpikes
from .record import SpikeRecord as SpikeRecord
from .results import RESULTS as RESULTS
from .term import SpikingTerm as SpikingTerm
