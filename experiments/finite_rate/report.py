"""Numbers of the study: capacities beside the law, the fitted laws, ratios of the variants."""

import numpy as np
import xarray as xr

from . import fits
from .curves import interval


def _entry(label: str, values: np.ndarray) -> dict[str, float]:
    """A number and its 95 % interval, from its resampled values, the first of all sets."""
    low, high = interval(values[1:])
    return {label: float(values[0]), f"{label}, low": float(low), f"{label}, high": float(high)}


def _label(rate: float) -> str:
    return "flow" if np.isinf(rate) else f"R tau = {rate:g}"


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Capacities (P, with intervals), the law's, fits, and ratios of variants to the ideal."""
    result = _capacities(dataset) | _agreement(dataset) | _near_the_fold(dataset)
    result |= _over_size(dataset) | _dwells(dataset) | _variants(dataset)
    return {label: value for label, value in result.items() if np.isfinite(value)}


def _capacities(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    for k, curve in enumerate(dataset.curve.values):
        for r, rate in enumerate(dataset.rate.values):
            own = dataset.isel(curve=k, rate=r, lifetime=-1)
            label = f"{curve}, {_label(rate)}: patterns"
            result |= _entry(label, np.exp(own.measured.values))
            result[f"{label} by law"] = float(np.exp(own.law.values[0]))
    return result


def _agreement(dataset: xr.Dataset) -> dict[str, float]:
    """ln P measured less that of the law, at all finite rates and lifetimes, paired by sets; and
    survival at each load, of all sets."""
    finite = np.isfinite(dataset.rate.values)
    away = (dataset.measured - dataset.law).values[:, finite]
    low, high = interval(away[..., 1:])
    some = np.isfinite(low)
    inside = (low <= 0) & (high >= 0)
    flow = (dataset.measured - dataset.law).values[:, -1, -1, 0]
    lost = dataset.lost.isel(rate=finite)
    chance = -np.expm1(-dataset.time / dataset.escape.isel(rate=finite))
    spread = (lost.notnull() * chance * (1 - chance)).sum(("set", "copy"))
    square = (lost - chance).sum(("set", "copy")) ** 2
    wide = spread.values > 1
    chi = (square / spread.where(spread > 1)).values[wide]
    return {
        "law: capacities compared": float(some.sum()),
        "law: in their 95 % intervals": float((inside & some).sum()),
        "law: mean of ln P measured less law": float(np.mean(away[..., 0][some])),
        "law: root mean square of it": float(np.sqrt(np.mean(away[..., 0][some] ** 2))),
        "law: the largest of it": float(np.max(np.abs(away[..., 0][some]))),
        "law, flow: the largest of it": float(np.nanmax(np.abs(flow))),
        "law: shares of survivors compared": float(wide.sum()),
        "law: mean squared deviation of shares over the binomial one": float(np.mean(chi)),
    }


def _near(dataset: xr.Dataset, name: str) -> np.ndarray:
    """ln P [curve, rate, resampled] at the rates of the law of the fold, flow included."""
    values = dataset[name].isel(lifetime=-1).values.copy()
    values[:, dataset.rate.values < fits.NEAR] = np.nan
    return values


def scales(dataset: xr.Dataset) -> np.ndarray:
    """`1 / (C R tau)` [curve, rate]; NaN where memories do not end in a fold."""
    coefficient = dataset.fold.sel(of_fold="coefficient").values
    return 1 / (coefficient[:, None] * dataset.rate.values[None])


def _near_the_fold(dataset: xr.Dataset) -> dict[str, float]:
    x, result = scales(dataset), {}
    rates = dataset.rate.values
    if np.sum((rates >= fits.NEAR) & np.isfinite(rates)) < 2:
        return {}  # no power to fit
    for name in ("measured", "law"):
        values = _near(dataset, name)
        free = [fits.power(values[..., i], x) for i in range(values.shape[-1])]
        held = [fits.power(values[..., i], x, 2 / 3) for i in range(values.shape[-1])]
        label = f"fold, {name}: "
        result |= _entry(f"{label}exponent", np.array([own.exponent for own in free]))
        logs = np.array([own.log_time for own in held])
        result |= _entry(f"{label}ln time at 2/3", logs)
    return result


def _over_size(dataset: xr.Dataset) -> dict[str, float]:
    """d ln P / dN of the curves of one beta."""
    betas = dataset.beta.values
    common = max(set(betas), key=list(betas).count)
    own = np.flatnonzero(betas == common)
    if len(own) < 2:
        return {}
    sizes, result = dataset["size"].values[own].astype(float), {}
    for r, rate in enumerate(dataset.rate.values):
        for name in ("measured", "law"):
            logs = dataset[name].isel(curve=own, rate=r, lifetime=-1).values
            values = fits.slope(sizes, logs)
            label = f"beta = {common:g}, {_label(rate)}: d ln P / dN, {name}"
            result |= _entry(label, values) if name == "measured" else {label: float(values[0])}
    return result


def derived(dataset: xr.Dataset) -> xr.Dataset:
    """The data set with what is drawn and is computed from it: dwells of the main curve, and the
    fitted law of the fold."""
    table = dwells(dataset, dataset.main)
    dataset = dataset.assign({f"dwell_{name}": table[name].variable for name in table})
    x = scales(dataset)
    dataset = dataset.assign(scale=(("curve", "rate"), x))
    log_times = {}
    for name in ("measured", "law"):
        fit = fits.power(_near(dataset, name)[..., 0], x, 2 / 3)
        dataset = dataset.assign({f"flow_{name}": ("curve", fit.flow)})
        log_times[f"log_time_{name}"] = fit.log_time
    return dataset.assign_attrs(log_times, near=fits.NEAR)


def dwells(dataset: xr.Dataset, curve: str) -> xr.Dataset:
    """Rates of loss [rate, step]: losses over the time at risk, with exact 95 % intervals of
    exponential dwells that end at the time asked for; the same expected by the law."""
    from scipy.stats import chi2

    own = dataset.sel(curve=curve)
    events, risk = (own[name].sum(("set", "copy")) for name in ("lost", "dwell"))
    low = chi2.ppf(0.025, 2 * events) / 2 / risk
    high = chi2.ppf(0.975, 2 * events + 2) / 2 / risk
    gone = 1 - np.exp(-dataset.time / own.escape)
    law = gone.sum("set") / (own.escape * gone).sum("set")
    return xr.Dataset(
        {
            "mean": risk / events.where(events > 0),
            "short": 1 / high,
            "long": 1 / low,
            "law": 1 / law,
        }
    )


def _dwells(dataset: xr.Dataset) -> dict[str, float]:
    """The slope of ln dwell over ln P at each rate: how many wrong spikes it takes to leave."""
    own, result = dataset.sel(curve=dataset.main), {}
    table = dwells(dataset, dataset.main).isel(rate=np.isfinite(dataset.rate.values))
    x = np.log(own["load"].values)
    for rate in table.rate.values:
        row = table.sel(rate=rate)
        lost, paths = own.lost.sel(rate=rate).sum(("set", "copy")).values, own.lost.sel(rate=rate)
        paths = paths.notnull().sum(("set", "copy")).values
        some = np.isfinite(row["mean"].values) & (lost >= 5) & (lost < paths)
        some &= np.isfinite(row.law.values)
        if some.sum() < 3:
            continue
        for name in ("mean", "law"):
            weight = np.sqrt(lost[some])
            slope = np.polyfit(x[some], np.log(row[name].values[some]), 1, w=weight)[0]
            kind = {"mean": "measured", "law": "law"}[name]
            result[f"{dataset.main}, R tau = {rate:g}: d ln dwell / d ln P, {kind}"] = float(slope)
    return result


def _variants(dataset: xr.Dataset) -> dict[str, float]:
    """Capacities over that of the ideal memory of the same patterns."""
    result: dict[str, float] = {}
    measured, law = (dataset[f"variant_{name}"].values for name in ("measured", "law"))
    names = ("variant_kind", "variant_rate", "variant_value")
    cells = list(zip(*(dataset[name].values for name in names), strict=True))
    for v, (kind, rate, value) in enumerate(cells):
        ideal = cells.index(("refractory", rate, 0.0))
        if v == ideal:
            label = f"ideal, R tau = {rate:g}: patterns"
            result |= _entry(label, np.exp(measured[v])) | {f"{label} by law": np.exp(law[v, 0])}
            continue
        label = f"{kind} {value:g}, R tau = {rate:g}: capacity over ideal"
        result |= _entry(label, np.exp(measured[v] - measured[ideal]))
        if kind == "refractory":
            result[f"{label} by law"] = float(np.exp(law[v, 0] - law[ideal, 0]))
    return {label: float(value) for label, value in result.items()}
