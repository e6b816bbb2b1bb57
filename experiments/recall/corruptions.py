"""What spoils a query: noise on every pixel, or a hidden lower part."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of standard deviation `level` (in the unit of the pixels) on every pixel."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"noise {self.level:g}"

    def __call__(self, images: np.ndarray, normal: np.ndarray, shape) -> np.ndarray:
        """Spoilt `images` [Q, N]; `normal` [Q, N] are standard normal draws."""
        return images + np.float32(self.level) * normal


@dataclass(frozen=True)
class Mask:
    """The lower fraction `level` of the rows is unknown: its pixels are the data's mean, 0."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"mask {self.level:g}"

    def __call__(self, images: np.ndarray, normal: np.ndarray, shape) -> np.ndarray:
        """Spoilt `images` [Q, N] of that `shape`; `normal` is not used."""
        visible = shape[0] - round(self.level * shape[0])
        spoilt = images.reshape(-1, *shape).copy()
        spoilt[:, visible:] = 0
        return spoilt.reshape(images.shape)


CORRUPTIONS = (
    Noise(0.0),
    Noise(1.0),
    Noise(1.5),
    Noise(2.0),
    Noise(3.0),
    Mask(0.25),
    Mask(0.5),
    Mask(0.75),
)
