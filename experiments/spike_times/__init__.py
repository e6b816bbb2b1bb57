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
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.data import Split, check, splits
from ..common.statistics import wilson
from .gradients import compare
from .networks import Code, FirstSpikes, Levels, Points, drawn, exactly
from .tasks import RADIUS, exclusive_or, mirrored, yin_yang_splits
from .training import Course, answered, examine, flat, gradients_apart, solve_exclusive_or, train

EPOCH = "accuracy", "loss", "silent_hidden", "silent_right", "unanswered"
GRID = 48  # points on a side of the map of the disc


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    DOUBLE = False

    data: str = "mnist"
    """mnist, fashion_mnist, or digits, which need no files."""
    data_dir: str | None = None
    """The folder of its files."""
    epochs: int = 14
    hidden: int = 350
    rate: float = 2e-3
    batch: int = 128
    shift: int = 1
    """Pixels by which images are moved while learned."""
    seeds: int = 1
    """Of images."""
    points: int = 16000
    """Of the yin-yang, to learn from; a fifth to test on."""
    point_epochs: int = 12
    point_seeds: int = 3
    or_seeds: int = 10
    directions: int = 5
    """In which derivatives are compared to differences."""
    exact: int = 100
    """Images and points that are also solved event by event."""
    validation: bool = False
    """Test on a sixth of the training set, and on other points, to choose settings by."""


def smaller(config: Config) -> Config:
    """The quick run: the embedded digits, and less of everything.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    study.at_least(
        1, config, "epochs", "hidden", "batch", "seeds", "points", "point_epochs", "point_seeds",
        "or_seeds", "directions",
    )  # fmt: skip
    if not config.quick:
        return config
    return dataclasses.replace(
        config, data="digits", data_dir=None, epochs=6, hidden=64, rate=5e-3, batch=32, shift=0,
        seeds=1, points=1000, point_epochs=2, point_seeds=1, or_seeds=5, directions=1, exact=0,
    )  # fmt: skip


def _exclusive_or(config: Config) -> dict[str, Any]:
    split = exclusive_or()
    split = split._replace(x=mirrored(split.x))
    course = Course(epochs=6, batch=8, rate=1e-2, hidden=0.1)
    done = solve_exclusive_or(
        course, Points(4.0), split, config.or_seeds, 20, t1=12.0, dt=0.5,
        gain=(2.0, 4.0), spread=(1.5, 1.0),
    )  # fmt: skip
    return {"or_solved": done.after["solved"], "or_loss": done.batches["loss"] / config.or_seeds}


def _learn(model, code: Code, course: Course, learn: Split, asked: Split, folder, label: str):
    """Train and examine: the measures, and those of each epoch; the model."""
    began, start = time.perf_counter(), time.process_time()
    done = train(model, code, learn, course, asked=asked, folder=folder, label=label)
    whole = time.perf_counter() - began > 0.9 * done.seconds
    cpu = time.process_time() - start if whole else np.nan  # not of a run that was stopped
    told = examine(done.model, code, asked)
    told |= {f"epoch_{name}": done.batches[name].mean(1) for name in EPOCH}
    told |= {"batch_accuracy": done.batches["accuracy"], "batch_loss": done.batches["loss"]}
    told |= {"test": done.after["test"], "seconds": np.asarray(done.seconds)}
    return told | {"processor": np.asarray(cpu)}, done.model


def _exactly(model: FirstSpikes, code: Code, x: np.ndarray) -> dict[str, np.ndarray]:
    """What was learned, event by event on the true flow: the share of the same answers, and the
    median distance of outputs' first spikes (ms)."""
    local, exact = answered(model, code, x), exactly(code, model, flat(x))
    if not exact.ok.all():
        raise InputError("OrderedSpikes: a solve of the learned network failed.")
    both = model.outputs(local.fired) & model.outputs(exact.fired)
    apart = np.abs(model.outputs(local.times) - model.outputs(exact.times))[both]
    same = model.outputs(local.times).argmin(1) == model.outputs(exact.times).argmin(1)
    return {"same": np.asarray(same.mean()), "apart": np.asarray(np.median(apart))}


