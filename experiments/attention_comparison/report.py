"""The numbers of `experiments.attention_comparison`, and what they say."""

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from ..common.statistics import standard_error
from ..common.study import listing
from . import ambiguity as ambiguity
from .tasks import LEVELS
from .training import POOLINGS

Metrics = dict[str, float]
EVEN = "break-even spikes, N = 784, P = 1000: "


def correlation(dataset: xr.Dataset) -> float:
    """Spearman's, of the ambiguity of a query and the spikes up to its decision."""
    x, y = dataset.query_ambiguity.values.ravel(), dataset.query_decision.values.ravel()
    return float(spearmanr(x, y).statistic)


def spikes_to_match(dataset: xr.Dataset) -> dict[float, float]:
    """By noise: how many spikes, each query its own number, bring their mean within
    `ambiguity.ERROR` of attention's answer (mean square per entry): `tr Cov_p / (N ERROR)`.
    """
    needed = dataset.query_many.mean(("set", "query"))
    return {float(noise): float(needed.sel(noise=noise)) for noise in dataset.noise.values}


def summary(dataset: xr.Dataset) -> Metrics:
    """Accuracy and energy of every method at every level, and where the lines cross."""
    return {
        **_tasks(dataset),
        **_denoising(dataset),
        **_decisions(dataset),
        **_layer(dataset),
        **{f"{EVEN}{case}": float(dataset.even.sel(case=case)) for case in dataset.case.values},
    }


def _tasks(dataset: xr.Dataset) -> Metrics:
    result: Metrics = {}
    mean, error = dataset.accuracy.mean("seed"), standard_error(dataset.accuracy, "seed")
    for name in dataset.task.values:
        for damage, level in enumerate(dataset.level.sel(task=name).values):
            for method in dataset.model.values:
                at = dict(task=name, model=method)
                if np.isnan(mean.sel(**at, memory="fp32")[damage]):
                    continue  # it does not apply
                label = f"{name} {level:g}, {method}: "
                for store in dataset.memory.values:
                    pick = dict(**at, memory=store)
                    result[f"{label}accuracy, {store}"] = float(mean.sel(pick)[damage])
                result[f"{label}standard error"] = float(error.sel(**at, memory="fp32")[damage])
                for price in dataset.price.values:
                    energy = dataset.energy.sel(**at, price=price)[damage]
                    result[f"{label}nJ, {price}"] = float(energy)
    return result


def _denoising(dataset: xr.Dataset) -> Metrics:
    result: Metrics = {}
    needed = spikes_to_match(dataset)
    for noise in dataset.noise.values:
        own = dataset.sel(noise=noise)
        label = f"denoising, noise {noise:g}: "
        for name in ("attention", "argmax"):
            result[f"{label}square error, {name}"] = float(own[f"query_{name}"].mean())
        for count in (1, 16, 256):
            error = own.query_spiking.sel(draws=count).mean()
            result[f"{label}square error, {count} spikes"] = float(error)
        for by in dataset.by.values:
            result[f"{label}accuracy, {by}"] = float(own.query_right.sel(by=by).mean())
        result[f"{label}spikes to a decision"] = float(own.query_decision.mean())
        result[f"{label}tr Cov / N"] = float(own.query_ambiguity.mean())
        result[f"{label}spikes within 0.05 of attention"] = needed[float(noise)]
    return result


def _decisions(dataset: xr.Dataset) -> Metrics:
    apart = dataset.query_apart.mean("query") / (
        (dataset.query_ambiguity / dataset.query_many).mean("query")
    )
    apart = apart.sel(noise=dataset.noise >= 1.5).mean("noise")  # elsewhere nearly 0 / 0
    return {
        "rank correlation of ambiguity and spikes to a decision": correlation(dataset),
        "mean square distance from attention over tr Cov / S": float(apart.mean()),
        "its standard error": float(standard_error(apart, "set")),
    }


def _layer(dataset: xr.Dataset) -> Metrics:
    result: Metrics = {}
    for name in dataset.pooling.values:
        for budget in (1, 8, 64):
            own = dataset.sel(pooling=name, budget=budget)
            label = f"layer, {name}, {budget} spikes: "
            result[f"{label}accuracy"] = float(own.trained.mean())
            result[f"{label}standard error"] = float(standard_error(own.trained, "start"))
            for price in dataset.price.values:
                result[f"{label}nJ, {price}"] = float(own.trained_energy.sel(price=price))
    return result


