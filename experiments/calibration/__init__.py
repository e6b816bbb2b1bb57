"""Does a posterior over weights tell what it does not know?

Networks trained by spikes (those of `experiments.learn`) on few images and on more, tested on
images as they are, rotated, with noise, and out of distribution: those of another set (MNIST for
Fashion-MNIST, and the other way round). Their readings:

- point: the network; tempered: its outputs over a temperature chosen on validation images;
- synapses, matrices: the average over networks drawn from a posterior over all weights, of every
  synapse by itself or of a layer's together, made after learning (Laplace's approximation) of
  products at the point. The precision of
  the prior is chosen on the same images as the temperature; what the evidence prefers is noted;
- both: the average over matrices, with a temperature, both chosen there;
- ensemble: the average over points from other first weights, at several times the cost.

Conditions that are counted in the summary are treatments of the same few networks, not independent.
What is not known is the mutual information of answer and weights (epistemic); the rest is
aleatoric. And a readout of fixed random rectified units: its most probable weights against
independent synapses with means and variances (variational online Newton over all samples at once,
until F rests: there the curvature is in equilibrium).

    python -m experiments.calibration             # results/calibration.zarr and a picture
    python -m experiments.calibration --quick     # the embedded digits
"""

import dataclasses
from functools import partial

import numpy as np
import xarray as xr

from ..common import study
from ..common.data import SPLITS, load
from ..common.scores import STATISTICS
from ..common.settings import setting
from ..common.stacking import stack
from .features import MEASURES, METHODS, SHIFTS, measure as measure_features
from .networks import CONDITIONS, OUT, READINGS, SCORES, images, measure

T_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's, by the number of splits


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Calibration with and without a posterior."""

    networks: tuple[str, ...] = setting(
        ("mnist", "fashion_mnist"), among=tuple(SPLITS), quick=("digits",)
    )
    """Images that spiking networks learn: digits, mnist, fashion_mnist."""
    learned: tuple[int, ...] = setting((1000, 10000), least=128, quick=(600,))
    """How many images they learn from."""
    width: int = setting(256, least=1, quick=128)
    """Their hidden units."""
    updates: int = setting(800, least=1, quick=400)
    """Batches of 128 to learn from."""
    weights: int = setting(16, least=1, quick=lambda _: 8)
    """Networks drawn from a posterior."""
    members: int = setting(3, least=1, quick=lambda _: 2)
    """Of an ensemble."""
    tests: int = setting(1000, least=1, quick=lambda _: 300)
    """Images to test on."""
    sets: tuple[str, ...] = setting(
        ("digits", "mnist", "fashion_mnist"), among=tuple(SPLITS), quick=("digits",)
    )
    """Images for the readout of random units."""
    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    samples: tuple[int, ...] = setting((100, 700), least=1, quick=lambda counts: counts[:1])
    """How many images the readout learns from."""
    units: int = setting(200, least=1)
    """Random rectified units."""
    precision: float = setting(20.0, above=0)
    """Of the prior over each of the readout's weights."""
    steps: int = setting(1500, least=200)
    """Of the readout's learning."""
    draws: int = setting(64, least=1)
    """Readouts to average over."""
    seeds: int = setting(3, least=1, quick=2)
    """Splits, and first weights."""


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """All sets, numbers of images and splits, of networks and of readouts."""

    def network(name: str, count: int, seed: int):
        data = images(name, config.data_dir, count, config.tests, seed)
        return measure(
            data, width=config.width, updates=config.updates, draws=config.weights,
            members=config.members, seed=seed,
        )  # fmt: skip

    def readout(name: str, count: int, seed: int):
        return measure_features(
            load(name, config.data_dir), count, seed, units=config.units,
            precision=config.precision, steps=config.steps, draws=config.draws,
        )  # fmt: skip

    def several(label: str, make, names: tuple[str, ...], counts: tuple[int, ...]):
        results = {
            (i, j, s): parts(f"{label} {name} {count} {s}", partial(make, name, count, s))
            for i, name in enumerate(names)
            for j, count in enumerate(counts)
            for s in range(config.seeds)
        }
        return stack(results, (len(names), len(counts), config.seeds))

    nets = several("network", network, config.networks, config.learned)
    readouts = several("readout", readout, config.sets, config.samples)
    net, axes = ("images", "train", "split"), ("set", "samples", "split")
    dataset = xr.Dataset(
        {
            "net_scores": ((*net, "condition", "network", "score"), nets["net_scores"]),
            "net_unsure": ((*net, "test", "network", "part"), nets["net_unsure"]),
            "reliability": ((*net, "condition", "network", "sum", "bin"), nets["reliability"]),
            "auroc": ((*net, "network", "statistic"), nets["auroc"]),
            "temperature": (net, nets["temperature"]),
            "prior_precision": ((*net, "posterior"), nets["precision"]),
            "evidence_precision": ((*net, "posterior"), nets["evidence"]),
            "halves": (net, nets["halves"]),
            "scores": ((*axes, "shift", "reading", "measure"), readouts["scores"]),
            "unsure": ((*axes, "shift", "part"), readouts["unsure"]),
            "rest": (axes, readouts["rest"]),
        },
        {
            "images": list(config.networks), "train": list(config.learned),
            "condition": list(CONDITIONS), "test": [*CONDITIONS, OUT],
            "network": list(READINGS), "score": list(SCORES), "statistic": list(STATISTICS),
            "sum": ["samples", "confidence", "right"], "posterior": ["synapses", "matrices"],
            "set": list(config.sets), "samples": list(config.samples), "shift": list(SHIFTS),
            "reading": list(METHODS), "measure": list(MEASURES),
            "part": ["epistemic", "aleatoric"],
        },
    )  # fmt: skip
    print(verdict(dataset), flush=True)
    return dataset


