"""Numbers of the study of learning on line."""

import numpy as np
import xarray as xr
from scipy.stats import t as student

from .settings import ARMS, FIELDS, NONE, RATES, SPIKES, STRENGTHS
from .streams import CHANGES, LAWS


def mean_and_half(values: np.ndarray) -> tuple[float, float]:
    """Mean of values, one for each stream, and half of its 95 % interval (Student)."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def errors(dataset: xr.Dataset, name: str, arm: str, law: int | None = None) -> np.ndarray:
    """Share of errors [stream] of a learner, in all of a stream or under one law."""
    here = dataset.sel(recordings=name, arm=arm)
    wrong = 1 - here.right
    return (wrong if law is None else wrong.where(here.law == law)).mean("sample").values


def recovery(right: np.ndarray, each: int) -> np.ndarray:
    """Samples after each change [change] of a stream `right` [T] until the mean of a tenth of the
    law's samples is .9 of the mean of the last fifth before the change; all of them, if it never
    is."""
    window, last = max(each // 10, 1), max(each // 5, 1)
    found = []
    for start in range(each, len(right), each):
        goal = 0.9 * right[start - last : start].mean()
        sums = np.cumsum(np.append(0.0, right[start : start + each]))
        means = (sums[window:] - sums[:-window]) / window
        there = np.flatnonzero(means >= goal)
        found.append(window + there[0] if len(there) else each)
    return np.array(found, float)


def recoveries(dataset: xr.Dataset, name: str, arm: str) -> np.ndarray:
    """Samples to recover [stream, change], in the order of `CHANGES`."""
    here, each = dataset.sel(recordings=name, arm=arm), dataset.attrs["each"]
    rows = np.array([recovery(right, each) for right in here.right.values])
    order = here.law.values[:, each::each] - 1
    result = np.empty_like(rows)
    np.put_along_axis(result, order.astype(int), rows, axis=1)
    return result


def rate_range(rates: np.ndarray, error: np.ndarray, share: float = 1.1) -> float:
    """Factor between the largest and the least rate at which the error is within `share` of the
    least; between two rates it is taken to be linear in the logarithm."""
    best, log = error.argmin(), np.log(rates)
    goal = share * error[best]

    def end(indices: np.ndarray) -> float:
        for inner, outer in zip(indices, indices[1:], strict=False):
            if error[outer] > goal:
                part = (goal - error[inner]) / (error[outer] - error[inner])
                return float(log[inner] + part * (log[outer] - log[inner]))
        return float(log[indices[-1]])

    up, down = np.arange(best, len(rates)), np.arange(best, -1, -1)
    return float(np.exp(end(up) - end(down)))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Errors, their ratios to those without inference with 95 % intervals of the pairs, samples to
    recover, settings that were chosen, and what inference did."""
    result: dict[str, float] = {}
    for name in map(str, dataset.recordings.values):
        base = errors(dataset, name, NONE)
        for arm in ARMS:
            label = f"{name}, {arm}"
            mean, half = mean_and_half(errors(dataset, name, arm))
            result |= {f"{label}: error": mean, f"{label}: error, 95 %": half}
            if arm != NONE:
                mean, half = mean_and_half(errors(dataset, name, arm) / base)
                result |= {f"{label}: over no inference": mean}
                result |= {f"{label}: over no inference, 95 %": half}
            for law, kind in enumerate(LAWS):
                there = errors(dataset, name, arm, law)
                result[f"{label}, {kind}: error"] = float(there.mean())
                if arm != NONE:
                    mean, half = mean_and_half(there / errors(dataset, name, NONE, law))
                    result |= {f"{label}, {kind}: over no inference": mean}
                    result |= {f"{label}, {kind}: over no inference, 95 %": half}
            for k, kind in enumerate(CHANGES):
                result[f"{label}, {kind}: samples to recover"] = float(
                    recoveries(dataset, name, arm)[:, k].mean()
                )
            here = dataset.sel(recordings=name, arm=arm)
            chosen = here["values"].isel(setting=int(here.chosen)).values
            result |= {f"{label}: {f}": float(v) for f, v in zip(FIELDS[arm], chosen, strict=False)}
            result |= _account(here, label) if arm in (RATES, SPIKES) else {}
            result |= _ranges(here, label) if arm in (RATES, SPIKES, NONE) else {}
    return result


def _account(here: xr.Dataset, label: str) -> dict[str, float]:
    words = {
        "moved": "moves of values over values", "cosine": "cosine to the gradient",
        "before": "probability of the label before", "after": "probability of the label after",
        "values": "value spikes", "moves": "value spikes of inference", "errors": "error spikes",
    }  # fmt: skip
    means = here.account.mean("kind")
    found = {f"{label}: {w}": float(means.sel(measure=m)) for m, w in words.items()}
    return {key: value for key, value in found.items() if np.isfinite(value)}


def _ranges(here: xr.Dataset, label: str) -> dict[str, float]:
    rates, strengths = here["values"].values.T
    error = here.tuning.values
    if np.isnan(strengths).all():
        return {f"{label}: range of rates": rate_range(rates, error)}
    rows = {s: strengths == s for s in STRENGTHS}
    return {
        f"{label}, strength {s:g}: range of rates": rate_range(rates[row], error[row])
        for s, row in rows.items()
    }
