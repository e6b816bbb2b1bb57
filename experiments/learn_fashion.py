"""The study `learn` on Fashion-MNIST: the same table, with results and a figure of its own.

python -m experiments.learn_fashion                  # results/learn_fashion.zarr and a picture
"""

import dataclasses

from . import learn
from .common import study
from .common.data import SPLITS
from .common.settings import setting


@dataclasses.dataclass(frozen=True)
class Config(learn.Config):
    """Learning by spikes, of clothes."""

    data: str = setting("fashion_mnist", among=tuple(SPLITS), quick="digits")
    """The images."""
    epochs: int = setting(18, least=1, quick=8)
    """Of all rows but convolutions, of which there are a fifth."""


STUDY = study.Study("learn_fashion", Config, learn.run, learn.summary)

if __name__ == "__main__":
    STUDY.main()
