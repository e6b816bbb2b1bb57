"""What does a memory gain whose refuted hypotheses fall silent, and where does it lose?

P digit images are the memories of one energy, `ModernHopfield.from_prior` with a flat prior, so
that its posterior is Bayes' for Gaussian noise of variance `1 / beta`. Pixels are standardised:
0 is the mean of the data, 1 a pixel's typical departure from it. Every method gets the same
queries, stored images that are noisy or of which rows are missing, and is right if it names that
image:

- spiking: `sequential_recall`, whose pixels come one after another, in the order of their variance
  over the memories; each is evidence to the memories that are alive, and who is behind by theta
  falls silent. Missing pixels send nothing. The true memory is silenced with the probability
  `error` at most (Ville's bound), so `theta = ln((P - 1) / error)`;
- spiking, sigma unknown: the same with Student-t evidence, which is not told the noise;
- draws from the posterior: `SpikingHopfield` with `Hold()`, from spike to spike up to `t1`; the
  answer is the memory with most spikes in the last half;
- attention: one update of the same energy, or five, then the nearest pattern;
- nearest: the pattern nearest to the query; of what is seen: to the pixels that are there, under a
  flat prior the best answer there is (Bayes');
- partial distance: the same answer by search with early abandoning (Bei & Gray 1985).

Missing pixels are 0 to draws, attention and nearest, which must have a number. All but the row of
unknown sigma know the noise; where there is none, `floor` is assumed.

Costs are operations of a query and their energy (`bpcjax.cost`): all methods in single precision,
and all with 8-bit weights; without and with the traffic of weights and states to a memory that
holds them. Products with pixels that are 0 are skipped by all but attention.

    python -m experiments.recall             # results/recall.zarr, results/recall/, a picture
    python -m experiments.recall --quick     # does it run at all?

A run that was stopped goes on where it was when it is started again.
"""

import dataclasses
import math

import jax
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import SPLITS
from ..common.study import Parts, setting
from .corruptions import CORRUPTIONS
from .example import choose, trace
from .methods import Presentation, Sequential, make_queries, recall
from .report import as_dataset, measure, text, with_example, with_metrics


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recall of spoilt images by a memory that decides early, beside attention and search."""

    data: str = setting("digits", among=tuple(SPLITS))
    """The images: digits (in scikit-learn), mnist or fashion_mnist (their training sets)."""
    data_dir: str | None = None
    """The folder of the set's official files, or of folders called mnist and fashion_mnist; by
    default $BPCJAX_DATA, or a download."""
    patterns: int = setting(200, least=2, quick=30)
    """How many images to store, drawn evenly over the ten classes."""
    queries: int = setting(200, least=1, quick=10)
    """How many of them to ask for, under each corruption."""
    error: float = setting(0.05, above=0, below=1)
    """Bound of the probability that the sequential memory silences the true pattern."""
    floor: float = setting(0.25, above=0)
    """Standard deviation of the noise that is assumed where there is none (pixels vary by 1)."""
    block: int = setting(4, least=1)
    """Pixels between tests of the sequential memory."""
    rate: float = setting(10.0, above=0)
    """Of the memory that draws: spikes of all its neurons per unit of time."""
    tau: float = setting(1.0, above=0)
    """Time constant of the visible units, in the unit of time."""
    t1: float = setting(4.0, above=0)
    """How long a query is presented, in the unit of time."""
    seed: int = setting(0, least=0)
    """Seed of the choice of images, the noise and the spikes."""
    chunk: int = setting(200, least=1, quick=80)
    """How many queries to ask at a time."""

    @property
    def sequential(self) -> Sequential:
        """How the sequential memory takes a query."""
        theta = math.log((self.patterns - 1) / self.error)
        return Sequential(theta, self.block, self.floor)

    @property
    def presentation(self) -> Presentation:
        """How a query is presented to the memory that draws."""
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


def answers(config: Config, task: dict[str, np.ndarray], parts: Parts) -> dict[str, np.ndarray]:
    """What `recall` gives for all corruptions and queries [C, Q, ...], chunk by chunk."""
    key = jax.random.key(config.seed)
    rows: list[dict[str, np.ndarray]] = []
    for c, spoil in enumerate(CORRUPTIONS):
        for start in range(0, config.queries, config.chunk):
            # The last chunk is padded with its last row: one shape, so one compilation.
            own = min(config.chunk, config.queries - start)
            index = np.minimum(np.arange(start, start + config.chunk), config.queries - 1)
            keys = jax.vmap(lambda i, c=c: jax.random.fold_in(jax.random.fold_in(key, c), i))(index)

            def make(c=c, spoil=spoil, index=index, own=own, keys=keys):
                query = task["query"][c][index]
                given = recall(config.sequential, config.presentation, spoil, task, query, keys)
                return {name: np.asarray(x)[:own] for name, x in given.items()}

            rows.append(parts(f"{spoil.name}, queries {start} to {start + own - 1}", make))
    flat = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    shape = len(CORRUPTIONS), config.queries
    return {name: x.reshape(*shape, *x.shape[1:]) for name, x in flat.items()}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All answers to all queries, with the queries and one example in full."""
    task = parts(
        "queries",
        lambda: make_queries(
            config.data, config.data_dir, config.patterns, config.queries, config.seed
        ),
    )
    result = answers(config, task, parts)
    dataset = with_metrics(as_dataset(task, result))
    place = choose(result, task["target"])
    example = parts("one recall in full", lambda: trace(config.sequential, task, *place))
    attrs = dict(example_corruption=place[0], example_query=place[1])
    setup = {name: getattr(config, name) for name in ("error", "floor", "block", "rate", "t1")}
    setup |= {"theta": config.sequential.theta}
    return with_example(dataset, example).assign_attrs(setup | attrs)


STUDY = study.Study("recall", Config, run, measure, double=False, table=text)
