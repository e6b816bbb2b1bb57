"""The data set, the metrics and the tables of `experiments.recall`."""

import numpy as np
import xarray as xr

from bpcjax import cost

from ..common.operations import ledgers
from ..common.statistics import wilson
from .corruptions import CORRUPTIONS
from .example import MARKS
from .methods import (
    ATTENTION,
    COUNTS,
    DRAWS,
    METHODS,
    NEAREST,
    OF_SEEN,
    PARTIAL,
    SPIKING,
    UNKNOWN,
)  # fmt: skip # isort: skip

Metrics = dict[str, float]
PRICES = "fp32", "fp32+memory", "int8", "int8+memory"
SEQUENTIAL = SPIKING, UNKNOWN
_SHARED = {ATTENTION: cost.attention_counts, NEAREST: cost.hard_attention_counts}
MOST_BATCH = 1024  # queries that share a reading of weights


def as_dataset(task: dict[str, np.ndarray], answers: dict[str, np.ndarray]) -> xr.Dataset:
    """Everything that a recount needs, labelled. `correct` is false where a path was not `ok`."""
    ok = np.ones(answers["recalled"].shape, bool)
    for k, method in enumerate((*SEQUENTIAL, DRAWS)):
        ok[..., METHODS.index(method)] = answers["ok"][..., k]
    target = task["target"][:, None]
    alive = answers["alive"][:, np.arange(len(target)), :, task["target"]]  # [Q, C, memory]
    each = "corruption", "query"
    pixel = {"units": "pixel deviation"}
    return xr.Dataset(
        {
            "patterns": (("pattern", "pixel"), task["patterns"], pixel),
            "label": (("pattern",), task["labels"]),
            "mean": (("pixel",), task["mean"], {"units": "grey, 0 to 1"}),
            "target": (("query",), task["target"]),
            "queries": ((*each, "pixel"), task["query"], pixel),
            "recalled": ((*each, "model"), answers["recalled"]),
            "correct": ((*each, "model"), (answers["recalled"] == target) & ok),
            "ok": ((*each, "model"), ok),
            "operations": ((*each, "model", "operation"), answers["operations"]),
            "spikes": (each, answers["spikes"]),
            "used": ((*each, "memory"), answers["used"], {"units": "pixels"}),
            "survivors": ((*each, "memory"), answers["survivors"]),
            "silenced": ((*each, "memory"), ~np.moveaxis(alive, 0, 1)),
            "level": (("corruption",), [float(spoil.level) for spoil in CORRUPTIONS]),
        },
        coords={
            "corruption": [spoil.name for spoil in CORRUPTIONS],
            "model": list(METHODS),  # not `method`: that is an option of xarray's `sel`
            "memory": list(SEQUENTIAL),
            "operation": list(COUNTS),
        },
        attrs={"shape": task["shape"].tolist(), "scale": float(task["scale"])},
    )


def with_example(dataset: xr.Dataset, example: dict[str, np.ndarray]) -> xr.Dataset:
    """The data set with one recall in full."""
    pixel = {"units": "pixel deviation"}
    test = {
        "odds": (("test", "pattern"), example["odds"], {"units": "nat"}),
        "alive": (("test", "pattern"), example["alive"]),
        "order": (("pixel",), example["order"]),
        "moments": (("moment",), example["moments"]),
        "leaders": (("leader",), example["leaders"]),
        "landscape": (("moment", "across", "along"), example["landscape"]),
        "landscape_marks": (("mark", "axis"), example["marks"], pixel),
    }
    along, across = ((name, example[name], pixel) for name in ("along", "across"))
    coords = dict(test=example["taken"], along=along, across=across, mark=list(MARKS))
    return dataset.assign(test).assign_coords(coords)


def prices(dataset: xr.Dataset, method: str) -> dict[str, cost.Ledger]:
    """Price lists of a method; the memory that draws stores the overlaps of patterns, too."""
    width, memories = dataset.sizes["pixel"], dataset.sizes["pattern"]
    return ledgers(width, memories, kernel=method == DRAWS)


def energies(dataset: xr.Dataset) -> xr.DataArray:
    """Mean energy of a query (nJ), by corruption, method and price list."""
    spent = dataset.operations.transpose("operation", ...).mean("query")
    values = []
    for method in METHODS:
        own = spent.sel(model=method).values  # [operation, corruption]
        counts = cost.Counts(**dict(zip(COUNTS, own, strict=True)))
        values.append([x.energy(counts) / 1e3 for x in prices(dataset, method).values()])
    dims = "model", "price", "corruption"
    coords = {"model": list(METHODS), "price": list(PRICES), "corruption": dataset.corruption}
    return xr.DataArray(np.array(values), coords, dims, attrs={"units": "nJ a query"})


def with_metrics(dataset: xr.Dataset) -> xr.Dataset:
    """The data set with recall rates, their Wilson 95 % intervals, and mean energies."""
    right, trials = dataset.correct.sum("query"), dataset.sizes["query"]
    ends = np.vectorize(wilson)(right.values, trials)
    rates = {"recall_rate": right / trials}
    for name, values in zip(("recall_low", "recall_high"), ends, strict=True):
        rates[name] = right.copy(data=values)
    return dataset.assign(rates | {"energy": energies(dataset)})


