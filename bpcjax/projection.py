"""Old place of `bpcjax.networks.projection`."""

from ._moved import moved

moved(__name__, "bpcjax.networks.projection")
