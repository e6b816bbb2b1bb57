"""Old place of `bpcjax.models.predictive.networks`."""

from .._moved import moved

moved(__name__, "bpcjax.models.predictive.networks")
