"""Memories and damaged queries of `experiments.sequential`: images, points of a sphere, spikes."""

import dataclasses
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from scipy.stats import norm

from ..common.data import draw_balanced, load, standardise
from ..common.memories import on_sphere

FLOOR = 0.25  # standard deviation assumed where there is no noise, of masks
SPHERE = 256  # dimensions, of entries that vary by 1
UNITS, BINS = 32, 16  # of a raster of spikes
JITTER, INSERTED = 0.7, 0.3  # bins; spikes a unit
BACKGROUND = 0.02  # events of an entry where nothing is
IMAGES = "digits", "mnist", "fashion_mnist"
COUNTS = "Poisson digits"


class Problem(NamedTuple):
    """Memories `patterns` [P, N] (of counts: their means), `queries` [Q, N], the memory `target`
    [Q] of each, what is `seen` [N] (`None`: all), and the noise that is assumed (`None`: counts).
    """

    patterns: np.ndarray
    queries: np.ndarray
    target: np.ndarray
    seen: np.ndarray | None
    sigma: float | None

    @property
    def inputs(self) -> np.ndarray:
        """Entries [Q] that are not 0, or events, among those that are seen."""
        seen = True if self.seen is None else self.seen
        if self.sigma is None:
            return (self.queries * seen).sum(axis=1)
        return ((self.queries != 0) & seen).sum(axis=1)


class Source(NamedTuple):
    """Images [n, N] to store some of, with their labels [n], shape, and mean image [N]."""

    values: np.ndarray
    labels: np.ndarray
    shape: tuple[int, ...]
    mean: np.ndarray


def source(data: str, folder: Path | str | None) -> Source | None:
    """The images called `data`: digits standardised, as in `experiments.recall`, all others of
    pixels from 0 to 1; `None` for what is drawn.

    **Raises:** `InputError` for missing files.
    """
    if data not in (*IMAGES, COUNTS):
        return None
    images = load("digits" if data == COUNTS else data, folder)
    flat = images.pixels.reshape(len(images.pixels), -1).astype(np.float32)
    if data == "digits":
        flat = standardise(flat).values
    mean = np.zeros(flat.shape[1], np.float32) if data == "digits" else flat.mean(axis=0)
    return Source(flat, images.labels, images.pixels.shape[1:], mean)


def stored(data: str, count: int, rng: np.random.Generator, images: Source | None) -> np.ndarray:
    """What is stored: images [P, N], points [P, N], or spike times [P, units] of rasters."""
    if images is not None:
        return images.values[draw_balanced(images.labels, count, rng)]
    if data == "sphere":
        return on_sphere(rng, count, SPHERE).astype(np.float32)
    return rng.integers(BINS, size=(count, UNITS))


class Damage(Protocol):
    """How queries differ from what is stored."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    def problem(
        self, rng: np.random.Generator, own: np.ndarray, target: np.ndarray, images: Source | None
    ) -> Problem:
        """Queries for the `target` [Q] among what is stored."""
        ...


@dataclasses.dataclass(frozen=True)
class Noise:
    """Gaussian noise of standard deviation `level`."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"noise {self.level:g}"

    def problem(self, rng, own, target, images) -> Problem:
        """All entries with noise."""
        normal = rng.standard_normal((len(target), own.shape[1])).astype(np.float32)
        return Problem(own, own[target] + np.float32(self.level) * normal, target, None, self.level)


@dataclasses.dataclass(frozen=True)
class Mask:
    """The lower share `level` of the rows is missing, which is `known` or not: then the mean image
    of the data stands there, as if it were seen."""

    level: float
    known: bool = True

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"mask {self.level:g}" + ("" if self.known else ", unknown")

    def problem(self, rng, own, target, images) -> Problem:
        """Upper rows without noise; `FLOOR` is what the likelihood assumes."""
        rows = images.shape[0]
        seen = np.zeros(images.shape, bool)
        seen[: rows - round(self.level * rows)] = True
        seen = seen.reshape(-1)
        queries = np.where(seen, own[target], images.mean)
        return Problem(own, queries, target, seen if self.known else None, FLOOR)


@dataclasses.dataclass(frozen=True)
class Deletion:
    """Rasters of one spike a unit: a share `level` of the spikes is lost, the others move by
    `JITTER` bins, and `INSERTED` spikes a unit come anywhere (as in `attention_comparison`)."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"deletion {self.level:g}"

    def problem(self, rng, own, target, images) -> Problem:
        """Means of counts by the law of the damage, and one damaged raster a query."""
        shape = (len(target), UNITS)
        shift = np.rint(JITTER * rng.standard_normal(shape)).astype(int)
        spikes = rng.random((*shape, BINS)) < INSERTED / BINS
        each, unit = np.nonzero(rng.random(shape) >= self.level)
        spikes[each, unit, (own[target] + shift)[each, unit] % BINS] = True
        means = np.full((*own.shape, BINS), INSERTED / BINS)
        rows, units = np.meshgrid(*map(np.arange, own.shape), indexing="ij")
        for bins in range(-3, 4):
            chance = np.diff(norm.cdf(np.array([bins - 0.5, bins + 0.5]) / JITTER))[0]
            means[rows, units, (own + bins) % BINS] += (1 - self.level) * chance
        flat = (array.reshape(len(array), -1).astype(np.float32) for array in (means, spikes))
        return Problem(*flat, target, None, None)


@dataclasses.dataclass(frozen=True)
class Exposure:
    """Pixels are Poisson counts of events, `level` of a white pixel on average."""

    level: float

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.level:g} events a white pixel"

    def problem(self, rng, own, target, images) -> Problem:
        """Counts of all pixels, and their means."""
        means = (self.level * (own + BACKGROUND)).astype(np.float32)
        return Problem(means, rng.poisson(means[target]).astype(np.float32), target, None, None)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is stored, how much of it, the damage, and the blocks between tests that are tried.
    `assumed` is the noise that methods assume, over the true one."""

    data: str
    patterns: int
    damage: Damage
    blocks: tuple[int, ...]
    assumed: float = 1.0

    @property
    def name(self) -> str:
        """How tables call it."""
        wrong = "" if self.assumed == 1 else f", sigma times {self.assumed:g}"
        return f"{self.data} {self.patterns}, {self.damage.name}{wrong}"

    @property
    def expected(self) -> "Case":
        """The case that methods are made for: its noise is what they assume."""
        if self.assumed == 1:
            return self
        level = self.damage.level * self.assumed
        return dataclasses.replace(self, damage=Noise(level), assumed=1.0)

    def draw(self, rng: np.random.Generator, queries: int, images: Source | None) -> Problem:
        """A problem of this case; by the same `rng` levels share memories and noise."""
        own = stored(self.data, self.patterns, rng, images)
        target = rng.integers(0, self.patterns, queries)
        problem = self.damage.problem(rng, own, target, images)
        if problem.sigma is None:
            return problem
        return problem._replace(sigma=problem.sigma * self.assumed)
