"""Which output spikes first? Networks learn by the derivative of their own spike times.

No surrogate: a loss of first-spike times, and its plain gradient through the engine's own solve.
Exclusive or in several seeds, the yin-yang (Kriener, Göltz & Petrovici 2022), images whose bright
pixels spike early and whose dark ones never do; derivatives against differences; and how many
neurons are silent all along.

`LocalSpikes` takes a step in which each neuron spikes at its own time. Images spike at ends of
steps, points at any time. Spikes of a step are not ordered, so that times are right to second
order in the step, but for a neuron that is reached in the very step in which it spikes: first
order. The derivative is that of what is computed, to rounding: exact for the simulation that
answers, not for the flow. How far both are from the true flow is measured with `OrderedSpikes`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import Split, check, splits
from ..common.statistics import wilson
from ..common.study import setting
from .gradients import compare
from .networks import Code, FirstSpikes, Levels, Points, init_network, solve_exactly
from .tasks import RADIUS, exclusive_or, mirrored, yin_yang_splits
from .training import (
    SpikeTimesConfig,
    answer_all,
    examine,
    flat,
    gradients_apart,
    solve_exclusive_or,
    train,
)

EPOCH = "accuracy", "loss", "silent_hidden", "silent_right", "unanswered"
GRID = 48  # points on a side of the map of the disc


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    data: str = setting("mnist", quick="digits")
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = setting(None, quick=None)
    """The folder of its files."""
    epochs: int = setting(14, least=1, quick=lambda _: 6)
    hidden: int = setting(350, least=1, quick=lambda _: 64)
    rate: float = setting(2e-3, above=0.0, quick=lambda _: 5e-3)
    batch: int = setting(128, least=1, quick=lambda _: 32)
    shift: int = setting(1, least=0, quick=lambda _: 0)
    """Pixels by which images are shifted in training."""
    seeds: int = setting(1, least=1, quick=lambda _: 1)
    """Of images."""
    points: int = setting(16000, least=1, quick=lambda _: 1000)
    """Of the yin-yang, in the training set; a fifth in the test set."""
    point_epochs: int = setting(12, least=1, quick=lambda _: 2)
    point_seeds: int = setting(3, least=1, quick=lambda _: 1)
    or_seeds: int = setting(10, least=1, quick=lambda _: 5)
    directions: int = setting(5, least=1, quick=lambda _: 1)
    """In which derivatives are compared to differences."""
    exact: int = setting(100, least=0, quick=lambda _: 0)
    """Images and points that are also solved event by event."""
    validation: bool = False
    """Test on a sixth of the training set, and on other points, to choose settings by."""


def _exclusive_or(config: Config) -> dict[str, Any]:
    split = exclusive_or()
    split = split._replace(x=mirrored(split.x))
    hyper = SpikeTimesConfig(epochs=6, batch=8, rate=1e-2, silent_hidden=0.1)
    history = solve_exclusive_or(
        hyper, Points(4.0), split, config.or_seeds, 20, t1=12.0, dt=0.5,
        gain=(2.0, 4.0), spread=(1.5, 1.0),
    ).history  # fmt: skip
    return {"or_solved": history["solved"], "or_loss": history["loss"] / config.or_seeds}


def _measure(
    model: FirstSpikes, code: Code, hyper: SpikeTimesConfig, train_set: Split, test: Split,
    folder: Path, label: str,
) -> tuple[dict[str, Any], FirstSpikes]:  # fmt: skip
    """Metrics of the trained network, and those of each epoch; the network."""
    trained = train(model, code, train_set, hyper, test=test, folder=folder, label=label)
    metrics, history = examine(trained.model, code, test), trained.history
    metrics |= {f"epoch_{name}": history[name].mean(1) for name in EPOCH}
    metrics |= {f"batch_{name}": history[name] for name in ("accuracy", "loss")}
    return metrics | {
        "test": history["test"],
        "seconds": np.asarray(trained.seconds),
        "processor": np.asarray(trained.processor_seconds),
    }, trained.model


def _against_exact(model: FirstSpikes, code: Code, x: np.ndarray) -> dict[str, np.ndarray]:
    """A trained network, event by event on the true flow: the share of the same answers, and the
    median distance of outputs' first spikes (ms)."""
    local, exact = answer_all(model, code, x), solve_exactly(code, model, flat(x))
    if not exact.ok.all():
        raise InputError("OrderedSpikes: a solve of the trained network failed.")
    both = model.outputs(local.fired) & model.outputs(exact.fired)
    apart = np.abs(model.outputs(local.times) - model.outputs(exact.times))[both]
    same = model.outputs(local.times).argmin(1) == model.outputs(exact.times).argmin(1)
    return {"exact_same": np.asarray(same.mean()), "exact_apart": np.asarray(np.median(apart))}


