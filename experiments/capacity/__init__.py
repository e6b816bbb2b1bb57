"""How many patterns does each memory hold, and is it what theory says?

Random patterns are stored, more and more of them, and counted: at each load, of how many patterns
every unit stays as it is in one step, or in how many memories that holds for all patterns. The
capacity is the load where this share passes the value that theory gives at its own capacity:

- hebb, cubic, quartic: one pattern without error, `N^(n-1) / (2 (2n-3)!! log N)` for `F = u^n`;
- hebb, all: all patterns without error, `N / (4 log N)`;
- exponential: all patterns without error, `F = exp`: half of the memories, near `2^(N / 2)`;
- modern: half of the queries with Gaussian noise find their pattern, on the sphere (exact law);
- sparse: half of the patterns have a weight of exactly 1 (sparsemax), on the sphere (exact law);
- phasor: half of the patterns stay, `0.0377 N`.

None of these memories spikes: they are deterministic maps. At a few hundred units the laws, which
are those of large N, are off by up to a third (phasors).

The drawn success of the first group is exact in the chance that a unit flips, at the sizes
measured; its units are taken to fail independently. Then the overlap of memories of Hebb's rule
with their patterns, up to where they are lost, against the theory of their saturation.

    python -m experiments.capacity             # results/capacity.zarr and a picture
    python -m experiments.capacity --quick     # smaller memories, fewer patterns
"""

import dataclasses

import numpy as np
import xarray as xr

from theory.closed_forms import ags, phasor

from ..common import study
from ..common.study import Parts, setting
from ..common.thresholds import crossing
from . import laws as laws, memories as memories
from .laws import STEPS, Curve

LOADS = 7  # of each memory


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Capacities of associative memories."""

    hebb: tuple[int, ...] = setting((250, 500, 1000, 2000), least=4, quick=(250, 1000))
    """Units of memories of Hebb's rule, for one pattern and (up to 1,000) for all."""
    cubic: tuple[int, ...] = setting((100, 200, 400, 1000), least=4, quick=(100, 200))
    """Units, for `F = u^3`."""
    quartic: tuple[int, ...] = setting((50, 100, 200), least=4, quick=(50, 100))
    """Units, for `F = u^4`."""
    exponential: tuple[int, ...] = setting((12, 16, 20, 24), least=4, quick=(12, 16, 20))
    """Units, for `F = exp`."""
    modern: tuple[int, ...] = setting((6, 9, 12, 15), least=4, quick=(6, 9, 12))
    """Dimensions, for softmax."""
    sparse: tuple[int, ...] = setting((12, 18, 24, 30, 36), least=4, quick=(12, 18, 24))
    """Dimensions, for sparsemax."""
    phasor: tuple[int, ...] = setting((250, 500, 1000, 2000), least=4, quick=(250,))
    """Units of phasor networks."""
    saturation: int = setting(2000, least=100, quick=lambda _: 400)
    """Units of the memories whose overlap is measured up to their end."""
    asked: int = setting(2048, least=memories.CHUNK, quick=512)
    """Patterns asked for at each load."""
    memories: int = setting(2000, least=10, quick=200)
    """Memories at each load, where all patterns are asked for."""
    noise: float = setting(1.0, above=0)
    """Standard deviation of each unit of the queries of modern memories."""
    margin: float = setting(0.5, above=0, below=1)
    """Cosine below which all other patterns have to be, for a weight of exactly 1."""
    seed: int = 0
    """Of patterns and queries."""

    @property
    def queries(self) -> int:
        """Patterns asked for at each load, in whole chunks."""
        return self.asked // memories.CHUNK * memories.CHUNK


