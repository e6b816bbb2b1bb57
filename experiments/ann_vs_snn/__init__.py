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
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax import cost
from bpcjax.models import LatencyCode

from ..common import study
from ..common.classifier_training import ClassifierConfig
from ..common.classifiers import dense
from ..common.data import check, splits
from ..common.operations import price_lists, relu_operations
from ..common.study import Parts, setting
from .work import COUNTED, Task, perceptron, rectified, spiking, with_spikes

SINGLE = (
    "accuracy", "parameters", "steps", "seconds", "batch_seconds", "one_seconds", "input_spikes",
    "active", "last", *COUNTED,
)  # fmt: skip
ANY, FIXED = "SNN, any step", "SNN"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Three generations."""

    data: str = setting("mnist", quick="digits")
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = setting(None, quick=None)
    """The folder of its files."""
    hidden: int = setting(512, least=1, quick=lambda _: 64)
    epochs: int = setting(5, least=1, quick=lambda _: 12)
    steps: int = setting(6, least=1, quick=lambda _: 4)
    """Until the spiking network answers, in ms."""
    latest: int = setting(25, least=1, quick=lambda _: 8)
    """Steps of the network that answers at any of them."""
    others: tuple[int, ...] = setting((1, 2, 4), least=1, empty=True, quick=())
    """Further fixed numbers of steps, of one seed each; so are the network that answers at any
    step and that with a latency code."""
    rate: float = setting(2e-3, above=0.0, quick=lambda _: 5e-3)
    batch: int = setting(128, least=1, quick=lambda _: 32)
    shift: int = setting(1, least=0, quick=lambda _: 0)
    """Pixels by which images are shifted in training."""
    share: float = setting(0.2, above=0.0, below=1.0)
    """Of the images for which a random unit is active."""
    seeds: int = setting(3, least=1, quick=lambda _: 2)
    validation: bool = False
    """Test on a sixth of the training set, to choose settings by."""


class Plan(NamedTuple):
    """A network: its name, what makes its metrics of a task, number of seeds, and what is changed
    in hyper-parameters."""

    name: str
    make: Callable[[Task, str], dict[str, Any]]
    seeds: int = 1
    changes: dict[str, Any] = {}


def _plans(config: Config, sizes: tuple[int, int, int]) -> Iterator[Plan]:
    def snn(steps: int, **options: Any):
        def make(task: Task, label: str):
            model = dense(jax.random.key(task.config.seed), sizes, steps=steps, **options)
            return spiking(task, model, label)

        return make

    def rule(hidden: int):
        return lambda task, label: perceptron(task, hidden, config.share, label)

    late = 2 * config.steps
    code = LatencyCode(bpc.encode.Linear(float(late)))
    yield Plan("perceptron", rule(0), config.seeds)
    yield Plan("perceptron, random layer", rule(config.hidden), config.seeds)
    yield Plan("MLP", lambda task, label: rectified(task, config.hidden, label), config.seeds)
    yield Plan(FIXED, snn(config.steps), config.seeds)
    yield Plan(ANY, snn(config.latest), changes={"anytime": True})
    yield Plan("SNN, latency code", snn(late, code=code, entry=2.0))
    for steps in config.others:
        yield Plan(f"{steps} steps", snn(steps))


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All networks on one set of images."""
    train, test = splits(config.data, config.data_dir, validation=config.validation)
    check(train, test)
    sizes = int(np.prod(train.x.shape[1:])), config.hidden, train.classes
    plain = ClassifierConfig(config.epochs, config.batch, config.rate, shift=config.shift)
    folder = parts.chunks.folder / "epochs"
    metrics: dict[tuple[str, int], dict[str, Any]] = {}
    for plan in _plans(config, sizes):
        for seed in range(plan.seeds):
            hyper = dataclasses.replace(plain, seed=seed, **plan.changes)
            task, label = Task(train, test, hyper, folder), f"{plan.name} {seed}"
            metrics[plan.name, seed] = parts(
                label, lambda plan=plan, task=task, label=label: plan.make(task, label)
            )
    return _dataset(config, metrics, sizes, len(test.labels))


