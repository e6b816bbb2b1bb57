"""Where do the neurons of Izhikevich (2003) lose their rest, and how do they fire beyond?

- The equilibria of four classes over the current, followed round their fold, with its Hopf point;
  against the closed forms.
- The firing patterns of intrinsically bursting cells over current and `b`, with the line on which
  rest is lost: closed form, and points of it by continuation.
- The firing patterns over the two numbers of the reset, at a current of 10.

    python -m theory.regimes.izhikevich             # results/theory/izhikevich.zarr
    python -m theory.regimes.izhikevich --quick     # coarser maps
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr

from bpcjax.analysis import Bifurcation, follow
from bpcjax.neurons import Izhikevich, IzhikevichState
from experiments.common import InputError

from ..closed_forms import folds
from . import study
from .diagram import as_arrays, differences, points, stacked
from .patterns import PATTERNS, pattern_maps, shares

NAME = "izhikevich"
CLASSES = {  # a, b (1/ms): Izhikevich (2003), Fig. 2
    "RS": (0.02, 0.2),
    "FS": (0.1, 0.2),
    "LTS": (0.02, 0.25),
    "RZ": (0.1, 0.26),
}
BURSTING = {"a": 0.02, "b": 0.2, "c": -55.0, "d": 4.0}  # 1/ms, 1/ms, mV, mV/ms
DRIVE = 10.0  # mV/ms, of the map over the reset
BELOW = 6.0  # mV/ms under the fold, where branches begin


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Rest and firing of Izhikevich neurons."""

    side: int = 120
    """How many points to a side of a map."""
    lines: int = 9
    """At how many values of b to follow the equilibria, on the map."""
    t1: float = 1600.0
    """How long the current lasts, ms."""
    settle: float = 600.0
    """Spikes before this time do not count in a pattern, ms."""
    dt: float = 0.05
    """Step, ms."""


def check(config: Config) -> Config:
    """The config, cut down where it is to be quick.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    for name in ("side", "lines"):
        if getattr(config, name) < 2:
            raise InputError(f"{name} must be at least 2, got {getattr(config, name)}.")
    if not 0 < config.dt <= 0.1:  # an upstroke takes less than a millisecond
        raise InputError(f"dt must be positive, and at most 0.1 ms, got {config.dt}.")
    if not 0 <= config.settle < config.t1 < np.inf:
        raise InputError(f"settle must lie in 0 ... t1 = {config.t1}, got {config.settle}.")
    if config.quick:
        few = {"side": min(config.side, 40), "lines": min(config.lines, 4)}
        config = dataclasses.replace(config, **few)
    return config


def equilibria(a: float, b: float) -> dict[str, np.ndarray]:
    """The branch of equilibria over the drive, from below, round the fold and back."""
    neuron = Izhikevich(a, b)
    low = float(folds.izhikevich_fold(b).drive) - BELOW
    guess = IzhikevichState(jnp.array(-90.0), jnp.array(-90.0 * b))  # Newton falls to the lower one
    found = follow(neuron, None, guess, low, step=0.5, count=400, bounds=(low, np.inf))
    return as_arrays(found, lambda y: y.v, neuron)


def neurons(I, a, b, c, d):  # noqa: E741
    """Neurons and their drive."""
    return Izhikevich(a, b, c, d), I


def maps(config: Config) -> dict[str, dict]:
    """The maps of patterns: over current and `b`, and over the reset."""
    side, cell = config.side, BURSTING
    drives, b = np.linspace(-4.0, 20.0, side), np.linspace(0.0, 0.3, side)
    c, d = np.linspace(-68.0, -45.0, side), np.linspace(0.0, 10.0, side)
    return {
        "drive": {"b": b, "I": drives, "a": cell["a"], "c": cell["c"], "d": cell["d"]},
        "reset": {"d": d, "c": c, "I": DRIVE, "a": cell["a"], "b": cell["b"]},
    }


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Branches and maps, part by part.

    **Raises:** `InputError` naming the argument that makes no sense.
    """
    config = check(config)
    wanted = maps(config)
    lines = np.linspace(0.0, 0.3, config.lines)
    a = BURSTING["a"]
    classes = [
        parts(f"equilibria of {name}", lambda own=own: equilibria(*own))
        for name, own in CLASSES.items()
    ]
    followed = [
        parts(f"equilibria at b = {b:.3g}", lambda b=b: equilibria(a, float(b))) for b in lines
    ]
    found = parts(
        "maps of patterns",
        lambda: pattern_maps(
            neurons, wanted, parts.chunks.folder / "maps.zarr",
            t1=config.t1, settle=config.settle, dt=config.dt,
        ),
    )  # fmt: skip
    variables = stacked("class", "class", classes) | stacked("line", "line", followed)
    for name, dims in (("drive", ("b", "I")), ("reset", ("d", "c"))):
        for key in ("pattern", "rate"):
            variables[f"{name}_{key}"] = (dims, found[f"{name}_{key}"])
    coords = {
        "class": list(CLASSES),
        "class_a": ("class", [a for a, _ in CLASSES.values()]),
        "class_b": ("class", [b for _, b in CLASSES.values()]),
        "line": lines,
        **{key: wanted["drive"][key] for key in ("b", "I")},
        **{key: wanted["reset"][key] for key in ("d", "c")},
    }
    attrs = {"patterns": list(PATTERNS), "settle": config.settle, "t1": config.t1, "dt": config.dt}
    attrs |= {"a": a, "reset_drive": DRIVE, "reset_b": BURSTING["b"]}
    attrs |= {"drive_c": BURSTING["c"], "drive_d": BURSTING["d"]}
    return xr.Dataset(variables, coords, attrs)


