"""What can a spiking memory do, and where do the rates of its flow not tell?

Phase maps of the memory in hold mode, started at one of its patterns, by exact event simulation:

- `pair`: two memories, over `b = beta (1 - c)` and R tau. All is known exactly
  (`theory.closed_forms.hold_escape`): memories are born at b = 2 as in the flow, their escape
  time grows as exp(R tau barrier), and below `R tau = 2 / (1 - b / 2)` the state sits at the
  patterns although the flow knows only their mixture. Each spike is a draw, and where draws come
  more slowly than the state follows, the state shows them one after another instead of their
  mean. It is a transition induced by slow dichotomous noise (Kitahara, Horsthemke & Lefever 1979),
  here of a velocity-jump process (cf. Bressloff & Newby 2013, SIAM J. Appl. Dyn. Syst. 12:1394),
  and no privilege of spikes: any slow signal of two values has it;
- `ten`: ten equidistant memories, with the spinodals of the flow;
- `delay`: the same, over b and the delay of spikes. A fixed point of the flow stays stable at any
  delay; what changes is how long a run of wrong draws can last. The border is not measured, only
  the share of points in each regime;
- `load`: random patterns on a sphere, over their number and the refractory period. A refractory
  winner leaves the field to others: from about one spike of another memory a silent spell on,
  the state moves on, and memories follow each other.

At each point: the regime, by measured overlap, dwell time, switches and spikes; the coefficient
of variation of intervals and the Fano factor of the started memory's spikes. The largest exponent
of the spiking system, integrated with its events, stands beside that of the flow.

    python -m experiments.regimes             # results/regimes.zarr and a picture
    python -m experiments.regimes --quick
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import xarray as xr

from theory.closed_forms import hold_escape

from ..common import InputError, study
from ..common.study import Parts, setting
from .laws import boundary, curves
from .maps import LOAD_RATE, Paths, example, exponents, over_delay, over_load, over_rate
from .measure import Regime, crossing, regime

MAPS = "pair", "ten", "delay", "load"


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Regimes of the spiking memory."""

    points: int = setting(20, least=3, quick=8)
    """Values of b, and of the number of patterns and refractory periods, along an axis."""
    rates: int = setting(12, least=3, quick=6)
    """Values of R tau, and of the delay."""
    seeds: int = setting(6, least=1, quick=2)
    """Paths at each point."""
    time: float = setting(60.0, above=1, below=1e6, quick=20.0)
    """Length of a path, in tau."""
    fastest: float = setting(200.0, above=1, below=1e6, quick=100.0)
    """The largest R tau."""
    most: int = setting(512, least=4, quick=128)
    """The largest number of patterns."""
    exponents: int = setting(7, least=2, quick=3)
    """Values of b at which the largest exponent is computed."""
    seed: int = 0
    """Of patterns and spikes."""


@dataclasses.dataclass(frozen=True)
class Map:
    """Phase map: what its two axes are, and its measures over them."""

    axes: dict[str, np.ndarray]
    solve: Callable[..., dict[str, np.ndarray]]


def maps(config: Config) -> dict[str, Map]:
    """All phase maps, by name."""
    paths = Paths(config.seeds, config.time, config.seed)
    rates = np.geomspace(0.5, config.fastest, config.rates)
    low, high = np.linspace(0.2, 4.0, config.points), np.linspace(3.6, 8.0, config.points)
    counts = np.unique(np.geomspace(2, config.most, config.points).astype(int))
    silent, late = np.geomspace(0.02, 50.0, config.rates), np.linspace(0.0, 4.0, config.rates)
    fast = min(50.0, config.fastest)
    return {
        "pair": Map({"b": low, "rate": rates}, lambda x, y: over_rate(paths, 2, x, y, 0)),
        "ten": Map({"b": high, "rate": rates}, lambda x, y: over_rate(paths, 10, x, y, 1)),
        "delay": Map({"b": high, "delay": late}, lambda x, y: over_delay(paths, 10, x, y, fast)),
        "load": Map({"count": counts, "silent": silent}, lambda x, y: over_load(paths, x, y)),
    }


def _as_dataset(name: str, axes: dict[str, np.ndarray], values: dict[str, np.ndarray]):
    """Measures of one map, and the regime at each of its points."""
    coords = {f"{name}_{axis}": points for axis, points in axes.items()}
    dims = tuple(coords)
    data = {f"{name}_{measure}": ((*dims, "path"), x) for measure, x in values.items()}
    means = {k: values[k].mean(axis=-1) for k in ("activity", "faithful", "sure", "switches")}
    several = np.maximum(values["switches"].sum(axis=-1), 1)
    cv = np.sum(values["dwell_cv"] * values["switches"], axis=-1) / several
    data[f"{name}_regime"] = (dims, regime(**means, dwell_cv=cv))
    return xr.Dataset(data, coords=coords)


