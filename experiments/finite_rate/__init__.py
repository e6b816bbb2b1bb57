"""Memory at finite rate: what the dynamics of spikes does to capacity.

A spiking memory in hold mode starts at one of P random patterns on a sphere. It holds until the
weight of that pattern in its state, a leaky count of its own spikes, is below one half; that time
is the dwell. The rate model of the same energy holds a pattern forever or not at all. Spikes are
draws, and a run of wrong ones takes the state away: so there are loads at which the flow holds the
pattern and spikes do not. The capacity is the load P at which a memory holds for `time` with the
chance 1 / e: where the mean dwell is `time`, if dwells are exponential.

- over P, R tau and N, by exact event simulation; the flow stands for an infinite rate;
- beside the law of escape (`theory.closed_forms.finite_rate`), an integral without a fitted number
  for the same patterns, and the power of the rate near the end of the flow's memories;
- with refractory periods and delays, and for a circuit of leaky neurons (`LIFMemory`).

Intervals of capacities are those of resampled sets of patterns, one path each.

    python -m experiments.finite_rate             # results/finite_rate.zarr and a picture
    python -m experiments.finite_rate --quick
"""

import dataclasses

import numpy as np
import xarray as xr

from theory.closed_forms import finite_rate

from ..common import InputError, study
from ..common.study import Parts, setting
from . import curves as curves, variants as variants
from .report import derived, summary as summary

LIFETIMES = 0.1, 0.3, 1.0  # of the time asked for, over which capacities of one curve are drawn
MAIN = 2  # the curve of the phase diagram
FINE = 13  # rates at which the law is drawn


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Capacity of the spiking memory at finite rate."""

    curves: tuple[int, ...] = setting((0, 1, 2, 3, 4), least=0, most=4, quick=(1, 2))
    """Which memories, of five sizes and betas."""
    rates: tuple[float, ...] = setting(
        (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0), above=0, most=1000, quick=(2.0, 10.0)
    )
    """R tau; an infinite rate, the flow, goes without saying."""
    loads: int = setting(9, least=4, quick=5)
    """Numbers of patterns, of each memory."""
    sets: int = setting(32, least=4, quick=12)
    """Sets of patterns, of one path each."""
    time: float = setting(100.0, above=1, below=1e5, quick=20.0)
    """How long a memory is to hold, in tau."""
    variant_time: float = setting(30.0, above=1, below=1e5, quick=8.0)
    """The same, with refractory periods, with delays and in circuits."""
    variant_loads: int = setting(8, least=4, quick=5)
    """Numbers of patterns there."""
    variant_rates: tuple[float, ...] = setting((5.0, 20.0), least=1, most=100, quick=(5.0,))
    """R tau there."""
    circuits: tuple[float, ...] = setting((0.2, 1.0, 4.0), above=0, quick=(1.0,))
    """Gains of the circuits' inhibitory units."""
    seed: int = setting(0, least=0)
    """Of patterns and spikes."""

    def verify(self) -> None:
        """The curve of the phase diagram is among the curves."""
        if MAIN not in self.curves:
            raise InputError(f"curves must have {MAIN} among them, the one of the phase diagram.")


def one_curve(config: Config, number: int) -> dict[str, np.ndarray]:
    """All of one curve: dwells [rate, load, set, copy], escapes by the law, capacities."""
    curve = curves.CURVES[number]
    rates = np.array([*(r for r in config.rates if r <= curve.fastest), np.inf])
    loads = curves.loads_of(curve, rates, config.time, config.loads)
    shape = (len(config.rates) + 1, config.loads, config.sets)
    table = {name: np.full((*shape, curves.COPIES), np.nan) for name in ("dwell", "lost")}
    table["escape"] = np.full(shape, np.nan)
    patterns = curves.sets_of(curve, number, loads, config.sets, config.seed)
    odds = curves.log_odds(patterns, curve.beta, loads)
    rows = [*range(len(rates) - 1), -1]
    for row, rate in zip(rows, rates, strict=True):
        found = curves.measure(curve, number, rate, loads, config.sets, config.time, config.seed)
        if not found["ok"].all():
            raise InputError(f"{curve.label}: {np.sum(~found['ok'])} paths failed; shorten `time`.")
        inner = (row, slice(len(loads)), slice(None), slice(curves.copies(rate)))
        table["dwell"][inner], table["lost"][inner] = found["time"], found["lost"]
        table["escape"][row, : len(loads)] = curves.escape(odds, rate)
    return (
        table
        | _capacities(config, number, rows, rates, loads, table)
        | _lines(config, curve, loads, odds)
    )


