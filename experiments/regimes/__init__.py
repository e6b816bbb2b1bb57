"""What can a spiking memory do, and where do the rates of its flow not tell?

Phase maps of the memory in hold mode, started at one of its patterns, by exact event simulation:

- `pair`: two memories, over `b = beta (1 - c)` and R tau. All is known exactly
  (`theory.closed_forms.hold_escape`): memories are born at b = 2 as in the flow, their escape
  time grows as exp(R tau barrier), and below `R tau = 2 / (1 - b / 2)` the state sits at the
  patterns although the flow knows only their mixture: a regime that only spikes have. Each spike
  is a draw, and where draws come more slowly than the state follows, the state shows them one
  after another instead of their mean;
- `ten`: ten equidistant memories, with the spinodals of the flow;
- `delay`: the same, over b and the delay of spikes. A fixed point of the flow stays stable at any
  delay; what changes is how long a run of wrong draws can last;
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

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.optimize import brentq

import bpcjax as bpc
from bpcjax.models import SpikingHopfield
from theory.closed_forms import hold_escape
from theory.closed_forms.modern_hopfield import inverse_temperature, spinodal

from ..common import InputError, study
from ..common.study import Parts
from .measure import Regime, equidistant, measures, regime

NAME = "regimes"
MAPS = "pair", "ten", "delay", "load"
LOAD_RATE, LOAD_SIZE, LOAD_BETA = 20.0, 24, 0.3  # R tau, dimensions, at length sqrt(24)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Regimes of the spiking memory."""

    points: int = 20
    """Values of b, and of the number of patterns and refractory periods, along an axis."""
    rates: int = 12
    """Values of R tau, and of the delay."""
    seeds: int = 6
    """Paths at each point."""
    time: float = 60.0
    """Length of a path, in tau."""
    fastest: float = 200.0
    """The largest R tau."""
    most: int = 512
    """The largest number of patterns."""
    exponents: int = 7
    """Values of b at which the largest exponent is computed."""
    seed: int = 0
    """Of patterns and spikes."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("points", 3), ("rates", 3), ("seeds", 1), ("most", 4), ("exponents", 2)):
        study.at_least(least, config, name)
    for name in ("time", "fastest"):
        if not 1 < getattr(config, name) < 1e6:
            raise InputError(f"{name} must be more than 1, got {getattr(config, name)}.")
    if config.quick:
        config = dataclasses.replace(
            config,
            points=min(config.points, 8), rates=min(config.rates, 6), seeds=min(config.seeds, 2),
            time=min(config.time, 20.0), fastest=min(config.fastest, 100.0),
            most=min(config.most, 128), exponents=min(config.exponents, 3),
        )  # fmt: skip
    return config


def room(rate: float, time: float) -> int:
    """Room for a Poisson number of spikes, eight standard deviations above its mean."""
    mean = rate * time
    return int(mean + 8 * np.sqrt(mean) + 16)


def _keys(config: Config, index: int) -> jax.Array:
    key = jax.random.fold_in(jax.random.key(config.seed), index)
    return jax.random.split(key, config.seeds)


def _collected(found: xr.Dataset) -> dict[str, np.ndarray]:
    """Each measure [first axis, second axis, seed]."""
    return {str(name): found[name].values for name in found.data_vars}


def over_rate(config: Config, count: int, bs, rates, index: int) -> dict[str, np.ndarray]:
    """The map over b and R tau of `count` equidistant memories."""
    start = jnp.eye(count)[0]

    def run(b, rate, path):
        weight = rest_weight(b, count)
        query = start * weight + (1 - start) * (1 - weight) / (count - 1)
        memory = SpikingHopfield(equidistant(count, b), rate)
        return measures(memory, query, path, room(rates[-1], config.time), config.time)

    table = jnp.asarray([_rest(b, count) for b in bs])
    axis = jnp.asarray(bs)

    def rest_weight(b, count):
        return jnp.interp(b, axis, table)  # at the axis' own points: the table itself

    axes = {"b": axis, "rate": jnp.asarray(rates), "path": _keys(config, index)}
    return _collected(bpc.sweep(run, axes, progress=False))


def _rest(b: float, count: int) -> float:
    """The weight of the pattern at its minimum of the flow's energy; 1 where there is none."""
    turn = spinodal(count)
    if b <= turn.b:
        return 1.0
    return float(brentq(lambda w: inverse_temperature(w, count) - b, turn.weight, 1 - 1e-12))


