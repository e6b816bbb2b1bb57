"""Predictive coding networks, as rates, populations of spikes and phases of learning."""

from .bidirectional import (
    ClampedPhase as ClampedPhase,
    accelerate as accelerate,
    bidirectional as bidirectional,
)
from .networks import (
    AtRest as AtRest,
    Populations as Populations,
    PredictiveCodingNetwork as PredictiveCodingNetwork,
    SpikingPredictiveCoding as SpikingPredictiveCoding,
    settle as settle,
)
from .nudged import NudgedSpikes as NudgedSpikes
from .phases import (
    AbstractPhases as AbstractPhases,
    Backpropagation as Backpropagation,
    NudgedPhases as NudgedPhases,
    RatePhases as RatePhases,
    Spent as Spent,
    feedback_stiffness as feedback_stiffness,
    unit_stiffness as unit_stiffness,
)
from .tracking import Tracked as Tracked, Tracking as Tracking
