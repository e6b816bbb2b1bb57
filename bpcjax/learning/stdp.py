"""Old place of `bpcjax.learning.plasticity.stdp`."""

from .._moved import moved

moved(__name__, "bpcjax.learning.plasticity.stdp")
