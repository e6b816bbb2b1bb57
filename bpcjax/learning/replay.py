"""Old place of `bpcjax.learning.plasticity.replay`."""

from .._moved import moved

moved(__name__, "bpcjax.learning.plasticity.replay")
