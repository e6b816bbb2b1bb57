"""Old place of `bpcjax.stepping.base`."""

from .._moved import moved

moved(__name__, "bpcjax.stepping.base")
