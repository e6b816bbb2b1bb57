"""Where does attention win, where does the spiking memory, at what energy?

Three tasks of recall on the same memories, each with three levels of damage: name a noisy pattern,
name the value of a noisy key (multi-query associative recall), name a damaged spike raster. Beta,
and the spikes' rate per time constant, are chosen for each method and level on two other sets of
memories. Then what ambiguous queries cost (`attention_comparison_ambiguity`), and one trained
layer (`attention_comparison_training`). Energies are of `bpcjax.cost`, like for like: all in
single precision, or all with 8-bit weights, of which accuracies are measured too. Inputs that are
spikes are added, not multiplied, and silent ones cost nothing, for attention as well.

What the full run says (256 memories, 20 sets; noise in units of a pattern's entries):

- Attention wins on ambiguous queries. At noise 3 its square error is 0.67 an entry, that of argmax
  1.04 and of one spike 1.35; the mean of S spikes pays tr Cov_p / S more, so that 14 spikes come
  within 0.05 of it. A decision by a lead of three votes then takes 21 spikes and is right in 0.41
  of queries, attention in 0.43; at noise 0.5 it takes three spikes, and all are right.
- To name the best match argmax is as good as any method and cheaper than all: 0.45 of attention's
  energy with graded inputs. There the best beta is large, and one spike is argmax.
- Graded inputs cost the spiking memory half of what attention takes before its first spike; 8
  spikes cost 1.05 of attention in single precision and 2.6 at 8 bits, where states of 32 bits and
  exponentials outweigh cheap products. With 784 such inputs and 1,000 memories it is cheaper up
  to 70 spikes, at 8 bits up to 16; with 100 input spikes up to 138, and 30.
- A batch ends the advantage: weights in DRAM that attention reads once for 64 queries make it
  cheaper at any number of spikes. Without a batch, spikes are cheaper up to 273.
- Spikes win where inputs are spikes and queries clear: 8 spikes name a raster of which 60 % is
  lost as well as attention (0.95) at 0.20 of its energy, at 8 bits 0.95.
- Trained with the score function, the mean of 8 spikes is as good as attention, 0.955 and 0.953
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

from bpcjax import cost
from bpcjax.cost import FP32, INT8, Counts, Ledger

from ..common import study
from ..common.counts import PRICES, loihi
from ..common.study import Parts
from . import ambiguity as ambiguity
from .report import summary, verdict
from .tasks import (
    FREE,
    LEVELS,
    MAKERS,
    METHODS,
    SPIKES,
    TUNED,
    Problem,
    as_int8,
    counts,
    free_answers,
    spiking_winners,
    tuned_answers,
    voted,
)
from .training import BUDGETS, POOLINGS, TOKENS, UPDATES, WIDTH, train

NAME = "attention_comparison"
BETAS = tuple(np.geomspace(0.03, 10.0, 8))
RATES = (1.0, 4.0, 16.0)  # spikes in a time constant of the visible units
EXAMPLE = 784, 1000  # pixels and patterns, of the energies that are computed only
TRAIN = tuple(np.unique(np.geomspace(1, 3000, 60).round()))  # spikes of a query there


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Attention and the spiking memory, on the same tasks."""

    patterns: int = 256
    """How many memories."""
    queries: int = 200
    """How many to ask for, at every level, of each seed."""
    seeds: int = 20
    """How many sets of memories; two more choose beta."""
    layer_seeds: int = 6
    """How many starts of the trained layer."""
    steps: int = 1500
    """Of its training."""
    seed: int = 0
    """Of memories, queries, spikes, and starts."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (
        ("patterns", 4), ("queries", 1), ("seeds", 2), ("layer_seeds", 1), ("steps", 1),
        ("seed", 0),
    ):  # fmt: skip
        study.at_least(least, config, name)
    if config.quick:
        few = {"patterns": 64, "queries": 60, "seeds": 3, "layer_seeds": 1, "steps": 200}
        fewer = {name: min(getattr(config, name), most) for name, most in few.items()}
        config = dataclasses.replace(config, **fewer)
    return config


def _split(found, problem: Problem, levels: int) -> np.ndarray:
    """The share of right answers [methods, levels] of answers [methods, L Q]."""
    named = np.asarray(found).reshape(len(found), levels, -1)
    return (named == problem.target).mean(axis=-1)


def _grids(problem: Problem, keys, levels: int, key) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy over BETAS: of TUNED [betas, methods, levels], and of spikes, over RATES too
    [betas, rates, spikes, levels].
    """
    given = jnp.asarray(keys), jnp.asarray(problem.tokens), jnp.asarray(problem.queries)
    smooth, spikes = [], []
    for beta in map(jnp.asarray, BETAS):
        smooth.append(_split(tuned_answers(*given, beta), problem, levels))
        row = [
            voted(spiking_winners(given[0], given[2], beta, jnp.asarray(rate), key), given[1])
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


def energies(config: Config, name: str, inputs: np.ndarray) -> np.ndarray:
    """The energy (nJ) of a query [levels, METHODS, prices]."""
    return np.array(
        [
            [
                [float(Ledger(own).energy(counts(name, m, config.patterns, k))) / 1e3
                 for own in PRICES.values()]
                for m in METHODS
            ]
            for k in inputs
        ]
    )  # fmt: skip


def layer_counts(pooling: str, spikes: float) -> Counts:
    """Operations of pooling one bag."""
    if pooling == POOLINGS[0]:
        return cost.attention_counts(WIDTH, TOKENS)
    if pooling == POOLINGS[1]:
        return cost.attention_counts(WIDTH, TOKENS, steps=UPDATES)
    return cost.sampled_attention_counts(WIDTH, TOKENS, spikes)


def _lines() -> dict[str, np.ndarray]:
    """Energy of the spiking memory over that of attention, by the spikes of a query."""
    width, memories = EXAMPLE
    dram = cost.MEMORIES[-1]
    cases = {
        "100 input spikes, weights alone": (FP32, None, 100, False, 1),
        "100 input spikes": (FP32, None, 100, False, 1),
        "784 graded inputs": (FP32, None, 784, True, 1),
        "100 input spikes, int8": (INT8, None, 100, False, 1),
        "784 graded inputs, int8": (INT8, None, 784, True, 1),
        "100 input spikes, DRAM": (FP32, dram, 100, False, 1),
        "100 input spikes, DRAM, batch of 64": (FP32, dram, 100, False, 64),
    }
    ratio, even = [], []
    for label, (technology, memory, inputs, graded, batch) in cases.items():
        ledger = Ledger(technology, memory)
        only = cost.synapses_alone if "alone" in label else lambda own: own
        rival = only(cost.attention_counts(width, memories, batch=batch))

        def made(s, inputs=inputs, graded=graded, only=only):
            return only(cost.spiking(inputs, s, width, memories, graded=graded))

        ratio.append([ledger.energy(made(s)) / ledger.energy(rival) for s in TRAIN])
        even.append(cost.break_even(ledger, made, rival))
    return {"case": np.array(list(cases)), "ratio": np.array(ratio), "even": np.array(even)}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """The study, part by part.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    found = {name: parts(name, partial(task, config, name)) for name in MAKERS}
    asked = parts(
        "ambiguity",
        lambda: ambiguity.measure(
            config.patterns, config.queries, min(config.seeds, 10), config.seed
        ),
    )
    layer = parts("trained layer", lambda: train(config.layer_seeds, config.steps, config.seed))
    lines = _lines()
    together = {key: np.stack([own[key] for own in found.values()]) for key in found["auto"]}
    joules = np.stack([energies(config, name, own["inputs"]) for name, own in found.items()])
    pooling = [
        [[float(Ledger(own).energy(layer_counts(p, s))) / 1e3 for own in PRICES.values()]
         for s in BUDGETS]
        for p in POOLINGS
    ]  # fmt: skip
    chip = [loihi(cost.spiking(100.0, s, *EXAMPLE)) / 1e3 for s in TRAIN]
    each = ("noise", "set", "query")
    dataset = xr.Dataset(
        {
            "level": (("task", "damage"), np.array(list(LEVELS.values()))),
            "accuracy": (("task", "memory", "damage", "model", "seed"), together["accuracy"]),
            "inputs": (("task", "damage"), together["inputs"]),
            "beta": (("task", "damage", "tuned"), together["beta"]),
            "spiking_beta": (("task", "damage", "spikes"), together["spiking_beta"]),
            "spiking_rate": (("task", "damage", "spikes"), together["spiking_rate"]),
            "energy": (("task", "damage", "model", "price"), joules, {"units": "nJ"}),
            **{
                f"query_{name}": ((*each, "draws") if name == "spiking" else
                                  (*each, "by") if name == "right" else each, x)
                for name, x in asked.items()
            },
            "trained": (("pooling", "start", "budget"), layer["trained"]),
            "trained_spread": (("start",), layer["spread"]),
            "trained_energy": (("pooling", "budget", "price"), np.array(pooling), {"units": "nJ"}),
            "ratio": (("case", "train"), lines["ratio"]),
            "even": (("case",), lines["even"]),
            "loihi": (("train",), np.array(chip), {"units": "nJ"}),
        },
        coords={
            "task": list(MAKERS), "memory": list(PRICES), "model": list(METHODS),
            "tuned": list(TUNED), "spikes": list(SPIKES), "price": list(PRICES),
            "noise": list(ambiguity.NOISE), "draws": list(ambiguity.DRAWS),
            "by": ["decision", "attention", "first spike"], "pooling": list(POOLINGS),
            "budget": list(BUDGETS), "case": lines["case"], "train": list(TRAIN),
        },
        attrs={"patterns": config.patterns, "lead": ambiguity.LEAD, "error": ambiguity.ERROR},
    )  # fmt: skip
    dataset.attrs["verdict"] = verdict(dataset)
    return dataset


def _figure():
    from figures import attention_comparison

    return attention_comparison


def main() -> None:
    """The command line."""

    def told(config: Config, parts: Parts) -> xr.Dataset:
        dataset = run(config, parts)
        print(dataset.attrs["verdict"])
        return dataset

    study.main(NAME, Config, told, summary, _figure, __doc__)
