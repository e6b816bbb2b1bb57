"""The data set, the metrics and the table of `experiments.recall`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bpcjax import cost
from bpcjax.cost import Ledger

from ..common.counts import PRICES, ledgers, means
from ..common.statistics import wilson
from .corruptions import CORRUPTIONS
from .methods import METHODS, STEPS

EXAMPLE = "mask 0.5"


def choose_example(found: dict[str, np.ndarray], target: np.ndarray) -> tuple[int, int]:
    """The corruption and the query to show: of the half-masked ones that the spiking memory
    recalled, the first whose first spike was for another memory; else the first recalled; else
    the first.
    """
    corruption = [spoil.name for spoil in CORRUPTIONS].index(EXAMPLE)
    recalled = found["recalled"][corruption, :, 0] == target
    wavered = recalled & (found["first"][corruption] != target)
    for marked in (wavered, recalled):
        if marked.any():
            return corruption, int(marked.argmax())
    return corruption, 0


def as_dataset(
    asked: dict[str, np.ndarray],
    found: dict[str, np.ndarray],
    example: dict[str, np.ndarray],
    row: tuple[int, int],
    attrs: dict[str, Any],
) -> xr.Dataset:
    """Everything a figure or a recount needs, labelled.

    `correct` is false where a path was not `ok`; `inputs` counts the pixels that are not 0.
    """
    recalled, ok = found["recalled"], found["ok"]
    spiking = np.array(METHODS) == "spiking"
    correct = (recalled == asked["target"][:, None]) & (ok[..., None] | ~spiking)
    each = ("corruption", "query")
    corruption, query = row
    competitor = _competitor(example["spike_neuron"], recalled[corruption, query, 0], asked, row)
    attrs = attrs | dict(
        shape=asked["shape"].tolist(),
        scale=float(asked["scale"]),
        example_corruption=int(corruption),
        example_query=int(query),
        example_competitor=int(competitor),
    )
    unit = {"units": "that of tau"}
    return xr.Dataset(
        {
            "patterns": (("pattern", "pixel"), asked["patterns"], {"units": "pixel deviation"}),
            "label": (("pattern",), asked["labels"]),
            "mean": (("pixel",), asked["mean"], {"units": "grey, 0 to 1"}),
            "target": (("query",), asked["target"]),
            "queries": ((*each, "pixel"), asked["query"], {"units": "pixel deviation"}),
            "recalled": ((*each, "model"), recalled),
            "correct": ((*each, "model"), correct),
            "ok": (each, ok),
            "spikes": (each, found["spikes"]),
            "first": (each, found["first"]),
            "inputs": (each, (asked["query"] != 0).sum(axis=-1)),
            "level": (("corruption",), [float(spoil.level) for spoil in CORRUPTIONS]),
            "example_state": (("time", "pixel"), example["state"], {"units": "pixel deviation"}),
            "example_energy": (("time",), example["energy"]),
            "example_spike_time": (("spike",), example["spike_time"], unit),
            "example_spike_neuron": (("spike",), example["spike_neuron"]),
        },
        coords={
            "corruption": [spoil.name for spoil in CORRUPTIONS],
            "model": list(METHODS),  # not `method`: that is an option of xarray's `sel`
            "time": ("time", example["time"], unit),
        },
        attrs=attrs,
    )


def _competitor(neurons: np.ndarray, winner: int, asked: dict[str, np.ndarray], row) -> int:
    """The memory, other than `winner`, with most spikes; without any, the nearest to the query."""
    others = neurons[neurons != winner]
    if len(others):
        return int(np.bincount(others).argmax())
    distance = np.sum((asked["patterns"] - asked["query"][row]) ** 2, axis=-1)
    distance[winner] = np.inf
    return int(distance.argmin())


def measure(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """One record for each corruption and method: the recall rate with its Wilson 95 % interval,
    and means over queries of spikes, operations and energies (nJ, by price list). Paths that
    failed count as not recalled. `even` is the number of spikes at which the spiking memory costs
    as much as one step of attention (0: never).
    """
    width, memories = dataset.sizes["pixel"], dataset.sizes["pattern"]
    others = {
        "attention": cost.attention_counts(width, memories),
        f"attention x{STEPS}": cost.attention_counts(width, memories, steps=STEPS),
        "nearest": cost.hard_attention_counts(width, memories),
    }
    records = []
    for name in dataset.corruption.values:
        here = dataset.sel(corruption=name)
        spikes, inputs = (here[key].values.astype(float) for key in ("spikes", "inputs"))
        for method in map(str, dataset.model.values):
            right = here.correct.sel(model=method).values
            low, high = wilson(int(right.sum()), right.size)
            fired = method == "spiking"
            silent = here.recalled.sel(model=method).values < 0
            asked = cost.spiking(inputs, spikes, width, memories, graded=True)
            counts = asked if fired else others[method]
            prices = ledgers(width, memories, kernel=fired)
            energy = {k: float(np.mean(own.energy(counts))) / 1e3 for k, own in prices.items()}
            even = {}
            if fired:
                made = partial(_spiking, float(inputs.mean()), width, memories)
                rivals = ledgers(width, memories)
                even = {
                    k: max(cost.break_even(own, made, others["attention"], rivals[k]), 0.0)
                    for k, own in prices.items()
                }
                weights = cost.synapses_alone(others["attention"])
                even |= {
                    f"{k}, weights alone": cost.break_even(
                        Ledger(own), lambda s, made=made: cost.synapses_alone(made(s)), weights
                    )
                    for k, own in PRICES.items()
                }
            records.append(
                dict(
                    corruption=str(name), method=method, queries=right.size,
                    correct=int(right.sum()), recall=float(right.mean()), low=low, high=high,
                    failed=int((~here.ok.values).sum()) if fired else 0, silent=int(silent.sum()),
                    **(means(counts) | {"spikes": float(spikes.mean()) if fired else 0.0}),
                    energy=energy, even=even,
                )
            )  # fmt: skip
    return records


def _spiking(inputs: float, width: int, memories: int, spikes: float) -> cost.Counts:
    return cost.spiking(inputs, spikes, width, memories, graded=True)


def table(records: list[dict[str, Any]]) -> str:
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


def verdict(records: list[dict[str, Any]]) -> str:
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