def gains(dataset: xr.Dataset, reading: str, rival: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Gain in NLL from `rival` to `reading`: its mean over splits, and half the width of its
    95 % interval (Student's t)."""
    nll = dataset.net_scores.sel(score="nll")
    gain = nll.sel(network=rival) - nll.sel(network=reading)
    count = gain.sizes["split"]
    if count < 2:
        return gain.mean("split"), xr.full_like(gain.mean("split"), np.inf)
    half = T_95.get(count, 2.776) * gain.std("split", ddof=1) / np.sqrt(count)
    return gain.mean("split"), half


def verdict(dataset: xr.Dataset) -> str:
    """Verdict: where averages beat the point and the tempered point, and where they lose."""
    lines = ["Averages that are better in NLL (and worse), by 95 % intervals over splits:"]
    for name in map(str, dataset.images.values):
        for count in dataset.train.values:
            for reading in ("synapses", "matrices", "both", "ensemble"):
                words = []
                for rival in ("point", "tempered"):
                    mean, half = gains(dataset, reading, rival)
                    mean, half = (v.sel(images=name, train=count) for v in (mean, half))
                    won, lost = int((mean > half).sum()), int((mean < -half).sum())
                    words.append(f"than the {rival} in {won} ({lost}) of {mean.size} conditions")
                lines.append(f"  {name}, {count} images, {reading}: {', '.join(words)}")
    return "\n".join(lines)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over splits, gains in NLL with their deviations, and how often averages win."""
    result: dict[str, float] = {}
    for name in map(str, dataset.images.values):
        for count in dataset.train.values:
            here, label = dataset.sel(images=name, train=count), f"network, {name}, {count}"
            result[f"{label}: temperature"] = float(here.temperature.mean())
            result[f"{label}: curvature, correlation of halves"] = float(here.halves.min())
            for kind in map(str, dataset.posterior.values):
                for key, how in (("prior", "chosen"), ("evidence", "by the evidence")):
                    value = float(here[f"{key}_precision"].sel(posterior=kind).mean())
                    result[f"{label}, {kind}: precision of the prior, {how}"] = value
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
                for test in ("plain", "rotation by 30", OUT):
                    part = here.net_unsure.sel(test=test, network=reading).mean("split")
                    for p in ("epistemic", "aleatoric"):
                        result[f"{row}, {test}: {p}, nats"] = float(part.sel(part=p))
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
        for count in dataset.train.values:
            for reading in ("tempered", "synapses", "matrices", "both", "ensemble"):
                for condition in CONDITIONS:
                    cell = nll.sel(images=name, train=count, condition=condition)
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


STUDY = study.Study("calibration", Config, run, summary)
