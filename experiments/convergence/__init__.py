"""How fast, how near and how safely do spikes of predictive coding descend its free energy?

On small random networks that have learned nothing, but for the spectrum:

- orders: greedy spikes of size d come to rest at a distance of order d from the minimum of F, and
  at an F above it of order d^2, on linear and on rectified networks, never raising F;
- budget: with a cost c of a spike there are at most (F(0) - F*) / c of them;
- dither: at a temperature T the time average is wrong by a term exponentially small in T / d^2
  (exact sums over the lattice, Poisson's sum, and averages over spikes);
- errors as spikes: corrections in quanta of gamma;
- spectrum: the ends of the Hessian's spectrum during training (digits), and the relaxation time
  they predict, against one measured;
- stability: parallel spikes, each unit with a probability (the step), hearing corrections late, and
  a linear theory of it; on a constant input and on one recording of a camera.

The networks of `experiments.learn` settle by another, parallel algorithm.

    python -m experiments.convergence             # results/convergence.zarr and a picture
    python -m experiments.convergence --quick
"""

import dataclasses

import jax
import numpy as np
import xarray as xr

from ..common import study
from ..common.data import load
from ..common.settings import setting
from . import maps as parallel, measure as measure

LINEAR, RECTIFIED = (6, 8, 7, 4), (6, 12, 10, 4)
KINDS = {"linear": (LINEAR, False), "rectified": (RECTIFIED, True)}
EVENTS = 35, 12, 8
RATIOS = 0.03, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3
SHARES = 0.05, 0.1, 0.2, 0.4, 0.7, 1.0
DELAYS = 0, 1, 2, 4, 8, 16
HEATS = 0.5, 2.0  # T / d^2 of the maps
CODED = 0.25, 0.5, 1.0  # gamma / d


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Convergence of spiking predictive coding."""

    quanta: tuple[float, ...] = setting(
        (0.2, 0.1, 0.05, 0.025, 0.0125), above=0, quick=lambda quanta: quanta[:4]
    )
    """Sizes d of a spike."""
    costs: tuple[float, ...] = setting(
        (0.001, 0.003, 0.01, 0.03, 0.1), above=0, quick=lambda costs: costs[2:4]
    )
    """Costs c of a spike, at d = 0.05."""
    seeds: int = setting(10, least=2, quick=4)  # two, for error bars
    """Networks of each kind."""
    events: int = setting(10_000, least=1, quick=lambda _: 2000)
    """Spikes of each of 16 chains for the time averages."""
    checkpoints: int = setting(8, least=1, quick=lambda _: 3)
    """Looks at the spectrum during training."""
    every: int = setting(40, least=1, quick=lambda _: 30)
    """Mini-batches between them."""
    steps: int = setting(400, least=2, quick=lambda _: 200)
    """Parallel steps for the stability map."""
    data_dir: str | None = None
    """The folder of N-MNIST's files, as for `bpcjax.data.load`."""


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """All parts."""
    quanta, seeds = config.quanta, config.seeds
    orders = [
        parts(f"orders, {name}", lambda s=sizes, r=rect: measure.orders(quanta, seeds, s, r))
        for name, (sizes, rect) in KINDS.items()
    ]
    paid = [
        parts(f"cost {c:g}", lambda c=c: measure.orders((0.05,), seeds, LINEAR, False, c))
        for c in config.costs
    ]
    dither = parts("dither", lambda: measure.dither(RATIOS, 0.5, config.events))
    coded = parts("spikes of errors", lambda: measure.coded(quanta, CODED, seeds, LINEAR))
    digits = load("digits")
    pixels = np.asarray(digits.pixels, float).reshape(len(digits.labels), -1)
    key = jax.random.key(0)
    spectrum = parts(
        "spectrum",
        lambda: parallel.spectra(
            pixels / pixels.max(), np.asarray(digits.labels), config.checkpoints, config.every, key
        ),
    )
    still = np.random.default_rng(0).normal(size=(1, LINEAR[0])).repeat(config.steps, axis=0)
    camera, source = parallel.recording(config.data_dir, config.steps)
    maps = [
        parts(
            f"stability, {name}",
            lambda x=x, n=n: parallel.stability(x, n, 4, (0.05, 0.2), HEATS, SHARES, DELAYS),
        )
        for name, x, n in (("constant", still, LINEAR), ("events", camera, EVENTS))
    ]
    by_kind = {k: np.array([o[k] for o in orders]) for k in orders[0]}
    order = "kind", "quantum", "seed"
    cell = "input", "map_quantum", "heat", "share", "delay"
    return xr.Dataset(
        {
            **{k: (order, v) for k, v in by_kind.items()},
            "paid_spikes": (("cost", "seed"), np.array([p["spikes"][0] for p in paid])),
            "paid_budget": (("cost", "seed"), np.array([p["budget"][0] for p in paid])),
            "bias_exact": (("ratio", "axis"), dither["exact"]),
            "bias_law": (("ratio", "axis"), dither["law"]),
            "bias_sampled": (("ratio", "chain", "axis"), dither["sampled"]),
            "coded_rms": (("gamma", "quantum", "seed"), coded["rms"]),
            "coded_rest": (("gamma", "quantum", "seed"), coded["rest"]),
            **{f"spectrum_{k}": (("checkpoint", "image"), v) for k, v in spectrum.items()},
            "map_excess": (cell, np.array([m["excess"] for m in maps])),
            "map_radius": (cell, np.array([m["radius"] for m in maps])),
        },
        coords={
            "kind": list(KINDS), "quantum": list(quanta), "cost": list(config.costs),
            "ratio": list(RATIOS), "gamma": list(CODED), "input": ["constant", "events"],
            "map_quantum": [0.05, 0.2], "heat": list(HEATS), "share": list(SHARES),
            "delay": list(DELAYS), "checkpoint": config.every * np.arange(config.checkpoints),
        },
        attrs={"events": source},
    )  # fmt: skip


