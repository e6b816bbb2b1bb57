"""Old place of `bpcjax.energies.predictive.precision_posteriors`."""

from .._moved import moved

moved(__name__, "bpcjax.energies.predictive.precision_posteriors")
