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

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise."""
        return self.level

    def seen(self, shape) -> np.ndarray:
        """Which pixels [N] of an image of that `shape` are seen."""
        return np.ones(int(np.prod(shape)), bool)

    def __call__(self, images: np.ndarray, normal: np.ndarray, shape) -> np.ndarray:
        """Spoilt `images` [Q, N]; `normal` [Q, N] are standard normal draws."""
        return images + np.float32(self.level) * normal


@dataclass(frozen=True)
class Mask:
    """The lower fraction `level` of the rows is missing: who must have a number for its pixels gets
    the data's mean, 0."""

    level: float
    sigma = 0.0  # no noise

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"mask {self.level:g}"

    def seen(self, shape) -> np.ndarray:
        """Which pixels [N] of an image of that `shape` are seen."""
        rows = np.arange(shape[0]) < shape[0] - round(self.level * shape[0])
        return np.broadcast_to(rows[:, None], shape).ravel()

    def __call__(self, images: np.ndarray, normal: np.ndarray, shape) -> np.ndarray:
        """Spoilt `images` [Q, N] of that `shape`; `normal` is not used."""
        return np.where(self.seen(shape), images, 0).astype(images.dtype)


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
