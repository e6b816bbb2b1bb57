"""Spike encoders and decoders: numbers to spikes and back.

Encoders: `current` (direct), `poisson` and `poisson_bins` (rates), `latency` (first spikes),
`delta` and `sigma_delta` (streams), `cochlea` (sound). Decoders: `rate`, `first_spike`, `trace`,
`potential`, `staircase`. All run under `jit` and `vmap`, in static room.
"""

from .cochlea import cochlea as cochlea, erb_centres as erb_centres, gammatone as gammatone
from .decode import (
    first_spike as first_spike,
    potential as potential,
    rate as rate,
    staircase as staircase,
    trace as trace,
)
from .delta import delta as delta, sigma_delta as sigma_delta
from .graded import Charging as Charging, Linear as Linear, current as current, latency as latency
from .poisson import poisson as poisson, poisson_bins as poisson_bins
from .spikes import Spikes as Spikes
