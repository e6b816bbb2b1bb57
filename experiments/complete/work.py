"""Work of the study on one set of images: networks, masks, answers of every method."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import PredictiveCoding

from ..common import InputError
from ..common.data import Split, load, splits
from ..common.scores import scores
from . import inference, masks, rivals, spikes, training

VALIDATION = 10_000  # the last of the training set: settings are chosen on them, nobody learns them
MOMENTS = 20_000  # images of which second moments are taken
WHOLE = "whole"
CELLS = (WHOLE, *masks.KINDS)
SPIKING = "lower half", "random 80 %"  # masks whose images are completed by spikes too
REPEATED = (WHOLE, "lower half")  # of all seeds; the other masks are those of the first
METHODS = (
    "network", "network, F at rest", "cut", "spikes", "spikes, F at rest", "mean fill",
    "random masks", "nearest", "Gaussian", "Gaussian, up sweep",
)  # fmt: skip


class Sets(NamedTuple):
    """Images to learn from, and those asked for: flat pixels, and labels."""

    x: np.ndarray
    labels: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    shape: tuple[int, int]
    classes: int
    mean: np.ndarray


def sets(name: str, folder: str | None, asked: int, validation: bool) -> Sets:
    """The images of a set; with `validation` those asked for are of the training set's end."""
    if name == "digits":
        learned, held = splits(name, folder, validation=validation)
    else:
        every = load(name, folder)
        count = len(every.pixels) - VALIDATION
        learned = Split(every.pixels[:count], every.labels[:count], 10)
        held = Split(every.pixels[count:], every.labels[count:], 10)
        if not validation:
            held = splits(name, folder)[1]
    if asked > len(held.x):
        raise InputError(f"asked: {name} has {len(held.x)} images to ask for, got {asked}.")
    x = learned.x.reshape(len(learned.x), -1).astype(np.float32)
    test = held.x[:asked].reshape(asked, -1).astype(np.float32)
    shape = (held.x.shape[1], held.x.shape[2])
    return Sets(x, learned.labels, test, held.labels[:asked], shape, learned.classes, x.mean(0))


class Networks(NamedTuple):
    """Networks of a seed: the bidirectional one, with its learned precisions, and the layers of the
    feed-forward ones."""

    energy: PredictiveCoding
    plain: Any
    masked: Any


def networks(
    here: Sets,
    learning: training.Settings,
    chosen: inference.Precisions,
    plain: rivals.Settings,
    masked: rivals.Settings,
    folder: Path,
    label: str,
) -> Networks:
    """All networks of a seed, trained; what was trained before is in the folder."""
    split = Split(here.x.reshape(-1, *here.shape), here.labels, here.classes)
    net = training.train(split, learning, folder, label)
    some = slice(MOMENTS)
    y = jax.nn.one_hot(jnp.asarray(here.labels[some]), here.classes, dtype=jnp.float32)
    energy = inference.precise(net, jnp.asarray(here.x[some]), y, chosen)
    x, labels = jnp.asarray(here.x), jnp.asarray(here.labels)
    if learning.seed:  # rivals have one seed
        return Networks(energy, None, None)
    layers = [
        rivals.train(x, labels, settings, folder, f"{label}, {what}")
        for settings, what in ((plain, "mean fill"), (masked, "random masks"))
    ]
    return Networks(energy, *layers)


def cell_of(here: Sets, kind: str) -> np.ndarray:
    """Pixels seen [n, pixels] of the images asked for."""
    if kind == WHOLE:
        return np.ones(here.asked.shape, bool)
    return masks.draw(kind, len(here.asked), here.shape, 0).reshape(len(here.asked), -1)


def scored(here: Sets, logits: np.ndarray | None, pixels: np.ndarray | None, seen) -> np.ndarray:
    """Accuracy, NLL and squared error of the missing pixels; NaN for what a method has not."""
    row = np.full(3, np.nan)
    if logits is not None:
        found = scores(np.asarray(logits, np.float64), here.truth)
        row[:2] = found["accuracy"], found["nll"]
    if pixels is not None:
        row[2] = (((pixels - here.asked) ** 2) * ~seen).sum(1).mean()
    return row


