"""What do spikes buy? Three generations of networks on the same images, at the same sizes.

- McCulloch-Pitts units that learn by the perceptron rule, on pixels and behind a layer of random
  units that does not learn;
- rectified numbers (an MLP), by gradients;
- leaky neurons that spike, by surrogate gradients: at a fixed number of steps, at any of 25, and
  with images as spikes (the latency code) instead of currents.

Accuracy, parameters, steps until the answer, spikes, operations and their energy by every price
list of the ledger, seconds of learning and of answering. Spikes lose in most columns: a current
into the first layer costs its multiply-accumulates for every image, as in the MLP; each step
updates every neuron, which alone costs more than the MLP's second layer after 10 steps (at 8 bits
after one: sums stay at 32 bits); where memory is priced, states that come and go with each spike
use up the gain without a spike to spare; learning takes longer with each step, and the accuracy is
no better. They gain where images are spikes too: then no product is left, and most pixels are
silent. An MLP that spares its zeros keeps a part of that gain at 32 bits, and all of it at 8 bits
or where memory is priced.

    python -m experiments.ann_vs_snn             # MNIST
    python -m experiments.ann_vs_snn --quick     # the embedded digits
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax import cost
from bpcjax.models import LatencyCode

from ..common import InputError, study
from ..common.classifier_training import Lessons
from ..common.classifiers import dense
from ..common.data import check, splits
from ..common.relu_networks import operations, price_lists
from ..common.study import Parts
from .work import COUNTED, Task, perceptron, rectified, spiking, with_spikes

NAME = "ann_vs_snn"
SINGLE = (
    "accuracy", "parameters", "steps", "seconds", "batch_seconds", "one_seconds", "input_spikes",
    "active", "last", *COUNTED,
)  # fmt: skip
ANY, FIXED = "SNN, any step", "SNN"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Three generations."""

    DOUBLE: ClassVar[bool] = False

    data: str = "mnist"
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = None
    """The folder of its files."""
    hidden: int = 512
    epochs: int = 5
    steps: int = 6
    """Until the spiking network answers, in ms."""
    latest: int = 25
    """Steps of the network that may be asked at any."""
    others: tuple[int, ...] = (1, 2, 4)
    """Further fixed numbers of steps, of one seed each; so are the network that may be asked at any
    step and that with a latency code."""
    rate: float = 2e-3
    batch: int = 128
    shift: int = 1
    """Pixels by which images are moved while learned."""
    share: float = 0.2
    """Of the images for which a random unit is active."""
    seeds: int = 3
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""


