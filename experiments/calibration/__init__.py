"""Does a posterior over weights tell what it does not know?

Networks that learned by spikes (those of `experiments.learn`) from few images and from more, asked
about images of the test: plain, turned, with noise, and of another set (MNIST and Fashion-MNIST
are strange to each other). Their readings:

- point: the network; tempered: its outputs over a temperature chosen on images held out;
- synapses, matrices: the average over networks drawn from a posterior over all weights, of every
  synapse by itself or of a layer's together, made of local products at the point. The precision of
  the prior is chosen on the same images as the temperature; what the evidence prefers is told;
- both: the average over matrices, with a temperature, both chosen there;
- ensemble: the average over points from other first weights, at several times the cost.

What is not known is the mutual information of answer and weights (epistemic); the rest is
aleatoric. And a readout of fixed random rectified units: its most probable weights against
independent synapses with means and variances (variational online Newton over all samples at once,
until F rests: there the curvature is in equilibrium).

    python -m experiments.calibration             # results/calibration.zarr and a picture
    python -m experiments.calibration --quick     # the embedded digits
"""

import dataclasses

import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import load
from ..common.study import Parts
from .features import MEASURES, METHODS, SHIFTS, measure as measure_features
from .networks import CONDITIONS, READINGS, SCORES, STATISTICS, images, measure

NAME = "calibration"
T_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's, by the number of splits


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Calibration with and without a posterior."""

    networks: tuple[str, ...] = ("mnist", "fashion_mnist")
    """Images that spiking networks learn: digits, mnist, fashion_mnist."""
    learned: tuple[int, ...] = (1000, 10000)
    """How many images they learn from."""
    width: int = 256
    """Their hidden units."""
    updates: int = 800
    """Batches of 128 to learn from."""
    weights: int = 16
    """Networks drawn from a posterior."""
    members: int = 3
    """Of an ensemble."""
    tests: int = 1000
    """Images asked about."""
    sets: tuple[str, ...] = ("digits", "mnist", "fashion_mnist")
    """Images for the readout of random units."""
    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    samples: tuple[int, ...] = (100, 700)
    """How many images the readout learns from."""
    units: int = 200
    """Random rectified units."""
    precision: float = 20.0
    """Of the prior over each of the readout's weights."""
    steps: int = 1500
    """Of the readout's learning."""
    draws: int = 64
    """Readouts to average over."""
    seeds: int = 3
    """Splits, and first weights."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    positive = "seeds", "draws", "units", "width", "updates", "weights", "members", "tests"
    study.at_least(1, config, *positive)
    for name, least in (("samples", 1), ("learned", 128)):
        if not getattr(config, name) or min(getattr(config, name)) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    study.at_least(200, config, "steps")
    if config.quick:
        config = dataclasses.replace(
            config, networks=("digits",), learned=(600,), sets=("digits",), tests=300, members=2,
            width=min(config.width, 128), updates=min(config.updates, 400), weights=8,
            seeds=min(config.seeds, 2), samples=config.samples[:1],
        )  # fmt: skip
    return config


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All sets, numbers of images and splits, of networks and of readouts."""
    config = check(config)

    def network(name: str, count: int, seed: int):
        given = images(name, config.data_dir, count, config.tests, seed)
        return measure(
            given, width=config.width, updates=config.updates, draws=config.weights,
            members=config.members, seed=seed,
        )  # fmt: skip

    def readout(name: str, count: int, seed: int):
        return measure_features(
            load(name, config.data_dir), count, seed, units=config.units,
            precision=config.precision, steps=config.steps, draws=config.draws,
        )  # fmt: skip

    def several(label: str, make, names: tuple[str, ...], counts: tuple[int, ...]):
        found = [
            parts(f"{label} {n} {c} {s}", lambda n=n, c=c, s=s: make(n, c, s))
            for n in names for c in counts for s in range(config.seeds)
        ]  # fmt: skip
        shape = len(names), len(counts), config.seeds
        stack = {k: np.array([f[k] for f in found]) for k in found[0]}
        return {k: v.reshape(*shape, *v.shape[1:]) for k, v in stack.items()}

    one = several("network", network, config.networks, config.learned)
    two = several("readout", readout, config.sets, config.samples)
    nets, axes = ("images", "learned", "split"), ("set", "samples", "split")
    found = xr.Dataset(
        {
            "net_scores": ((*nets, "condition", "network", "score"), one["net_scores"]),
            "net_unsure": ((*nets, "asked", "network", "part"), one["net_unsure"]),
            "reliability": ((*nets, "condition", "network", "sum", "bin"), one["reliability"]),
            "auroc": ((*nets, "network", "statistic"), one["auroc"]),
            "temperature": (nets, one["temperature"]),
            "prior_precision": ((*nets, "posterior"), one["precision"]),
            "evidence_precision": ((*nets, "posterior"), one["evidence"]),
            "halves": (nets, one["halves"]),
            "scores": ((*axes, "shift", "reading", "measure"), two["scores"]),
            "unsure": ((*axes, "shift", "part"), two["unsure"]),
            "rest": (axes, two["rest"]),
        },
        {
            "images": list(config.networks), "learned": list(config.learned),
            "condition": list(CONDITIONS), "asked": [*CONDITIONS, "strange"],
            "network": list(READINGS), "score": list(SCORES), "statistic": list(STATISTICS),
            "sum": ["samples", "confidence", "right"], "posterior": ["synapses", "matrices"],
            "set": list(config.sets), "samples": list(config.samples), "shift": list(SHIFTS),
            "reading": list(METHODS), "measure": list(MEASURES),
            "part": ["epistemic", "aleatoric"],
        },
    )  # fmt: skip
    print(verdict(found), flush=True)
    return found


