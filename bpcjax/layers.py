"""Old place of `bpcjax.networks.layers`."""

from ._moved import moved

moved(__name__, "bpcjax.networks.layers")
