"""Old place of `bpcjax.models.winner_take_all.diehl_cook`."""

from .._moved import moved

moved(__name__, "bpcjax.models.winner_take_all.diehl_cook")
