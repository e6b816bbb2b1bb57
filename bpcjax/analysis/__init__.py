"""Where a system rests, how it loses stability, how far its basins reach: for any system.

Functions take a system and arrays, and return modules of arrays. They know no model.
"""

from .correlation import Correlogram as Correlogram, cross_correlation as cross_correlation
from .spikes import SpikeStatistics as SpikeStatistics, spike_statistics as spike_statistics
