"""Old place of `bpcjax.models.memory.attention`."""

from .._moved import moved

moved(__name__, "bpcjax.models.memory.attention")
