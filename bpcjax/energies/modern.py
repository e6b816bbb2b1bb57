"""Old place of `bpcjax.energies.hopfield.modern`."""

from .._moved import moved

moved(__name__, "bpcjax.energies.hopfield.modern")