def exact(a, b) -> dict[Bifurcation, folds.Point]:
    """The closed forms of fold and Hopf point."""
    fold, hopf = folds.izhikevich_fold(b), folds.izhikevich_hopf(a, b)
    return {Bifurcation.FOLD: fold, Bifurcation.HOPF: hopf}


def lost(a, b) -> np.ndarray:
    """The drive from which on there is no stable rest, in closed form."""
    return np.fmin(*(point.drive for point in exact(a, b).values()))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far branches are from the closed forms, and what share of the maps each pattern has."""
    result = {}
    for name, a, b in (
        ("class", dataset.class_a.values, dataset.class_b.values),
        ("line", dataset.a, dataset.line.values),
    ):
        found = {kind: points(dataset, name, kind) for kind in exact(a, b)}
        for key, value in differences(found, exact(a, b)).items():
            result[key] = max(value, result.get(key, 0.0))
        p, v = dataset[f"{name}_p"].values, dataset[f"{name}_y"].values
        rests = folds.izhikevich_rest(p, b[:, None])
        off = np.nanmax(np.fmin(*(np.abs(v - rest) for rest in rests)))
        result["rest: error of v"] = max(float(off), result.get("rest: error of v", 0.0))
        stable = (p < lost(a, b)[:, None]) & (v < folds.izhikevich_fold(b).v[:, None])
        wrong = ((stable != dataset[f"{name}_stable"].values) & np.isfinite(p)).sum()
        result["points of wrong stability"] = int(wrong) + result.get(
            "points of wrong stability", 0
        )
    beyond = dataset.I.values[None, :] > lost(dataset.a, dataset.b.values)[:, None]
    fires = dataset.drive_pattern.values > PATTERNS.index("transient")
    result["without rest, and not firing"] = int((beyond & ~fires).sum())
    result["firing on, though there is a rest (share)"] = float(fires[~beyond].mean())
    for name in ("drive", "reset"):
        for key, value in shares(dataset[f"{name}_pattern"]).items():
            result[f"map of {name}: {key}"] = value
    return result


def _figure():
    from figures.theory import izhikevich

    return izhikevich


def main() -> None:
    """The command line."""
    study.main(NAME, Config, run, summary, _figure, __doc__)


if __name__ == "__main__":
    main()
