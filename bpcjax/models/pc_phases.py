"""Old place of `bpcjax.models.predictive.phases`."""

from .._moved import moved

moved(__name__, "bpcjax.models.predictive.phases")
