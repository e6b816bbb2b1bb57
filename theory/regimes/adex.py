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
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.analysis import Bifurcation, follow
from bpcjax.neurons import AdEx, AdExState
from experiments.common import InputError, study
from experiments.common.study import setting

from ..closed_forms import folds
from .adex_reset import CURRENT, JUMP, TAU_W, by_other_code, one_spike, orbits, two_spikes
from .diagram import Exact, as_arrays, errors, onset, points, stacked, variables, worst
from .patterns import PATTERNS, map_summary, pattern_maps

CELLS = {"resonator": 144.0, "integrator": 40.0}  # tau_w (ms); else as AdEx has it
SLOW = {"tau_w": 144.0, "v_reset": -48.0, "b": 80.5}  # ms, mV, pA: of the map over the current
DOUBLING = -48.7452  # mV, by other code
DOUBLES = Bifurcation.PERIOD_DOUBLING
EXPONENTS = {-48.5: -1.289, -48.0: 0.355, -47.8: -0.525}  # per spike, by other code


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Rest, firing and chaos of AdEx neurons."""

    side: int = setting(100, least=2, quick=32)
    """How many points to a side of a map."""
    lines: int = setting(7, least=2, quick=3)
    """At how many values of a to follow the equilibria, on the map."""
    spacing: float = setting(0.01, above=0, most=0.5, quick=lambda x: max(x, 0.05))
    """Between the resets of the route to chaos, mV."""
    spikes: int = setting(500, least=1, quick=100)
    """How many spikes of an orbit to keep."""
    burn_in: int = setting(300, least=0, quick=100)
    """How many to drop before."""
    arc: float = setting(4.0, above=0, most=20, quick=lambda x: max(x, 10.0))
    """Between two points of a branch of the spike map, in pA of adaptation for the most part."""
    t1: float = setting(1600.0)
    """How long the current of the maps lasts, ms."""
    settle: float = setting(600.0, least=0)
    """Spikes before this time do not count in a pattern, ms."""
    dt: float = setting(0.05, above=0, most=0.2, quick=lambda x: max(x, 0.1))
    """Step, ms: the upstroke takes about a millisecond."""

    def verify(self) -> None:
        """Validate that the current lasts longer than `settle`, so that spikes count."""
        if not self.settle < self.t1:
            raise InputError(f"settle must lie in 0 ... t1 = {self.t1}, got {self.settle}.")


def exact(a, tau_w) -> Exact:
    """Closed forms of fold and Hopf point."""
    cell = folds.AdExCell(a=a, tau_w=tau_w)
    return {Bifurcation.FOLD: folds.adex_fold(cell), Bifurcation.HOPF: folds.adex_hopf(cell)}


def equilibria(a: float, tau_w: float, below: float, step: float) -> dict[str, np.ndarray]:
    """Branch of equilibria over the current, from `below` the fold, round it and back."""
    neuron = AdEx(a=a, tau_w=tau_w)
    low = float(folds.adex_fold(folds.AdExCell(a=a)).drive) - below
    v = jnp.array(-75.0) - below / 10  # under the lower rest: Newton's method rises to it
    guess = AdExState(v, a * (v - neuron.e_l))
    branch = follow(neuron, None, guess, low, step=step, count=400, bounds=(low, np.inf))
    return as_arrays(branch, lambda y: y.v, neuron)


def neurons(I, a, tau_w, v_reset, b):  # noqa: E741
    """AdEx neurons of these parameters, and the current that drives them (pA)."""
    return AdEx(a=a, tau_w=tau_w, v_reset=v_reset, b=b), I


def maps(config: Config) -> dict[str, dict]:
    """Arguments of the maps of patterns: over current and `a`, and over the reset."""
    side = config.side
    a, currents = np.linspace(0.0, 60.0, side), np.linspace(400.0, 2000.0, side)
    jumps, resets = np.linspace(0.0, 200.0, side), np.linspace(-52.0, -45.0, side)
    return {
        "drive": {"a": a, "I": currents, **SLOW},
        "reset": {"b": jumps, "v_reset": resets, "I": CURRENT, "a": 4.0, "tau_w": TAU_W},
    }


class Family(NamedTuple):
    """Branches of equilibria along one dimension: `a` (nS) and `tau_w` (ms) of each, and from how
    far below the fold, in which steps (pA), they are followed.
    """

    dim: str
    a: np.ndarray
    tau_w: np.ndarray
    below: float
    step: float


def families(lines: np.ndarray) -> dict[str, Family]:
    """One cell from far below the fold; both from near it; those along the map."""
    taus = np.array([*CELLS.values()])
    return {
        "wide": Family("wide", np.array([4.0]), taus[:1], 400.0, 10.0),
        "near": Family("cell", np.full(len(taus), 4.0), taus, 1.0, 0.05),
        "line": Family("line", lines, np.full(len(lines), SLOW["tau_w"]), 400.0, 20.0),
    }


def branches(lines: np.ndarray, parts: study.Parts) -> dict[str, tuple]:
    """Variables of the branches of all families, and of their closed forms."""
    result = {}
    for name, own in families(lines).items():
        rows = [
            parts(
                f"equilibria ({name}) at a = {a:g}, tau_w = {tau:g}",
                lambda a=a, tau=tau, own=own: equilibria(a, tau, own.below, own.step),
            )
            for a, tau in zip(own.a, own.tau_w, strict=True)
        ]
        result |= stacked(name, own.dim, rows) | variables(name, own.dim, exact(own.a, own.tau_w))
    return result


def route(config: Config, parts: study.Parts) -> dict[str, tuple]:
    """Variables of the orbits over the reset, and of the branches through them."""
    sizes = config.spacing, config.spikes, config.burn_in, config.dt
    swept = parts(
        "orbits over the reset", lambda: orbits(*sizes, parts.chunks.folder / "orbits.zarr")
    )
    w = float(swept["w"][0, -1])  # the first orbit has settled
    one = parts("orbits of one point", lambda: as_arrays(one_spike(w, config.arc, config.dt), _w))
    doubling = points(xr.Dataset(stacked("one", "row", [one])), "one", DOUBLES)

    def halves():
        both = two_spikes(float(doubling.drive[0]), float(doubling.v[0]), config.arc, config.dt)
        rows = [as_arrays(half, _w) for half in both]
        return {f"{k}{key}": value for k, row in enumerate(rows) for key, value in row.items()}

    two = {} if config.quick else parts("orbits of two points", halves)
    rows = [{key[1:]: x for key, x in two.items() if key[0] == k} for k in "01" if two]
    other = parts("the map by another solver", lambda: by_other_code(one))
    result = stacked("orbits", "branch", [one, *rows])
    result |= {f"other_{key}": ("other", value) for key, value in other.items()}
    for key in ("w", "interval"):
        result[f"orbit_{key}"] = (("reset", "spike"), swept[key])
    for key in ("exponent", "error", "ok"):
        result[f"orbit_{key}"] = ("reset", swept[key])
    return result | {"reset": ("reset", swept["resets"])}


def _w(y: AdExState):
    return y.w


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Branches, maps and orbits, part by part."""
    axes, lines = maps(config), np.linspace(0.0, 60.0, config.lines)
    boundary = np.linspace(0.0, 60.0, 400)
    data: dict = branches(lines, parts)
    data |= variables("boundary", "boundary", exact(boundary, SLOW["tau_w"]))
    patterns = parts(
        "maps of patterns",
        lambda: pattern_maps(
            neurons, axes, parts.chunks.folder / "maps.zarr",
            t1=config.t1, settle=config.settle, dt=config.dt,
        ),
    )  # fmt: skip
    for name, dims in (("drive", ("a", "I")), ("reset", ("b", "v_reset"))):
        for key in ("pattern", "rate"):
            data[f"{name}_{key}"] = (dims, patterns[f"{name}_{key}"])
    data |= route(config, parts)
    coords = {
        "cell": list(CELLS),
        "cell_tau_w": ("cell", list(CELLS.values())),
        "line": lines,
        "boundary": boundary,
        **{key: axes["drive"][key] for key in ("a", "I")},
        **{key: axes["reset"][key] for key in ("b", "v_reset")},
    }
    attrs = {"patterns": list(PATTERNS), "settle": config.settle, "t1": config.t1, "dt": config.dt}
    attrs |= {f"drive_{key}": value for key, value in SLOW.items()}
    attrs |= {"reset_I": CURRENT, "reset_tau_w": TAU_W, "route_b": JUMP, "a4": 4.0}
    return xr.Dataset(data, coords, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Errors of branches against the closed forms, of orbits against branches and other code, and
    the share of each pattern on the maps.
    """
    tables = []
    for name, own in families(dataset.line.values).items():
        cell = folds.AdExCell(a=own.a[:, None])

        def rest(p, cell=cell):
            return folds.adex_rest(p, cell)

        tables.append(errors(dataset, name, exact(own.a, own.tau_w), rest))
    lost = onset(exact(dataset.a.values, SLOW["tau_w"]))[:, None]
    beyond = dataset.I.values[None, :] > lost
    return worst(*tables) | map_summary(dataset, beyond) | _route_summary(dataset)


def _route_summary(dataset: xr.Dataset) -> dict[str, float]:
    result = {"orbits that fell silent": int((~dataset.orbit_ok).sum())}
    doublings = points(dataset, "orbits", DOUBLES).drive
    result["first doubling (mV)"] = float(doublings[0])
    result["first doubling: off from other code (mV)"] = abs(float(doublings[0]) - DOUBLING)
    if len(doublings) > 1:
        result["second doubling (mV)"] = float(doublings[1])
    for reset, other in EXPONENTS.items():
        nearest = dataset.isel(reset=int(np.abs(dataset.reset.values - reset).argmin()))
        if abs(float(nearest.reset) - reset) < 1e-6:
            label = f"exponent at {reset:g} mV"
            result[label] = float(nearest.orbit_exponent)
            result[f"{label}: off from other code"] = abs(float(nearest.orbit_exponent) - other)
    one = dataset.isel(branch=0)
    finite = np.isfinite(one.orbits_p.values)  # rows are padded
    p, growth = one.orbits_p.values[finite], np.log(one.orbits_largest.values[finite])
    before = dataset.reset.values < doublings[0] - 0.1
    off = np.abs(dataset.orbit_exponent.values - np.interp(dataset.reset.values, p, growth))
    result["exponent of one point: off from its branch"] = float(off[before].max())
    which = dataset.other_point.values
    after = np.abs(dataset.other_w.values - one.orbits_y.values[which])
    slope = np.abs(np.abs(dataset.other_slope.values) - one.orbits_largest.values[which])
    result["branch: off from another solver (pA)"] = float(after.max())
    result["slope: off from another solver"] = float(slope.max())
    return result


STUDY = study.Study("adex", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