def agreement(dataset: xr.Dataset) -> float:
    """The share of the map's cells where linear theory (radius below 1) and a bounded excess of F
    (below d^2 per unit times 10) say the same."""
    return float(((dataset.map_radius < 1) == (dataset.map_excess < 10)).mean())


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Slopes with half their intervals, and how far laws and measurements differ."""
    result: dict[str, float] = {}
    d = dataset.quantum.values
    for kind in dataset.kind.values:
        part = dataset.sel(kind=kind)
        for name in ("rms", "excess"):
            mean, half = measure.slope(d, part[name].values)
            result |= {f"{kind}: slope of {name}": mean, f"{kind}: slope of {name}, +-": half}
        result |= {
            f"{kind}: spikes that raised F": float(part.rises.sum()),
            f"{kind}: at rest": float(part.rest.mean()),
            f"{kind}: rms / bound, at most": float((part.rms / part.bound).max()),
        }
    used = dataset.paid_spikes * dataset.cost / dataset.paid_budget
    result["budget used, at most"] = float(used.max())
    law = np.abs(dataset.bias_law - dataset.bias_exact).max()
    result["dither: Poisson's sum - lattice sum, quanta"] = float(law)
    size = np.sqrt((dataset.bias_exact**2).sum("axis"))
    fit = np.polyfit(dataset.ratio[-5:], np.log(size[-5:] / dataset.ratio[-5:]), 1)[0]
    result["dither: exponent per T / d^2"] = float(fit)
    for gamma in dataset.gamma.values:
        part = dataset.sel(gamma=gamma)
        mean, half = measure.slope(d, part.coded_rms.values)
        result |= {
            f"errors in {gamma:g} d: slope": mean,
            f"errors in {gamma:g} d: slope, +-": half,
            f"errors in {gamma:g} d: at rest": float(part.coded_rest.mean()),
        }
    times = dataset.spectrum_predicted / dataset.spectrum_measured
    result["relaxation: predicted / measured, least"] = float(times.min())
    result["relaxation: predicted / measured, most"] = float(times.max())
    result["stability: theory and map agree"] = agreement(dataset)
    return result


STUDY = study.Study("convergence", Config, run, summary)
