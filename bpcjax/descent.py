"""Old place of `bpcjax.jumps.lattice`."""

from ._moved import moved

moved(__name__, "bpcjax.jumps.lattice")