def text(metrics: Metrics) -> str:
    """What is printed: the verdict, then all numbers."""
    return f"{verdict(metrics)}\n{listing(metrics)}"


def verdict(metrics: Metrics) -> str:
    """Where attention wins and where it does not, with the numbers of this run."""
    return "\n".join(
        [*_says_of_queries(metrics), *_says_of_energies(metrics), *_says_of_decisions(metrics)]
    )


def _middle(metrics: Metrics, name: str, method: str, what: str) -> float:
    """A number of a task at its middle damage."""
    return metrics[f"{name} {LEVELS[name][1]:g}, {method}: {what}"]


def _says_of_queries(metrics: Metrics) -> list[str]:
    hard = ambiguity.NOISE[-1]
    own = f"denoising, noise {hard:g}: "
    error = {
        name: metrics[f"{own}square error, {name}"] for name in ("attention", "argmax", "1 spikes")
    }
    shares = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{word} {_middle(metrics, name, method, 'accuracy, fp32'):.3f}"
            for word, method in (
                ("attention", "attention"), ("argmax", "argmax"), ("8 spikes", "spiking 8")
            )
        )
        for name in LEVELS
    )  # fmt: skip
    return [
        f"Ambiguous queries (noise {hard:g}): attention's square error is "
        f"{error['attention']:.3f}, argmax's {error['argmax']:.3f}, one spike's "
        f"{error['1 spikes']:.3f}; to be within {ambiguity.ERROR:g} of attention spikes must "
        f"number {metrics[f'{own}spikes within 0.05 of attention']:.1f}.",
        f"Naming the best match, at the middle damage: {shares}. argmax costs "
        f"{_ratio(metrics, 'auto', 'fp32', 'argmax'):.2f} (graded inputs) and "
        f"{_ratio(metrics, 'raster', 'fp32', 'argmax'):.2f} (spikes as inputs) of attention.",
    ]


def _ratio(metrics: Metrics, name: str, price: str, method: str = "spiking 8") -> float:
    """The energy of a method over attention's."""
    own, rival = (_middle(metrics, name, m, f"nJ, {price}") for m in (method, "attention"))
    return own / rival


def _says_of_energies(metrics: Metrics) -> list[str]:
    even = {k.removeprefix(EVEN): value for k, value in metrics.items() if k.startswith(EVEN)}
    lines = [
        f"{value:.0f} ({case})" if value > 0 else f"none ({case})" for case, value in even.items()
    ]
    graded = [
        _ratio(metrics, "auto", price, method)
        for method in ("spiking 8", "spiking 1")
        for price in ("fp32", "int8")
    ]
    return [
        f"Graded inputs: 8 spikes cost {graded[0]:.2f} (fp32) and {graded[1]:.2f} (int8) of "
        f"attention, one spike {graded[2]:.2f} and {graded[3]:.2f}.",
        f"Spikes as inputs: 8 spikes cost {_ratio(metrics, 'raster', 'fp32'):.2f} (fp32) and "
        f"{_ratio(metrics, 'raster', 'int8'):.2f} (int8) of attention that skips silent inputs.",
        "784 pixels, 1,000 memories: spikes are cheaper than attention up to "
        + ", ".join(lines)
        + ".",
    ]


def _says_of_decisions(metrics: Metrics) -> list[str]:
    easy, hard = (f"denoising, noise {ambiguity.NOISE[k]:g}: " for k in (0, -1))
    taken = [metrics[f"{own}spikes to a decision"] for own in (easy, hard)]
    right = [metrics[f"{hard}accuracy, {by}"] for by in ("decision", "attention", "first spike")]
    attention, hopfield, score, read = (
        metrics[f"layer, {name}, {budget} spikes: accuracy"]
        for name, budget in zip(POOLINGS, (1, 1, 8, 8), strict=True)
    )
    return [
        f"Adaptive: a lead of {ambiguity.LEAD} votes takes {taken[0]:.1f} spikes at "
        f"noise {ambiguity.NOISE[0]:g} and {taken[1]:.1f} at noise {ambiguity.NOISE[-1]:g}, "
        f"where it is right in {right[0]:.3f}, attention in {right[1]:.3f}, the first spike in "
        f"{right[2]:.3f}.",
        f"Trained layer: attention {attention:.3f}, Hopfield {hopfield:.3f}, 8 spikes "
        f"{score:.3f} (score function) and {read:.3f} (trained as attention).",
    ]
