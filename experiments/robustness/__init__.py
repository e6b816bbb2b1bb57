"""How much damage to a query do memories stand?

Random patterns on a sphere and images are stored, a few of them are spoilt and asked for: with
Gaussian noise, flipped signs, a mask (the last entries, the lower rows), erasures. Methods, on
the same patterns and queries:

- nearest: the nearest pattern (Euclid), the best answer to Gaussian noise;
- of seen: the same over the observed entries, the best answer if gaps are known as gaps;
- attention: one step of softmax attention, then the nearest pattern;
- spiking: the memory in hold mode; the answer is that of most spikes in the last half;
- pseudo-inverse, Hebb: classical networks of signs, and BCPNN, on the signs of the patterns.

On the sphere the accuracy of the nearest pattern is known exactly for every kind of damage
(`theory.closed_forms.sphere_recall`). The law is held against that method and against attention,
whose accuracies hardly differ; the spiking memory has no law. All three expect Gaussian noise:
masks, erasures and flips show what the wrong likelihood costs. All levels of one seed share
patterns; seeds have new ones.

    python -m experiments.robustness             # results/robustness.zarr and a picture
    python -m experiments.robustness --quick     # the sphere and the digits
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from theory.closed_forms import sphere_recall

from ..common import study
from ..common.statistics import inside, joint_level
from ..common.study import Parts, setting
from .methods import METHODS, answers
from .queries import CORRUPTIONS, LEVELS, SPHERE, Source, available, spoil, touched


def _embedded(sets: tuple[str, ...]) -> tuple[str, ...]:
    """The sphere, and the digits in scikit-learn for any images."""
    return tuple(dict.fromkeys(name if name == SPHERE else "digits" for name in sets))


def _few(patterns: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(count for count in patterns if count <= 100) or (100,)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of spoilt patterns."""

    sets: tuple[str, ...] = setting((SPHERE, "mnist", "fashion_mnist"), quick=_embedded)
    """What to store: sphere, digits, mnist, fashion_mnist."""
    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    patterns: tuple[int, ...] = setting((10, 100, 1000), least=2, quick=_few)
    """How many to store."""
    size: int = setting(64, least=3)
    """Dimensions of the sphere."""
    queries: int = setting(100, least=1)
    """How many patterns to ask for, at every level, of each seed (at most all)."""
    image_queries: int = setting(40, least=1)
    """The same for images."""
    seeds: int = setting(20, least=1, quick=5)
    """How many sets of patterns."""
    image_seeds: int = setting(5, least=1, quick=2)
    """The same for images."""
    beta: float = setting(1.0, above=0)
    """One over the variance of the noise that the memories expect (entries vary by 1)."""
    spikes: int = setting(32, least=1)
    """Spikes of the memory layer, of one query."""
    rate: float = setting(10.0, above=0)
    """Of those per time constant of the visible units."""
    seed: int = 0
    """Of patterns, noise and spikes."""


def measure(config: Config, source: Source, count: int) -> dict[str, np.ndarray]:
    """How many answers were `right` [memory, corruption, level] of how many `queries`, and how many
    `first` spikes [corruption, level]."""
    sphere = source.name == SPHERE
    seeds = config.seeds if sphere else config.image_seeds
    queries = min(config.queries if sphere else config.image_queries, count)
    cells = [(kind, level) for kind in CORRUPTIONS for level in LEVELS[kind]]
    right = np.zeros((len(METHODS), len(cells)), int)
    first = np.zeros(len(cells), int)
    for seed in range(seeds):
        rng = np.random.default_rng([config.seed, seed, count])
        patterns = source.draw(count, rng)
        target = rng.permutation(count)[:queries]
        spoilt = np.concatenate([spoil(patterns[target], *cell, rng) for cell in cells])
        named, first_named = answers(
            jnp.asarray(patterns),
            jnp.asarray(spoilt),
            jax.random.fold_in(jax.random.key(config.seed), seed),
            beta=config.beta,
            spikes=config.spikes,
            rate=config.rate,
        )
        hits = np.asarray(named).reshape(len(METHODS), len(cells), queries) == target
        right += hits.sum(axis=-1)
        first += (np.asarray(first_named).reshape(len(cells), queries) == target).sum(axis=-1)
    shape = len(CORRUPTIONS), len(cells) // len(CORRUPTIONS)
    return {
        "right": right.reshape(len(METHODS), *shape),
        "first": first.reshape(shape),
        "queries": np.array(seeds * queries),
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
    sources = available(config.sets, config.size, config.data_dir)
    counts = [
        [parts(f"{s.name}, {n} patterns", lambda s=s, n=n: measure(config, s, n))
         for n in config.patterns]
        for s in sources
    ]  # fmt: skip
    law = [
        [[exact(kind, level, n, config.size) for level in LEVELS[kind]] for kind in CORRUPTIONS]
        for n in config.patterns
    ]
    cell = "corruption", "level"
    stack = {k: np.array([[part[k] for part in row] for row in counts]) for k in counts[0][0]}
    return xr.Dataset(
        {
            "right": (("set", "patterns", "memory", *cell), stack["right"]),
            "first": (("set", "patterns", *cell), stack["first"]),
            "queries": (("set", "patterns"), stack["queries"]),
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


def law_holds(
    dataset: xr.Dataset, method: str, corruption: str, *, joint: bool = False
) -> tuple[int, int]:
    """At how many points on the sphere the law is in the 95 % interval, of each alone or of all
    of them `joint`, and of how many."""
    right = dataset.right.sel(set=SPHERE, corruption=corruption, memory=method).values
    queries = dataset.queries.sel(set=SPHERE).values[:, None]
    law = dataset.law.sel(corruption=corruption).values
    level = joint_level(law.size) if joint else 0.95
    return inside(right, queries, law, level), law.size


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Law against measurement, and each method's accuracy over the levels of each damage."""
    result: dict[str, float] = {}
    if SPHERE in dataset.set.values:
        for corruption in CORRUPTIONS:
            for method in ("nearest", "attention"):
                alone, points = law_holds(dataset, method, corruption)
                every, _ = law_holds(dataset, method, corruption, joint=True)
                result |= {
                    f"sphere, {corruption}, {method}: points": float(points),
                    f"sphere, {corruption}, {method}: law in 95 % interval": float(alone),
                    f"sphere, {corruption}, {method}: law in joint 95 %": float(every),
                }
    share = dataset.right.mean("level") / dataset.queries
    for name in dataset.set.values:
        for count in dataset.patterns.values:
            for corruption in CORRUPTIONS:
                for method in METHODS:
                    value = share.sel(
                        set=name, patterns=count, corruption=corruption, memory=method
                    )
                    result[f"{name}, {count}, {corruption}: {method}"] = float(value)
    return result


STUDY = study.Study("robustness", Config, run, summary)
