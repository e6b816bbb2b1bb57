"""How much damage to a query do memories stand?

Random patterns on a sphere and images are stored, a few of them are spoilt and asked for: with
Gaussian noise, flipped signs, a mask (the last entries, the lower rows), erasures. Methods, on
the same patterns and queries:

- nearest: the nearest pattern (Euclid), the best answer to Gaussian noise;
- of seen: the same over the entries that are there, the best answer if gaps are known as gaps;
- attention: one step of softmax attention, then the nearest pattern;
- spiking: the memory in hold mode; the answer is that of most spikes in the last half;
- pseudo-inverse, Hebb: classical networks of signs, and BCPNN, on the signs of the patterns.

On the sphere the accuracy of the nearest pattern is known exactly for every kind of damage
(`theory.closed_forms.sphere_recall`). All levels of one seed share patterns; seeds have new ones.

    python -m experiments.robustness             # results/robustness.zarr and a picture
    python -m experiments.robustness --quick     # the sphere and the digits
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.stats import norm

from theory.closed_forms import sphere_recall

from ..common import InputError, study
from ..common.statistics import wilson
from ..common.study import Parts
from .methods import METHODS, answers
from .queries import CORRUPTIONS, LEVELS, SPHERE, Source, available, spoil, touched

NAME = "robustness"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of spoilt patterns."""

    sets: tuple[str, ...] = (SPHERE, "mnist", "fashion_mnist")
    """What to store: sphere, digits, mnist, fashion_mnist."""
    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    patterns: tuple[int, ...] = (10, 100, 1000)
    """How many to store."""
    size: int = 64
    """Dimensions of the sphere."""
    queries: int = 100
    """How many patterns to ask for, at every level, of each seed (at most all)."""
    image_queries: int = 40
    """The same for images."""
    seeds: int = 20
    """How many sets of patterns."""
    image_seeds: int = 5
    """The same for images."""
    beta: float = 1.0
    """One over the variance of the noise that the memories expect (entries vary by 1)."""
    spikes: int = 32
    """Spikes of the memory layer, of one query."""
    rate: float = 10.0
    """Of those per time constant of the visible units."""
    seed: int = 0
    """Of patterns, noise and spikes."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "queries", "image_queries", "seeds", "image_seeds", "spikes")
    study.at_least(3, config, "size")
    if not config.patterns or min(config.patterns) < 2:
        raise InputError(f"patterns must be numbers of 2 or more, got {config.patterns}.")
    for name in ("beta", "rate"):
        if not 0 < getattr(config, name) < np.inf:
            raise InputError(f"{name} must be positive, got {getattr(config, name)}.")
    if config.quick:
        names = tuple(name if name == SPHERE else "digits" for name in config.sets)
        config = dataclasses.replace(
            config,
            sets=tuple(dict.fromkeys(names)),
            patterns=tuple(count for count in config.patterns if count <= 100) or (100,),
            seeds=min(config.seeds, 5),
            image_seeds=min(config.image_seeds, 2),
        )
    return config


def measure(config: Config, source: Source, count: int) -> dict[str, np.ndarray]:
    """How many answers were `right` [memory, corruption, level] of how many `asked`, and how many
    `first` spikes [corruption, level]."""
    sphere = source.name == SPHERE
    seeds = config.seeds if sphere else config.image_seeds
    asked = min(config.queries if sphere else config.image_queries, count)
    cells = [(kind, level) for kind in CORRUPTIONS for level in LEVELS[kind]]
    right = np.zeros((len(METHODS), len(cells)), int)
    first = np.zeros(len(cells), int)
    for seed in range(seeds):
        rng = np.random.default_rng([config.seed, seed, count])
        patterns = source.draw(count, rng)
        target = rng.permutation(count)[:asked]
        queries = np.concatenate([spoil(patterns[target], *cell, rng) for cell in cells])
        key = jax.random.fold_in(jax.random.key(config.seed), seed)
        named, opened = answers(
            jnp.asarray(patterns),
            jnp.asarray(queries),
            key,
            beta=config.beta,
            spikes=config.spikes,
            rate=config.rate,
        )
        hits = np.asarray(named).reshape(len(METHODS), len(cells), asked) == target
        right += hits.sum(axis=-1)
        first += (np.asarray(opened).reshape(len(cells), asked) == target).sum(axis=-1)
    shape = len(CORRUPTIONS), len(cells) // len(CORRUPTIONS)
    return {
        "right": right.reshape(len(METHODS), *shape),
        "first": first.reshape(shape),
        "asked": np.array(seeds * asked),
    }


def exact(corruption: str, level: float, count: int, size: int) -> float:
    """The accuracy of the nearest pattern on the sphere."""
    if corruption == "noise":
        return sphere_recall.gaussian(level, count, size)
    number = touched(corruption, level, size)
    law = sphere_recall.flipped if corruption == "flips" else sphere_recall.erased
    return law(number, count, size)


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All sets and numbers of patterns."""
    config = check(config)
    sources = available(config.sets, config.size, config.data_dir)
    found = [
        [parts(f"{s.name}, {n} patterns", lambda s=s, n=n: measure(config, s, n))
         for n in config.patterns]
        for s in sources
    ]  # fmt: skip
    law = [
        [[exact(kind, level, n, config.size) for level in LEVELS[kind]] for kind in CORRUPTIONS]
        for n in config.patterns
    ]
    cell = "corruption", "level"
    stack = {k: np.array([[part[k] for part in row] for row in found]) for k in found[0][0]}
    return xr.Dataset(
        {
            "right": (("set", "patterns", "memory", *cell), stack["right"]),
            "first": (("set", "patterns", *cell), stack["first"]),
            "asked": (("set", "patterns"), stack["asked"]),
            "law": (("patterns", *cell), np.array(law)),
            "strength": (cell, np.array([LEVELS[kind] for kind in CORRUPTIONS])),
        },
        coords={
            "set": [source.name for source in sources],
            "patterns": list(config.patterns),
            "memory": list(METHODS),
            "corruption": list(CORRUPTIONS),
        },
        attrs={"size": config.size, "spikes": config.spikes, "beta": config.beta},
    )


