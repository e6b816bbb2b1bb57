"""Is inference needed? Images of which most is hidden, completed by predictions that go down.

A network with arrows both ways between pixels, two hidden layers and label learns from whole images
by local products. At the test the pixels seen are clamped and the missing ones free: values and
errors descend one free energy, in rates and in spikes with all traffic counted. The label is read
from one more sweep up, over the completed image, and from F itself at rest. Against it:

- the same network with its descending predictions cut;
- a feed-forward network with mean fill; one that learned from randomly masked images with a channel
  of masks, tested on its own kind of masks and on others;
- the nearest image on the pixels seen; the conditional Gaussian of all pixels, with the feed-forward
  network and with the sweep up behind it.

Settings were chosen on the last 10,000 images of the training set (`--validation`), which nobody
learns from.

    python -m experiments.complete             # MNIST and Fashion-MNIST: results/complete.zarr
    python -m experiments.complete --quick     # the embedded digits
"""

import dataclasses
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import study
from ..common.data import SPLITS
from ..common.settings import setting
from ..common.stacking import stack
from . import inference, masks, rivals, spikes, training, work

MEASURES = "accuracy", "nll", "squared error"
SHOWN = 8  # completed images in the picture


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Completing what is missing."""

    data: tuple[str, ...] = setting(
        ("mnist", "fashion_mnist"), among=tuple(SPLITS), quick=("digits",)
    )
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = setting(3, least=1, quick=1)
    asked: int = setting(1000, least=100, quick=200)
    """Images of the test that are completed."""
    hidden: tuple[int, int] = setting((256, 128), least=2, quick=(40, 24))
    """Units of the hidden layers."""
    epochs: int = setting(5, least=1, quick=lambda _: 20)
    plain_epochs: int = setting(6, least=1, quick=lambda _: 20)
    """Of the feed-forward network with mean fill."""
    masked_epochs: int = setting(20, least=1, quick=lambda _: 40)
    """Of the network that learns from masked images."""
    steps: int = setting(200, least=1, quick=100)
    """Of inference in rates."""
    validation: bool = False
    """Ask for images of the end of the training set."""
