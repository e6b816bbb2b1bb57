"""The numbers of `experiments.sequential`: accuracies, pairs, energies over those of rivals."""

import numpy as np
import xarray as xr

from ..common.statistics import mcnemar, paired_difference
from .methods import BATCHES, PRICES
from .values import METHODS

Metrics = dict[str, float]
RESAMPLES = 1000
OWN, SURE = "sequential", "sequential, certified"
STUDENT = "sequential, Student-t, certified"
BANDITS = "BanditMIPS", "BanditMIPS, by variance"
ENDS = "fp32", "int8+memory"  # of the price lists
SHOWN = "attention", "argmax", "SANTA, 16", "survivors, theta 7", "survivors, 16 samples"
NAMED = (
    "argmax", "attention", "draws, 1", "draws, 40", *BANDITS, OWN, SURE,
    "sequential, sigma estimated", "sequential, Student-t", STUDENT, "sequential, int8",
)  # fmt: skip


def flags(own: xr.Dataset, model: str) -> np.ndarray:
    """Whether each query of all seeds was answered right; empty if the method does not apply."""
    right = own.right.sel(model=model).values.ravel()
    return right[right >= 0] > 0


def ratio(own: xr.Dataset, model: str, rival: str, price: str) -> tuple[float, float, float]:
    """Energy of a method over that of a rival, with its 95 % interval by resampling the seeds."""
    rows = [own.energy.sel(model=name, price=price).values for name in (model, rival)]
    above, below = (row[np.isfinite(row)] for row in rows)
    if not (len(above) and len(below)):
        return float("nan"), float("nan"), float("nan")
    picks = np.random.default_rng(0).integers(0, len(above), (RESAMPLES, len(above)))
    low, high = np.quantile(above[picks].sum(1) / below[picks].sum(1), [0.025, 0.975])
    return float(above.sum() / below.sum()), float(low), float(high)


def summary(dataset: xr.Dataset) -> Metrics:
    """All numbers by name."""
    result: Metrics = {}
    for case in map(str, dataset.case.values):
        result |= {f"{case}: {k}": v for k, v in _of_case(dataset.sel(case=case)).items()}
    result |= _masks(dataset) | _headline(dataset) | _values(dataset) | _growth(dataset)
    return {name: value for name, value in result.items() if np.isfinite(value)}


def _of_case(own: xr.Dataset) -> Metrics:
    result: Metrics = {"queries": float(len(flags(own, "argmax")))}
    for model in NAMED:
        right = flags(own, model)
        if len(right):
            result[f"accuracy, {model}"] = float(right.mean())
    for model in (OWN, SURE, "sequential, Student-t", STUDENT, "sequential, int8"):
        if len(flags(own, model)):
            pair = flags(own, model), flags(own, "argmax")
            mean, low, high = paired_difference(*pair)
            result |= {f"{model} less argmax": mean, f"{model} less argmax, low": low}
            if model == OWN:
                result[f"{model} less argmax, high"] = high
                result[f"{model} against argmax: p"] = mcnemar(*pair)
    for rival in ("attention", "argmax"):
        for price in PRICES:
            result[f"over {rival}, {price}"] = ratio(own, OWN, rival, price)[0]
        for price in ENDS:
            result[f"certified over {rival}, {price}"] = ratio(own, SURE, rival, price)[0]
    low, high = ratio(own, OWN, "argmax", "fp32")[1:]
    result |= {"over argmax, fp32, low": low, "over argmax, fp32, high": high}
    for price in ENDS:
        result[f"over partial distance, {price}"] = ratio(own, OWN, "partial distance", price)[0]
        result[f"over BanditMIPS, {price}"] = max(ratio(own, OWN, x, price)[0] for x in BANDITS)
        result[f"over one draw, {price}"] = ratio(own, OWN, "draws, 1", price)[0]
    for batch in BATCHES:
        for price in ("fp32+memory", "int8+memory"):
            shared = ratio(own, OWN, f"attention, batch {batch}", price)[0]
            result[f"over attention, batch {batch}, {price}"] = shared
    for model in (OWN, SURE, "sequential, Student-t", STUDENT):
        result[f"silenced, {model}"] = float(own.silenced.sel(model=model).mean())
    for name in ("theta", "block", "student"):
        result[name] = float(own.choice.sel(chosen=name))
    macs = float(own.counts.sel(model=OWN, operation="macs").mean())
    events = str(own.kind.values) in ("Deletion", "Exposure")
    share = np.nan if events else macs / float(own.width * own.patterns)
    return result | {"share of MACs": share, "law": float(own.law)}


