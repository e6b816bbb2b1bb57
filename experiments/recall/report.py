"""The data set, the metrics and the table of `experiments.recall`."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bpcjax import cost
from bpcjax.cost import Ledger

from ..common.operations import PRICES, ledgers, means
from ..common.statistics import wilson
from .corruptions import CORRUPTIONS
from .example import MARKS
from .methods import METHODS, STEPS

Record = dict[str, Any]


def as_dataset(
    task: dict[str, np.ndarray],
    answers: dict[str, np.ndarray],
    example: dict[str, np.ndarray],
    plane: dict[str, np.ndarray],
) -> xr.Dataset:
    """Everything that a recount needs, labelled.

    `correct` is false where a path was not `ok`; `inputs` counts the pixels that are not 0.
    """
    recalled, ok = answers["recalled"], answers["ok"]
    spiking = np.array(METHODS) == "spiking"
    correct = (recalled == task["target"][:, None]) & (ok[..., None] | ~spiking)
    each = ("corruption", "query")
    unit, pixel = {"units": "that of tau"}, {"units": "pixel deviation"}
    return xr.Dataset(
        {
            "patterns": (("pattern", "pixel"), task["patterns"], pixel),
            "label": (("pattern",), task["labels"]),
            "mean": (("pixel",), task["mean"], {"units": "grey, 0 to 1"}),
            "target": (("query",), task["target"]),
            "queries": ((*each, "pixel"), task["query"], pixel),
            "recalled": ((*each, "model"), recalled),
            "correct": ((*each, "model"), correct),
            "ok": (each, ok),
            "spikes": (each, answers["spikes"]),
            "first": (each, answers["first"]),
            "inputs": (each, (task["query"] != 0).sum(axis=-1)),
            "level": (("corruption",), [float(spoil.level) for spoil in CORRUPTIONS]),
            "example_state": (("time", "pixel"), example["state"], pixel),
            "example_energy": (("time",), example["energy"]),
            "example_spike_time": (("spike",), example["spike_time"], unit),
            "example_spike_neuron": (("spike",), example["spike_neuron"]),
            "landscape": (("across", "along"), plane["energy"]),
            "landscape_marks": (("mark", "axis"), plane["marks"], pixel),
            "landscape_path": (("time", "axis"), plane["path"], pixel),
        },
        coords={
            "corruption": [spoil.name for spoil in CORRUPTIONS],
            "model": list(METHODS),  # not `method`: that is an option of xarray's `sel`
            "time": ("time", example["time"], unit),
            "along": ("along", plane["along"], pixel),
            "across": ("across", plane["across"], pixel),
            "mark": list(MARKS),
        },
        attrs={"shape": task["shape"].tolist(), "scale": float(task["scale"])},
    )


def with_metrics(dataset: xr.Dataset) -> xr.Dataset:
    """The data set with the rates of recall, their intervals and the energies of `measure`."""
    records = measure(dataset)
    shape = dataset.sizes["corruption"], dataset.sizes["model"]
    names = {"recall_rate": "recall", "recall_low": "low", "recall_high": "high"}
    rates = {
        name: (("corruption", "model"), np.reshape([r[key] for r in records], shape))
        for name, key in names.items()
    }
    prices = list(records[0]["energy"])
    energy = np.reshape([list(r["energy"].values()) for r in records], (*shape, len(prices)))
    table = {"energy": (("corruption", "model", "price"), energy, {"units": "nJ a query"})}
    return dataset.assign(rates | table).assign_coords(price=prices)


def measure(dataset: xr.Dataset) -> list[Record]:
    """One record for each corruption and method: the recall rate with its Wilson 95 % interval,
    and means over queries of spikes, operations and energies (nJ, by price list). Paths that
    failed count as not recalled. `even` is the number of spikes at which the spiking memory costs
    as much as one step of attention (0: never).
    """
    return [
        _record(dataset.sel(corruption=name), method)
        for name in dataset.corruption.values
        for method in map(str, dataset.model.values)
    ]


def _record(own: xr.Dataset, method: str) -> Record:
    """Metrics of one method under one corruption."""
    width, memories, fired = own.sizes["pixel"], own.sizes["pattern"], method == "spiking"
    right = own.correct.sel(model=method).values
    low, high = wilson(int(right.sum()), right.size)
    silent = own.recalled.sel(model=method).values < 0
    spikes, inputs = (own[key].values.astype(float) for key in ("spikes", "inputs"))
    counts = _rivals(width, memories).get(method)
    if counts is None:
        counts = cost.spiking(inputs, spikes, width, memories, graded=True)
    prices = ledgers(width, memories, kernel=fired)
    return dict(
        corruption=str(own.corruption.values), method=method, queries=right.size,
        correct=int(right.sum()), recall=float(right.mean()), low=low, high=high,
        failed=int((~own.ok.values).sum()) if fired else 0, silent=int(silent.sum()),
        **(means(counts) | {"spikes": float(spikes.mean()) if fired else 0.0}),
        energy={k: float(np.mean(ledger.energy(counts))) / 1e3 for k, ledger in prices.items()},
        even=_break_even(float(inputs.mean()), width, memories) if fired else {},
    )  # fmt: skip


def _rivals(width: int, memories: int) -> dict[str, cost.Counts]:
    return {
        "attention": cost.attention_counts(width, memories),
        f"attention x{STEPS}": cost.attention_counts(width, memories, steps=STEPS),
        "nearest": cost.hard_attention_counts(width, memories),
    }


def _break_even(inputs: float, width: int, memories: int) -> dict[str, float]:
    """Spikes at which the memory costs as much as attention, by price list; weights alone, too."""
    made = partial(_spiking, inputs, width, memories)
    attention, rivals = _rivals(width, memories)["attention"], ledgers(width, memories)
    even = {
        k: max(cost.break_even(own, made, attention, rivals[k]), 0.0)
        for k, own in ledgers(width, memories, kernel=True).items()
    }
    weights = cost.synapses_alone(attention)
    return even | {
        f"{k}, weights alone": cost.break_even(
            Ledger(own), lambda spikes: cost.synapses_alone(made(spikes)), weights
        )
        for k, own in PRICES.items()
    }


def _spiking(inputs: float, width: int, memories: int, spikes: float) -> cost.Counts:
    return cost.spiking(inputs, spikes, width, memories, graded=True)


def text(records: list[Record]) -> str:
    """What is printed: the table, and the break-even with attention."""
    return f"{table(records)}\n{verdict(records)}"


def table(records: list[Record]) -> str:
    """The records as text, one line each."""
    prices = list(records[0]["energy"])
    head = (
        f"{'corruption':<11}{'method':<13}{'recall':>7}{'95 % interval':>17}{'spikes':>8}"
        f"{'synaptic':>11}{'MACs':>11}{'exps':>8}" + "".join(f"{name:>14}" for name in prices)
    )
    lines = [head + "  nJ a query"]
    for r in records:
        if r["method"] == METHODS[0]:
            lines.append("-" * len(head))
        interval = f"[{r['low']:.3f}, {r['high']:.3f}]"
        trouble = [f"{r[key]} {key}" for key in ("failed", "silent") if r[key]]
        energies = "".join(f"{r['energy'][name]:>14,.1f}" for name in prices)
        lines.append(
            f"{r['corruption']:<11}{r['method']:<13}{r['recall']:>7.3f}{interval:>17}"
            f"{r['spikes']:>8.1f}{r['synaptic']:>11,.0f}{r['macs']:>11,.0f}{r['exps']:>8,.0f}"
            f"{energies}  {', '.join(trouble)}".rstrip()
        )
    return "\n".join(lines)


def verdict(records: list[Record]) -> str:
    """The break-even line: how many spikes a query may take before attention is cheaper."""
    spiking = [r for r in records if r["method"] == "spiking"]
    attention = [r for r in records if r["method"] == "attention"]
    lines = ["Break-even with one step of attention (most spikes a query may take; 0: none):"]
    for name in spiking[0]["even"]:
        low, high = (pick(r["even"][name] for r in spiking) for pick in (min, max))
        if name not in spiking[0]["energy"]:
            lines.append(f"  {name}: {low:.1f} to {high:.1f} (states and rates for free)")
            continue
        ratios = [
            own["energy"][name] / other["energy"][name]
            for own, other in zip(spiking, attention, strict=True)
        ]
        lines.append(
            f"  {name:<11} {low:.1f} to {high:.1f} spikes, by the pixels that are not 0; "
            f"taken {min(r['spikes'] for r in spiking):.1f} to "
            f"{max(r['spikes'] for r in spiking):.1f}, at {min(ratios):.2f} to "
            f"{max(ratios):.2f} times the energy of attention"
        )
    return "\n".join(lines)
