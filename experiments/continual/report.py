"""Numbers of the study of tasks one after another."""

import numpy as np
import xarray as xr

from .measures import READINGS, SCORES, STATISTICS
from .settings import ARMS, COUNT, FIELDS, UNSURE


def curve(dataset: xr.Dataset, arm: str) -> np.ndarray:
    """Mean accuracy [seed, after] on the tasks that have come, after each task."""
    return dataset.matrix.sel(arm=arm).mean("task", skipna=True).values


def just_learned(dataset: xr.Dataset, arm: str) -> np.ndarray:
    """Accuracy [seed, task] on each task right after it."""
    return np.diagonal(dataset.matrix.sel(arm=arm).values, axis1=1, axis2=2)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Means over seeds, and deviations of what is compared."""
    result: dict[str, float] = {}
    for arm in ARMS:
        here = dataset.sel(arm=arm)
        whole = here.final.mean("task").values
        result[f"{arm}: accuracy, all tasks"] = float(whole.mean())
        if len(whole) > 1:
            result[f"{arm}: accuracy, all tasks, deviation"] = float(whole.std(ddof=1))
        result[f"{arm}: accuracy, first task"] = float(here.final[:, 0].mean())
        result[f"{arm}: accuracy, last task"] = float(here.final[:, -1].mean())
        result[f"{arm}: accuracy, just learned"] = float(just_learned(dataset, arm).mean())
        for which in ("first", "last"):
            for statistic in STATISTICS if arm in UNSURE else STATISTICS[:2]:
                value = here.out.sel(which=which, statistic=statistic).mean()
                result[f"{arm}: area, {which} task, {statistic}"] = float(value)
        for reading in READINGS if arm in UNSURE else READINGS[:2]:
            for score in SCORES:
                value = here.scores.sel(reading=reading, score=score).mean()
                result[f"{arm}, {reading}: {score}"] = float(value)
        costs = here.costs.mean(["seed", "task"])
        for cost in ("free", "values", "errors") if float(costs.sel(cost="free")) else ():
            result[f"{arm}: spikes a sample, {cost}"] = float(costs.sel(cost=cost))
        best = int(here.chosen[0])
        for name, value in zip(FIELDS[arm], here["values"].values[best], strict=False):
            result[f"{arm}: {name}"] = float(value)
        for when in map(str, here.when.values):
            result[f"{arm}: accuracy of choice, {when}"] = float(here.tuning.sel(when=when)[best])
        if arm in UNSURE:
            for k, layer in enumerate(here.deviations.mean("seed").values, 1):
                low, middle, high = layer
                result[f"{arm}: deviation, layer {k}, 5 %"] = float(low)
                result[f"{arm}: deviation, layer {k}, median"] = float(middle)
                result[f"{arm}: deviation, layer {k}, 95 %"] = float(high)
    return result | {"settings of each": float(COUNT)}