class Asked(NamedTuple):
    """What is asked: images, the networks of a seed, and that seed."""

    here: Sets
    nets: Networks
    seed: int

    def filled(self, kind: str) -> tuple[Any, Any, np.ndarray]:
        """Images with the mean where they are hidden, and what is seen of them."""
        seen = cell_of(self.here, kind)
        x = np.where(seen, self.here.asked, self.here.mean[None])
        return jnp.asarray(x), jnp.asarray(seen), seen

    @property
    def size(self) -> tuple:
        """Scale of values of each layer."""
        return spikes.scales(self.nets.energy, jnp.asarray(self.here.x[:2000]))


def measured(
    ask: Asked, kind: str, steps: int, quanta: spikes.Quanta, ridge: float
) -> dict[str, np.ndarray]:
    """Scores [method, measure] of a kind of mask, the traffic of spikes, and F."""
    here, nets, _ = ask
    x, there, seen = ask.filled(kind)
    rows: dict[str, np.ndarray] = {}
    falls, traffic = np.full(3, np.nan), np.full(len(spikes.SENT), np.nan)
    curve = np.full(quanta.steps, np.nan)
    rows["cut"] = scored(here, inference.sweeps(nets.energy, x), np.asarray(x), seen)
    if kind == WHOLE:  # nothing to infer
        rows["network"] = rows["cut"]
    else:
        rates = inference.answers(nets.energy, x, there, steps)
        rows["network"] = scored(here, rates.sweep, rates.pixels, seen)
        rows["network, F at rest"] = scored(here, rates.rest, None, seen)
        falls[:2] = rates.first.mean(), rates.last.mean()
    if kind in SPIKING:
        sent = spikes.answers(nets.energy, ask.size, x, there, quanta)
        rows["spikes"] = scored(here, sent.sweep, sent.pixels, seen)
        rows["spikes, F at rest"] = scored(here, sent.rest, None, seen)
        falls[2], traffic, curve = sent.last.mean(), sent.traffic.mean(0), sent.curve.mean(0)
    filled = rivals.impute(rivals.gaussian(here.x, ridge), here.asked, seen)
    rows["Gaussian, up sweep"] = scored(
        here, inference.sweeps(nets.energy, jnp.asarray(filled)), filled, seen
    )
    if ask.seed == 0:  # rivals have one seed
        rows["mean fill"] = scored(here, rivals.logits(nets.plain, x), np.asarray(x), seen)
        inputs = rivals.masked(x, there)
        rows["random masks"] = scored(here, rivals.logits(nets.masked, inputs), None, seen)
        guess = rivals.nearest(here.x, here.labels, here.asked, seen)
        rows["nearest"] = np.array([(guess == here.truth).mean(), np.nan, np.nan])
        after = rivals.logits(nets.plain, jnp.asarray(filled))
        rows["Gaussian"] = scored(here, after, filled, seen)
    none = np.full(3, np.nan)
    return {
        "scores": np.array([rows.get(method, none) for method in METHODS]),
        "traffic": traffic,
        "curve": curve,
        "falls": falls,
    }


def pictured(ask: Asked, steps: int, quanta: spikes.Quanta, ridge: float) -> dict[str, np.ndarray]:
    """Images [row, image, ...] with their lower half missing: seen, completed, true; one image's
    spikes; one image completed as each of the labels."""
    here, nets, _ = ask
    some = [int(np.flatnonzero(here.truth == c)[0]) for c in range(here.classes)]
    few = ask._replace(here=here._replace(asked=here.asked[some], truth=here.truth[some]))
    x, there, seen = few.filled("lower half")
    rates = inference.answers(nets.energy, x, there, steps).pixels
    sent = spikes.answers(nets.energy, ask.size, x, there, quanta).pixels
    filled = rivals.impute(rivals.gaussian(here.x, ridge), few.here.asked, seen)
    rows = np.where(seen, few.here.asked, 0.3), rates, sent, filled, few.here.asked
    raster, sizes = spikes.raster(nets.energy, ask.size, x[3], there[3], quanta)
    given = inference.given(nets.energy, x[4], there[4], here.classes, steps)
    return {
        "pictures": np.array(rows).reshape(5, -1, *here.shape),
        "raster": raster,
        "raster_sizes": sizes,
        "given": given.reshape(-1, *here.shape),
    }
