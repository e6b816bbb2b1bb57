"""The numbers of `experiments.attention_comparison`, and what they say."""

import numpy as np
import xarray as xr

from . import ambiguity as ambiguity


def standard_error(values: xr.DataArray, dim: str) -> xr.DataArray:
    """Of a mean along `dim`; 0 where there is one value only."""
    size = values.sizes[dim]
    return values.std(dim, ddof=1) / np.sqrt(size) if size > 1 else 0.0 * values.mean(dim)


def correlation(dataset: xr.Dataset) -> float:
    """Spearman's, of the ambiguity of a query and the spikes up to its decision."""
    from scipy.stats import spearmanr

    x, y = dataset.query_ambiguity.values.ravel(), dataset.query_decision.values.ravel()
    return float(spearmanr(x, y).statistic)


def spikes_to_match(dataset: xr.Dataset) -> dict[float, float]:
    """By noise: how many spikes, each query its own number, bring their mean within
    `ambiguity.ERROR` of attention's answer (mean square per entry): `tr Cov_p / (N ERROR)`.
    """
    needed = dataset.query_many.mean(("set", "query"))
    return {float(noise): float(needed.sel(noise=noise)) for noise in dataset.noise.values}


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Accuracy and energy of every method at every level, and where the lines cross."""
    result: dict[str, float] = {}
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
                    result[f"{label}nJ, {price}"] = float(
                        dataset.energy.sel(**at, price=price)[damage]
                    )
    for noise in dataset.noise.values:
        own = dataset.sel(noise=noise)
        label = f"denoising, noise {noise:g}: "
        for name in ("attention", "argmax"):
            result[f"{label}square error, {name}"] = float(own[f"query_{name}"].mean())
        for count in (1, 16, 256):
            result[f"{label}square error, {count} spikes"] = float(
                own.query_spiking.sel(draws=count).mean()
            )
        for by in dataset.by.values:
            result[f"{label}accuracy, {by}"] = float(own.query_right.sel(by=by).mean())
        result[f"{label}spikes to a decision"] = float(own.query_decision.mean())
        result[f"{label}tr Cov / N"] = float(own.query_ambiguity.mean())
        result[f"{label}spikes within 0.05 of attention"] = spikes_to_match(dataset)[float(noise)]
    result["rank correlation of ambiguity and spikes to a decision"] = correlation(dataset)
    apart = dataset.query_apart.mean("query") / (
        (dataset.query_ambiguity / dataset.query_many).mean("query")
    )
    apart = apart.sel(noise=dataset.noise >= 1.5).mean("noise")  # elsewhere nearly 0 / 0
    result["mean square distance from attention over tr Cov / S"] = float(apart.mean())
    result["its standard error"] = float(standard_error(apart, "set"))
    for name in dataset.pooling.values:
        for budget in (1, 8, 64):
            own = dataset.trained.sel(pooling=name, budget=budget)
            result[f"layer, {name}, {budget} spikes: accuracy"] = float(own.mean())
            result[f"layer, {name}, {budget} spikes: standard error"] = float(
                standard_error(own, "start")
            )
            for price in dataset.price.values:
                pick = dict(pooling=name, budget=budget, price=price)
                result[f"layer, {name}, {budget} spikes: nJ, {price}"] = float(
                    dataset.trained_energy.sel(pick)
                )
    for case in dataset.case.values:
        result[f"break-even spikes, N = 784, P = 1000: {case}"] = float(dataset.even.sel(case=case))
    return result


def verdict(dataset: xr.Dataset) -> str:
    """Where attention wins and where it does not, with the numbers of this run."""
    hard = float(dataset.noise.values[-1])
    error = {
        name: float(dataset[f"query_{name}"].sel(noise=hard).mean())
        for name in ("attention", "argmax")
    }
    first = float(dataset.query_spiking.sel(noise=hard, draws=1).mean())
    needed = spikes_to_match(dataset)
    even = {str(case): float(dataset.even.sel(case=case)) for case in dataset.case.values}

    def joules(method, name, price):
        return float(dataset.energy.sel(task=name, model=method, price=price)[1])

    def ratio(name, price, method="spiking 8", rival="attention"):
        return joules(method, name, price) / joules(rival, name, price)

    def share(method, name):
        return float(dataset.accuracy.sel(task=name, model=method, memory="fp32")[1].mean())

    def spikes(case):
        return f"{even[case]:.0f}" if even[case] > 0 else "none"

    trained = dataset.trained.mean("start")
    decision = dataset.query_decision.mean(("set", "query"))
    rights = dataset.query_right.sel(noise=hard).mean(("set", "query")).values
    lines = [
        f"Ambiguous queries (noise {hard:g}): attention's square error is "
        f"{error['attention']:.3f}, argmax's {error['argmax']:.3f}, one spike's {first:.3f}; "
        f"to be within {ambiguity.ERROR:g} of attention spikes must number {needed[hard]:.1f}.",
        "Naming the best match, at the middle damage: "
        + "; ".join(
            f"{name}: attention {share('attention', name):.3f}, argmax "
            f"{share('argmax', name):.3f}, 8 spikes {share('spiking 8', name):.3f}"
            for name in map(str, dataset.task.values)
        )
        + f". argmax costs {ratio('auto', 'fp32', 'argmax'):.2f} (graded inputs) and "
        f"{ratio('raster', 'fp32', 'argmax'):.2f} (spikes as inputs) of attention.",
        f"Graded inputs: 8 spikes cost {ratio('auto', 'fp32'):.2f} (fp32) and "
        f"{ratio('auto', 'int8'):.2f} (int8) of attention, one spike "
        f"{ratio('auto', 'fp32', 'spiking 1'):.2f} and {ratio('auto', 'int8', 'spiking 1'):.2f}.",
        f"Spikes as inputs: 8 spikes cost {ratio('raster', 'fp32'):.2f} (fp32) and "
        f"{ratio('raster', 'int8'):.2f} (int8) of attention that skips silent inputs.",
        "784 pixels, 1,000 memories: spikes are cheaper than attention up to "
        + ", ".join(f"{spikes(case)} ({case})" for case in even)
        + ".",
        f"Adaptive: a lead of {ambiguity.LEAD} votes takes {float(decision[0]):.1f} spikes at "
        f"noise {float(dataset.noise[0]):g} and {float(decision[-1]):.1f} at noise {hard:g}, "
        f"where it is right in {rights[0]:.3f}, attention in {rights[1]:.3f}, the first spike in "
        f"{rights[2]:.3f}.",
        f"Trained layer: attention {float(trained[0, 0]):.3f}, Hopfield {float(trained[1, 0]):.3f},"
        f" 8 spikes {float(trained.sel(budget=8)[2]):.3f} (score function) and "
        f"{float(trained.sel(budget=8)[3]):.3f} (trained as attention).",
    ]
    return "\n".join(lines)
