"""Synapses: Delta, Exponential (SEM), DoubleExponential (DEM), Alpha."""

from .networks.synapses import (
    AbstractSynapse as AbstractSynapse,
    Alpha as Alpha,
    Delta as Delta,
    DoubleExponential as DoubleExponential,
    Exponential as Exponential,
    RisingState as RisingState,
)
