"""The numbers of `experiments.adapt_anytime`."""

import numpy as np
import xarray as xr

from ..common.statistics import paired_difference, wilson
from .arriving import DECIDING, METHODS
from .measures import AGES
from .recordings import FOLDS, FRAME

MOMENTS = 25, 50, 100, 200, 300  # ms into a recording
NOMINAL = 0.05, 0.1  # error rates of the stopping rule
TOLD = "network, onset told"
NONE = np.nan, np.nan, np.nan


def tests_of(dataset: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    """Folds of each test of a set: of its training recordings, and the official one."""
    folds = dataset[f"{name}:fold"].values
    both = {"folds": np.flatnonzero(folds < FOLDS), "official": np.flatnonzero(folds == FOLDS)}
    return {test: which for test, which in both.items() if len(which)}


def accuracies(dataset: xr.Dataset, name: str, method: str, folds: np.ndarray) -> np.ndarray:
    """Accuracy [recordings, ages, the end last] of recordings that are measured at all."""
    right = dataset[f"{name}:right"].sel(model=method).values[folds]
    right = right.reshape(-1, right.shape[-1])
    return right[np.isfinite(right[:, -1])]


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean over recordings, and half of its interval of 95 %; NaN where there is none."""
    some = values[np.isfinite(values)]
    if not len(some):
        return np.nan, np.nan
    return float(some.mean()), 1.96 * float(np.std(some, ddof=min(1, len(some) - 1))) / np.sqrt(
        len(some)
    )


def falls(right: np.ndarray) -> float:
    """The largest fall of accuracy with more evidence, of recordings that last to the last age: by
    how much the mean at any age lies below that at an earlier one."""
    reached = np.isfinite(right).any(axis=0)  # of short recordings there are fewer ages
    lasting = right[:, reached]
    lasting = lasting[np.isfinite(lasting).all(axis=1), :AGES].mean(axis=0)
    return float((np.maximum.accumulate(lasting) - lasting).max())


def threshold(dataset: xr.Dataset, name: str, rule: str, fold: int, nominal: float) -> int:
    """Index of the error rate that a fold's stopping rule takes for answers to be wrong as often as
    `nominal` at most: the largest for which they were on other folds of training recordings
    (conformal risk control, Angelopoulos et al. 2022, arXiv:2208.02814, at the largest loss 1)."""
    folds = dataset[f"{name}:fold"].values
    others = [k for k in range(len(folds)) if k != fold and folds[k] < FOLDS] or [fold]
    given, right = (
        dataset[f"{name}:decisions, {key}"].sel(rule=rule).values[others]
        for key in ("given", "right")
    )
    count, wrong = (np.nansum(x, axis=(0, 2)) for x in (given, given - right))
    fine = (wrong + 1) / (count + 1) <= nominal
    return int(np.argmax(fine)) if fine.any() else len(fine) - 1


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies by the time into the next recording, answers and their price, drift; of the folds
    of training recordings, and of the official test."""
    result: dict[str, float] = {}
    for name in dataset.attrs["events"]:
        for test, folds in tests_of(dataset, name).items():
            for method in METHODS:
                result |= _arrival(dataset, name, test, method, folds)
            for rule in DECIDING:
                result |= _stopping(dataset, name, test, rule, folds)
            found = dataset[f"{name}:onset found"].values[folds].mean(axis=0)
            for ms in MOMENTS[:3]:
                label = f"{name}, {test}: onset found, {ms} ms"
                result[label] = float(found[ms // FRAME - 1])
    for name, key in zip(dataset.attrs["tasks"], dataset.attrs["keys"], strict=True):
        result |= _drift(dataset, name, key)
    return {label: value for label, value in result.items() if np.isfinite(value)}


def _arrival(dataset, name: str, test: str, method: str, folds: np.ndarray) -> dict[str, float]:
    label, result = f"{name}, {test}, {method}", {}
    right = accuracies(dataset, name, method, folds)
    for ms in MOMENTS:
        mean, half = interval(right[:, ms // FRAME - 1])
        result |= {f"{label}: {ms} ms": mean, f"{label}: {ms} ms, 95 %": half}
    result[f"{label}: end"], result[f"{label}: end, 95 %"] = interval(right[:, -1])
    result[f"{label}: largest fall"] = falls(right)
    nll = dataset[f"{name}:nll"].sel(model=method).values[folds]
    result[f"{label}: nll, all moments"] = float(nll.mean())
    if method != TOLD:
        told = accuracies(dataset, name, TOLD, folds)
        for moment, column in (("100 ms", 100 // FRAME - 1), ("end", -1)):
            both = np.isfinite(told[:, column])
            gap = paired_difference(right[both, column], told[both, column]) if both.any() else NONE
            result[f"{label}: {moment}, less onset told"] = gap[0]
            result[f"{label}: {moment}, less onset told, 95 %"] = gap[2] - gap[0]
    else:
        result[f"{name}, {test}: recordings"] = float(len(right))
    return result


def _stopping(dataset, name: str, test: str, rule: str, folds: np.ndarray) -> dict[str, float]:
    result = {}
    alphas = dataset.alpha.values
    energy = dataset[f"{name}:frame energy"].sel(rule=rule).values[folds].mean()
    result[f"{name}, {test}, {rule}: nJ a frame"] = float(energy)
    for nominal in NOMINAL:
        stated = int(np.flatnonzero(alphas == nominal)[0])
        used = {
            "posterior": [stated for _ in folds],
            "calibrated": [threshold(dataset, name, rule, k, nominal) for k in folds],
        }
        for kind, which in used.items():
            label = f"{name}, {test}, {rule}, alpha {nominal:g}, {kind}"
            pairs = list(zip(folds, which, strict=True))
            totals = {
                key: np.concatenate(
                    [
                        dataset[f"{name}:decisions, {key}"].sel(rule=rule).values[k, a]
                        for k, a in pairs
                    ]
                )
                for key in ("given", "right", "shown", "answered")
            }
            given, right = np.nansum(totals["given"]), np.nansum(totals["right"])
            result[f"{label}: coverage"] = float(right / max(given, 1))
            result[f"{label}: coverage, 95 %"] = _ratio_error(totals["right"], totals["given"])
            shown = np.nansum(totals["shown"])
            result[f"{label}: answered"] = float(np.nansum(totals["answered"]) / shown)
            result[f"{label}: answers a recording"] = float(given / shown)
            for key, unit in (("delay", "ms"), ("spikes", "spikes"), ("energy", "nJ")):
                values = dataset[f"{name}:median, {key}"].sel(rule=rule).values
                medians = np.array([values[k, a] for k, a in pairs])
                result[f"{label}: median {unit}"] = interval(medians)[0]
            result[f"{label}: threshold"] = float(np.mean([1 - alphas[a] for a in which]))
    return result


def _ratio_error(right: np.ndarray, given: np.ndarray) -> float:
    """Half the 95 % interval of a ratio of sums over recordings (delta method)."""
    known = np.isfinite(given)
    right, given = right[known], given[known]
    if given.sum() == 0:
        return np.nan
    rest = right - right.sum() / given.sum() * given
    return float(1.96 * np.sqrt((rest**2).sum()) / given.sum())


def _drift(dataset: xr.Dataset, name: str, key: str) -> dict[str, float]:
    result: dict[str, float] = {}
    tests = dataset[f"{key}:test"]
    count, point = int(tests.sum()), dataset[f"{key}:point"]
    change = float(dataset[f"{key}:change"][0])
    for decay in dataset.decay.values:
        share = dataset[f"{key}:right"].sel(decay=decay) / tests
        last = share[:, -5:].mean(f"{key}:point")
        stationary = dataset[f"{key}:stationary"].sel(decay=decay) / tests
        low, high = wilson(round(float(last.mean()) * count), count)
        label = f"{name}, spikes, decay {decay:g}"
        result |= {
            f"{label}: before": float(share[:, point <= change][:, -3:].mean()),
            f"{label}: at the drift": float(share[:, point > change][:, 0].mean()),
            f"{label}: in the end": float(last.mean()),
            f"{label}: in the end, low": low,
            f"{label}: in the end, high": high,
            f"{label}: stationary": float(stationary.mean()),
            f"{label}: in the end less stationary": float((last - stationary).mean()),
            f"{label}: hidden spikes": float(dataset[f"{key}:spikes"].sel(decay=decay).mean()),
        }
        if last.size > 1:
            deviation = float((last - stationary).std(ddof=1))
            result[f"{label}: in the end less stationary, deviation"] = deviation
    return result