def inside(dataset: xr.Dataset, method: str, corruption: str, z: float) -> tuple[int, int]:
    """At how many points on the sphere the law is in Wilson's interval, and of how many."""
    cell = dataset.sel(set=SPHERE, corruption=corruption)
    law = dataset.law.sel(corruption=corruption).values
    right = cell.right.sel(memory=method).values
    asked = np.broadcast_to(cell.asked.values[:, None], right.shape)
    good = 0
    for value, k, n in zip(law.ravel(), right.ravel(), asked.ravel(), strict=True):
        low, high = wilson(int(k), int(n), z)
        good += low - 1e-12 <= value <= high + 1e-12
    return good, law.size


def simultaneous(points: int) -> float:
    """The normal quantile of intervals that all hold at once with 95 %, by Bonferroni."""
    return float(norm.isf(0.025 / points))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Law against measurement, and each method's accuracy over the levels of each damage."""
    result: dict[str, float] = {}
    if SPHERE in dataset.set.values:
        for corruption in CORRUPTIONS:
            for method in ("nearest", "attention"):
                alone, points = inside(dataset, method, corruption, 1.959963984540054)
                every, _ = inside(dataset, method, corruption, simultaneous(points))
                result |= {
                    f"sphere, {corruption}, {method}: points": float(points),
                    f"sphere, {corruption}, {method}: law in 95 % interval": float(alone),
                    f"sphere, {corruption}, {method}: law in joint 95 %": float(every),
                }
    share = dataset.right.mean("level") / dataset.asked
    for name in dataset.set.values:
        for count in dataset.patterns.values:
            for corruption in CORRUPTIONS:
                for method in METHODS:
                    value = share.sel(
                        set=name, patterns=count, corruption=corruption, memory=method
                    )
                    result[f"{name}, {count}, {corruption}: {method}"] = float(value)
    return result


def _figure():
    from figures import robustness

    return robustness


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