def measure(dataset: xr.Dataset) -> Metrics:
    """Of each corruption and method: the recall rate with its Wilson 95 % interval, means over
    queries of operations and energies (nJ, by price list), how many paths failed; of sequential
    memories, pixels used and how often the true pattern was silenced; and from which batch on
    attention or the nearest pattern are the cheaper ones (0: none). Failed paths count as not
    recalled.
    """
    metrics: Metrics = {}
    for name in dataset.corruption.values:
        own = dataset.sel(corruption=name)
        for method in METHODS:
            one = own.sel(model=method)
            names = {"recall": "recall_rate", "low": "recall_low", "high": "recall_high"}
            row = {k: float(one[v]) for k, v in names.items()}
            spent = one.operations.mean("query")
            row |= {k: float(spent.sel(operation=k)) for k in ("macs", "synaptic", "exps", "words")}
            row |= {f"nJ {p}": float(one.energy.sel(price=p)) for p in PRICES}
            row |= {"failed": float((~own.ok.sel(model=method)).sum())}
            if method in SEQUENTIAL:
                row |= {k: float(own[k].sel(memory=method).mean()) for k in ("used", "silenced")}
            metrics |= {f"{name}, {method}: {what}": value for what, value in row.items()}
        for price in ("fp32+memory", "int8+memory"):
            spent = metrics[f"{name}, {SPIKING}: nJ {price}"]
            for rival, counts in _SHARED.items():
                batch = _batch(dataset, spent, price, counts)
                metrics[f"{name}: {rival} cheaper from batch, {price}"] = batch
    return metrics | {"theta": float(dataset.theta), "error": float(dataset.error)}


def _batch(dataset: xr.Dataset, spent: float, price: str, counts) -> float:
    """The least batch of queries at which a rival, which shares the reading of its weights among
    them, is cheaper than `spent` nJ a query; 0 if none is."""
    width, memories = dataset.sizes["pixel"], dataset.sizes["pattern"]
    ledger = ledgers(width, memories)[price]
    for batch in range(1, MOST_BATCH + 1):
        if ledger.energy(counts(width, memories, batch=batch)) / 1e3 < spent:
            return float(batch)
    return 0.0


def text(metrics: Metrics) -> str:
    """What is printed: accuracies, energies beside those of attention and search, the verdict."""
    return "\n\n".join([accuracies(metrics), ratios(metrics), verdict(metrics)])


def _names(metrics: Metrics) -> list[str]:
    return [spoil.name for spoil in CORRUPTIONS if f"{spoil.name}, {SPIKING}: recall" in metrics]


def accuracies(metrics: Metrics) -> str:
    """Recall rates and energies of every method, a line a corruption."""
    lines = ["Recall rate / energy of a query (nJ, fp32, without memory traffic)"]
    short = {UNKNOWN: "sigma unknown", DRAWS: "draws", OF_SEEN: "of seen", PARTIAL: "partial"}
    lines.append(f"{'':12}" + "".join(f"{short.get(m, m):>15}" for m in METHODS))
    for name in _names(metrics):
        cells = [
            f"{metrics[f'{name}, {m}: recall']:.3f} / {metrics[f'{name}, {m}: nJ fp32']:.1f}"
            for m in METHODS
        ]
        failed = sum(metrics[f"{name}, {m}: failed"] for m in METHODS)
        trouble = f"  {failed:.0f} failed" if failed else ""
        lines.append(f"{name:12}" + "".join(f"{cell:>15}" for cell in cells) + trouble)
    return "\n".join(lines)


def ratios(metrics: Metrics) -> str:
    """Energy of the spiking memory over its rivals', by price list; a star where it loses."""
    rivals = ATTENTION, OF_SEEN, PARTIAL
    lines = ["Energy of the spiking memory over that of its rivals (*: it loses)"]
    lines.append(f"{'':12}" + "".join(f"{'over ' + rival:^44}" for rival in rivals))
    lines.append(f"{'':12}" + "".join(f"{price:>11}" for _ in rivals for price in PRICES))
    for name in _names(metrics):
        cells = []
        for rival in rivals:
            for price in PRICES:
                own, other = (metrics[f"{name}, {m}: nJ {price}"] for m in (SPIKING, rival))
                cells.append(f"{own / other:.3f}{'*' if own > other else ' '}")
        lines.append(f"{name:12}" + "".join(f"{cell:>11}" for cell in cells))
    return "\n".join(lines)


def verdict(metrics: Metrics) -> str:
    """What is gained, what was promised, and where it is lost."""
    names = _names(metrics)
    best = {n: max(metrics[f"{n}, {m}: recall"] for m in METHODS) for n in names}
    behind = max(best[n] - metrics[f"{n}, {SPIKING}: recall"] for n in names)
    silenced = max(metrics[f"{n}, {SPIKING}: silenced"] for n in names)
    used = [metrics[f"{n}, {SPIKING}: used"] for n in names]
    promise, measured = 100 * metrics["error"], 100 * silenced
    lines = [
        f"theta {metrics['theta']:.1f} nat: at most {promise:.0f} % of true patterns are silenced; "
        f"measured: at most {measured:.1f} %.",
        f"Pixels used: {min(used):.0f} to {max(used):.0f} a query; at most {100 * behind:.1f} "
        "points behind the best of all rows.",
        "Lost: where a star stands; and in batches that share a reading of weights: with memory "
        "traffic these are cheaper from so many queries on (0: never):",
    ]
    for rival in _SHARED:
        for price in ("fp32+memory", "int8+memory"):
            batches = [metrics[f"{n}: {rival} cheaper from batch, {price}"] for n in names]
            cells = (f"{n}: {b:.0f}" for n, b in zip(names, batches, strict=True))
            lines.append(f"  {rival}, {price}: {', '.join(cells)}")
    return "\n".join(lines)