def over_delay(config: Config, count: int, bs, delays, rate: float) -> dict[str, np.ndarray]:
    """The map over b and the delay."""

    def run(b, delay, path):
        memory = SpikingHopfield(equidistant(count, b), rate, delay=delay)
        return measures(memory, jnp.eye(count)[0], path, room(rate, config.time), config.time)

    axes = {"b": jnp.asarray(bs), "delay": jnp.asarray(delays), "path": _keys(config, 2)}
    return _collected(bpc.sweep(run, axes, progress=False))


def over_load(config: Config, counts, silent) -> dict[str, np.ndarray]:
    """The map over the number of patterns and the refractory period; memories beyond the number
    have no prior."""
    most = int(counts[-1])
    rng = np.random.default_rng(config.seed)
    draws = rng.normal(size=(config.seeds, most, LOAD_SIZE))
    draws *= np.sqrt(LOAD_SIZE) / np.linalg.norm(draws, axis=-1, keepdims=True)
    patterns = jnp.asarray(draws)

    def run(count, silent, path):
        own = patterns[path]
        prior = jnp.where(jnp.arange(most) < count, 0.0, -1e6)
        energy = bpc.energies.ModernHopfield(own, LOAD_BETA, prior)
        memory = SpikingHopfield(energy, LOAD_RATE, refractory=silent)
        key = jax.random.fold_in(jax.random.key(config.seed), path)
        found = measures(memory, own[0], key, room(LOAD_RATE, config.time), config.time)
        return found | {"doubt": 1 - energy.posterior(own[0])[0]}

    axes = {
        "count": jnp.asarray(counts),
        "silent": jnp.asarray(silent),
        "path": jnp.arange(config.seeds),
    }
    return _collected(bpc.sweep(run, axes, progress=False))


def exponents(config: Config, bs, rate: float) -> dict[str, np.ndarray]:
    """The largest exponent of the spiking pair with its key held, per tau, and of its flow."""

    found = []
    for b in bs:
        memory = SpikingHopfield(equidistant(2, b), rate, key=jax.random.key(config.seed))
        found.append(
            bpc.analysis.lyapunov(
                memory, memory.start(jnp.eye(2)[0]), t1=config.time / 2, dt=0.5 / rate, count=1
            )
        )
    flow = []
    for b in bs:
        m = hold_escape.rest(b / 2)
        flow.append(-(1 - b / 2 * (1 - m * m)))
    columns = {
        "value": [one.exponents[0] for one in found],
        "error": [one.error[0] for one in found],
        "ok": [one.ok for one in found],
        "flow": flow,
    }
    return {name: np.array(column) for name, column in columns.items()}


def example(b: float, rate: float, time: float, seed: int) -> dict[str, np.ndarray]:
    """m of the pair just before each spike, for the picture of slow draws."""
    memory = SpikingHopfield(equidistant(2, b), rate)
    found = bpc.models.event_path(
        memory, jnp.full(2, 0.5), jax.random.key(seed), spikes=room(rate, time), t1=time,
        save=lambda y: y.x[0] - y.x[1],
    )  # fmt: skip
    there = np.asarray(found.winners) >= 0
    return {"time": np.asarray(found.times)[there], "m": np.asarray(found.saved)[there]}


def boundary(config: Config, rate: float) -> float:
    """b at which half of the paths of the pair are lost by the end, by the exact escape time."""
    time = config.time / np.log(2)

    def excess(b):
        return np.log(hold_escape.escape_time(b / 2, rate) / time)

    low, high = 2.02, 2.1
    if excess(low) > 0:
        return 2.0
    while excess(high) < 0:
        high = 2 + 1.5 * (high - 2)
        if high > 60:
            return np.nan
    return float(brentq(excess, low, high, xtol=1e-4))


