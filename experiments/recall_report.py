"""The data set, the metrics and the table of `experiments.recall`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .corruptions import CORRUPTIONS
from .counts import attention_counts, nearest_counts, spiking_counts, wilson
from .recall_methods import METHODS

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

    `correct` is false where a solve was not `ok`; `inputs` counts the pixels that are not 0.
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
    and means over queries of spikes and operations. Solves that failed count as not recalled.
    """
    pixels, patterns = dataset.sizes["pixel"], dataset.sizes["pattern"]
    records = []
    for name in dataset.corruption.values:
        here = dataset.sel(corruption=name)
        spikes, inputs = (here[key].values.astype(float) for key in ("spikes", "inputs"))
        counts = {
            "spiking": spiking_counts(inputs, spikes, pixels, patterns),
            "attention": attention_counts(pixels, patterns),
            "nearest": nearest_counts(pixels, patterns),
        }
        for method in map(str, dataset.model.values):
            right = here.correct.sel(model=method).values
            low, high = wilson(int(right.sum()), right.size)
            fired = method == "spiking"
            silent = here.recalled.sel(model=method).values < 0
            cost = {k: float(np.mean(v)) for k, v in counts[method]._asdict().items()}
            records.append(
                dict(
                    corruption=str(name), method=method, queries=right.size,
                    correct=int(right.sum()), recall=float(right.mean()), low=low, high=high,
                    failed=int((~here.ok.values).sum()) if fired else 0, silent=int(silent.sum()),
                    spikes=float(spikes.mean()) if fired else 0.0, **cost,
                )
            )  # fmt: skip
    return records


def table(records: list[dict[str, Any]]) -> str:
    """The records as text, one line each."""
    lines = [
        f"{'corruption':<11}{'method':<10}{'recall':>7}{'95 % interval':>17}{'spikes':>8}"
        f"{'synaptic ops':>14}{'MACs':>9}{'exps':>8}  per query"
    ]
    for r in records:
        if r["method"] == METHODS[0]:
            lines.append("-" * 84)
        interval = f"[{r['low']:.3f}, {r['high']:.3f}]"
        trouble = [f"{r[key]} {key}" for key in ("failed", "silent") if r[key]]
        lines.append(
            f"{r['corruption']:<11}{r['method']:<10}{r['recall']:>7.3f}{interval:>17}"
            f"{r['spikes']:>8.1f}{r['synaptic']:>14,.0f}{r['macs']:>9,.0f}{r['exps']:>8,.0f}"
            f"  {', '.join(trouble)}".rstrip()
        )
    return "\n".join(lines)
