"""Old place of `bpcjax.analysis.spike_statistics`."""

from .._moved import moved

moved(__name__, "bpcjax.analysis.spike_statistics")