def crossing(bs, stays) -> np.ndarray:
    """For each column of `stays` [b, rate], the share of paths that stayed: where it is 1/2."""
    out = []
    for share in np.asarray(stays, float).T:
        below = np.flatnonzero(share < 0.5)
        if not len(below) or below[-1] == len(bs) - 1:
            out.append(np.nan)
            continue
        k = below[-1]
        part = (0.5 - share[k]) / (share[k + 1] - share[k])
        out.append(bs[k] + part * (bs[k + 1] - bs[k]))
    return np.array(out)


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All maps."""
    config = check(config)
    n = config.points
    rates = np.geomspace(0.5, config.fastest, config.rates)
    axes = {
        "pair": ("b", np.linspace(0.2, 4.0, n), "rate", rates),
        "ten": ("b", np.linspace(3.6, 8.0, n), "rate", rates),
        "delay": ("b", np.linspace(3.6, 8.0, n), "delay", np.linspace(0.0, 4.0, config.rates)),
        "load": (
            "count", np.unique(np.geomspace(2, config.most, n).astype(int)),
            "silent", np.geomspace(0.02, 50.0, config.rates),
        ),
    }  # fmt: skip
    solve = {
        "pair": lambda x, y: over_rate(config, 2, x, y, 0),
        "ten": lambda x, y: over_rate(config, 10, x, y, 1),
        "delay": lambda x, y: over_delay(config, 10, x, y, min(50.0, config.fastest)),
        "load": lambda x, y: over_load(config, x, y),
    }
    data, coords = {}, {}
    for name in MAPS:
        first, x, second, y = axes[name]
        found = parts(name, lambda name=name, x=x, y=y: solve[name](x, y))
        if not found["ok"].all():
            raise InputError(f"{name}: {np.sum(~found['ok'])} paths failed; shorten `time`.")
        dims = f"{name}_{first}", f"{name}_{second}"
        coords |= {dims[0]: x, dims[1]: y}
        for measure, values in found.items():
            data[f"{name}_{measure}"] = ((*dims, "path"), values)
        means = {k: found[k].mean(axis=-1) for k in ("activity", "faithful", "sure", "switches")}
        several = np.maximum(found["switches"].sum(axis=-1), 1)
        cv = np.sum(found["dwell_cv"] * found["switches"], axis=-1) / several
        data[f"{name}_regime"] = (dims, regime(**means, dwell_cv=cv))
    few = np.linspace(0.4, 4.0, config.exponents)
    found = parts("largest exponents", lambda: exponents(config, few, 10.0))
    coords["exponent_b"] = few
    for name, values in found.items():
        data[f"exponent_{name}"] = (("exponent_b",), values)
    shown = example(1.0, 1.0, 60.0, config.seed), example(1.0, 60.0, 60.0, config.seed)
    for name, path in zip(("slow", "fast"), shown, strict=True):
        data[f"{name}_m"] = ((f"{name}_time",), path["m"])
        coords[f"{name}_time"] = path["time"]
    data["boundary"] = (("pair_rate",), np.array([boundary(config, r) for r in rates]))
    attrs = {"time": config.time, "seeds": config.seeds}
    return xr.Dataset(data, coords=coords, attrs=attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Boundaries against theory, and how many points of each map are in each regime."""
    result: dict[str, float] = {}
    rates = dataset.pair_rate.values
    for name, exact in (("pair", dataset.boundary.values), ("ten", None)):
        bs = dataset[f"{name}_b"].values
        found = crossing(bs, dataset[f"{name}_stays"].values.mean(axis=-1))
        step = float(bs[1] - bs[0])
        result[f"{name}: step of b"] = step
        if exact is not None:
            both = np.isfinite(found) & np.isfinite(exact) & (rates >= 10)
            gap = np.abs(found - exact)[both]
            if gap.size:
                result["pair: boundary off the exact one, R tau >= 10, mean"] = float(gap.mean())
                result["pair: the same, largest"] = float(gap.max())
                result["pair: rates compared"] = float(gap.size)
        else:
            fast = np.isfinite(found) & (rates >= 100 - 1e-9)
            for rate, b in zip(rates[fast], found[fast], strict=True):
                result[f"ten: boundary at R tau = {rate:.3g}"] = float(b)
            result["ten: spinodal"] = float(spinodal(10).b)
    low = dataset.pair_b.values < 1.9
    kinds = dataset.pair_sure.mean("path").values[low]
    first = dataset.pair_b.values[low]
    two = np.array([hold_escape.critical_rate(b / 2) for b in first])
    result["pair, below b = 1.9: near patterns for half the time, at R tau <= critical / 2"] = (
        float(np.mean(kinds[rates[None, :] <= two[:, None] / 2] > 0.5))
    )
    result["pair, below b = 1.9: the same, at R tau >= 4 critical"] = float(
        np.mean(kinds[rates[None, :] >= 4 * two[:, None]] > 0.5)
    )
    for name in MAPS:
        labels = dataset[f"{name}_regime"].values
        for kind in np.unique(labels):
            share = float(np.mean(labels == kind))
            result[f"{name}: {Regime(int(kind)).name.lower()}, share of points"] = share
    for b, value, flow in zip(
        dataset.exponent_b.values, dataset.exponent_value.values, dataset.exponent_flow.values,
        strict=True,
    ):  # fmt: skip
        result[f"exponent per tau at b = {b:.2f}: spikes"] = float(value)
        result[f"exponent per tau at b = {b:.2f}: flow"] = float(flow)
    return result


def _figure():
    from figures import regimes

    return regimes


def main():
    study.main(NAME, Config, run, summary, _figure, __doc__)
