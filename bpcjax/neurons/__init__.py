"""Neuron models, one file each; `presets` has published firing patterns of them."""

from .._moved import renamed
from .adex import AdEx as AdEx, AdExState as AdExState
from .hodgkin_huxley import HodgkinHuxley as HodgkinHuxley, HodgkinHuxleyState as HodgkinHuxleyState
from .integrate_fire import IF as IF, IFState as IFState
from .izhikevich import Izhikevich as Izhikevich, IzhikevichState as IzhikevichState
from .izhikevich2007 import (
    CubicRecovery as CubicRecovery,
    Izhikevich2007 as Izhikevich2007,
    Izhikevich2007State as Izhikevich2007State,
    LinearRecovery as LinearRecovery,
)
from .lif import LIF as LIF, LIFState as LIFState
from .mcculloch_pitts import (
    Heaviside as Heaviside,
    McCullochPitts as McCullochPitts,
    McCullochPittsState as McCullochPittsState,
)
from .presets import (
    Pattern as Pattern,
    Pulses as Pulses,
    adex_patterns as adex_patterns,
    izhikevich2007_cells as izhikevich2007_cells,
    izhikevich_classes as izhikevich_classes,
)
from .theta import Theta as Theta, ThetaState as ThetaState

# learning, and moved there
__getattr__ = renamed(
    __name__,
    {
        "BayesianNeuron": "bpcjax.learning.BayesianNeuron",
        "Belief": "bpcjax.learning.Belief",
    },
)
