"""Old place of `bpcjax.networks.wrappers`."""

from ._moved import moved

moved(__name__, "bpcjax.networks.wrappers")
