"""Old place of `bpcjax.inputs.delayed`."""

from .._moved import moved

moved(__name__, "bpcjax.inputs.delayed")
