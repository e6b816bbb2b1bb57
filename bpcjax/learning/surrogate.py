"""Old place of `bpcjax.stepping.surrogate`."""

from .._moved import moved

moved(__name__, "bpcjax.stepping.surrogate")