def checked(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(1, config, "hidden", "epochs", "steps", "latest", "batch", "seeds")
    if not 0 < config.share < 1:
        raise InputError(f"share must lie between 0 and 1, got {config.share}.")
    if any(steps < 1 for steps in config.others):
        raise InputError(f"others must be numbers of steps, 1 or more, got {config.others}.")
    if not config.quick:
        return config
    return dataclasses.replace(
        config, data="digits", data_dir=None, hidden=64, epochs=12, rate=5e-3, batch=32, shift=0,
        steps=4, latest=8, others=(), seeds=2,
    )  # fmt: skip


def _networks(config: Config, sizes: tuple[int, int, int]):
    """Name -> what a task makes of a seed, how many seeds, what is changed in the lessons."""

    def snn(steps: int, **options: Any):
        def one(task: Task, label: str):
            model = dense(jax.random.key(task.lessons.seed), sizes, steps=steps, **options)
            return spiking(task, model, label)

        return one

    def rule(hidden: int):
        return lambda task, label: perceptron(task, hidden, config.share, label)

    late = 2 * config.steps
    code = LatencyCode(bpc.encode.Linear(float(late)))
    yield "perceptron", rule(0), config.seeds, {}
    yield "perceptron, random layer", rule(config.hidden), config.seeds, {}
    yield "MLP", lambda task, label: rectified(task, config.hidden, label), config.seeds, {}
    yield FIXED, snn(config.steps), config.seeds, {}
    yield ANY, snn(config.latest), 1, {"anytime": True}
    yield "SNN, latency code", snn(late, code=code, entry=2.0), 1, {}
    for steps in config.others:
        yield f"{steps} steps", snn(steps), 1, {}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All networks on one set of images."""
    config = checked(config)
    learn, asked = splits(config.data, config.data_dir, validation=config.validation)
    check(learn, asked)
    sizes = int(np.prod(learn.x.shape[1:])), config.hidden, learn.classes
    folder = Path(config.out) / f"{NAME}.work" / "epochs"
    plain = Lessons(config.epochs, config.batch, config.rate, shift=config.shift)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for name, make, seeds, changes in _networks(config, sizes):
        for seed in range(seeds):
            lessons = dataclasses.replace(plain, seed=seed, **changes)
            task = Task(learn, asked, lessons, folder)
            label = f"{name} {seed}"
            found[name, seed] = parts(
                label, lambda make=make, task=task, label=label: make(task, label)
            )
    return _dataset(config, found, sizes, len(asked.labels))


def _dataset(config: Config, found: dict, sizes: tuple[int, int, int], images: int) -> xr.Dataset:
    every = [name for name, seed in found if seed == 0]
    names = every[: len(every) - len(config.others)]
    seeds = list(range(config.seeds))
    prices = list(price_lists(1))

    def table(key: str, chosen: list[str], *shape: int) -> np.ndarray:
        rows = [[found.get((name, s), {}).get(key) for s in seeds] for name in chosen]
        blank = np.full(shape, np.nan)
        return np.array([[blank if row is None else row for row in each] for each in rows], float)

    data: dict[str, Any] = {key: (("network", "seed"), table(key, names)) for key in SINGLE}
    for key in ("picojoules", "spared"):
        data[key] = ("network", "seed", "price"), table(key, names, len(prices))
    shape = found["MLP", 0]["batch_accuracy"].shape
    for key in ("batch_loss", "batch_accuracy"):
        data[key] = ("network", "seed", "epoch", "batch"), table(key, names, *shape)
    data["test"] = ("network", "seed", "epoch"), table("test", names, config.epochs)
    data["wrong"] = ("network", "seed", "epoch"), table("wrong", names, config.epochs)
    for key in ("by_step", "spikes_by_step"):
        data[key] = "moment", np.asarray(found[ANY, 0][key], float)
    # Trained for one number of steps.
    fixed = {int(found[name, 0]["steps"]): name for name in every[len(names) :]}
    fixed = dict(sorted((fixed | {config.steps: FIXED}).items()))
    for key in ("accuracy", "spikes", "seconds"):
        values = [
            np.mean([found[name, s][key] for s in seeds if (name, s) in found])
            for name in fixed.values()
        ]
        data[f"fixed_{key}"] = "fixed", np.array(values)
    moments = np.arange(1, config.latest + 1)
    lists = price_lists(int(found["MLP", 0]["parameters"])).values()
    even = np.array([[_even(ledger, sizes, int(steps)) for ledger in lists] for steps in moments])
    data["break_even"] = ("moment", "price"), even
    coords = {
        "network": names, "seed": seeds, "price": prices, "moment": moments,
        "fixed": list(fixed),
    }  # fmt: skip
    attrs = {"data": config.data, "images": images, "hidden": config.hidden, "at": config.steps}
    return xr.Dataset(data, coords, attrs)


def _even(ledger: cost.Ledger, sizes: tuple[int, int, int], steps: int) -> float:
    """Spikes a hidden neuron may send in so many steps until it costs what the MLP costs; negative
    where it costs more without any. NaN without a price for products."""
    if ledger.technology.macs is None:
        return np.nan
    return cost.break_even(ledger, with_spikes(sizes, steps), operations(sizes)) / sizes[1]


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table."""
    found = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        found[f"{name}: accuracy (%)"] = 100 * float(row.accuracy.mean())
        if row.accuracy.notnull().sum() > 1:
            found[f"{name}: sd over seeds (%)"] = 100 * float(row.accuracy.std(ddof=1))
        for key, label in (
            ("parameters", "parameters"), ("steps", "steps T"), ("spikes", "spikes"),
            ("synaptic", "SynOps"), ("macs", "MACs"), ("adds", "additions, comparisons"),
            ("updates", "updates of neurons"), ("seconds", "seconds of training"),
        ):  # fmt: skip
            found[f"{name}: {label}"] = float(row[key].mean())
        if row["last"].notnull().any():
            found[f"{name}: accuracy of the last weights (%)"] = 100 * float(row["last"].mean())
        if row.input_spikes.sum() > 0:
            found[f"{name}: spikes of the inputs"] = float(row.input_spikes.mean())
        found[f"{name}: us an image, of 500"] = 1e6 * float(row.batch_seconds.mean())
        found[f"{name}: us an image, alone"] = 1e6 * float(row.one_seconds.mean())
        for price in dataset.price.values:
            for key, label in (("picojoules", ""), ("spared", ", zeros spared")):
                joules = float(row[key].sel(price=price).mean()) / 1e3
                if np.isfinite(joules):
                    found[f"{name}: nJ, {price}{label}"] = joules
    for k, moment in enumerate(dataset.moment.values):
        found[f"any step: accuracy at T = {moment} (%)"] = 100 * float(dataset.by_step[k])
    for steps in dataset.fixed.values:
        right = float(dataset.fixed_accuracy.sel(fixed=steps))
        found[f"trained for T = {steps}: accuracy (%)"] = 100 * right
    size = dataset.attrs["hidden"]
    found["SNN: spikes a neuron"] = float(dataset.spikes.sel(network=FIXED).mean()) / size
    at = dataset.break_even.sel(moment=min(dataset.attrs["at"], dataset.sizes["moment"]))
    for price in dataset.price.values:
        if np.isfinite(at.sel(price=price)):
            found[f"SNN: break-even spikes a neuron, {price}"] = float(at.sel(price=price))
    return found


def figure() -> Any:
    """The module that draws it."""
    from figures import ann_vs_snn

    return ann_vs_snn


def main():
    study.main(NAME, Config, run, summary, figure, __doc__)
