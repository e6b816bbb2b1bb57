"""Solvers for spiking systems: spikes inside a diffrax solve."""

from .._moved import renamed
from .base import AbstractSpikes as AbstractSpikes
from .grid import GridSpikes as GridSpikes
from .local import LocalSpikes as LocalSpikes
from .ordered import OrderedSpikes as OrderedSpikes
from .results import RESULTS as RESULTS
from .surrogate import (
    Surrogate as Surrogate,
    arctan as arctan,
    fast_sigmoid as fast_sigmoid,
    gaussian_shape as gaussian_shape,
    triangle as triangle,
)
from .term import SpikingTerm as SpikingTerm

__getattr__ = renamed(
    __name__,
    {
        "gaussian": "bpcjax.stepping.gaussian_shape",
        "SpikeRecord": "bpcjax.Spikes",
    },
)