def _examples(seed: int) -> xr.Dataset:
    """Slow and fast draws of the pair at b = 1."""
    paths = {name: example(1.0, rate, 60.0, seed) for name, rate in (("slow", 1.0), ("fast", 60.0))}
    return xr.Dataset(
        {f"{name}_m": (f"{name}_time", path["m"]) for name, path in paths.items()},
        coords={f"{name}_time": path["time"] for name, path in paths.items()},
    )


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All maps, and the theory that is drawn over them."""
    tables = []
    for name, own in maps(config).items():
        values = parts(name, lambda own=own: own.solve(*own.axes.values()))
        if not values["ok"].all():
            raise InputError(f"{name}: {np.sum(~values['ok'])} paths failed; shorten `time`.")
        tables.append(_as_dataset(name, own.axes, values))
    few = np.linspace(0.4, 4.0, config.exponents)
    values = parts("largest exponents", lambda: exponents(few, 10.0, config.time / 2, config.seed))
    stability = {f"exponent_{name}": ("exponent_b", x) for name, x in values.items()}
    tables.append(xr.Dataset(stability, coords={"exponent_b": few}))
    rates = tables[0].pair_rate.values
    line = [boundary(config.time, rate) for rate in rates]
    tables.append(xr.Dataset({"boundary": ("pair_rate", line)}, coords={"pair_rate": rates}))
    theory = curves(few)
    dataset = xr.merge([*tables, _examples(config.seed), theory], join="exact", compat="equals")
    return dataset.assign_attrs(
        time=config.time, seeds=config.seeds, load_rate=LOAD_RATE,
        regimes=[kind.name.lower() for kind in Regime], **theory.attrs,
    )  # fmt: skip


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Boundaries against theory, and how many points of each map are in each regime."""
    return {
        **_pair_boundary(dataset),
        **_boundary_of_ten(dataset),
        **_slow_draws(dataset),
        **_shares(dataset),
        **_stability(dataset),
    }


def _measured_boundary(dataset: xr.Dataset, name: str) -> tuple[np.ndarray, float]:
    """b where half of the paths stay, at each rate, and the step of b."""
    bs = dataset[f"{name}_b"].values
    return crossing(bs, dataset[f"{name}_stays"].values.mean(axis=-1)), float(bs[1] - bs[0])


def _pair_boundary(dataset: xr.Dataset) -> dict[str, float]:
    place, step = _measured_boundary(dataset, "pair")
    exact = dataset.boundary.values
    both = np.isfinite(place) & np.isfinite(exact) & (dataset.pair_rate.values >= 10)
    gap = np.abs(place - exact)[both]
    result = {"pair: step of b": step}
    if gap.size:
        result["pair: boundary off the exact one, R tau >= 10, mean"] = float(gap.mean())
        result["pair: the same, largest"] = float(gap.max())
        result["pair: rates compared"] = float(gap.size)
    return result


def _boundary_of_ten(dataset: xr.Dataset) -> dict[str, float]:
    rates = dataset.ten_rate.values
    place, step = _measured_boundary(dataset, "ten")
    result = {"ten: step of b": step}
    fast = np.isfinite(place) & (rates >= 100 - 1e-9)
    for rate, b in zip(rates[fast], place[fast], strict=True):
        result[f"ten: boundary at R tau = {rate:.3g}"] = float(b)
    return result | ({"ten: spinodal": dataset.attrs["spinodal_of_ten"]} if fast.any() else {})


def _slow_draws(dataset: xr.Dataset) -> dict[str, float]:
    """Where the flow knows the mixture alone: how often the pair is near a pattern."""
    low, rates = dataset.pair_b.values < 1.9, dataset.pair_rate.values[None, :]
    near = dataset.pair_sure.mean("path").values[low] > 0.5
    critical = np.array([hold_escape.critical_rate(b / 2) for b in dataset.pair_b.values[low]])
    slow, fast = rates <= critical[:, None] / 2, rates >= 4 * critical[:, None]
    label = "pair, below b = 1.9: "
    return {
        f"{label}near patterns for half the time, at R tau <= critical / 2": float(
            near[slow].mean()
        ),
        f"{label}the same, at R tau >= 4 critical": float(near[fast].mean()),
    }


def _shares(dataset: xr.Dataset) -> dict[str, float]:
    return {
        f"{name}: {Regime(int(kind)).name.lower()}, share of points": float(np.mean(labels == kind))
        for name, labels in ((name, dataset[f"{name}_regime"].values) for name in MAPS)
        for kind in np.unique(labels)
    }


def _stability(dataset: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    columns = (dataset[f"exponent_{name}"].values for name in ("b", "value", "flow"))
    for b, value, flow in zip(*columns, strict=True):
        result[f"exponent per tau at b = {b:.2f}: spikes"] = float(value)
        result[f"exponent per tau at b = {b:.2f}: flow"] = float(flow)
    return result


STUDY = study.Study("regimes", Config, run, summary)
