"""Networks of spiking neurons: populations, layers, projections, synapses, weights, wrappers."""

from . import synapses as synapses, weights as weights
from .layers import Layer as Layer, Layers as Layers, LayersState as LayersState
from .network import Network as Network, NetworkState as NetworkState
from .projection import Projection as Projection
from .wrappers import (
    EscapeRate as EscapeRate,
    Refractory as Refractory,
    RefractoryState as RefractoryState,
)
