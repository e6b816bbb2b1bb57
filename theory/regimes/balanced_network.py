"""When does a sparse network of leaky neurons fire in synchrony, and when irregularly?

Brunel's network (2000, J. Comput. Neurosci. 8:183) over the ratio of inhibition to excitation and
the external drive, with a tenth of his neurons: 1,250, of weights that are larger by sqrt(10), so
that the network's own noise is as strong. Of each network rate, CV, synchrony and the frequency of
the strongest rhythm, against theory: Siegert's rate, and the loop gain of the asynchronous state,
which is unstable where that goes round 1. An example for each of Brunel's regimes:

- SR: synchronous, regular, where excitation prevails;
- SI fast: irregular neurons in a fast rhythm, under strong drive and inhibition;
- SI slow: in a slow one, where the drive alone hardly reaches threshold;
- AI: asynchronous and irregular.

With a tenth of the connections the loop gain is smaller: where inhibition prevails it comes near
1, not beyond. The rhythms of the SI regimes are then what comes before instability: fluctuations
that the loop amplifies, as the spectrum by theory says. CVs lie below theory, which takes the
network's own spikes for Poisson's: they are more regular.

    python -m theory.regimes.balanced_network             # results/theory/balanced_network.zarr
    python -m theory.regimes.balanced_network --quick     # a coarser map, shorter runs
"""

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from experiments.common import InputError, study
from experiments.common.study import setting

from . import balanced_theory as theory
from .balanced_solve import Brunel, by_itself

EXAMPLES = {  # inhibition over excitation, external drive over that which reaches threshold
    "SR": (2.0, 4.0),
    "SI fast": (8.0, 8.0),
    "SI slow": (4.5, 0.9),
    "AI": (8.0, 1.5),
}
SHOWN = 60, 15  # excitatory and inhibitory neurons in a raster
RASTER = 300.0  # ms


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Brunel's network over inhibition and drive."""

    neurons: int = setting(1250, least=50)
    """How many neurons; 0.1 mV is the weight in a network of 12,500."""
    ratios: int = setting(13, least=2, quick=5)
    """How many ratios of the inhibitory weight, from 2 to 8."""
    drives: int = setting(10, least=2, quick=4)
    """How many external drives, from 0.85 to 8 times that which reaches threshold."""
    t1: float = setting(600.0, least=50, quick=300.0)
    """For how long spikes count, ms."""
    shown: float = setting(2000.0, least=50, quick=600.0)
    """For how long in the examples, ms."""
    settle: float = setting(200.0, least=0, quick=100.0)
    """How long each network runs before, ms."""
    dt: float = setting(0.1, above=0, most=0.2)
    """Step, ms."""
    seed: int = setting(0, least=0)
    """Seed of connections, start and input."""

    @property
    def weight(self) -> float:
        """Excitatory weight (mV), scaled to the size of the network."""
        return 0.1 * math.sqrt(12_500 / self.neurons)


def _network(config: Config, t1: float) -> Brunel:
    return Brunel.of(config.neurons, config.weight, config.settle, t1, config.dt, config.seed)


def row(config: Config, drive: float, ratios: np.ndarray) -> dict[str, np.ndarray]:
    """The networks of one drive, measured and by theory; two at a time, one to each core.

    **Raises:** `InputError` if one cannot be solved.
    """
    axes = {"drive": np.array([drive]), "ratio": ratios}
    network = _network(config, config.t1)
    swept = bpc.sweep(network, axes, chunk=1, batch=by_itself, progress=False).isel(drive=0)
    if not swept.ok.all():
        raise InputError(f"a solve at drive {drive:g} failed. Pass a smaller dt.")
    power = theory.spectrum(swept.activity.values, config.neurons)
    states = [theory.expected(config.neurons, config.weight, drive, g) for g in ratios]
    prediction = theory.Expected(*map(np.array, zip(*states, strict=True)))
    return {
        **{name: swept[name].values for name in ("rate", "cv", "synchrony")},
        "frequency": theory.strongest(power),
        "power": power.max(axis=-1),
        "theory_rate": prediction.rate,
        "theory_cv": prediction.cv,
        "theory_gain": prediction.gain,
        "theory_frequency": theory.strongest(prediction.spectrum),
        "theory_power": prediction.spectrum.max(axis=-1),
    }