def disc_map(model: FirstSpikes, code: Code) -> np.ndarray:
    """The answer at each point of a grid over the disc; -1 outside, -2 where there is none."""
    at = (np.arange(GRID) + 0.5) / GRID * 2 * RADIUS
    points = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    found = answered(model, code, mirrored(points))
    answer = model.outputs(found.times).argmin(1)
    answer = np.where(model.outputs(found.fired).any(1), answer, -2)
    inside = np.hypot(*(points - RADIUS).T) <= RADIUS
    return np.where(inside, answer, -1).reshape(GRID, GRID)


def _points(config: Config, seed: int, folder: Path) -> dict[str, np.ndarray]:
    learn, validation, test = yin_yang_splits(config.points, config.points // 5)
    asked = validation if config.validation else test
    code = Points(10.0)
    model = drawn(jax.random.key(seed), (4, 200, 3), spikes=4, spread=(1.5, 1.0), t1=16.0, dt=0.5)
    batch = 32 if config.quick else 128
    course = Course(config.point_epochs, batch, 3e-3, tau=0.25, hidden=0.1, seed=seed)
    exact = {}
    if seed == 0 and config.exact:
        exact = gradients_apart(model, code, course, _first(asked, 20))
    told, model = _learn(model, code, course, learn, asked, folder, f"yin-yang {seed}")
    if seed == 0:
        told["map"] = disc_map(model, code)
        told["x"], told["labels"] = asked.x[:300, :2], asked.labels[:300]
        if config.exact:
            exact |= _exactly(model, code, asked.x[: config.exact])
        told |= {f"exact_{key}": value for key, value in exact.items()}
    return told


def _first(split: Split, count: int) -> Split:
    return split._replace(x=split.x[:count], labels=split.labels[:count])


def _images(config: Config, seed: int, learn: Split, asked: Split, folder: Path):
    pixels = int(np.prod(learn.x.shape[1:]))
    code = Levels()
    spikes = float((np.asarray(learn.x[:1000]) > code.dark).mean() * pixels)
    sizes = pixels, config.hidden, learn.classes
    model = drawn(jax.random.key(seed), sizes, spikes=spikes, t1=12.0)
    course = Course(config.epochs, config.batch, config.rate, shift=config.shift, seed=seed)
    told, model = _learn(model, code, course, learn, asked, folder, f"{config.data} {seed}")
    told["input_spikes"] = np.asarray((np.asarray(asked.x) > code.dark).mean() * pixels)
    if seed == 0:
        level = np.asarray(code.of(jnp.asarray(flat(asked.x[:1])[0])))
        told["pixels"] = np.where(level < 0, np.nan, (level + 1.0) * model.dt)
        if config.exact:
            found = _exactly(model, code, asked.x[: config.exact])
            told |= {f"exact_{key}": value for key, value in found.items()}
    return told


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Train and examine every network, and compare derivatives."""
    config = smaller(config)
    learn, asked = splits(config.data, config.data_dir, validation=config.validation)
    check(learn, asked)
    folder = Path(config.out) / "spike_times.work" / "epochs"
    with jax.enable_x64(True):
        found = parts("derivatives", lambda: compare(config.directions))
    with jax.enable_x64(False):
        xor = parts("exclusive or", lambda: _exclusive_or(config))
        images = [
            parts(f"images {seed}", lambda seed=seed: _images(config, seed, learn, asked, folder))
            for seed in range(config.seeds)
        ]
        points = [
            parts(f"yin-yang {seed}", lambda seed=seed: _points(config, seed, folder))
            for seed in range(config.point_seeds)
        ]
    dataset = xr.Dataset(
        {
            "differences": ("solver", found["differences"]),
            "gradient_apart": ((), found["apart"]),
            "or_solved": (("or_epoch", "or_seed"), xor["or_solved"]),
            "or_loss": (("or_epoch", "or_batch"), xor["or_loss"]),
        },
        {"solver": ["OrderedSpikes", "LocalSpikes"]},
        {"data": config.data, "images": len(asked.labels), "t1": 12.0, "hidden": config.hidden},
    )
    for name, rows, shown in (
        ("points", points, ("map", "x", "labels", "raster")),
        ("images", images, ("raster", "pixels")),
    ):
        for key in rows[0]:
            if key in shown or key.startswith("exact_"):
                value = rows[0][key]
                axes = [f"{name}_{key}_{axis}" for axis in range(np.ndim(value))]
                dataset[f"{name}_{key}"] = axes, value
                continue
            value = np.stack([row[key] for row in rows])
            axes = _axes(name, key, value.ndim - 1)
            dataset[f"{name}_{key}"] = (f"{name}_seed", *axes), value
    dataset["digit"] = ("row", "column"), np.asarray(asked.x[0], np.float32)
    return dataset


def _axes(name: str, key: str, count: int) -> list[str]:
    """Names of the axes of a measure, after that of seeds."""
    if key == "confusion":
        return [f"{name}_label", f"{name}_answer"]
    if key.startswith("batch_"):
        return [f"{name}_epoch", f"{name}_batch"]
    if key == "test" or key.startswith("epoch_"):
        return [f"{name}_epoch"]
    return {"first": [f"{name}_asked"]}.get(key, ["bin"] * count)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table."""
    last = dataset.or_solved.isel(or_epoch=-1)
    found = {
        f"derivative against differences, {solver}": float(dataset.differences.sel(solver=solver))
        for solver in dataset.solver.values
    }
    found["gradient of LocalSpikes at 0.1 ms, from the exact one"] = float(dataset.gradient_apart)
    found["exclusive or: seeds"] = float(last.size)
    found["exclusive or: seeds that solve it"] = float((last == 1).sum())
    for name, title in (("points", "yin-yang"), ("images", str(dataset.attrs["data"]))):

        def mean(key: str, name=name) -> float:
            return float(dataset[f"{name}_{key}"].mean())

        accuracy = dataset[f"{name}_accuracy"]
        found[f"{title}: accuracy (%)"] = 100 * mean("accuracy")
        if accuracy.size > 1:
            found[f"{title}: sd over seeds (%)"] = 100 * float(accuracy.std(ddof=1))
        asked = dataset.sizes[f"{name}_asked"]
        low, high = wilson(round(mean("accuracy") * asked), asked)
        found[f"{title}: 95 % interval from (%)"] = 100 * low
        found[f"{title}: to (%)"] = 100 * high
        found[f"{title}: spikes an input makes"] = mean("spikes")
        found[f"{title}: hidden neurons silent for an input (%)"] = 100 * mean("silent_hidden")
        found[f"{title}: hidden neurons silent for all (%)"] = 100 * mean("never")
        found[f"{title}: outputs silent (%)"] = 100 * mean("silent_outputs")
        found[f"{title}: inputs without answer"] = mean("unanswered")
        found[f"{title}: median time of the answer (ms)"] = float(dataset[f"{name}_first"].median())
        if f"{name}_exact_same" in dataset:
            found[f"{title}: same answers event by event (%)"] = 100 * mean("exact_same")
            found[f"{title}: median distance of times (ms)"] = mean("exact_apart")
        if f"{name}_exact_between" in dataset:
            found[f"{title}: gradient before learning, from the exact one"] = mean("exact_between")
            found[f"{title}: cosine of the two"] = mean("exact_cosine")
        found[f"{title}: seconds a seed"] = mean("seconds")
        if not np.isnan(mean("processor")):
            found[f"{title}: processor seconds a seed"] = mean("processor")
    return found


def figure():
    """The module that draws it."""
    from figures import spike_times

    return spike_times


def main():
    study.main("spike_times", Config, run, summary, figure, __doc__)
