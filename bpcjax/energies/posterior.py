"""Old place of `bpcjax.energies.predictive.weight_posteriors`."""

from .._moved import moved

moved(__name__, "bpcjax.energies.predictive.weight_posteriors")
