"""What does a memory of few rows give up to learn on: stability, plasticity, or spikes?

Patterns come in a stream, each a few times with noise and then never again, more of them than the
memory has rows. Each observation is divided among the memories in proportion to their spikes,
draws from the posterior over memories, and enters their conjugate posterior; all evidence decays
(`bpcjax.learning.Normal`), so that a memory not shown for long goes back to the prior, under which
anything is possible: that is why new patterns go to forgotten memories. Then patterns are asked
for, by their age. Over the forgetting rate, the spikes of a presentation, and beta:

- plasticity: recall of the patterns shown last, half as many as there are rows;
- stability: recall of as many shown before those, which had room too;
- efficiency: spikes of a query, and their price in pJ.

    python -m experiments.tradeoff             # results/tradeoff.zarr and a picture
    python -m experiments.tradeoff --quick     # fewer points
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax import cost

from ..common import InputError, study
from ..common.statistics import standard_error
from ..common.study import Parts, setting
from .stream import Stream, live


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """A stream of patterns through a memory of few rows."""

    rows: int = setting(16, least=2)
    """How many memories there are."""
    size: int = setting(24, least=2)
    """Dimensions of the patterns."""
    patterns: int = 64
    """How many are shown, one after another."""
    repeats: int = setting(3, least=1)
    """How often each is shown."""
    noise: float = setting(0.8, above=0)
    """Standard deviation of the noise (entries of a pattern vary by 1)."""
    queries: int = setting(4, least=1)
    """How often each is asked for, at the end."""
    spikes: tuple[int, ...] = setting((1, 2, 4, 8, 16, 32), least=1, quick=lambda x: x[::3])
    """Of the memory layer, a presentation: its rate times that time."""
    forget: tuple[float, ...] = setting(
        (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2, 0.4),
        least=0, below=1, quick=lambda x: x[::2],
    )  # fmt: skip
    """By how much evidence decays at each presentation."""
    precision: tuple[float, ...] = setting(
        (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0), above=0, quick=lambda x: x[1::2] or x
    )
    """beta, times the variance of the noise: 1 is right."""
    seeds: int = setting(16, least=2, quick=3)
    """How many streams."""
    seed: int = 0
    """Of streams and spikes."""

    @property
    def stream(self) -> Stream:
        """What is shown."""
        return Stream(self.rows, self.size, self.patterns, self.repeats, self.noise, self.queries)

    def verify(self) -> None:
        """There are patterns that had room too.

        **Raises:** `InputError` naming the setting.
        """
        if self.patterns < self.rows:
            raise InputError(f"patterns must be rows or more, got {self.patterns}: see stability.")


def lives(config: Config, spikes: int) -> dict[str, np.ndarray]:
    """Recall [forget, precision, seed, age] at that number of spikes a presentation."""

    def run(forget, precision, seed):
        beta = precision / config.noise**2
        return {"recall": (("age",), live(config.stream, forget, beta, seed, spikes))}

    axes = {
        "forget": jnp.array(config.forget),
        "precision": jnp.array(config.precision),
        "seed": jax.random.split(jax.random.key(config.seed), config.seeds),
    }
    return {"recall": bpc.sweep(run, axes).recall.values}


def price(config: Config, spikes: int) -> float:
    """The energy of a query (pJ): graded inputs, kernel form, without memory traffic, fp32."""
    counts = cost.spiking(config.size, spikes, config.size, config.rows, graded=True, reads=False)
    return float(cost.Ledger(cost.FP32).energy(counts))


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All points, and the best of them at each number of spikes."""
    tables = [parts(f"{n} spikes", partial(lives, config, n))["recall"] for n in config.spikes]
    recall = np.stack(tables)
    half = config.rows // 2
    axes = "spikes", "forget", "precision", "seed"
    dataset = xr.Dataset(
        {
            "recall": ((*axes[:3], "age"), recall.mean(axis=3)),
            "plasticity": (axes, recall[..., :half].mean(axis=-1)),
            "stability": (axes, recall[..., half : 2 * half].mean(axis=-1)),
            "price": (("spikes",), [price(config, n) for n in config.spikes]),
        },
        coords={
            "spikes": list(config.spikes),
            "forget": list(config.forget),
            "precision": list(config.precision),
            "age": np.arange(config.patterns),
        },
        attrs={"rows": config.rows, "repeats": config.repeats},
    )
    return with_best(dataset)


def with_best(dataset: xr.Dataset) -> xr.Dataset:
    """The data set with the lesser of stability and plasticity, in the mean over seeds, and where
    it is largest at each number of spikes."""
    stability, plasticity = dataset.stability.mean("seed"), dataset.plasticity.mean("seed")
    lesser = xr.where(stability < plasticity, stability, plasticity)
    at = lesser.argmax(dim=["forget", "precision"])
    best = {f"best_{name}": ("spikes", dataset[name].values[at[name]]) for name in at}
    return dataset.assign(lesser=lesser, **best)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The best compromise at each number of spikes, and the extremes."""
    return _best(dataset) | _at_right_beta(dataset)


def _best(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    for spikes in dataset.spikes.values:
        row = dataset.sel(spikes=spikes)
        at = {name: float(row[f"best_{name}"]) for name in ("forget", "precision")}
        point, label = row.sel(at), f"{spikes} spikes, best: "
        result |= {f"{label}{name}": value for name, value in at.items()}
        result[f"{label}pJ a query"] = float(point.price)
        for name in ("stability", "plasticity"):
            result[f"{label}{name}"] = float(point[name].mean())
            result[f"{label}{name}, error"] = float(standard_error(point[name], "seed"))
    return result


def _at_right_beta(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    right = dataset.sel(precision=1.0, method="nearest")
    for name in ("stability", "plasticity"):
        for spikes in dataset.spikes.values:
            value = right[name].mean("seed").sel(spikes=spikes)
            label = f"{spikes} spikes, right beta: "
            most = int(np.argmax(value.values))
            result[f"{label}forget of most {name}"] = float(value.forget[most])
            result[f"{label}most {name}"] = float(value.max())
            without = value.sel(forget=0, method="nearest")
            result[f"{label}{name} without forgetting"] = float(without)
    return result


STUDY = study.Study("tradeoff", Config, run, summary)
