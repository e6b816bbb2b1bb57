"""Old place of `bpcjax.networks.network`."""

from ._moved import moved

moved(__name__, "bpcjax.networks.network")
