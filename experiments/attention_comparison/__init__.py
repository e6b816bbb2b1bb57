"""Where does attention win, where does the spiking memory, at what energy?

Three tasks of recall on the same memories, each with three levels of damage: name a noisy pattern,
name the value of a noisy key (multi-query associative recall), name a damaged spike raster. Beta,
and the spikes' rate per time constant, are chosen for each method and level on two other sets of
memories. Then what ambiguous queries cost (`ambiguity`), and one trained layer (`training`).
Energies are of `bpcjax.cost`, like for like: all in single precision, or all with 8-bit weights, of
which accuracies are measured too. Inputs that are spikes are added, not multiplied, and silent ones
cost nothing, for attention as well.

What the full run says (256 memories, 20 sets; noise in units of a pattern's entries):

- Attention wins on ambiguous queries. At noise 3 its square error is 0.67 an entry, that of argmax
  1.04 and of one spike 1.35; the mean of S spikes pays tr Cov_p / S more, so that 14 spikes come
  within 0.05 of it. A decision by a lead of three votes then takes 21 spikes and is right in 0.41
  of queries, attention in 0.43; at noise 0.5 it takes three spikes, and all are right.
- To name the best match, which is all that the three tasks ask, argmax is as good as any method
  of one step and cheaper than all that are as good: 0.45 of attention's energy with graded inputs.
  There the best beta is large, and one spike is argmax: rows of more spikes are argmax with
  overhead.
- Graded inputs cost the spiking memory half of what attention takes before its first spike; 8
  spikes cost 1.05 of attention in single precision and 2.6 at 8 bits, where states of 32 bits and
  exponentials outweigh cheap products. With 784 such inputs and 1,000 memories it is cheaper up
  to 70 spikes, at 8 bits up to 16; with 100 input spikes up to 138, and 30.
- A batch ends the advantage: weights in DRAM that attention reads once for 64 queries make it
  cheaper at any number of spikes. Without a batch, spikes are cheaper up to 273.
- Where inputs are spikes too, naming a raster of which 60 % is lost (accuracy 0.95 for each) takes
  argmax 5.3 nJ, one spike 20, entmax 26, 8 spikes 126, and attention, which mixes 512 values to
  name one, 625: 8 spikes are at 0.20 of attention (at 8 bits 0.95), and at 24 times argmax.
- Trained with the score function, the mean of 8 spikes is not told from attention, 0.955 and 0.953
  (standard error 0.004), for 0.79 of the energy of pooling; one spike loses a hundredth.
- Counting weights alone, as is often done, would put the line at 4,436 spikes, not 138.

    python -m experiments.attention_comparison             # results/attention_comparison.zarr, ...
    python -m experiments.attention_comparison --quick     # fewer seeds, levels of beta, steps
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import study
from ..common.operations import PRICES
from ..common.study import Parts, setting
from . import ambiguity as ambiguity, energies as energies
from .report import summary, text
from .tasks import (
    FREE,
    LEVELS,
    MAKERS,
    METHODS,
    SPIKES,
    TUNED,
    Problem,
    as_int8,
    free_answers,
    spiking_winners,
    tuned_answers,
    voted,
)
from .training import BUDGETS, POOLINGS, train

BETAS = tuple(np.geomspace(0.03, 10.0, 8))
RATES = (1.0, 4.0, 16.0)  # spikes in a time constant of the visible units


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Attention and the spiking memory, on the same tasks."""

    patterns: int = setting(256, least=4, quick=64)
    """How many memories."""
    queries: int = setting(200, least=1, quick=60)
    """How many to ask for, at every level, of each seed."""
    seeds: int = setting(20, least=2, quick=3)
    """How many sets of memories; two more choose beta."""
    layer_seeds: int = setting(6, least=1, quick=1)
    """How many starts of the trained layer."""
    steps: int = setting(1500, least=1, quick=200)
    """Of its training."""
    seed: int = setting(0, least=0)
    """Of memories, queries, spikes, and starts."""


def _split(answers, problem: Problem, levels: int) -> np.ndarray:
    """The share of right answers [methods, levels] of answers [methods, L Q]."""
    named = np.asarray(answers).reshape(len(answers), levels, -1)
    return (named == problem.target).mean(axis=-1)


