"""Patterns to store and what spoils them, for `experiments.robustness`."""

from typing import NamedTuple, Self

import numpy as np

from ..common import InputError
from ..common.data import draw_balanced, load, standardise
from ..common.memories import on_sphere

SPHERE = "sphere"
CORRUPTIONS = "noise", "flips", "mask", "erasures"
LEVELS = {  # noise: its standard deviation; the others: the share of entries
    "noise": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0),
    "flips": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    "mask": (0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.875, 0.9375),
    "erasures": (0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.875, 0.9375),
}


class Source(NamedTuple):
    """What patterns are drawn from: standardised `values` [n, N] with labels, or the sphere."""

    name: str
    size: int
    values: np.ndarray | None
    labels: np.ndarray | None

    @classmethod
    def of(cls, name: str, size: int, folder: str | None) -> Self:
        """The sphere in `size` dimensions, or the images of that name."""
        if name == SPHERE:
            return cls(name, size, None, None)
        images = load(name, folder)
        values = standardise(images.pixels.reshape(len(images.pixels), -1)).values
        return cls(name, values.shape[1], values, images.labels)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Patterns [count, N]: images, or random directions of length `sqrt(N)`."""
        if self.values is not None and self.labels is not None:
            return self.values[draw_balanced(self.labels, count, rng)].astype(np.float32)
        return on_sphere(rng, count, self.size).astype(np.float32)


def available(names: tuple[str, ...], size: int, folder: str | None) -> list[Source]:
    """The sources of that name; the digits in scikit-learn stand in for images whose files are
    not there."""
    sources: list[Source] = []
    for name in names:
        try:
            sources.append(Source.of(name, size, folder))
        except InputError as error:
            if name == "digits" or "unknown" in str(error):
                raise
            print(f"{name}: not there ({error}); digits instead", flush=True)
            sources.append(Source.of("digits", size, folder))
    return list({source.name: source for source in sources}.values())


def touched(corruption: str, level: float, size: int) -> int:
    """How many entries are spoilt."""
    return size if corruption == "noise" else round(level * size)


def spoil(x: np.ndarray, corruption: str, level: float, rng: np.random.Generator) -> np.ndarray:
    """Spoilt copies of patterns `x` [Q, N].

    Noise is added to every entry; flips change the sign of some entries, erasures set some to 0,
    the mean, wherever they are; a mask sets the last ones to 0, the lower rows of an image.
    """
    number = touched(corruption, level, x.shape[1])
    if corruption == "noise":
        return x + np.float32(level) * rng.standard_normal(x.shape).astype(np.float32)
    if corruption == "mask":
        return np.where(np.arange(x.shape[1]) < x.shape[1] - number, x, 0).astype(np.float32)
    order = rng.random(x.shape).argsort(axis=1)
    return np.where(order < number, -x if corruption == "flips" else 0, x).astype(np.float32)