def example(config: Config, drive: float, ratio: float) -> dict[str, np.ndarray]:
    """One network for longer: its numbers, activity and spectrum, and some spikes of its end.

    **Raises:** `InputError` if it cannot be solved.
    """
    network = _network(config, config.shown)
    solved = eqx.filter_jit(Brunel.solve)(network, jnp.array(drive), jnp.array(ratio))
    if not solved.ok:
        raise InputError(f"the solve at drive {drive:g} failed. Pass a smaller dt.")
    statistics = network.statistics(solved)
    times, neurons = np.asarray(solved.spikes.times), np.asarray(solved.spikes.neurons)
    times, border = times - config.settle, 4 * config.neurons // 5
    rows = np.where(neurons < border, neurons, neurons - border + SHOWN[0])
    own = np.where(neurons < border, neurons < SHOWN[0], neurons - border < SHOWN[1])
    own &= (neurons >= 0) & (times > config.shown - RASTER) & (times <= config.shown)
    prediction = theory.expected(config.neurons, config.weight, drive, ratio)
    return {
        **{name: np.asarray(statistics[name]) for name in ("rate", "cv", "synchrony")},
        "activity": np.asarray(solved.activity),
        "spectrum": theory.spectrum(solved.activity, config.neurons),
        "spike_time": times[own],
        "spike_row": rows[own],
        "theory_rate": prediction.rate,
        "theory_cv": prediction.cv,
        "theory_gain": prediction.gain,
        "theory_spectrum": prediction.spectrum,
    }


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """The map, row by row, then the examples."""
    ratios = np.linspace(2.0, 8.0, config.ratios)
    drives = np.geomspace(0.85, 8.0, config.drives)
    rows = [
        parts(f"drive {drive:.2f}", lambda drive=drive: row(config, float(drive), ratios))
        for drive in drives
    ]
    shown = [
        parts(name, lambda ratio=ratio, drive=drive: example(config, drive, ratio))
        for name, (ratio, drive) in EXAMPLES.items()
    ]
    bins = ("spectrum_frequency",)
    dims = {"activity": ("time",), "spectrum": bins, "theory_spectrum": bins}
    dims |= {"spike_time": ("spike",), "spike_row": ("spike",)}
    most = max(own["spike_time"].size for own in shown)
    for own in shown:
        for name, empty in (("spike_time", np.nan), ("spike_row", -1)):
            space = (0, most - own[name].size)
            own[name] = np.pad(own[name], space, constant_values=empty)
    variables = {name: (("drive", "ratio"), np.stack([r[name] for r in rows])) for name in rows[0]}
    for name in shown[0]:
        values = np.stack([own[name] for own in shown])
        variables[f"example_{name}"] = (("example", *dims.get(name, ())), values)
    ends = np.array([*EXAMPLES.values()])
    variables |= {f"example_{x}": ("example", ends[:, k]) for k, x in enumerate(("ratio", "drive"))}
    coords = {
        "drive": drives,
        "ratio": ratios,
        "example": list(EXAMPLES),
        "spectrum_frequency": theory.FREQUENCIES,
    }
    settings = ("neurons", "weight", "t1", "shown", "settle", "dt", "seed")
    attrs = {name: getattr(config, name) for name in settings} | {"raster": RASTER}
    return xr.Dataset(variables, coords, attrs)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Rates and rhythms against theory where it holds: where the asynchronous state is stable, and
    the drive by itself goes beyond threshold. Then the numbers of the examples. What too few
    spikes leave unknown is left out.
    """
    holds = (dataset.theory_gain < 1) & (dataset.drive > 1)
    rate = abs(dataset.rate / dataset.theory_rate - 1).where(holds)
    rhythm = abs(dataset.frequency - dataset.theory_frequency).where(holds)
    power = abs(np.log10(dataset.power / dataset.theory_power)).where(holds)
    table = {
        "rate: largest relative deviation": float(rate.max()),
        "rate: median relative deviation": float(rate.median()),
        "rhythm: median deviation (Hz)": float(rhythm.median()),
        "power of the rhythm: median deviation (decades)": float(power.median()),
        "share of the map where theory holds": float(holds.mean()),
    }
    for name in map(str, dataset.example.values):
        one = dataset.sel(example=name)
        table[f"{name}: rate (Hz)"] = float(one.example_rate)
        table[f"{name}: rate by theory (Hz)"] = float(one.example_theory_rate)
        table[f"{name}: CV"] = float(one.example_cv)
        table[f"{name}: synchrony times neurons"] = float(one.example_synchrony * dataset.neurons)
        table[f"{name}: loop gain"] = float(one.example_theory_gain)
    return {label: value for label, value in table.items() if math.isfinite(value)}


STUDY = study.Study("balanced_network", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
