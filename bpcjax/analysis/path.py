"""Old place of `bpcjax.analysis.energy_path`."""

from .._moved import moved

moved(__name__, "bpcjax.analysis.energy_path")
