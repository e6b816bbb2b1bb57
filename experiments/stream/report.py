"""The numbers of `experiments.stream`."""

import numpy as np
import xarray as xr

MEASURES = "place", "within one", "recording"


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean over streams, and half of its interval of 95 %."""
    some = values[np.isfinite(values)]
    error = np.std(some, ddof=1) / np.sqrt(len(some)) if len(some) > 1 else 0.0
    return float(some.mean()), float(1.96 * error)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracies, energies and shares of attention's, of every method and condition."""
    result: dict[str, float] = {}
    for name in dataset.set.values:
        own = dataset.sel(set=name)
        result |= {f"{name}: places": float(own.places.mean()),
                   f"{name}: entries": float(own.entries.mean())}  # fmt: skip
        result |= {f"{name}: {rule}": float(own.rules.sel(rule=rule)) for rule in own.rule.values}
        for k in range(dataset.sizes["condition"]):
            one = own.isel(condition=k)
            kind, value = str(one.kind.values), float(one.value)
            label = name if k == 0 else f"{name}, {kind} {value:g}"
            result |= _condition(label, one, whole=k == 0)
    return result


def _condition(label: str, one: xr.Dataset, *, whole: bool) -> dict[str, float]:
    result: dict[str, float] = {}
    energy = one.energy.mean("seed")
    reference = one.right.sel(model="argmax")
    for method in one.model.values:
        right, spent = one.right.sel(model=method), energy.sel(model=method)
        if bool(right.isnull().all()):
            continue
        for measure in MEASURES if whole else MEASURES[:1]:
            mean, half = interval(right.sel(measure=measure).values.ravel())
            result[f"{label}, {method}: {measure}"] = mean
            if whole:
                result[f"{label}, {method}: {measure}, 95 %"] = half
        if not whole:
            result[f"{label}, {method}: nJ, fp32"] = float(spent.sel(price="fp32"))
        if method == "stream":
            for measure in MEASURES if whole else MEASURES[:1]:
                lead = (right - reference).sel(measure=measure).values.ravel()
                key = f"{label}, stream: {measure} over argmax"
                result[key], result[f"{key}, 95 %"] = interval(lead)
        if whole:
            for price in one.price.values:
                result[f"{label}, {method}: nJ, {price}"] = float(spent.sel(price=price))
                share = spent.sel(price=price) / energy.sel(model="attention", price=price)
                result[f"{label}, {method}: share of attention, {price}"] = float(share)
    spent = energy.sel(model="stream")
    for other in ("attention", "delta-argmax", "sequential recall", "beam search"):
        ratio = (spent / energy.sel(model=other)).sel(price="fp32")
        if np.isfinite(float(ratio)):
            result[f"{label}, stream: share of {other}"] = float(ratio)
    for name in ("sent", "candidates", "restarts", "jumps"):
        result[f"{label}: {name}"] = float(one[name].mean())
    result[f"{label}: products over law"] = float((one.products / one.law).mean())
    return result
