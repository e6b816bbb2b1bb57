"""Where does the AdEx neuron lose its rest, and how does its reset make bursts and chaos?

- Equilibria over the current, of a cell that loses rest at a Hopf point and of one that loses it at
  the fold; against the closed forms.
- Firing patterns over current and subthreshold adaptation `a`, with the lines on which rest is
  lost, and over the reset (its potential, the jump of the adaptation) at a constant current.
- The route to chaos over the potential of the reset: orbits of the map from spike to spike, their
  exponents, and the branches of one and of two spikes that are followed through it.

    python -m theory.regimes.adex             # results/theory/adex.zarr
    python -m theory.regimes.adex --quick     # coarser maps, no branch of two spikes

Source: Touboul & Brette (2008), Biol. Cybern. 99:319.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.analysis import Bifurcation, follow
from bpcjax.neurons import AdEx, AdExState
from experiments.common import InputError

from ..closed_forms import folds
from . import study
from .adex_reset import CURRENT, JUMP, TAU_W, by_other_code, one_spike, orbits, two_spikes
from .diagram import as_arrays, differences, points, stacked
from .patterns import PATTERNS, pattern_maps, shares

NAME = "adex"
CELLS = {"resonator": 144.0, "integrator": 40.0}  # tau_w (ms); else as AdEx has it
SLOW = {"tau_w": 144.0, "v_reset": -48.0, "b": 80.5}  # ms, mV, pA: of the map over the current
DOUBLING = -48.7452  # mV, by other code
DOUBLES = Bifurcation.PERIOD_DOUBLING
EXPONENTS = {-48.5: -1.289, -48.0: 0.355, -47.8: -0.525}  # per spike, by other code


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Rest, firing and chaos of AdEx neurons."""

    side: int = 100
    """How many points to a side of a map."""
    lines: int = 7
    """At how many values of a to follow the equilibria, on the map."""
    spacing: float = 0.01
    """Between the resets of the route to chaos, mV."""
    spikes: int = 500
    """How many spikes of an orbit to keep."""
    burn_in: int = 300
    """How many to drop before."""
    arc: float = 4.0
    """Between two points of a branch of the spike map, in pA of adaptation for the most part."""
    t1: float = 1600.0
    """How long the current of the maps lasts, ms."""
    settle: float = 600.0
    """Spikes before this time do not count in a pattern, ms."""
    dt: float = 0.05
    """Step, ms."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name, least in (("side", 2), ("lines", 2), ("spikes", 1), ("burn_in", 0)):
        if getattr(config, name) < least:
            raise InputError(f"{name} must be at least {least}, got {getattr(config, name)}.")
    if not 0 < config.dt <= 0.2:  # the upstroke takes about a millisecond
        raise InputError(f"dt must be positive, and at most 0.2 ms, got {config.dt}.")
    if not 0 < config.spacing <= 0.5:
        raise InputError(f"spacing must be positive, and at most 0.5 mV, got {config.spacing}.")
    if not 0 < config.arc <= 20:
        raise InputError(f"arc must be positive, and at most 20, got {config.arc}.")
    if not 0 <= config.settle < config.t1 < np.inf:
        raise InputError(f"settle must lie in 0 ... t1 = {config.t1}, got {config.settle}.")
    if config.quick:
        few = {"side": 32, "lines": 3, "spikes": 100, "burn_in": 100}
        fewer = {name: min(getattr(config, name), most) for name, most in few.items()}
        coarse = {"spacing": 0.05, "arc": 10.0, "dt": 0.1}
        coarser = {name: max(getattr(config, name), least) for name, least in coarse.items()}
        config = dataclasses.replace(config, **fewer, **coarser)
    return config


def exact(a, tau_w) -> dict[Bifurcation, folds.Point]:
    """The closed forms of fold and Hopf point."""
    cell = folds.AdExCell(a=a, tau_w=tau_w)
    return {Bifurcation.FOLD: folds.adex_fold(cell), Bifurcation.HOPF: folds.adex_hopf(cell)}


def lost(a, tau_w) -> np.ndarray:
    """The current (pA) from which on there is no stable rest, in closed form."""
    return np.fmin(*(point.drive for point in exact(a, tau_w).values()))


def equilibria(a: float, tau_w: float, below: float, step: float) -> dict[str, np.ndarray]:
    """The branch of equilibria over the current, from `below` the fold, round it and back."""
    neuron = AdEx(a=a, tau_w=tau_w)
    low = float(folds.adex_fold(folds.AdExCell(a=a)).drive) - below
    v = jnp.array(-75.0) - below / 10  # under the lower rest: Newton's method rises to it
    guess = AdExState(v, a * (v - neuron.e_l))
    found = follow(neuron, None, guess, low, step=step, count=400, bounds=(low, np.inf))
    return as_arrays(found, lambda y: y.v, neuron)


def neurons(I, a, tau_w, v_reset, b):  # noqa: E741
    """Neurons and their drive."""
    return AdEx(a=a, tau_w=tau_w, v_reset=v_reset, b=b), I


def maps(config: Config) -> dict[str, dict]:
    """The maps of patterns: over current and `a`, and over the reset."""
    side = config.side
    a, currents = np.linspace(0.0, 60.0, side), np.linspace(400.0, 2000.0, side)
    jumps, resets = np.linspace(0.0, 200.0, side), np.linspace(-52.0, -45.0, side)
    return {
        "drive": {"a": a, "I": currents, **SLOW},
        "reset": {"b": jumps, "v_reset": resets, "I": CURRENT, "a": 4.0, "tau_w": TAU_W},
    }


def branches(config: Config, parts: study.Parts) -> dict[str, tuple]:
    """Equilibria: of one cell from far below the fold; of both from near it; along the map."""
    tau, slow = list(CELLS.values()), SLOW["tau_w"]
    wanted = {
        "wide": ("wide", [(4.0, tau[0], 400.0, 10.0)]),
        "near": ("cell", [(4.0, t, 1.0, 0.05) for t in tau]),
        "line": ("line", [(a, slow, 400.0, 20.0) for a in lines(config)]),
    }
    variables = {}
    for name, (dim, rows) in wanted.items():
        label = "equilibria ({}) at a = {:g}, tau_w = {:g}"
        found = [
            parts(label.format(name, *row[:2]), lambda row=row: equilibria(*row)) for row in rows
        ]
        variables |= stacked(name, dim, found)
    return variables


def lines(config: Config) -> np.ndarray:
    """The values of `a` at which to follow the equilibria, on the map."""
    return np.linspace(0.0, 60.0, config.lines)


def route(config: Config, parts: study.Parts) -> dict[str, tuple]:
    """Orbits over the reset, and the branches through them."""
    sizes = config.spacing, config.spikes, config.burn_in, config.dt
    found = parts(
        "orbits over the reset", lambda: orbits(*sizes, parts.chunks.folder / "orbits.zarr")
    )
    w = float(found["w"][0, -1])  # the first orbit has settled
    one = parts("orbits of one point", lambda: as_arrays(one_spike(w, config.arc, config.dt), _w))
    doubling = points(xr.Dataset(stacked("one", "row", [one])), "one", DOUBLES)

    def halves():
        both = two_spikes(float(doubling.drive[0]), float(doubling.v[0]), config.arc, config.dt)
        rows = [as_arrays(half, _w) for half in both]
        return {f"{k}{key}": value for k, row in enumerate(rows) for key, value in row.items()}

    two = {} if config.quick else parts("orbits of two points", halves)
    rows = [{key[1:]: x for key, x in two.items() if key[0] == k} for k in "01" if two]
    other = parts("the map by another solver", lambda: by_other_code(one))
    variables = stacked("orbits", "branch", [one, *rows])
    variables |= {f"other_{key}": ("other", value) for key, value in other.items()}
    for key in ("w", "interval"):
        variables[f"orbit_{key}"] = (("reset", "spike"), found[key])
    for key in ("exponent", "error", "ok"):
        variables[f"orbit_{key}"] = ("reset", found[key])
    return variables | {"reset": ("reset", found["resets"])}


def _w(y: AdExState):
    return y.w


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Branches, maps and orbits, part by part.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    wanted = maps(config)
    variables: dict = branches(config, parts)
    found = parts(
        "maps of patterns",
        lambda: pattern_maps(
            neurons, wanted, parts.chunks.folder / "maps.zarr",
            t1=config.t1, settle=config.settle, dt=config.dt,
        ),
    )  # fmt: skip
    for name, dims in (("drive", ("a", "I")), ("reset", ("b", "v_reset"))):
        for key in ("pattern", "rate"):
            variables[f"{name}_{key}"] = (dims, found[f"{name}_{key}"])
    variables |= route(config, parts)
    coords = {
        "cell": list(CELLS),
        "cell_tau_w": ("cell", list(CELLS.values())),
        "line": lines(config),
        **{key: wanted["drive"][key] for key in ("a", "I")},
        **{key: wanted["reset"][key] for key in ("b", "v_reset")},
    }
    attrs = {"patterns": list(PATTERNS), "settle": config.settle, "t1": config.t1, "dt": config.dt}
    attrs |= {f"drive_{key}": value for key, value in SLOW.items()}
    attrs |= {"reset_I": CURRENT, "reset_tau_w": TAU_W, "route_b": JUMP, "a4": 4.0}
    return xr.Dataset(variables, coords, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far branches are from the closed forms, orbits from branches and other code, and what
    share of the maps each pattern has.
    """
    result: dict[str, float] = {}
    for name, a, tau_w in (
        ("wide", np.array([4.0]), np.array([CELLS["resonator"]])),
        ("near", np.full(len(CELLS), 4.0), dataset.cell_tau_w.values),
        ("line", dataset.line.values, np.full(dataset.sizes["line"], SLOW["tau_w"])),
    ):
        found = {kind: points(dataset, name, kind) for kind in exact(a, tau_w)}
        new = differences(found, exact(a, tau_w))
        p, v = dataset[f"{name}_p"].values, dataset[f"{name}_y"].values
        fold = exact(a, tau_w)[Bifurcation.FOLD]
        known = np.where(np.isfinite(p), p, fold.drive[:, None])  # rows are padded
        rests = folds.adex_rest(known, folds.AdExCell(a=a[:, None]))
        new["rest: error of v"] = float(np.nanmax(np.fmin(*(np.abs(v - x) for x in rests))))
        stable = (p < lost(a, tau_w)[:, None]) & (v < fold.v[:, None])
        wrong = (stable != dataset[f"{name}_stable"].values) & np.isfinite(p)
        new["points of wrong stability"] = int(wrong.sum())
        result = {key: max(value, result.get(key, 0.0)) for key, value in new.items()}
    beyond = dataset.I.values[None, :] > lost(dataset.a.values, SLOW["tau_w"])[:, None]
    fires = dataset.drive_pattern.values > PATTERNS.index("transient")
    result["without rest, and not firing"] = int((beyond & ~fires).sum())
    result["firing on, though there is a rest (share)"] = float(fires[~beyond].mean())
    for name in ("drive", "reset"):
        for key, value in shares(dataset[f"{name}_pattern"]).items():
            result[f"map of {name}: {key}"] = value
    return result | _route_summary(dataset)


