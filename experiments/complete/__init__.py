"""Is inference needed? Images of which most is hidden, completed by predictions that go down.

A network with arrows both ways between pixels, two hidden layers and label learns from whole images
by local products. At the test the pixels seen are clamped and the missing ones free: values and
errors descend one free energy, in rates and in spikes with all traffic counted. The label is read
from one more sweep up, over the completed image, and from F itself at rest. Against it:

- the same network with its descending predictions cut;
- a feed-forward network with mean fill; one that learned from randomly masked images with a
  channel of masks, tested on its own kind of masks and on others;
- the nearest image on the pixels seen; the conditional Gaussian of all pixels, with the
  feed-forward network and with the sweep up behind it.

Settings were chosen on the last 10,000 images of the training set (`--validation`), which nobody
learns from.

    python -m experiments.complete             # MNIST and Fashion-MNIST: results/complete.zarr
    python -m experiments.complete --quick     # the embedded digits
"""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..common import study
from ..common.data import SPLITS
from ..common.settings import setting
from ..common.stacking import stack
from . import inference, rivals, spikes, training, work

MEASURES = "accuracy", "nll", "squared error"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Completing what is missing."""

    data: tuple[str, ...] = setting(
        ("mnist", "fashion_mnist"), among=tuple(SPLITS), quick=("digits",)
    )
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = setting(3, least=1, quick=1)
    asked: int = setting(1000, least=100, quick=200)
    """Images of the test that are completed."""
    hidden: tuple[int, int] = setting((256, 128), least=2, quick=(40, 24))
    """Units of the hidden layers."""
    epochs: int = setting(5, least=1, quick=lambda _: 20)
    plain_epochs: int = setting(6, least=1, quick=lambda _: 20)
    """Of the feed-forward network with mean fill."""
    masked_epochs: int = setting(12, least=1, quick=lambda _: 40)
    """Of the network that learns from masked images."""
    steps: int = setting(100, least=1)
    """Of inference in rates."""
    validation: bool = False
    """Ask for images of the end of the training set."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Settings of a set of images, chosen on validation images."""

    precisions: inference.Precisions = inference.Precisions()
    quanta: spikes.Quanta = spikes.Quanta()
    gaussian_ridge: float = 0.01
    """Variance added to each pixel of the conditional Gaussian."""


def _trained(config: Config, name: str, here: work.Sets, seed: int, parts: study.Parts):
    learning = training.Settings(hidden=config.hidden, epochs=config.epochs, seed=seed)
    plain = rivals.Settings(epochs=config.plain_epochs)
    masked = rivals.Settings(epochs=config.masked_epochs, masks=True)
    if name == "digits":
        learning = dataclasses.replace(learning, batch=50, rate=3e-3)
        small = {"hidden": (128, 64), "batch": 50}
        plain, masked = dataclasses.replace(plain, **small), dataclasses.replace(masked, **small)
    return work.networks(
        here, learning, Chosen().precisions, plain, masked, parts.work / "trained",
        f"{name}, seed {seed}",
    )  # fmt: skip


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Scores of every method by set, seed and mask; traffic; pictures of the first seed."""
    chosen, results, shown = Chosen(), {}, {}
    for k, name in enumerate(config.data):
        here = work.sets(name, config.data_dir, config.asked, config.validation)
        for seed in range(config.seeds):
            nets: Any = None

            def network(seed=seed, name=name, here=here):
                nonlocal nets
                nets = nets or _trained(config, name, here, seed, parts)
                return nets

            def make(kind, seed=seed, here=here, network=network):
                ask = work.Asked(here, network(), seed)
                return work.measured(ask, kind, config.steps, chosen.quanta, chosen.gaussian_ridge)

            for c, kind in enumerate(work.CELLS):
                if seed and kind not in work.REPEATED:
                    continue
                label = f"{name}, seed {seed}, {kind}"
                results[k, seed, c] = parts(label, partial(make, kind))
            if seed == 0:

                def draw(here=here, network=network):
                    ask = work.Asked(here, network(), 0)
                    return work.pictured(ask, config.steps, chosen.quanta, chosen.gaussian_ridge)

                shown[k,] = parts(f"{name}, pictures", draw)
    shape = len(config.data), config.seeds, len(work.CELLS)
    dims = {
        "scores": ("model", "measure"), "traffic": ("kind",), "curve": ("step",),
        "falls": ("end",),
    }  # fmt: skip
    data: dict[str, Any] = {
        key: (("set", "seed", "mask", *dims[key]), values)
        for key, values in stack(results, shape).items()
    }
    inner = {
        "pictures": ("row", "image", "height", "width"), "raster": ("step_", "neuron"),
        "raster_sizes": ("layer",), "given": ("label", "height", "width"),
    }  # fmt: skip
    for key, values in stack(shown, shape[:1]).items():
        data[key] = (("set", *inner[key]), values)
    coords = {
        "set": list(config.data), "mask": list(work.CELLS), "model": list(work.METHODS),
        "measure": list(MEASURES), "kind": list(spikes.SENT),
        "end": ["first", "rates", "spikes"],
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs={"asked": config.asked})


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over seeds by set, mask and method; what it costs to cut what descends; traffic."""
    result: dict[str, float] = {"seeds": float(dataset.sizes["seed"]),
                                "images": float(dataset.attrs["asked"])}  # fmt: skip
    for name in dataset.set.values:
        for kind in dataset["mask"].values:
            cell = dataset.sel(set=name, mask=kind)
            for method in dataset.model.values:
                rows = cell.scores.sel(model=method)
                for measure in MEASURES:
                    mean = float(rows.sel(measure=measure).mean())
                    if np.isfinite(mean):
                        result[f"{name}, {kind}, {method}: {measure}"] = mean
            network = cell.scores.sel(measure="accuracy")
            if int(network.sel(model="network").count()) > 1:
                spread = float(network.sel(model="network").std(ddof=1))
                result[f"{name}, {kind}, network: accuracy, deviation"] = spread
            mean = network.mean("seed")
            lead = float(mean.sel(model="network") - mean.sel(model="mean fill"))
            result[f"{name}, {kind}: lead over the feed-forward network, points"] = 100 * lead
            for sent in dataset.kind.values:
                many = float(cell.traffic.sel(kind=sent).mean())
                if np.isfinite(many):
                    result[f"{name}, {kind}: spikes, {sent}"] = many
            if kind in work.SPIKING:
                result[f"{name}, {kind}: spikes"] = float(cell.traffic.mean("seed").sum("kind"))
            for end in dataset.end.values:
                if np.isfinite(free := float(cell.falls.sel(end=end).mean())):
                    result[f"{name}, {kind}: F, {end}"] = free
    return result


STUDY = study.Study("complete", Config, run, summary, double=False)
