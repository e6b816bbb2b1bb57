"""Which states does a modern Hopfield network have besides its memories, and when do they go?

Patterns are orthogonal and of length 1: then all fixed points are known in closed form, as states
in which `k` of `P` patterns share one weight equally and the others the rest. Over `beta`:

- all fixed points, by the number of their unstable directions, from a cloud of guesses;
- the branches of the mean, the memories and the mixtures, with their folds;
- the weight of a memory as `beta` slowly goes up and down;
- energies, curvatures, and the barriers between metastable states.

    python -m theory.regimes.modern_memory             # results/theory/modern_memory.zarr
    python -m theory.regimes.modern_memory --quick     # fewer values of beta
"""

import dataclasses

import numpy as np
import xarray as xr

from experiments.common import study
from experiments.common.study import setting

from ..closed_forms import modern_hopfield as exact
from .modern_solve import barriers, branches, census, slow_loop
from .modern_states import closed_forms, exact_barriers


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Fixed points of a modern Hopfield network."""

    patterns: int = setting(6, least=4, most=8)
    """How many patterns, P: there are 2^P - 1 fixed points, and folds from 3 on."""
    betas: int = setting(23, least=2, quick=8)
    """At how many values of beta all fixed points are looked for."""
    guesses: int = setting(400, least=1, quick=250)
    """How many guesses, of each of four kinds."""
    step: float = setting(0.05, above=0, quick=lambda x: max(x, 0.1))
    """Between two points of a branch at most."""
    loop: int = setting(121, least=10, quick=41)
    """How many values of beta the slow loop has each way."""
    settle: float = setting(400.0, above=0)
    """The time at each of them, in the unit of the flow's tau."""
    paths: int = setting(12, least=1, quick=3)
    """At how many values of beta barriers are measured, of each kind."""
    seed: int = 0
    """Of patterns and guesses."""


_DIMS = {"number": ("beta", "directions"), "expected": ("beta", "directions")}
_DIMS |= {"energy": ("beta", "state"), "unstable": ("beta", "state")}
_DIMS |= {name: ("loop_beta",) for name in ("up", "down")}
_DIMS |= {f"barrier_{name}": ("barrier_beta",) for name in ("out", "back")}
_DIMS |= {f"{name}_off": ("beta",) for name in ("state", "energy", "curvature")}
_DIMS |= {"missed": ("beta",), "barrier_swap": ("swap_beta",), "fold": ("shared",)}


def _dims(name: str) -> tuple[str, ...]:
    if name in _DIMS:
        return _DIMS[name]
    family = name.split("_")[0]
    grid = name in ("beta", "loop_beta", "barrier_beta", "swap_beta", "mean_crossing")
    return (name,) if grid else (f"{family}_point",)


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Run the study part by part: all fixed points, branches, slow loop and barriers."""
    arrays = parts("all fixed points", lambda: census(config))
    arrays |= parts("branches", lambda: branches(config))
    arrays |= parts("slow loop", lambda: slow_loop(config))
    arrays |= parts("barriers", lambda: barriers(config))
    data: dict = {name: (_dims(name), np.asarray(values)) for name, values in arrays.items()}
    data |= closed_forms(config.patterns, arrays["beta"])
    attrs = {"patterns": config.patterns, "settle": config.settle}
    return xr.Dataset(data, attrs=attrs | {"equal_energy": exact.equal_energy(config.patterns)})


def off_branch(dataset: xr.Dataset, shared: int) -> tuple[float, float]:
    """Largest differences of the branch of `shared` patterns from the closed form: of the
    weight, and of the least curvature.
    """
    count = dataset.attrs["patterns"]
    p, weight, curvature = (
        dataset[f"k{shared}_{key}"].values for key in ("p", "weight", "curvature")
    )
    weights = np.stack(exact.branches(p, count, shared))
    nearest = np.abs(weights - weight).argmin(axis=0)
    weights = np.take_along_axis(weights, nearest[None], axis=0)[0]
    least = [
        1 - max(value for value, _ in exact.eigenvalues(w, b, count, shared))
        for w, b in zip(weights, p, strict=True)
    ]
    return float(np.abs(weight - weights).max()), float(np.abs(curvature - least).max())


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """How far all of it is from the closed forms."""
    count = dataset.attrs["patterns"]
    half = count // 2
    off = [off_branch(dataset, shared) for shared in range(1, half + 1)]
    spinodals = [exact.spinodal(count, shared).b for shared in range(1, 1 + dataset.fold.size)]
    result = {
        "fixed points at the largest beta": int(dataset.number[-1].sum()),
        "fixed points missed or too many": int(dataset.missed.sum()),
        "with a wrong number of unstable directions": int(
            np.abs(dataset.number - dataset.expected).sum()
        ),
        "fixed points: error of the weights": float(dataset.state_off.max()),
        "fixed points: error of the energy": float(dataset.energy_off.max()),
        "fixed points: error of the curvatures": float(dataset.curvature_off.max()),
        "branches: error of the weight": max(weight for weight, _ in off),
        "branches: error of the least curvature": max(curvature for _, curvature in off),
        "folds: error of beta": float(np.abs(dataset.fold.values - spinodals).max()),
    }
    crossing = abs(float(dataset.mean_crossing[0]) - count)
    result["the mean's bifurcation: error of beta"] = crossing
    shares = dataset.mean_weight.values
    result["the mean: error of its weight"] = float(np.abs(shares - 1 / count).max())
    result |= _loop_summary(dataset, count)
    lower = exact_barriers(dataset.barrier_beta.values, count)
    upper = exact_barriers(dataset.swap_beta.values, count)
    for name, heights in (("out", lower), ("back", lower), ("swap", upper)):
        error = np.abs(dataset[f"barrier_{name}"].values - heights[name])
        result[f"barrier {name}: error"] = float(error.max())
    return result


def _loop_summary(dataset: xr.Dataset, count: int) -> dict[str, float]:
    """Where the loop jumps, in units of its spacing; how far it is from the stable states."""
    beta = dataset.loop_beta.values
    spacing = beta[1] - beta[0]
    memory = exact.branches(beta, count)[1]
    start = exact.spinodal(count).b
    result = {}
    for name, jump in (("up", float(count)), ("down", start)):
        weight = dataset[name].values
        expected = np.where(beta > jump, memory, 1 / count)
        away = np.abs(beta - jump) > 1.5 * spacing
        at = beta[np.argmax(weight > 0.5)] - spacing / 2
        result[f"loop {name}: jump at beta"] = float(at)
        result[f"loop {name}: jump off by (spacings)"] = float(abs(at - jump) / spacing)
        result[f"loop {name}: error of the weight"] = float(np.abs(weight - expected)[away].max())
    return result


STUDY = study.Study("modern_memory", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
