"""Old place of `bpcjax.learning.locality.certificate`."""

from .._moved import moved

moved(__name__, "bpcjax.learning.locality.certificate")