def _capacities(config: Config, number: int, rows, rates, loads, table) -> dict[str, np.ndarray]:
    """ln P [rate, lifetime, resampled], measured and by law; of the main curve at all lifetimes,
    of others at the last."""
    size = (len(config.rates) + 1, len(LIFETIMES), 1 + curves.RESAMPLED)
    result = {"measured": np.full(size, np.nan), "law": np.full(size, np.nan)}
    for row, rate in zip(rows, rates, strict=True):
        inner = (row, slice(len(loads)))
        dwell = table["dwell"][inner][..., : curves.copies(rate)]
        for k in range(len(LIFETIMES)) if number == MAIN else (-1,):
            time = LIFETIMES[k] * config.time
            law = curves.survival(table["escape"][inner], time, rate)
            own = curves.capacity(loads, dwell >= time * (1 - 1e-6), law, config.seed + number)
            result["measured"][row, k], result["law"][row, k] = own
    filled = np.full(config.loads, np.nan)
    filled[: len(loads)] = loads
    return result | {"load": filled}


def _lines(config: Config, curve: curves.Curve, loads: np.ndarray, odds) -> dict[str, np.ndarray]:
    """The law of the same patterns over the rate [fine, lifetime], and its fold."""
    rates = np.geomspace(min(config.rates), min(max(config.rates), curve.fastest), FINE)
    line = np.full((FINE, len(LIFETIMES)), np.nan)
    for i, rate in enumerate(rates):
        escape = curves.escape(odds, rate)
        for k, share in enumerate(LIFETIMES):
            law = curves.survival(escape, share * config.time, rate)
            line[i, k] = curves.law_capacity(loads, law)
    fold = finite_rate.fold(finite_rate.on_sphere(curve.beta, curve.size, 2.0))
    return {"fine_rate": rates, "line": line, "fold": np.array(fold)}


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All curves and all variants."""
    numbers = list(config.curves)
    each = [parts(curves.CURVES[k].label, lambda k=k: one_curve(config, k)) for k in numbers]
    dims = {
        "dwell": ("rate", "step", "set", "copy"), "lost": ("rate", "step", "set", "copy"),
        "escape": ("rate", "step", "set"), "measured": ("rate", "lifetime", "resampled"),
        "law": ("rate", "lifetime", "resampled"), "load": ("step",), "fine_rate": ("fine",),
        "line": ("fine", "lifetime"), "fold": ("of_fold",),
    }  # fmt: skip
    data = {k: (("curve", *own), np.stack([x[k] for x in each])) for k, own in dims.items()}
    own = [curves.CURVES[k] for k in numbers]
    coords = {
        "curve": [c.label for c in own], "size": ("curve", [c.size for c in own]),
        "beta": ("curve", [c.beta for c in own]), "rate": [*config.rates, np.inf],
        "lifetime": [share * config.time for share in LIFETIMES],
        "of_fold": list(finite_rate.Fold._fields),
    }  # fmt: skip
    attrs = {
        "time": config.time, "variant_time": config.variant_time, "sets": config.sets,
        "main": curves.CURVES[MAIN].label, "ideal": variants.CURVE.label,
    }  # fmt: skip
    dataset = xr.Dataset(data, coords=coords, attrs=attrs)
    return derived(dataset).merge(_variants(config, parts))


def _variants(config: Config, parts: Parts) -> xr.Dataset:
    """Capacities of all variants."""
    groups = variants.groups(config.variant_rates, config.circuits)
    loads = variants.loads_of(config.variant_rates, config.variant_time, config.variant_loads)
    settings = loads, config.sets, config.variant_time, config.seed
    found = [
        parts(group.label, lambda group=group: variants.measure(group, *settings))
        for group in groups
    ]
    failed = sum(np.sum(~one["ok"]) for one in found)
    if failed:
        raise InputError(f"variants: {failed} paths failed; shorten `variant_time`.")
    of = np.repeat(np.arange(len(groups)), [len(group.values) for group in groups])
    return xr.Dataset(
        {
            f"variant_{name}": (("variant", "resampled"), np.concatenate([x[name] for x in found]))
            for name in ("measured", "law")
        },
        coords={
            "variant_kind": ("variant", [groups[k].kind for k in of]),
            "variant_rate": ("variant", [groups[k].rate for k in of]),
            "variant_value": ("variant", np.concatenate([group.values for group in groups])),
        },
    )


STUDY = study.Study("finite_rate", Config, run, summary, double=False)
"""`python -m experiments.finite_rate`"""
