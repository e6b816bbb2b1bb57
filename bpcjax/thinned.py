"""Old place of `bpcjax.jumps.parallel`."""

from ._moved import moved

moved(__name__, "bpcjax.jumps.parallel")