def _dataset(config: Config, metrics: dict, sizes: tuple[int, int, int], images: int) -> xr.Dataset:
    every = [name for name, seed in metrics if seed == 0]
    names = every[: len(every) - len(config.others)]
    seeds = list(range(config.seeds))
    prices = list(price_lists(1))

    def table(key: str, networks: list[str], *shape: int) -> np.ndarray:
        rows = [[metrics.get((name, s), {}).get(key) for s in seeds] for name in networks]
        blank = np.full(shape, np.nan)
        return np.array([[blank if row is None else row for row in each] for each in rows], float)

    data: dict[str, Any] = {key: (("network", "seed"), table(key, names)) for key in SINGLE}
    for key in ("picojoules", "spared"):
        data[key] = ("network", "seed", "price"), table(key, names, len(prices))
    shape = metrics["MLP", 0]["batch_accuracy"].shape
    for key in ("batch_loss", "batch_accuracy"):
        data[key] = ("network", "seed", "epoch", "batch"), table(key, names, *shape)
    data["test"] = ("network", "seed", "epoch"), table("test", names, config.epochs)
    data["wrong"] = ("network", "seed", "epoch"), table("wrong", names, config.epochs)
    for key in ("by_step", "spikes_by_step"):
        data[key] = "moment", np.asarray(metrics[ANY, 0][key], float)
    # Trained for one number of steps.
    fixed = {int(metrics[name, 0]["steps"]): name for name in every[len(names) :]}
    fixed = dict(sorted((fixed | {config.steps: FIXED}).items()))
    for key in ("accuracy", "spikes", "seconds"):
        values = [
            np.mean([metrics[name, s][key] for s in seeds if (name, s) in metrics])
            for name in fixed.values()
        ]
        data[f"fixed_{key}"] = "fixed", np.array(values)
    moments = np.arange(1, config.latest + 1)
    lists = price_lists(int(metrics["MLP", 0]["parameters"])).values()
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
    return cost.break_even(ledger, with_spikes(sizes, steps), relu_operations(sizes)) / sizes[1]


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table."""
    metrics = {}
    for name in dataset.network.values:
        row = dataset.sel(network=name)
        metrics[f"{name}: accuracy (%)"] = 100 * float(row.accuracy.mean())
        if row.accuracy.notnull().sum() > 1:
            metrics[f"{name}: sd over seeds (%)"] = 100 * float(row.accuracy.std(ddof=1))
        for key, label in (
            ("parameters", "parameters"), ("steps", "steps T"), ("spikes", "spikes"),
            ("synaptic", "SynOps"), ("macs", "MACs"), ("adds", "additions, comparisons"),
            ("updates", "updates of neurons"), ("seconds", "seconds of training"),
        ):  # fmt: skip
            metrics[f"{name}: {label}"] = float(row[key].mean())
        if row["last"].notnull().any():
            metrics[f"{name}: accuracy of the last weights (%)"] = 100 * float(row["last"].mean())
        if row.input_spikes.sum() > 0:
            metrics[f"{name}: spikes of the inputs"] = float(row.input_spikes.mean())
        metrics[f"{name}: us an image, of 500"] = 1e6 * float(row.batch_seconds.mean())
        metrics[f"{name}: us an image, alone"] = 1e6 * float(row.one_seconds.mean())
        for price in dataset.price.values:
            for key, label in (("picojoules", ""), ("spared", ", zeros spared")):
                joules = float(row[key].sel(price=price).mean()) / 1e3
                if np.isfinite(joules):
                    metrics[f"{name}: nJ, {price}{label}"] = joules
    for k, moment in enumerate(dataset.moment.values):
        metrics[f"any step: accuracy at T = {moment} (%)"] = 100 * float(dataset.by_step[k])
    for steps in dataset.fixed.values:
        right = float(dataset.fixed_accuracy.sel(fixed=steps))
        metrics[f"trained for T = {steps}: accuracy (%)"] = 100 * right
    size = dataset.attrs["hidden"]
    metrics["SNN: spikes a neuron"] = float(dataset.spikes.sel(network=FIXED).mean()) / size
    at = dataset.break_even.sel(moment=min(dataset.attrs["at"], dataset.sizes["moment"]))
    for price in dataset.price.values:
        if np.isfinite(at.sel(price=price)):
            metrics[f"SNN: break-even spikes a neuron, {price}"] = float(at.sel(price=price))
    return metrics


STUDY = study.Study("ann_vs_snn", Config, run, summary, double=False)
