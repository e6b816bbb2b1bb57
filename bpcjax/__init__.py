"""bpcjax: a functional dynamics engine for spiking networks, on JAX and diffrax."""

import importlib
from typing import TYPE_CHECKING

from ._moved import renamed
from .flows import Energy as Energy, GradientFlow as GradientFlow, Langevin as Langevin
from .inputs import Bins as Bins, PoissonTrain as PoissonTrain, SpikeTrain as SpikeTrain
from .jumps import (
    AbstractJumps as AbstractJumps,
    Arrhenius as Arrhenius,
    Descent as Descent,
    Glauber as Glauber,
    JumpPath as JumpPath,
    Parallel as Parallel,
    SpikeDescent as SpikeDescent,
    Thinned as Thinned,
    descend as descend,
    descend_in_parallel as descend_in_parallel,
    jump_path as jump_path,
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
from .spikes import Spikes as Spikes
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
    parameter as parameter,
)
from .views import (
    AbstractSameState as AbstractSameState,
    AbstractView as AbstractView,
    bind as bind,
)

if TYPE_CHECKING:
    from . import (
        analysis as analysis,
        connect as connect,
        cost as cost,
        data as data,
        encode as encode,
        energies as energies,
        learning as learning,
        models as models,
        neurons as neurons,
        plot as plot,
        synapses as synapses,
    )

__version__ = "0.1.0"

# Rooms that load where they are first used: most programs need few of them, and `plot` and `data`
# need more than the engine does.
_ON_USE = (
    "analysis", "connect", "cost", "data", "encode", "energies", "learning", "models", "neurons",
    "plot", "synapses",
)  # fmt: skip

_former = renamed(__name__, {"SpikeRecord": "bpcjax.Spikes"})


def __getattr__(name: str):
    if name in _ON_USE:
        return importlib.import_module(f".{name}", __name__)
    return _former(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_USE})
