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
from experiments.common import InputError, study
from experiments.common.study import setting

from ..closed_forms import folds
from .diagram import Exact, as_arrays, errors, onset, stacked, variables, worst
from .patterns import PATTERNS, map_summary, pattern_maps

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

    side: int = setting(120, least=2, quick=40)
    """How many points to a side of a map."""
    lines: int = setting(9, least=2, quick=4)
    """At how many values of b to follow the equilibria, on the map."""
    t1: float = setting(1600.0)
    """How long the current lasts, ms."""
    settle: float = setting(600.0, least=0)
    """Spikes before this time do not count in a pattern, ms."""
    dt: float = setting(0.05, above=0, most=0.1)
    """Step, ms: an upstroke takes less than a millisecond."""

    def verify(self) -> None:
        """Validate that the current lasts longer than `settle`, so that spikes count."""
        if not self.settle < self.t1:
            raise InputError(f"settle must lie in 0 ... t1 = {self.t1}, got {self.settle}.")


def exact(a, b) -> Exact:
    """Closed forms of fold and Hopf point."""
    fold, hopf = folds.izhikevich_fold(b), folds.izhikevich_hopf(a, b)
    return {Bifurcation.FOLD: fold, Bifurcation.HOPF: hopf}


def equilibria(a: float, b: float) -> dict[str, np.ndarray]:
    """Branch of equilibria over the drive, from below, round the fold and back."""
    neuron = Izhikevich(a, b)
    low = float(folds.izhikevich_fold(b).drive) - BELOW
    guess = IzhikevichState(jnp.array(-90.0), jnp.array(-90.0 * b))  # Newton falls to the lower one
    branch = follow(neuron, None, guess, low, step=0.5, count=400, bounds=(low, np.inf))
    return as_arrays(branch, lambda y: y.v, neuron)


def neurons(I, a, b, c, d):  # noqa: E741
    """Izhikevich neurons of these parameters, and the drive into them (mV/ms)."""
    return Izhikevich(a, b, c, d), I


def maps(config: Config) -> dict[str, dict]:
    """Arguments of the maps of patterns: over current and `b`, and over the reset."""
    side, cell = config.side, BURSTING
    drives, b = np.linspace(-4.0, 20.0, side), np.linspace(0.0, 0.3, side)
    c, d = np.linspace(-68.0, -45.0, side), np.linspace(0.0, 10.0, side)
    return {
        "drive": {"b": b, "I": drives, "a": cell["a"], "c": cell["c"], "d": cell["d"]},
        "reset": {"d": d, "c": c, "I": DRIVE, "a": cell["a"], "b": cell["b"]},
    }


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Branches and maps, part by part."""
    axes, lines, boundary = (
        maps(config),
        np.linspace(0, 0.3, config.lines),
        np.linspace(0, 0.3, 400),
    )
    a = BURSTING["a"]
    classes = [
        parts(f"equilibria of {name}", lambda own=own: equilibria(*own))
        for name, own in CLASSES.items()
    ]
    along = [
        parts(f"equilibria at b = {b:.3g}", lambda b=b: equilibria(a, float(b))) for b in lines
    ]
    patterns = parts(
        "maps of patterns",
        lambda: pattern_maps(
            neurons, axes, parts.chunks.folder / "maps.zarr",
            t1=config.t1, settle=config.settle, dt=config.dt,
        ),
    )  # fmt: skip
    class_a, class_b = np.array([*CLASSES.values()]).T
    data = stacked("class", "class", classes) | stacked("line", "line", along)
    data |= variables("class", "class", exact(class_a, class_b))
    data |= variables("boundary", "boundary", exact(a, boundary))
    for name, dims in (("drive", ("b", "I")), ("reset", ("d", "c"))):
        for key in ("pattern", "rate"):
            data[f"{name}_{key}"] = (dims, patterns[f"{name}_{key}"])
    coords = {
        "class": list(CLASSES),
        "class_a": ("class", class_a),
        "class_b": ("class", class_b),
        "line": lines,
        "boundary": boundary,
        **{key: axes["drive"][key] for key in ("b", "I")},
        **{key: axes["reset"][key] for key in ("d", "c")},
    }
    attrs = {"patterns": list(PATTERNS), "settle": config.settle, "t1": config.t1, "dt": config.dt}
    attrs |= {"a": a, "reset_drive": DRIVE, "reset_b": BURSTING["b"]}
    attrs |= {"drive_c": BURSTING["c"], "drive_d": BURSTING["d"]}
    return xr.Dataset(data, coords, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Errors of branches against the closed forms, and the share of each pattern on the maps."""
    tables = []
    for name, a, b in (
        ("class", dataset.class_a.values, dataset.class_b.values),
        ("line", dataset.a, dataset.line.values),
    ):

        def rest(p, b=b):
            return folds.izhikevich_rest(p, b[:, None])

        tables.append(errors(dataset, name, exact(a, b), rest))
    lost = onset(exact(dataset.a, dataset.b.values))[:, None]
    return worst(*tables) | map_summary(dataset, dataset.I.values[None, :] > lost)


STUDY = study.Study("izhikevich", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