def gains(dataset: xr.Dataset, reading: str, rival: str) -> tuple[xr.DataArray, xr.DataArray]:
    """What NLL falls by from `rival` to `reading`: its mean over splits, and half the width of its
    95 % interval (Student's t)."""
    nll = dataset.net_scores.sel(score="nll")
    gain = nll.sel(network=rival) - nll.sel(network=reading)
    count = gain.sizes["split"]
    if count < 2:
        return gain.mean("split"), xr.full_like(gain.mean("split"), np.inf)
    half = T_95.get(count, 2.776) * gain.std("split", ddof=1) / np.sqrt(count)
    return gain.mean("split"), half


def verdict(dataset: xr.Dataset) -> str:
    """The claim, or that there is none: where averages beat the point and the tempered point."""
    lines = ["Averages that are better in NLL (and worse), by 95 % intervals over splits:"]
    for name in map(str, dataset.images.values):
        for count in dataset.learned.values:
            for reading in ("synapses", "matrices", "both", "ensemble"):
                told = []
                for rival in ("point", "tempered"):
                    mean, half = gains(dataset, reading, rival)
                    mean, half = (v.sel(images=name, learned=count) for v in (mean, half))
                    won, lost = int((mean > half).sum()), int((mean < -half).sum())
                    told.append(f"than the {rival} in {won} ({lost}) of {mean.size} conditions")
                lines.append(f"  {name}, {count} images, {reading}: {', '.join(told)}")
    return "\n".join(lines)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over splits, gains in NLL with their deviations, and how often averages win."""
    result: dict[str, float] = {}
    for name in map(str, dataset.images.values):
        for count in dataset.learned.values:
            here, label = dataset.sel(images=name, learned=count), f"network, {name}, {count}"
            result[f"{label}: temperature"] = float(here.temperature.mean())
            result[f"{label}: curvature, correlation of halves"] = float(here.halves.min())
            for kind in map(str, dataset.posterior.values):
                for key, told in (("prior", "chosen"), ("evidence", "by the evidence")):
                    value = float(here[f"{key}_precision"].sel(posterior=kind).mean())
                    result[f"{label}, {kind}: precision of the prior, {told}"] = value
            for reading in READINGS:
                row = f"{label}, {reading}"
                for condition in CONDITIONS:
                    for score in SCORES:
                        value = here.net_scores.sel(
                            condition=condition, network=reading, score=score
                        )
                        result[f"{row}, {condition}: {score}"] = float(value.mean())
                for statistic in STATISTICS:
                    value = here.auroc.sel(network=reading, statistic=statistic)
                    result[f"{row}: auroc, {statistic}"] = float(value.mean())
                for asked in ("plain", "turned by 30", "strange"):
                    part = here.net_unsure.sel(asked=asked, network=reading).mean("split")
                    for p in ("epistemic", "aleatoric"):
                        result[f"{row}, {asked}: {p}, nats"] = float(part.sel(part=p))
    for reading in ("synapses", "matrices", "both", "ensemble"):
        for rival in ("point", "tempered"):
            mean, half = gains(dataset, reading, rival)
            result[f"network: {reading} beats {rival} in nll, conditions"] = float(
                (mean > half).sum()
            )
            result[f"network: {reading} loses to {rival} in nll, conditions"] = float(
                (mean < -half).sum()
            )
    result["network: conditions"] = float(gains(dataset, "matrices", "point")[0].size)
    nll = dataset.net_scores.sel(score="nll")
    for name in map(str, dataset.images.values):
        for count in dataset.learned.values:
            for reading in ("tempered", "synapses", "matrices", "both", "ensemble"):
                for condition in CONDITIONS:
                    cell = nll.sel(images=name, learned=count, condition=condition)
                    gain = cell.sel(network="point") - cell.sel(network=reading)
                    label = f"gain, {name}, {count}, {reading}, {condition}"
                    result[f"{label}: nats"] = float(gain.mean())
                    if gain.size > 1:
                        result[f"{label}: deviation"] = float(gain.std(ddof=1))
    return result | _readouts(dataset)


def _readouts(dataset: xr.Dataset) -> dict[str, float]:
    """The table of random units; how many conditions the average wins in NLL by twice its error."""
    result, won, of = {}, 0, 0
    for name in dataset.set.values:
        for count in dataset.samples.values:
            here = dataset.sel(set=name, samples=count)
            result[f"{name}, {count}: F still to fall in 100 steps"] = float(abs(here.rest).max())
            for shift in SHIFTS:
                table = here.scores.sel(shift=shift)
                for row in METHODS:
                    for m in MEASURES:
                        value = table.sel(reading=row, measure=m).mean()
                        result[f"{name}, {count}, {shift}: {row}, {m}"] = float(value)
                nll = table.sel(measure="nll")
                gain = nll.sel(reading="point") - nll.sel(reading="average")
                won += float(gain.mean()) > 2 * float(gain.std()) / np.sqrt(gain.size)
                of += 1
                part = here.unsure.sel(shift=shift, part="epistemic").mean()
                result[f"{name}, {count}, {shift}: epistemic, nats"] = float(part)
    return result | {"conditions": float(of), "average beats point in nll": float(won)}


def _figure():
    from figures import calibration

    return calibration


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)
