"""Where a system rests, how it loses stability, how far its basins reach: for any system.

Functions take a system and arrays, and return modules of arrays. They know no model.
"""

from .spikes import (
    Correlogram as Correlogram,
    SpikeStatistics as SpikeStatistics,
    cross_correlation as cross_correlation,
    spike_statistics as spike_statistics,
)
