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

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import SPLITS
from ..common.memories import with_flat_prior
from ..common.study import Parts, setting
from .example import choose, landscape, rival, trace
from .methods import Presentation, make_queries, recall
from .report import as_dataset, measure, text, with_metrics


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of spoilt images by spikes, by attention and by nearest pattern."""

    data: str = setting("digits", among=tuple(SPLITS))
    """The images: digits (in scikit-learn), mnist or fashion_mnist (their training sets)."""
    data_dir: str | None = None
    """The folder of the set's official files, or of folders called mnist and fashion_mnist; by
    default $BPCJAX_DATA, or a download."""
    patterns: int = setting(200, least=2, quick=30)
    """How many images to store, drawn evenly over the ten classes."""
    queries: int = setting(200, least=1, quick=10)
    """How many of them to ask for, under each corruption."""
    beta: float = setting(1.0, above=0)
    """One over the variance of the noise that the memory expects (pixels vary by 1)."""
    rate: float = setting(10.0, above=0)
    """Spikes of the whole memory layer per unit of time."""
    tau: float = setting(1.0, above=0)
    """Time constant of the visible units, in the unit of time."""
    t1: float = setting(4.0, above=0)
    """How long a query is presented, in the unit of time."""
    seed: int = setting(0, least=0)
    """Seed of the choice of images, the noise and the spikes."""
    chunk: int = setting(100, least=1, quick=80)
    """How many queries to ask at a time."""

    @property
    def presentation(self) -> Presentation:
        """How a query is presented."""
        return Presentation(self.rate, self.tau, self.t1)

    def verify(self) -> None:
        """Spikes must fit into memory, and patterns suffice for the queries.

        **Raises:** `InputError` naming the setting.
        """
        if self.rate * self.t1 > 1e5:
            raise InputError(f"rate: rate * t1 is {self.rate * self.t1:g}; keep it below 1e5.")
        if self.queries > self.patterns:
            raise InputError(
                f"queries: {self.queries}, but only {self.patterns} patterns, each asked for once "
                "so that queries are independent. Lower queries or raise patterns."
            )


def answers(config: Config, energy, rows: jax.Array, keys: jax.Array, parts: Parts):
    """What `recall` gives for all `rows` [R, N], chunk by chunk."""
    chunks: list[dict[str, np.ndarray]] = []
    for start in range(0, len(rows), config.chunk):
        own = min(config.chunk, len(rows) - start)
        # The last chunk is padded with its last row: one shape, so one compilation.
        index = jnp.minimum(jnp.arange(start, start + config.chunk), len(rows) - 1)

        def make(index=index, own=own):
            chunk = recall(config.presentation, energy, rows[index], keys[index])
            return {name: np.asarray(x)[:own] for name, x in chunk.items()}

        chunks.append(parts(f"answers {start} to {start + own - 1}", make))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All answers to all queries, with the queries and one example in full."""
    task = parts(
        "queries",
        lambda: make_queries(
            config.data, config.data_dir, config.patterns, config.queries, config.seed
        ),
    )
    energy = with_flat_prior(task["patterns"], config.beta)
    corruptions, count, pixels = task["query"].shape
    rows = jnp.asarray(task["query"].reshape(-1, pixels), energy.patterns.dtype)
    key = jax.random.key(config.seed)
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(len(rows)))
    flat = answers(config, energy, rows, keys, parts)
    result = {name: x.reshape(corruptions, count, *x.shape[1:]) for name, x in flat.items()}
    place = choose(result, task["target"])
    row = place[0] * count + place[1]
    example = trace(config.presentation, energy, rows[row], keys[row])
    winner = max(int(result["recalled"][place][0]), 0)  # -1: no late spike
    other = rival(example["spike_neuron"], winner, task["patterns"], task["query"][place])
    plane = landscape(energy, rows[row], winner, other, example["state"])
    dataset = as_dataset(task, result, example, plane)
    example_attrs = dict(
        example_corruption=int(place[0]), example_query=int(place[1]), example_rival=other
    )
    setup = {name: getattr(config, name) for name in ("beta", "rate", "tau", "t1")}
    return with_metrics(dataset.assign_attrs(setup | example_attrs))


STUDY = study.Study("recall", Config, run, measure, double=False, table=text)
