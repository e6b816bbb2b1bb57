"""Old place of `bpcjax.learning.posteriors.memories`."""

from .._moved import moved

moved(__name__, "bpcjax.learning.posteriors.memories")
