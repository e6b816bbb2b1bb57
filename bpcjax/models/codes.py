"""Old place of `bpcjax.models.classifier.codes`."""

from .._moved import moved

moved(__name__, "bpcjax.models.classifier.codes")
