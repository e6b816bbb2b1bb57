"""The study `learn` on Fashion-MNIST: the same table, with a result and a picture of its own.

python -m experiments.learn_fashion                  # results/learn_fashion.zarr and a picture
"""

import dataclasses

from . import learn
from .common import study

NAME = "learn_fashion"


@dataclasses.dataclass(frozen=True)
class Config(learn.Config):
    """Learning by spikes, of clothes."""

    data: str = "fashion_mnist"
    """The images."""
    epochs: int = 18
    """Of all rows but convolutions, of which there are a fifth."""


def _figure():
    from figures import learn_fashion

    return learn_fashion


def main() -> None:
    """The command line."""
    study.main(NAME, Config, learn.run, learn.summary, _figure, __doc__)


if __name__ == "__main__":
    main()
