"""Old place of `bpcjax.energies.predictive.losses`."""

from .._moved import moved

moved(__name__, "bpcjax.energies.predictive.losses")