def _masks(dataset: xr.Dataset) -> Metrics:
    """Energy of recall that knows what is missing, over that of attention that does not."""
    result: Metrics = {}
    for case in map(str, dataset.case.values):
        if case.endswith(", unknown"):
            known = case.removesuffix(", unknown")
            for price in PRICES:
                rows = [
                    float(dataset.energy.sel(case=name, model=model, price=price).mean())
                    for name, model in ((known, OWN), (case, "attention"))
                ]
                result[f"{known}: known, over attention that does not know, {price}"] = (
                    rows[0] / rows[1]
                )
    return result


def _headline(dataset: xr.Dataset) -> Metrics:
    """The worst ratios of MNIST, 1,000 memories, for noise up to 1.5."""
    some = (dataset.data == "mnist") & (dataset.patterns == 1000) & (dataset.kind == "Noise")
    some = some & (dataset.level <= 1.5) & (dataset.assumed == 1)
    cases = list(map(str, dataset.case.values[some.values]))
    if not cases:
        return {}
    result: Metrics = {}
    for model, short in ((OWN, ""), (SURE, "certified ")):
        for rival in ("attention", "argmax", "partial distance", *BANDITS):
            worst = [
                max(ratio(dataset.sel(case=case), model, rival, price)[0] for case in cases)
                for price in PRICES
            ]
            for price, value in zip(PRICES, worst, strict=True):
                name = f"mnist 1000, noise up to 1.5: most {short}over {rival}, {price}"
                result[name] = value
    return result


def _values(dataset: xr.Dataset) -> Metrics:
    result: Metrics = {}
    for noise in dataset.value_noise.values:
        for method in METHODS:
            own = dataset.sel(value_noise=noise, mixture=method)
            label = f"value, noise {noise:g}, {method}"
            result[f"{label}: square error"] = float(own.value_error.mean())
            result[f"{label}: from the exact mean"] = float(own.value_apart.mean())
            for price in ENDS:
                energy = float(own.value_energy.sel(price=price).mean())
                result[f"{label}: nJ, {price}"] = energy
    return result


def _growth(dataset: xr.Dataset) -> Metrics:
    """Exponents of the cost, and what a processor does."""
    result: Metrics = {}
    for k, letter in enumerate("PN"):
        result[f"sphere: exponent of MACs in {letter}"] = float(dataset.exponents[k])
        result[f"sphere: exponent of MACs in {letter}, standard error"] = float(
            dataset.exponent_errors[k]
        )
    for data in ("mnist", "sphere"):
        some = (dataset.data == data) & (dataset.kind == "Noise") & (dataset.level == 1.5)
        own = dataset.isel(case=np.flatnonzero((some & (dataset.assumed == 1)).values))
        if own.sizes["case"] > 1:
            macs = own.counts.sel(model=SURE, operation="macs").mean("seed")
            slope = np.polyfit(np.log(own.patterns), np.log(macs), 1)[0]
            result[f"{data}, noise 1.5, certified: exponent of MACs in P"] = float(slope)
    batch, seconds = dataset.batch.values, dataset.seconds.values
    rate = batch[:, None] / seconds
    result["speed: queries a second, best batch"] = float(rate.max())
    result["speed: queries a second, product of matrices"] = float(
        (batch / dataset.plain_seconds.values).max()
    )
    result["speed: one query, ms"] = float(1e3 * seconds[batch == 1].min())
    result["speed: one query, product of matrices, ms"] = float(
        1e3 * dataset.plain_seconds.values[batch == 1].min()
    )
    return result


def text(metrics: Metrics) -> str:
    """What is printed: of each case, accuracies, energies over rivals, and the choice."""
    cases = [name.removesuffix(": queries") for name in metrics if name.endswith(": queries")]
    columns = (
        ("accuracy, argmax", "argmax"), ("accuracy, sequential", "seq."),
        ("accuracy, sequential, certified", "sure"), ("over attention, fp32", "/att."),
        ("over attention, int8+memory", "int8+m"), ("over argmax, fp32", "/argmax"),
        ("certified over argmax, fp32", "sure"), ("over partial distance, fp32", "/part."),
        ("over BanditMIPS, fp32", "/bandit"), ("share of MACs", "MACs"), ("law", "law"),
        ("theta", "theta"), ("block", "block"),
    )  # fmt: skip
    lines = [f"{'':<44}" + "".join(f"{short:>9}" for _, short in columns)]
    for case in cases:
        numbers = (metrics.get(f"{case}: {name}", float("nan")) for name, _ in columns)
        lines.append(f"{case:<44}" + "".join(f"{number:>9.3f}" for number in numbers))
    others = [
        name
        for name in metrics
        if not any(name.startswith(f"{case}: ") for case in cases)
        and (not name.startswith("value") or any(f", {own}:" in name for own in SHOWN))
    ]
    return "\n".join([*lines, *(f"{name:<72} {metrics[name]:.6g}" for name in others)])
