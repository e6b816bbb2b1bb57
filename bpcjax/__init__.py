"""A functional dynamics engine for spiking networks, on JAX and diffrax."""

import importlib

from . import (
    analysis as analysis,
    connect as connect,
    cost as cost,
    encode as encode,
    energies as energies,
    learning as learning,
    models as models,
    neurons as neurons,
    synapses as synapses,
)
from .descent import (
    Arrhenius as Arrhenius,
    Descent as Descent,
    Glauber as Glauber,
    SpikeDescent as SpikeDescent,
    descend as descend,
)
from .flows import Energy as Energy, GradientFlow as GradientFlow, Langevin as Langevin
from .inputs import Bins as Bins, PoissonTrain as PoissonTrain, SpikeTrain as SpikeTrain
from .layers import Layer as Layer, Layers as Layers, LayersState as LayersState
from .network import Network as Network, NetworkState as NetworkState
from .projection import Projection as Projection
from .restart import Restart as Restart
from .simulate import simulate as simulate
from .solution import Solution as Solution
from .stepping import (
    RESULTS as RESULTS,
    GridSpikes as GridSpikes,
    LocalSpikes as LocalSpikes,
    OrderedSpikes as OrderedSpikes,
    SpikeRecord as SpikeRecord,
    SpikingTerm as SpikingTerm,
    Surrogate as Surrogate,
)
from .sweep import SweepError as SweepError, population as population, sweep as sweep
from .system import (
    AbstractSpikingSystem as AbstractSpikingSystem,
    AbstractSystem as AbstractSystem,
    bind as bind,
    parameter as parameter,
)
from .thinned import (
    Parallel as Parallel,
    Thinned as Thinned,
    descend_in_parallel as descend_in_parallel,
)
from .wrappers import EscapeRate as EscapeRate, Refractory as Refractory

__version__ = "0.1.0"


def __getattr__(name: str):
    """`bpcjax.plot` and `bpcjax.data`, on first use: they need more than the engine does."""
    if name in ("plot", "data"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
