"""Continuation of branches, and the bifurcations on them."""

from .branches import Cycles as Cycles, Equilibria as Equilibria, SpikeMap as SpikeMap
from .follow import Branch as Branch, Ending as Ending, follow as follow, switch as switch
from .special import Bifurcation as Bifurcation, Special as Special
