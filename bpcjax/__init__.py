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
from .flows import Energy as Energy, GradientFlow as GradientFlow, Langevin as Langevin
from .inputs import Bins as Bins, PoissonTrain as PoissonTrain, SpikeTrain as SpikeTrain
from .jumps import (
    Arrhenius as Arrhenius,
    Descent as Descent,
    Glauber as Glauber,
    Parallel as Parallel,
    SpikeDescent as SpikeDescent,
    Thinned as Thinned,
    descend as descend,
    descend_in_parallel as descend_in_parallel,
)
from .networks import (
    EscapeRate as EscapeRate,
    Layer as Layer,
    Layers as Layers,
    LayersState as LayersState,
    Network as Network,
    NetworkState as NetworkState,
    Projection as Projection,
    Refractory as Refractory,
)
from .restart import Restart as Restart
from .simulate import simulate as simulate
from .solution import Solution as Solution
from .spikes import Spikes as SpikeRecord, Spikes as Spikes
from .stepping import (
    RESULTS as RESULTS,
    AbstractSpikes as AbstractSpikes,
    GridSpikes as GridSpikes,
    LocalSpikes as LocalSpikes,
    OrderedSpikes as OrderedSpikes,
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

__version__ = "0.1.0"


def __getattr__(name: str):
    """`bpcjax.plot` and `bpcjax.data`, on first use: they need more than the engine does."""
    if name in ("plot", "data"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
