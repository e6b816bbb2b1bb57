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
from ..common.study import Parts
from .stream import Stream, live

NAME = "tradeoff"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """A stream of patterns through a memory of few rows."""

    rows: int = 16
    """How many memories there are."""
    size: int = 24
    """Dimensions of the patterns."""
    patterns: int = 64
    """How many are shown, one after another."""
    repeats: int = 3
    """How often each is shown."""
    noise: float = 0.8
    """Standard deviation of the noise (entries of a pattern vary by 1)."""
    queries: int = 4
    """How often each is asked for, at the end."""
    spikes: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """Of the memory layer, a presentation: its rate times that time."""
    forget: tuple[float, ...] = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.2, 0.4)
    """By how much evidence decays at each presentation."""
    precision: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    """beta, times the variance of the noise: 1 is right."""
    seeds: int = 16
    """How many streams."""
    seed: int = 0
    """Of streams and spikes."""

    @property
    def stream(self) -> Stream:
        """What is shown."""
        return Stream(self.rows, self.size, self.patterns, self.repeats, self.noise, self.queries)


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    least = {"rows": 2, "size": 2, "repeats": 1, "queries": 1, "seeds": 2}
    for name, low in least.items():
        if getattr(config, name) < low:
            raise InputError(f"{name} must be at least {low}, got {getattr(config, name)}.")
    if config.patterns < config.rows:
        raise InputError(f"patterns must be rows or more, got {config.patterns}: see stability.")
    if not 0 < config.noise < np.inf:
        raise InputError(f"noise must be positive, got {config.noise}.")
    for name, good, what in (
        ("spikes", lambda x: x >= 1, "at least 1"),
        ("forget", lambda x: 0 <= x < 1, "in [0, 1)"),
        ("precision", lambda x: 0 < x < np.inf, "positive"),
    ):
        values = getattr(config, name)
        if not values or not all(good(value) for value in values):
            raise InputError(f"{name} must be {what}, got {values}.")
    if config.quick:
        config = dataclasses.replace(
            config,
            spikes=config.spikes[::3],
            forget=config.forget[::2],
            precision=config.precision[1::2] or config.precision,
            seeds=min(config.seeds, 3),
        )
    return config


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
    """All points."""
    config = check(config)
    found = [parts(f"{n} spikes", partial(lives, config, n))["recall"] for n in config.spikes]
    recall = np.stack(found)
    half = config.rows // 2
    axes = "spikes", "forget", "precision", "seed"
    return xr.Dataset(
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


def both(dataset: xr.Dataset) -> xr.DataArray:
    """The lesser of stability and plasticity, in the mean over seeds."""
    stability, plasticity = dataset.stability.mean("seed"), dataset.plasticity.mean("seed")
    return xr.where(stability < plasticity, stability, plasticity)


def best(dataset: xr.Dataset, spikes: int) -> dict[str, float]:
    """Where the lesser of the two is largest, at that number of spikes."""
    table = both(dataset).sel(spikes=spikes)
    at = table.argmax(dim=["forget", "precision"])
    return {key: float(table[key][at[key]]) for key in ("forget", "precision")}


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The best compromise at each number of spikes, and the extremes."""
    result: dict[str, float] = {}
    for spikes in dataset.spikes.values:
        at = best(dataset, spikes)
        point = dataset.sel(spikes=spikes, **at)
        label = f"{spikes} spikes, best: "
        result |= {f"{label}{key}": value for key, value in at.items()}
        result[f"{label}pJ a query"] = float(point.price)
        for name in ("stability", "plasticity"):
            value = point[name]
            result[f"{label}{name}"] = float(value.mean())
            result[f"{label}{name}, error"] = float(value.std(ddof=1) / np.sqrt(value.size))
    right = dataset.sel(precision=1.0, method="nearest")
    for name in ("stability", "plasticity"):
        top = right[name].mean("seed")
        for spikes in dataset.spikes.values:
            value = top.sel(spikes=spikes)
            label = f"{spikes} spikes, right beta: "
            result[f"{label}forget of most {name}"] = float(
                value.forget[int(np.argmax(value.values))]
            )
            result[f"{label}most {name}"] = float(value.max())
            result[f"{label}{name} without forgetting"] = float(
                value.sel(forget=0, method="nearest")
            )
    return result


def _figure():
    from figures import tradeoff

    return tradeoff


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