def _grids(problem: Problem, keys, levels: int, key) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy over BETAS: of TUNED [betas, methods, levels], and of spikes, over RATES too
    [betas, rates, spikes, levels].
    """
    keys, tokens, queries = map(jnp.asarray, (keys, problem.tokens, problem.queries))
    smooth, spikes = [], []
    for beta in map(jnp.asarray, BETAS):
        smooth.append(_split(tuned_answers(keys, tokens, queries, beta), problem, levels))
        row = [
            voted(spiking_winners(keys, queries, beta, jnp.asarray(rate), key), tokens)
            for rate in RATES
        ]
        spikes.append([_split(own, problem, levels) for own in row])
    return np.stack(smooth), np.array(spikes)


def task(config: Config, name: str) -> dict[str, np.ndarray]:
    """Accuracy [levels, METHODS, seeds] with beta, and the spikes' rate, chosen on two other
    sets; the same with keys of 8 bits; the choices; how many entries of a query are not 0.
    """
    make, levels = partial(MAKERS[name], patterns=config.patterns), len(LEVELS[name])
    place = list(MAKERS).index(name)

    def problem(k: int) -> Problem:
        return make(np.random.default_rng([config.seed, place, k]), queries=config.queries)

    def key(k: int):
        return jax.random.fold_in(jax.random.key(config.seed + place), k)

    tuning = [problem(config.seeds + k) for k in range(2)]
    smooth, spikes = (
        np.mean(grid, axis=0)
        for grid in zip(
            *(_grids(own, own.keys, levels, key(10_000 + k)) for k, own in enumerate(tuning)),
            strict=True,
        )
    )
    best = smooth.argmax(axis=0)  # [methods, levels]: the smallest beta of the best
    flat = spikes.reshape(-1, *spikes.shape[2:]).argmax(axis=0)  # [spikes, levels]
    result = np.zeros((2, levels, len(METHODS), config.seeds))
    inputs = np.zeros(levels)
    for k in range(config.seeds):
        own = problem(k)
        inputs += (own.queries != 0).reshape(levels, -1, own.queries.shape[1]).sum(2).mean(1)
        for row, keys in enumerate((own.keys, as_int8(own.keys))):
            grid, drawn = _grids(own, keys, levels, key(k))
            free = _split(free_answers(keys, own.tokens, own.queries), own, levels)
            drawn = drawn.reshape(-1, *drawn.shape[2:])
            for level in range(levels):
                parts = (
                    [grid[best[m, level], m, level] for m in range(len(TUNED))],
                    free[:, level],
                    [drawn[flat[s, level], s, level] for s in range(len(SPIKES))],
                )
                result[row, level, :, k] = np.concatenate(parts)
    if name == "raster":  # networks of signs know no time
        result[:, :, [METHODS.index(own) for own in FREE[1:]]] = np.nan
    return {
        "accuracy": result,
        "inputs": inputs / config.seeds,
        "beta": np.array(BETAS)[best].T,
        "spiking_beta": np.repeat(BETAS, len(RATES))[flat].T,
        "spiking_rate": np.tile(RATES, len(BETAS))[flat].T,
    }


def _of_queries(arrays: dict[str, np.ndarray]) -> dict[str, tuple]:
    """Variables of ambiguous queries."""
    each, last = ("noise", "set", "query"), {"spiking": ("draws",), "right": ("by",)}
    return {f"query_{name}": ((*each, *last.get(name, ())), x) for name, x in arrays.items()}


def _of_tasks(config: Config, tables: dict[str, dict[str, np.ndarray]]) -> dict[str, tuple]:
    """Variables of the three tasks."""
    stack = {key: np.stack([own[key] for own in tables.values()]) for key in tables["auto"]}
    joules = np.stack(
        [energies.of_task(config.patterns, name, own["inputs"]) for name, own in tables.items()]
    )
    cell = "task", "damage"
    return {
        "level": (cell, np.array(list(LEVELS.values()))),
        "accuracy": (("task", "memory", "damage", "model", "seed"), stack["accuracy"]),
        "inputs": (cell, stack["inputs"]),
        "beta": ((*cell, "tuned"), stack["beta"]),
        "spiking_beta": ((*cell, "spikes"), stack["spiking_beta"]),
        "spiking_rate": ((*cell, "spikes"), stack["spiking_rate"]),
        "energy": ((*cell, "model", "price"), np.stack(joules), {"units": "nJ"}),
    }


def run(config: Config, parts: Parts) -> xr.Dataset:
    """The study, part by part."""
    tables = {name: parts(name, partial(task, config, name)) for name in MAKERS}
    sets = min(config.seeds, 10)
    queries = parts(
        "ambiguity", lambda: ambiguity.measure(config.patterns, config.queries, sets, config.seed)
    )
    layer = parts("trained layer", lambda: train(config.layer_seeds, config.steps, config.seed))
    lines = energies.of_example()
    return xr.Dataset(
        {
            **_of_tasks(config, tables),
            **_of_queries(queries),
            "trained": (("pooling", "start", "budget"), layer["trained"]),
            "trained_spread": (("start",), layer["spread"]),
            "trained_energy": (
                ("pooling", "budget", "price"), energies.of_pooling(), {"units": "nJ"}
            ),
            "ratio": (("case", "example_spikes"), lines["ratio"]),
            "even": (("case",), lines["even"]),
            "loihi": (("example_spikes",), lines["loihi"], {"units": "nJ"}),
        },
        coords={
            "task": list(MAKERS), "memory": list(PRICES), "model": list(METHODS),
            "tuned": list(TUNED), "spikes": list(SPIKES), "price": list(PRICES),
            "noise": list(ambiguity.NOISE), "draws": list(ambiguity.DRAWS),
            "by": ["decision", "attention", "first spike"], "pooling": list(POOLINGS),
            "budget": list(BUDGETS), "case": lines["case"],
            "example_spikes": list(energies.EXAMPLE_SPIKES),
        },
        attrs={"patterns": config.patterns, "lead": ambiguity.LEAD, "error": ambiguity.ERROR},
    )  # fmt: skip


STUDY = study.Study("attention_comparison", Config, run, summary, table=text)
