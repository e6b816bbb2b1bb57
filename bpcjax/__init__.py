"""A functional dynamics engine for spiking networks, on JAX and diffrax."""

import importlib

from . import energies as energies, models as models, neurons as neurons, synapses as synapses
from .flows import Energy as Energy, GradientFlow as GradientFlow, Langevin as Langevin
from .network import Network as Network, NetworkState as NetworkState, Projection as Projection
from .simulate import Solution as Solution, simulate as simulate
from .stepping import (
    RESULTS as RESULTS,
    OrderedSpikes as OrderedSpikes,
    SpikeRecord as SpikeRecord,
    SpikingTerm as SpikingTerm,
)
from .system import (
    AbstractSpikingSystem as AbstractSpikingSystem,
    AbstractSystem as AbstractSystem,
    bind as bind,
    parameter as parameter,
)
from .wrappers import EscapeRate as EscapeRate, Refractory as Refractory

__version__ = "0.1.0"


def __getattr__(name: str):
    """`bpcjax.plot`, on first use: it needs matplotlib, the engine does not."""
    if name == "plot":
        return importlib.import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
