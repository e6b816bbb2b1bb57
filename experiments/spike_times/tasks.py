"""Tasks for first spikes: exclusive or, and the yin-yang."""

import numpy as np
from jaxtyping import Float, Int

from ..common.data import Split

RADIUS, DOT = 0.5, 0.1  # of the disc and of its dots


def exclusive_or() -> Split:
    """The four points of two bits, and whether one of them, and only one, is set."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return Split(x, np.array([0, 1, 1, 0]), 2)


def yin_yang_class(x: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    """0 for yin, 1 for yang, 2 for the dots, of points of the disc in the unit square (Kriener,
    Göltz & Petrovici 2022, "The yin-yang dataset")."""
    left = np.hypot(x[:, 0] - 0.5 * RADIUS, x[:, 1] - RADIUS)
    right = np.hypot(x[:, 0] - 1.5 * RADIUS, x[:, 1] - RADIUS)
    inside = (left > DOT) & (left <= 0.5 * RADIUS)
    above = (x[:, 1] > RADIUS) & (right > 0.5 * RADIUS)
    yang = (right <= DOT) | inside | above
    return np.where((left < DOT) | (right < DOT), 2, yang.astype(int))


def yin_yang(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [count, 2] uniform in each class, the three classes equally likely, and labels.

    Sets of different seeds are independent.
    """
    rng = np.random.default_rng((2022, seed))
    labels = rng.integers(3, size=count)
    points = np.empty((count, 2))
    for label in range(3):
        places = np.flatnonzero(labels == label)
        inside = np.empty((0, 2))
        while len(inside) < len(places):
            x = rng.uniform(0, 2 * RADIUS, (4 * count + 64, 2))
            x = x[np.hypot(x[:, 0] - RADIUS, x[:, 1] - RADIUS) <= RADIUS]
            inside = np.concatenate([inside, x[yin_yang_class(x) == label]])
        points[places] = inside[: len(places)]
    return points.astype(np.float32), labels


def mirrored(x: np.ndarray) -> np.ndarray:
    """Coordinates x and 1 - x: so that both small and large ones come early, as in the paper."""
    return np.concatenate([x, 1 - x], axis=-1).astype(np.float32)


def yin_yang_splits(train: int, test: int) -> tuple[Split, Split, Split]:
    """Training, validation and test set of so many points: drawn with different seeds."""
    parts = [yin_yang(count, seed) for seed, count in enumerate((train, test, test))]
    first, second, third = (Split(mirrored(x), labels, 3) for x, labels in parts)
    return first, second, third