def curves(config: Config) -> list[Curve]:
    """Everything that is measured."""
    queries, number = config.queries, config.memories
    return [
        *(laws.polynomial("hebb", 2, n, queries) for n in config.hebb),
        *(laws.all_of_hebb(n, number) for n in config.hebb if n <= 1000),
        *(laws.polynomial("cubic", 3, n, queries) for n in config.cubic),
        *(laws.polynomial("quartic", 4, n, queries) for n in config.quartic),
        *(laws.exponential(n, max(number // 6, 10)) for n in config.exponential),
        *(laws.modern(n, config.noise, queries) for n in config.modern),
        *(laws.sparse(n, config.margin, queries) for n in config.sparse),
        *(laws.phasors(n, queries) for n in config.phasor),
    ]


def measured(config: Config, number: int, curve: Curve) -> dict[str, np.ndarray]:
    """Counts of one curve at its loads."""
    loads = np.unique(np.round(curve.law * np.geomspace(*curve.span, LOADS)).astype(int))
    loads = np.maximum(loads, 2)
    rng = np.random.default_rng([config.seed, number])
    counts = np.array([curve.measure(rng, int(count)) for count in loads], float)
    filled = np.full((4, LOADS), np.nan)
    filled[:, : len(loads)] = loads, *counts.T, [curve.expected(count) for count in loads]
    return dict(zip(("load", "successes", "trials", "expected"), filled, strict=True))


def saturation(config: Config) -> dict[str, np.ndarray]:
    """Overlaps with the pattern started from, of spins and phasors, over the load; the theory of
    both, at these loads and as a curve."""
    grids = {"spins": (0.03, 0.16, 14), "phases": (0.008, 0.044, 13)}
    result: dict[str, np.ndarray] = {}
    for k, (name, grid) in enumerate(grids.items()):
        rng = np.random.default_rng([config.seed, 1000 + k])
        counts = np.round(np.linspace(*grid) * config.saturation).astype(int)
        rows = []
        for count in counts:
            means = [
                memories.settled_overlaps(
                    rng, int(count), config.saturation, 16, STEPS, phases=name == "phases"
                ).mean()
                for _ in range(6)
            ]
            rows.append((np.mean(means), np.std(means, ddof=1) / np.sqrt(len(means))))
        theory = ags if name == "spins" else phasor
        end = theory.capacity().alpha
        load, curve = counts / config.saturation, end * np.linspace(0.02, 1, 80)
        overlap, error = np.array(rows).T
        columns = {
            "load": load, "overlap": overlap, "error": error,
            "theory": np.array([theory.retrieval(a).m if a <= end else np.nan for a in load]),
            "curve_load": curve, "curve": np.array([theory.retrieval(a).m for a in curve]),
        }  # fmt: skip
        result |= {f"{name}_{label}": values for label, values in columns.items()}
    return result


def _capacity(curve: Curve, counts: dict[str, np.ndarray]) -> tuple[float, float]:
    """The capacity, and the standard error of its logarithm."""
    some = np.isfinite(counts["load"])
    # Where unlike patterns or queries fail, the rate is no power of the load: two degrees.
    degree = 2 if curve.kind in ("modern", "phasor") else 1
    columns = (counts[name][some] for name in ("load", "successes", "trials"))
    place, error = crossing(*columns, curve.level, degree)
    return float(np.exp(place)), error


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Counts, laws and capacities of every memory, and overlaps near saturation."""
    every = curves(config)
    counts = [
        parts(f"{c.kind}, {c.size} units", lambda c=c, k=k: measured(config, k, c))
        for k, c in enumerate(every)
    ]
    ends = parts("saturation", lambda: saturation(config))
    places = [_capacity(curve, own) for curve, own in zip(every, counts, strict=True)]
    values, errors = np.array(places).T
    variables: dict[str, tuple] = {
        name: (("curve", "step"), np.array([own[name] for own in counts])) for name in counts[0]
    }
    variables |= {
        "law": ("curve", np.array([c.law for c in every])),
        "level": ("curve", np.array([c.level for c in every])),
        "capacity": ("curve", values),
        "log_error": ("curve", errors),
    }
    for name, value in ends.items():
        kind, _, label = name.partition("_")
        variables[name] = (f"{kind}_{'line' if 'curve' in label else 'point'}", value)
    coords = {
        "kind": ("curve", [c.kind for c in every]),
        "size": ("curve", [c.size for c in every]),
    }
    attrs = {"noise": config.noise, "margin": config.margin, "saturation": config.saturation}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def slope(sizes: np.ndarray, capacities: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Of the logarithm of a capacity against the size, with its standard error."""
    weight = 1 / errors**2
    middle = np.average(sizes, weights=weight)
    spread = np.sum(weight * (sizes - middle) ** 2)
    value = np.sum(weight * (sizes - middle) * np.log(capacities)) / spread
    return float(value), float(1 / np.sqrt(spread))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Capacities over their laws, with standard errors, and slopes of the exponential ones."""
    result: dict[str, float] = {}
    for kind in dict.fromkeys(dataset.kind.values):
        own = dataset.isel(curve=np.flatnonzero(dataset.kind.values == kind))
        own = own.isel(curve=np.flatnonzero(np.isfinite(own.capacity.values)))  # within the loads
        result |= _ratios(kind, own)
        if kind in ("exponential", "modern", "sparse") and own.sizes["curve"] > 1:
            result |= _slopes(kind, own)
    for name in ("spins", "phases"):
        theory, overlap = dataset[f"{name}_theory"], dataset[f"{name}_overlap"]
        load = dataset[f"{name}_load"]
        early = load < 0.85 * float(load.where(theory > 0).max())
        away = np.abs(overlap - theory).where(early).max()
        result[f"saturation, {name}: largest deviation of the overlap"] = float(away)
    return result


def _ratios(kind: str, own: xr.Dataset) -> dict[str, float]:
    result: dict[str, float] = {}
    ratio = (own.capacity / own.law).values
    for n, r, e in zip(own["size"].values, ratio, own.log_error.values, strict=True):
        result[f"{kind}, {n} units: capacity over law"] = float(r)
        result[f"{kind}, {n} units: standard error"] = float(r * e)
    return result


def _slopes(kind: str, own: xr.Dataset) -> dict[str, float]:
    value, error = slope(*(own[name].values for name in ("size", "capacity", "log_error")))
    by_law = np.polyfit(own["size"].values, np.log(own.law.values), 1)[0]
    return {
        f"{kind}: d log P / dN": value,
        f"{kind}: d log P / dN, standard error": error,
        f"{kind}: d log P / dN by law": float(by_law),
    }


STUDY = study.Study("capacity", Config, run, summary)
