"""Old place of `bpcjax.models.classifier.readouts`."""

from .._moved import moved

moved(__name__, "bpcjax.models.classifier.readouts")
