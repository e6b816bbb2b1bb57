"""How many patterns does each memory hold, and is it what theory says?

Random patterns are stored, more and more of them, and counted: at each load, of how many patterns
every unit stays as it is in one step, or in how many memories that holds for all patterns. The
capacity is the load where this share passes the value that theory gives at its own capacity:

- hebb, cubic, quartic: one pattern without error, `N^(n-1) / (2 (2n-3)!! log N)` for `F = u^n`;
- hebb, all: all patterns without error, `N / (4 log N)`;
- exponential: all patterns without error, `F = exp`: half of the memories, near `2^(N / 2)`;
- modern: half of the queries with Gaussian noise find their pattern, on the sphere (exact law);
- sparse: half of the patterns have a weight of exactly 1 (sparsemax), on the sphere (exact law);
- phasor: half of the patterns stay, `0.0377 N`.

The drawn success of the first group is exact in the chance that a unit flips, at the sizes
measured; its units are taken to fail independently. Then the overlap of memories of Hebb's rule
with their patterns, up to where they are lost, against the theory of their saturation.

    python -m experiments.capacity             # results/capacity.zarr and a picture
    python -m experiments.capacity --quick     # smaller memories, fewer patterns
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from theory.closed_forms import ags, capacity, crosstalk, phasor, sphere_recall

from ..common import InputError, study
from ..common.study import Parts
from ..common.thresholds import crossing
from . import memories as memories

NAME = "capacity"
LOADS = 7  # of each memory
STEPS = 100  # at most, until a memory of Hebb's rule is at rest
KEPT = 0.7  # overlap above which a phasor pattern is said to stay; it ends at 0.90 or below 0.4
Success = Callable[[float], float]


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Capacities of associative memories."""

    hebb: tuple[int, ...] = (250, 500, 1000, 2000)
    """Units of memories of Hebb's rule, for one pattern and (up to 1,000) for all."""
    cubic: tuple[int, ...] = (100, 200, 400, 1000)
    """Units, for `F = u^3`."""
    quartic: tuple[int, ...] = (50, 100, 200)
    """Units, for `F = u^4`."""
    exponential: tuple[int, ...] = (12, 16, 20, 24)
    """Units, for `F = exp`."""
    modern: tuple[int, ...] = (6, 9, 12, 15)
    """Dimensions, for softmax."""
    sparse: tuple[int, ...] = (12, 18, 24, 30, 36)
    """Dimensions, for sparsemax."""
    phasor: tuple[int, ...] = (250, 500, 1000, 2000)
    """Units of phasor networks."""
    saturation: int = 2000
    """Units of the memories whose overlap is measured up to their end."""
    asked: int = 2048
    """Patterns asked for at each load."""
    memories: int = 2000
    """Memories at each load, where all patterns are asked for."""
    noise: float = 1.0
    """Standard deviation of each unit of the queries of modern memories."""
    margin: float = 0.5
    """Cosine below which all other patterns have to be, for a weight of exactly 1."""
    seed: int = 0
    """Of patterns and queries."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name in ("hebb", "cubic", "quartic", "exponential", "modern", "sparse", "phasor"):
        sizes = getattr(config, name)
        if not sizes or min(sizes) < 4:
            raise InputError(f"{name} must be numbers of units of 4 or more, got {sizes}.")
    for name, least in (("asked", memories.CHUNK), ("memories", 10), ("saturation", 100)):
        study.at_least(least, config, name)
    if not config.noise > 0 or not 0 < config.margin < 1:
        raise InputError(
            f"noise must be positive and margin between 0 and 1: {config.noise}, {config.margin}."
        )
    if config.quick:
        config = dataclasses.replace(
            config,
            hebb=(250, 1000), cubic=(100, 200), quartic=(50, 100), exponential=(12, 16, 20),
            modern=(6, 9, 12), sparse=(12, 18, 24), phasor=(250,), saturation=400,
            asked=min(config.asked, 512), memories=min(config.memories, 200),
        )  # fmt: skip
    whole = config.asked // memories.CHUNK * memories.CHUNK
    return dataclasses.replace(config, asked=whole)


class Curve(NamedTuple):
    """One kind of memory at one size: what theory says, and how to measure."""

    kind: str
    size: int
    law: float
    level: float
    expected: Success
    span: tuple[float, float]  # of the loads, over the law
    measure: Callable[[np.random.Generator, int], tuple[int, int]]


def _polynomial(config: Config, kind: str, order: int, size: int) -> Curve:
    law = float(capacity.dense_capacity(size, order))
    level = float(np.exp(-size * capacity.dense_error(law, size, order)))

    def expected(count: float) -> float:
        return float(np.exp(-size * crosstalk.flip_probability(round(count), size, order)))

    def measure(rng, count):
        least = 16 if order == 2 else 4  # memories: patterns of one share their crosstalk
        return memories.one_pattern(rng, count, size, order, config.asked, least)

    return Curve(kind, size, law, level, expected, (0.65, 1.4), measure)


def _all(config: Config, size: int) -> Curve:
    law = float(capacity.hebb_capacity(size, everywhere=True))
    level = float(np.exp(-law * size * capacity.dense_error(law, size, 2)))

    def expected(count: float) -> float:
        flips = crosstalk.flip_probability(round(count), size, 2)
        return float(np.exp(-round(count) * size * flips))

    def measure(rng, count):
        return memories.all_patterns(rng, count, size, memories.power(2), config.memories)

    return Curve("hebb, all", size, law, level, expected, (0.9, 1.6), measure)


def _exponential(config: Config, size: int) -> Curve:
    law = float(np.sqrt(2 * np.log(2) * 2.0**size / size))
    separation = memories.exponential(size)

    def measure(rng, count):
        some = max(config.memories // 6, 10)
        return memories.all_patterns(rng, count, size, separation, some)

    def expected(count: float) -> float:
        return float(crosstalk.birthday_success(round(count), size))

    return Curve("exponential", size, law, 0.5, expected, (0.5, 1.7), measure)


def _modern(config: Config, size: int) -> Curve:
    def success(log_count):
        return sphere_recall.gaussian(config.noise, np.exp(log_count), size)

    def measure(rng, count):
        return memories.modern(rng, count, size, config.noise, config.asked, room)

    law = float(np.exp(brentq(lambda x: success(x) - 0.5, 0.1, 40)))
    room = round(2.5 * law)
    expected = lambda count: success(np.log(round(count)))  # noqa: E731
    return Curve("modern", size, law, 0.5, expected, (0.4, 2.5), measure)


def _sparse(config: Config, size: int) -> Curve:
    alone = np.log1p(-sphere_recall.cap(config.margin, size))
    beta = 1 / (size * (1 - config.margin))  # a lead of 1 in the scores

    def measure(rng, count):
        return memories.sparse(rng, count, size, beta, config.asked, room)

    def expected(count: float) -> float:
        return float(np.exp((round(count) - 1) * alone))

    law = float(1 + np.log(0.5) / alone)
    room = round(2.5 * law)
    return Curve("sparse", size, law, 0.5, expected, (0.4, 2.5), measure)


def _phasor(config: Config, size: int) -> Curve:
    def measure(rng, count):
        each = min(count, 16)
        found = [
            memories.settled_overlaps(rng, count, size, each, STEPS, phases=True)
            for _ in range(-(-config.asked // (4 * each)))
        ]
        return int((np.concatenate(found) > KEPT).sum()), each * len(found)

    return Curve(
        "phasor", size, phasor.capacity().alpha * size, 0.5, lambda count: np.nan, (0.8, 1.6),
        measure,
    )  # fmt: skip


def curves(config: Config) -> list[Curve]:
    """Everything that is measured."""
    return [
        *(_polynomial(config, "hebb", 2, n) for n in config.hebb),
        *(_all(config, n) for n in config.hebb if n <= 1000),
        *(_polynomial(config, "cubic", 3, n) for n in config.cubic),
        *(_polynomial(config, "quartic", 4, n) for n in config.quartic),
        *(_exponential(config, n) for n in config.exponential),
        *(_modern(config, n) for n in config.modern),
        *(_sparse(config, n) for n in config.sparse),
        *(_phasor(config, n) for n in config.phasor),
    ]


def measured(config: Config, number: int, curve: Curve) -> dict[str, np.ndarray]:
    """Counts of one curve at its loads."""
    loads = np.unique(np.round(curve.law * np.geomspace(*curve.span, LOADS)).astype(int))
    loads = np.maximum(loads, 2)
    rng = np.random.default_rng([config.seed, number])
    counts = np.array([curve.measure(rng, int(count)) for count in loads], float)
    filled = np.full((4, LOADS), np.nan)
    filled[:, : len(loads)] = loads, *counts.T, [curve.expected(count) for count in loads]
    return dict(zip(("load", "kept", "tried", "expected"), filled, strict=True))


def saturation(config: Config) -> dict[str, np.ndarray]:
    """Overlaps with the pattern started from, of spins and phasors, over the load."""
    grids = {"spins": (0.03, 0.16, 14), "phases": (0.008, 0.044, 13)}
    found: dict[str, np.ndarray] = {}
    for k, (name, grid) in enumerate(grids.items()):
        rng = np.random.default_rng([config.seed, 1000 + k])
        counts = np.round(np.linspace(*grid) * config.saturation).astype(int)
        rows = []
        for count in counts:
            means = [
                memories.settled_overlaps(
                    rng, int(count), config.saturation, 16, STEPS, phases=name == "phases"
                ).mean()
                for _ in range(6)
            ]
            rows.append((np.mean(means), np.std(means, ddof=1) / np.sqrt(len(means))))
        found[f"{name}_load"] = counts / config.saturation
        found[f"{name}_overlap"], found[f"{name}_error"] = np.array(rows).T
        theory = ags.retrieval if name == "spins" else phasor.retrieval
        end = ags.capacity().alpha if name == "spins" else phasor.capacity().alpha
        found[f"{name}_theory"] = np.array(
            [theory(a).m if a <= end else np.nan for a in found[f"{name}_load"]]
        )
    return found


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Counts, laws and capacities of every memory, and overlaps near saturation.

    **Raises:** `InputError` naming an argument that makes no sense.
    """
    config = check(config)
    every = curves(config)
    found = [
        parts(f"{c.kind}, {c.size} units", lambda c=c, k=k: measured(config, k, c))
        for k, c in enumerate(every)
    ]
    ends = parts("saturation", lambda: saturation(config))
    stack = {name: np.array([part[name] for part in found]) for name in found[0]}
    places = []
    for k, curve in enumerate(every):
        there = np.isfinite(stack["load"][k])
        # Where unlike patterns or queries fail, the rate is no power of the load: two degrees.
        degree = 2 if curve.kind in ("modern", "phasor") else 1
        counts = (stack[name][k][there] for name in ("load", "kept", "tried"))
        places.append(crossing(*counts, curve.level, degree))
    place, error = np.array(places).T
    variables: dict[str, tuple] = {
        name: (("curve", "step"), value) for name, value in stack.items()
    }
    variables |= {
        "law": ("curve", np.array([c.law for c in every])),
        "level": ("curve", np.array([c.level for c in every])),
        "capacity": ("curve", np.exp(place)),
        "log_error": ("curve", error),
    }
    for name, value in ends.items():
        variables[name] = (f"{name.split('_')[0]}_point", value)
    coords = {
        "kind": ("curve", [c.kind for c in every]),
        "size": ("curve", [c.size for c in every]),
    }
    attrs = {"noise": config.noise, "margin": config.margin, "saturation": config.saturation}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def slope(sizes: np.ndarray, capacities: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Of the logarithm of a capacity against the size, with its standard error."""
    weight = 1 / errors**2
    middle = np.average(sizes, weights=weight)
    spread = np.sum(weight * (sizes - middle) ** 2)
    value = np.sum(weight * (sizes - middle) * np.log(capacities)) / spread
    return float(value), float(1 / np.sqrt(spread))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Capacities over their laws, with standard errors, and slopes of the exponential ones."""
    result: dict[str, float] = {}
    ratio = dataset.capacity / dataset.law
    for kind in dict.fromkeys(dataset.kind.values):
        own = dataset.kind.values == kind
        for n, r, e in zip(
            dataset["size"].values[own], ratio.values[own], dataset.log_error.values[own],
            strict=True,
        ):  # fmt: skip
            if np.isfinite(r):  # within the loads
                result[f"{kind}, {n} units: capacity over law"] = float(r)
                result[f"{kind}, {n} units: standard error"] = float(r * e)
        if kind in ("exponential", "modern", "sparse"):
            own &= np.isfinite(dataset.capacity.values)
            if own.sum() < 2:
                continue
            found = (dataset[name].values[own] for name in ("size", "capacity", "log_error"))
            result[f"{kind}: d log P / dN"], error = slope(*found)
            result[f"{kind}: d log P / dN, standard error"] = error
            law = np.log(dataset.law.values[own])
            result[f"{kind}: d log P / dN by law"] = float(
                np.polyfit(dataset["size"].values[own], law, 1)[0]
            )
    for name in ("spins", "phases"):
        theory, seen = dataset[f"{name}_theory"], dataset[f"{name}_overlap"]
        load = dataset[f"{name}_load"]
        early = load < 0.85 * float(load.where(theory > 0).max())
        away = np.abs(seen - theory).where(early).max()
        result[f"saturation, {name}: largest deviation of the overlap"] = float(away)
    return result


def _figure():
    from figures import capacity as figure

    return figure


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