def _route_summary(dataset: xr.Dataset) -> dict[str, float]:
    result = {"orbits that fell silent": int((~dataset.orbit_ok).sum())}
    doublings = points(dataset, "orbits", DOUBLES).drive
    result["first doubling (mV)"] = float(doublings[0])
    result["first doubling: off from other code (mV)"] = abs(float(doublings[0]) - DOUBLING)
    if len(doublings) > 1:
        result["second doubling (mV)"] = float(doublings[1])
    for reset, other in EXPONENTS.items():
        here = dataset.isel(reset=int(np.abs(dataset.reset.values - reset).argmin()))
        if abs(float(here.reset) - reset) < 1e-6:
            label = f"exponent at {reset:g} mV"
            result[label] = float(here.orbit_exponent)
            result[f"{label}: off from other code"] = abs(float(here.orbit_exponent) - other)
    one = dataset.isel(branch=0)
    there = np.isfinite(one.orbits_p.values)
    p, growth = one.orbits_p.values[there], np.log(one.orbits_largest.values[there])
    before = dataset.reset.values < doublings[0] - 0.1
    off = np.abs(dataset.orbit_exponent.values - np.interp(dataset.reset.values, p, growth))
    result["exponent of one point: off from its branch"] = float(off[before].max())
    which = dataset.other_point.values
    after = np.abs(dataset.other_w.values - one.orbits_y.values[which])
    slope = np.abs(np.abs(dataset.other_slope.values) - one.orbits_largest.values[which])
    result["branch: off from another solver (pA)"] = float(after.max())
    result["slope: off from another solver"] = float(slope.max())
    return result


def _figure():
    from figures.theory import adex

    return adex


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
