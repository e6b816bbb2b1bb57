"""Old place of `bpcjax.energies.predictive.maps`."""

from .._moved import moved

moved(__name__, "bpcjax.energies.predictive.maps")
