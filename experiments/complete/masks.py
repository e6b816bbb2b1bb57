"""Masks: which pixels of an image are seen."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

Mask = Bool[np.ndarray, "n rows columns"]


def _lower(count: int, shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    rows = np.arange(shape[0]) < shape[0] // 2
    return np.broadcast_to(rows[None, :, None], (count, *shape)).copy()


def _random(share: float) -> Callable:
    def draw(count: int, shape: tuple[int, int], rng: np.random.Generator) -> Mask:
        return rng.random((count, *shape)) >= share

    return draw


def _stripes(count: int, shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    columns = np.arange(shape[1]) % 4 == 1
    return np.broadcast_to(columns[None, None, :], (count, *shape)).copy()


def _bar(count: int, shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    start, width = rng.integers(shape[1], size=count), shape[1] // 2
    place = (np.arange(shape[1])[None, :] - start[:, None]) % shape[1]
    return np.broadcast_to((place >= width)[:, None, :], (count, *shape)).copy()


KINDS: dict[str, Callable[[int, tuple[int, int], np.random.Generator], Mask]] = {
    "lower half": _lower,
    "random 50 %": _random(0.5),
    "random 80 %": _random(0.8),
    "random 90 %": _random(0.9),
    "stripes": _stripes,  # of four columns one is seen
    "bar": _bar,  # hides half of the columns, anywhere, on its way around
}


def draw(kind: str, count: int, shape: tuple[int, int], seed: int) -> Mask:
    """Masks of a kind, True where a pixel is seen."""
    return KINDS[kind](count, shape, np.random.default_rng([seed, list(KINDS).index(kind)]))