def disc_map(model: FirstSpikes, code: Code) -> np.ndarray:
    """The answer at each point of a grid over the disc; -1 outside, -2 where there is none."""
    at = (np.arange(GRID) + 0.5) / GRID * 2 * RADIUS
    points = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    answer = answer_all(model, code, mirrored(points))
    label = np.where(model.outputs(answer.fired).any(1), model.outputs(answer.times).argmin(1), -2)
    inside = np.hypot(*(points - RADIUS).T) <= RADIUS
    return np.where(inside, label, -1).reshape(GRID, GRID)


def _points(config: Config, seed: int, folder: Path) -> dict[str, np.ndarray]:
    train_set, validation, test = yin_yang_splits(config.points, config.points // 5)
    test = validation if config.validation else test
    code = Points(10.0)
    model = init_network(
        jax.random.key(seed), (4, 200, 3), spikes=4, spread=(1.5, 1.0), t1=16.0, dt=0.5
    )
    batch = 32 if config.quick else 128
    hyper = SpikeTimesConfig(
        config.point_epochs, batch, 3e-3, tau=0.25, silent_hidden=0.1, seed=seed
    )
    exact = {}
    if seed == 0 and config.exact:
        first = test._replace(x=test.x[:20], labels=test.labels[:20])
        apart = gradients_apart(model, code, hyper, first)
        exact = {f"exact_{key}": value for key, value in apart.items()}
    metrics, model = _measure(model, code, hyper, train_set, test, folder, f"yin-yang {seed}")
    if seed == 0:
        metrics |= {"map": disc_map(model, code), "x": test.x[:300, :2]}
        metrics["labels"] = test.labels[:300]
        if config.exact:
            metrics |= exact | _against_exact(model, code, test.x[: config.exact])
    return metrics


def _images(
    config: Config, seed: int, train_set: Split, test: Split, folder: Path
) -> dict[str, np.ndarray]:
    pixels = int(np.prod(train_set.x.shape[1:]))
    code = Levels()
    spikes = float((np.asarray(train_set.x[:1000]) > code.dark).mean() * pixels)
    sizes = pixels, config.hidden, train_set.classes
    model = init_network(jax.random.key(seed), sizes, spikes=spikes, t1=12.0)
    hyper = SpikeTimesConfig(
        config.epochs, config.batch, config.rate, shift=config.shift, seed=seed
    )
    label = f"{config.data} {seed}"
    metrics, model = _measure(model, code, hyper, train_set, test, folder, label)
    metrics["input_spikes"] = np.asarray((np.asarray(test.x) > code.dark).mean() * pixels)
    if seed == 0:
        level = np.asarray(code.of(jnp.asarray(flat(test.x[:1])[0])))
        metrics["pixels"] = np.where(level < 0, np.nan, (level + 1.0) * model.dt)
        if config.exact:
            metrics |= _against_exact(model, code, test.x[: config.exact])
    return metrics


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Train and examine every network, and compare derivatives."""
    train_set, test = splits(config.data, config.data_dir, validation=config.validation)
    check(train_set, test)
    folder = parts.chunks.folder / "epochs"
    with jax.enable_x64(True):
        derivatives = parts("derivatives", lambda: compare(config.directions))
    xor = parts("exclusive or", lambda: _exclusive_or(config))
    images = [
        parts(f"images {seed}", lambda seed=seed: _images(config, seed, train_set, test, folder))
        for seed in range(config.seeds)
    ]
    points = [
        parts(f"yin-yang {seed}", lambda seed=seed: _points(config, seed, folder))
        for seed in range(config.point_seeds)
    ]
    data = {
        "differences": ("solver", derivatives["differences"]),
        "gradient_apart": ((), derivatives["apart"]),
        "or_solved": (("or_epoch", "or_seed"), xor["or_solved"]),
        "or_loss": (("or_epoch", "or_batch"), xor["or_loss"]),
        "digit": (("row", "column"), np.asarray(test.x[0], np.float32)),
    }
    data |= _variables("points", points, ("map", "x", "labels", "raster"))
    data |= _variables("images", images, ("raster", "pixels"))
    attrs = {"data": config.data, "images": len(test.labels), "t1": 12.0, "hidden": config.hidden}
    return xr.Dataset(data, {"solver": ["OrderedSpikes", "LocalSpikes"]}, attrs)


def _variables(name: str, rows: list[dict], of_first: tuple[str, ...]) -> dict[str, tuple]:
    """Variables of a task from the metrics of its seeds, some of the first seed alone."""
    variables = {}
    for key, value in rows[0].items():
        if key in of_first or key.startswith("exact_"):
            axes = [f"{name}_{key}_{axis}" for axis in range(np.ndim(value))]
            variables[f"{name}_{key}"] = axes, value
        else:
            axes = _axes(name, key, np.ndim(value))
            values = np.stack([row[key] for row in rows])
            variables[f"{name}_{key}"] = (f"{name}_seed", *axes), values
    return variables


def _axes(name: str, key: str, count: int) -> list[str]:
    """Names of the axes of a measure, after that of seeds."""
    if key == "confusion":
        return [f"{name}_label", f"{name}_answer"]
    if key.startswith("batch_"):
        return [f"{name}_epoch", f"{name}_batch"]
    if key == "test" or key.startswith("epoch_"):
        return [f"{name}_epoch"]
    return {"first": [f"{name}_input"]}.get(key, ["bin"] * count)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table."""
    last = dataset.or_solved.isel(or_epoch=-1)
    metrics = {
        f"derivative against differences, {solver}": float(dataset.differences.sel(solver=solver))
        for solver in dataset.solver.values
    }
    metrics["gradient of LocalSpikes at 0.1 ms, from the exact one"] = float(dataset.gradient_apart)
    metrics["exclusive or: seeds"] = float(last.size)
    metrics["exclusive or: seeds that solve it"] = float((last == 1).sum())
    for name, title in (("points", "yin-yang"), ("images", str(dataset.attrs["data"]))):

        def mean(key: str, name=name) -> float:
            return float(dataset[f"{name}_{key}"].mean())

        accuracy = dataset[f"{name}_accuracy"]
        metrics[f"{title}: accuracy (%)"] = 100 * mean("accuracy")
        if accuracy.size > 1:
            metrics[f"{title}: sd over seeds (%)"] = 100 * float(accuracy.std(ddof=1))
        count = dataset.sizes[f"{name}_input"]
        low, high = wilson(round(mean("accuracy") * count), count)
        metrics[f"{title}: 95 % interval from (%)"] = 100 * low
        metrics[f"{title}: to (%)"] = 100 * high
        metrics[f"{title}: spikes an input makes"] = mean("spikes")
        metrics[f"{title}: hidden neurons silent for an input (%)"] = 100 * mean("silent_hidden")
        metrics[f"{title}: hidden neurons silent for all (%)"] = 100 * mean("never")
        metrics[f"{title}: outputs silent (%)"] = 100 * mean("silent_outputs")
        metrics[f"{title}: inputs without answer"] = mean("unanswered")
        metrics[f"{title}: median time of the answer (ms)"] = float(
            dataset[f"{name}_first"].median()
        )
        if f"{name}_exact_same" in dataset:
            metrics[f"{title}: same answers event by event (%)"] = 100 * mean("exact_same")
            metrics[f"{title}: median distance of times (ms)"] = mean("exact_apart")
        if f"{name}_exact_between" in dataset:
            metrics[f"{title}: gradient before learning, from the exact one"] = mean(
                "exact_between"
            )
            metrics[f"{title}: cosine of the two"] = mean("exact_cosine")
        metrics[f"{title}: seconds a seed"] = mean("seconds")
        metrics[f"{title}: processor seconds a seed"] = mean("processor")
    return metrics


STUDY = study.Study("spike_times", Config, run, summary, double=False)
