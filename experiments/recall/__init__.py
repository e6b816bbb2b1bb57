"""How well does a spiking memory recall spoilt images, next to attention and nearest pattern?

P digit images are the memories of one energy, `ModernHopfield.from_prior` with a flat prior, so
that its posterior is Bayes' for Gaussian noise of variance `1 / beta`. Pixels are standardised:
0 is the mean of the data, 1 a pixel's typical departure from it; a masked pixel is set to 0.
Every method gets the same queries, stored images that are spoilt, and is right if it names that
image:

- spiking: `SpikingHopfield` with `Hold()`, from spike to spike up to `t1`; each spike is a draw
  from the posterior at its time, and the answer is the memory with most spikes in the last half;
- attention: one update of the same energy, or five, then the nearest pattern;
- nearest: the pattern nearest to the query, under a flat prior the best answer to Gaussian noise.

The table has what a query costs, in operations and in nJ (`bpcjax.cost`): all methods in single
precision, and all with 8-bit weights; without and with the traffic of weights and states to a
memory that holds them. Pixels are graded, so that each multiplies the weights that it reaches.

    python -m experiments.recall             # results/recall.zarr, results/recall/, a picture
    python -m experiments.recall --quick     # does it run at all?

A run that was stopped goes on where it was when it is started again.
"""

import dataclasses
import math
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray as xr
from tqdm import tqdm

from ..common import InputError
from ..common.results import Chunks, fingerprint, save
from .methods import make_queries, memory_energy, recall, trace
from .report import as_dataset, choose_example, measure, table, verdict


@dataclasses.dataclass(frozen=True)
class Config:
    """Recall of spoilt images by spikes, by attention and by nearest pattern."""

    data: str = "digits"
    """The images: digits (in scikit-learn), mnist or fashion_mnist (their training sets)."""
    data_dir: str | None = None
    """The folder of the set's official files, or of folders called mnist and fashion_mnist; by
    default $BPCJAX_DATA, or a download."""
    patterns: int = 200
    """How many images to store, drawn evenly over the ten classes."""
    queries: int = 200
    """How many of them to ask for, under each corruption."""
    beta: float = 1.0
    """One over the variance of the noise that the memory expects (pixels vary by 1)."""
    rate: float = 10.0
    """Spikes of the whole memory layer per unit of time."""
    tau: float = 1.0
    """Time constant of the visible units, in the unit of time."""
    t1: float = 4.0
    """How long a query is presented, in the unit of time."""
    seed: int = 0
    """Seed of the choice of images, the noise and the spikes."""
    chunk: int = 100
    """How many queries to ask at a time."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    quick: bool = False
    """At most 30 patterns and 10 queries, in one chunk."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""

    @property
    def room(self) -> int:
        """Room for spikes: eight standard deviations above their mean number (Poisson)."""
        mean = self.rate * self.t1
        return math.ceil(mean + 8 * math.sqrt(mean) + 16)


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("patterns", 2), ("queries", 1), ("chunk", 1), ("seed", 0)):
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    for name in ("beta", "rate", "tau", "t1"):
        value = getattr(config, name)
        if not (value > 0 and math.isfinite(value)):
            raise InputError(f"{name} must be positive and finite, got {value}.")
    if config.rate * config.t1 > 1e5:
        raise InputError(f"rate: rate * t1 is {config.rate * config.t1:g}; keep it below 1e5.")
    if config.quick:
        limits = {"patterns": 30, "queries": 10, "chunk": 80}
        few = {name: min(getattr(config, name), most) for name, most in limits.items()}
        config = dataclasses.replace(config, **few)
    if config.queries > config.patterns:
        raise InputError(
            f"queries: {config.queries}, but only {config.patterns} patterns, each asked for once "
            "so that queries are independent. Lower queries or raise patterns."
        )
    return config


def answers(config: Config, energy, rows: jax.Array, keys: jax.Array, chunks: Chunks):
    """What `recall` gives for all `rows` [R, N], chunk by chunk; finished chunks are kept."""
    parts: list[dict[str, np.ndarray]] = []
    bar = tqdm(range(0, len(rows), config.chunk), desc="recall", unit="chunk")
    for k, start in enumerate(bar):
        part = chunks.get(k)
        if part is None:
            bar.set_postfix_str("compiling" if k == 0 else "")
            own = min(config.chunk, len(rows) - start)
            # The last chunk is padded with its last row: one shape, so one compilation.
            index = jnp.minimum(jnp.arange(start, start + config.chunk), len(rows) - 1)
            found = recall(config, energy, rows[index], keys[index])
            part = {name: np.asarray(x)[:own] for name, x in found.items()}
            chunks.put(k, part)
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def run(config: Config) -> xr.Dataset:
    """All answers to all queries, with the queries and one example in full.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    asked = make_queries(config)
    energy = memory_energy(asked["patterns"], config.beta)
    corruptions, count, pixels = asked["query"].shape
    rows = jnp.asarray(asked["query"].reshape(-1, pixels), energy.patterns.dtype)
    key = jax.random.key(config.seed)
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(len(rows)))
    settings = dataclasses.asdict(config)
    for name in ("data_dir", "out", "figures", "quick", "gallery"):  # they change no number
        settings.pop(name)
    mark = fingerprint(settings, *asked.values())
    chunks = Chunks("recall", config.out, mark)
    found = answers(config, energy, rows, keys, chunks)
    found = {name: x.reshape(corruptions, count, *x.shape[1:]) for name, x in found.items()}
    shown = choose_example(found, asked["target"])
    place = shown[0] * count + shown[1]
    example = trace(config, energy, rows[place], keys[place])
    return as_dataset(asked, found, example, shown, settings | {"fingerprint": mark})


def main() -> None:
    """The command line: run, save, print the table, draw."""
    config = tyro.cli(Config, description=__doc__)
    began = time.perf_counter()
    try:
        config = check(config)
        dataset = run(config)
        records = measure(dataset)
        save("recall", dataset, records, config, config.out)
        Chunks("recall", config.out, dataset.fingerprint).remove()
    except InputError as error:
        sys.exit(f"recall: {error}")
    except KeyboardInterrupt:
        sys.exit("recall: stopped. The same command goes on from here.")
    print(table(records))
    print(verdict(records))
    from figures import recall as figure, style

    paths = style.save(figure.draw(dataset), figure.NAME, config.figures, gallery=config.gallery)
    print(f"{time.perf_counter() - began:.0f} s; {config.out}/recall.zarr, {paths[-1]}")
