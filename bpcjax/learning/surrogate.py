"""Surrogate derivatives of spikes: `Surrogate(slope, height, shape)` is given to `GridSpikes`, and
nothing else of a network changes. Shapes are these, or any function of the scaled guard."""

from ..stepping.surrogate import (
    AbstractSpike as AbstractSpike,
    Surrogate as Surrogate,
    arctan as arctan,
    fast_sigmoid as fast_sigmoid,
    gaussian as gaussian,
    triangle as triangle,
)
