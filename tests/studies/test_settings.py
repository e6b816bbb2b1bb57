"""Settings of studies: bounds, quick values and names, for all of them."""

import dataclasses
import importlib
import pkgutil
import re
from math import inf, nan
from typing import Any

import pytest

import experiments
import figures
import theory.regimes
from experiments.common import InputError
from experiments.common.settings import prepared
from experiments.common.study import Study

# Study -> settings that make no sense, and what the refusal says.
BAD: dict[str, list[tuple[dict[str, Any], str]]] = {
    "experiments.adapt": [
        ({"keeps": (0.0,)}, "keeps must be more than 0 and at most 1"),
        ({"keeps": ()}, "keeps must have at least one value"),
        ({"hazard": 1.0}, "hazard must be more than 0 and less than 1"),
        ({"streams": 0}, "streams must be at least 1"),
        ({"events": ("dvs",)}, "events must be one of nmnist, spoken_digits"),
    ],
    "experiments.adapt_anytime": [
        ({"folds": 6}, "folds must be at least 1 and at most 5"),
        ({"streams": 1}, "streams must be at least 2"),
        ({"events": ("dvs",)}, "events must be one of digits, nmnist"),
    ],
    "experiments.adex_sweep": [
        ({"i_min": nan}, "i_min must be finite"),
        ({"currents": 0}, "currents must be at least 1"),
        ({"dt": 0.0}, "dt must be more than 0"),
        ({"dt": 1.0}, "dt must be more than 0 and at most 0.5"),
        ({"settle": 1000.0}, "settle must lie in 0 ... t1 = 1000.0"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
    "experiments.ann_vs_snn": [
        ({"latest": 0}, "latest must be at least"),
        ({"hidden": 0}, "hidden must be at least"),
        ({"share": 1.0}, "share must be more than 0 and less than 1"),
        ({"others": (0,)}, "others must be at least 1"),
        ({"seeds": 0}, "seeds must be at least"),
    ],
    "experiments.attention_comparison": [
        ({"patterns": 0}, "patterns must be at least"),
        ({"queries": 0}, "queries must be at least"),
        ({"seeds": 0}, "seeds must be at least"),
        ({"steps": 0}, "steps must be at least"),
        ({"layer_seeds": 0}, "layer_seeds must be at least"),
    ],
    "experiments.autoencode": [
        ({"batch": 0}, "batch must be at least"),
        ({"inner": (8, 8)}, "inner: pass an odd"),
        ({"inner": (1,)}, "inner must be at least 2"),
        ({"tau": 0.0}, "tau must be more than 0"),
        ({"slope": 0.0}, "slope must be more than 0"),
        ({"prices": (-1.0,)}, "prices must be at least 0"),
        ({"epochs": 0}, "epochs must be at least"),
    ],
    "experiments.balanced": [
        ({"cuba": 10}, "cuba must be at least 100, got 10"),
        ({"brunel": 0}, "brunel must be at least 100"),
        ({"shown": 0}, "shown must be at least 5"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"dt": 0.0}, "dt must be more than 0"),
        ({"dt": nan}, "dt must be more than 0"),
        ({"t1": inf}, "t1 must be at least 1"),
        ({"settle": -1.0}, "settle must be at least 0"),
    ],
    "experiments.calibration": [
        ({"draws": 0}, "draws must be at least 1"),
        ({"learned": (20,)}, "learned must be at least 128"),
    ],
    "experiments.capacity": [
        ({"hebb": ()}, "hebb must have at least one value"),
        ({"sparse": (2,)}, "sparse must be at least 4"),
        ({"asked": 1}, "asked must be at least 128"),
        ({"memories": 1}, "memories must be at least 10"),
        ({"noise": 0.0}, "noise must be more than 0"),
        ({"saturation": 1}, "saturation must be at least 100"),
    ],
    "experiments.catalogue": [
        ({"drives": 1}, "drives must be at least 2"),
        ({"dt": 0.0}, "dt must be more than 0"),
        ({"dt": nan}, "dt must be more than 0"),
        ({"settle": 1000.0}, "settle must lie in 0 ... t1 = 1000.0"),
        ({"t1": inf}, "t1 must be finite"),
    ],
    "experiments.classify": [
        ({"hidden": 0}, "hidden must be at least"),
        ({"seeds": 0}, "seeds must be at least"),
    ],
    "experiments.complete": [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"asked": 1}, "asked must be at least 100"),
        ({"hidden": (1, 128)}, "hidden must be at least 2"),
        ({"data": ("x",)}, "data must be one of"),
        ({"steps": 0}, "steps must be at least 1"),
    ],
    "experiments.continual": [
        ({"data": "x"}, "data must be one of digits, mnist, fashion_mnist"),
        ({"tasks": 1}, "tasks must be at least 2"),
        ({"images": 0}, "images must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"hidden": 1}, "hidden must be at least 2"),
        ({"quantum": 0.0}, "quantum must be more than 0"),
        ({"draws": 1}, "draws must be at least 2"),
        ({"held": 0}, "held must be at least 10"),
        ({"seeds": 0}, "seeds must be at least 1"),
    ],
    "experiments.convergence": [
        ({"seeds": 1}, "seeds must be at least 2"),
        ({"quanta": (0.0,)}, "quanta must be more than 0"),
    ],
    "experiments.finite_rate": [
        ({"rates": (0.0,)}, "rates must be more than 0"),
        ({"sets": 1}, "sets must be at least 4"),
        ({"time": inf}, "time must be more than 1"),
        ({"curves": (0,)}, "curves must have 2 among them"),
        ({"circuits": ()}, "circuits must have at least one value"),
    ],
    "experiments.learn": [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"width": 1}, "width must be at least 2"),
        ({"only": ("x",)}, "only: there are no rows"),
        ({"data": "x"}, "data must be one of"),
        ({"steps": (-1,)}, "steps must be at least 0"),
        ({"depths": (0,)}, "depths must be at least 1"),
        ({"trials": 0}, "trials must be at least 1"),
    ],
    "experiments.learn_events": [
        ({"folds": 0}, "folds must be at least 1"),
        ({"folds": 10}, "folds must be at least 1 and at most 9"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"recordings": ("x",)}, "recordings must be one of"),
    ],
    "experiments.learn_fashion": [
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
    "experiments.online": [
        ({"recordings": ("x",)}, "recordings must be one of N-MNIST, spoken digits"),
        ({"streams": 1}, "streams must be at least 2"),
        ({"tuned": 0}, "tuned must be at least 1"),
        ({"each": 5}, "each must be at least 20"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"quantum": 0.0}, "quantum must be more than 0"),
    ],
    "experiments.raster_recall": [
        ({"recordings": ("x",)}, "recordings must be one of patterns, nmnist, spoken_digits"),
        ({"recordings": ()}, "recordings must have at least one"),
        ({"folds": 0}, "folds must be at least 1"),
        ({"folds": 10}, "folds must be at least 1 and at most 9"),
        ({"steps": 1}, "steps must be at least 2"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
    "experiments.recall": [
        ({"patterns": -5}, "patterns must be at least 2, got -5"),
        ({"queries": 0}, "queries must be at least 1"),
        ({"queries": 300}, "queries: 300, but only 200 patterns"),
        ({"error": 0.0}, "error must be more than 0"),
        ({"floor": nan}, "floor must be more than 0, got nan"),
        ({"block": 0}, "block must be at least 1"),
        ({"tau": -1.0}, "tau must be more than 0"),
        ({"t1": inf}, "t1 must be more than 0, got inf"),
        ({"rate": 1000000000.0}, "rate: rate * t1"),
        ({"chunk": 0}, "chunk must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"data": "mnits"}, "data must be one of digits, mnist, fashion_mnist"),
    ],
    "experiments.regimes": [
        ({"points": 1}, "points must be at least 3"),
        ({"time": 0.0}, "time must be more than 1"),
    ],
    "experiments.reinforce": [
        ({"epochs": 0}, "epochs must be at least"),
        ({"seeds": 0}, "seeds must be at least"),
        ({"steps": 0}, "steps must be at least"),
        ({"rate": 0.0}, "rate must be more than 0"),
        ({"rate": nan}, "rate must be more than 0"),
        ({"grids": ()}, "grids must have at least one"),
    ],
    "experiments.representations": [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"features": 1}, "features must be at least 2"),
        ({"drawn": 0}, "drawn must be at least 8"),
    ],
    "experiments.robustness": [
        ({"size": 2}, "size must be at least 3"),
        ({"patterns": (1,)}, "patterns must be at least 2"),
        ({"beta": 0.0}, "beta must be more than 0"),
    ],
    "experiments.sequential": [
        ({"sets": ("x",)}, "sets must be one of digits, mnist, fashion_mnist, sphere, rasters"),
        ({"sets": ()}, "sets must have at least one value"),
        ({"noises": (0.0,)}, "noises must be more than 0"),
        ({"masks": (1.0,)}, "masks must be more than 0 and less than 1"),
        ({"queries": 1}, "queries must be at least 2"),
        ({"seeds": 1}, "seeds must be at least 2"),
        ({"most": 10}, "most must be at least 200"),
    ],
    "experiments.spatiotemporal": [
        ({"units": 1}, "units must be at least 5"),
        ({"trials": 1}, "trials must be at least 100"),
        ({"sizes": (2,)}, "sizes must be at least 5"),
        ({"share": 0.05}, "share must be more than 0.125"),
        ({"spread": 0.0}, "spread must be more than 0"),
        ({"beta": -1.0}, "beta must be more than 0"),
        ({"rasters": 1}, "rasters must be at least 2"),
        ({"steps": 1}, "steps must be at least 4"),
    ],
    "experiments.spike_energy": [
        ({"quanta": (0.0,)}, "quanta must be more than 0"),
        ({"widths": ()}, "widths must have at least one value"),
        ({"widths": (1,)}, "widths must be at least 2"),
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
    "experiments.spike_posterior": [
        ({"beta": -1.0}, "beta must be more than 0"),
        ({"per_tau": ()}, "per_tau must have at least one value"),
        ({"seeds": 1}, "seeds must be at least 2"),
    ],
    "experiments.spike_times": [
        ({"points": 0}, "points must be at least"),
        ({"or_seeds": 0}, "or_seeds must be at least"),
    ],
    "experiments.stream": [
        ({"recordings": 1}, "recordings must be at least 2"),
        ({"dwell": 0}, "dwell must be at least 1"),
        ({"frames": 5}, "frames must be at least 10"),
        ({"hazard": 0.0}, "hazard must be more than 0 and at most 1"),
        ({"hazards": (1.5,)}, "hazards must be more than 0 and at most 1"),
        ({"thresholds": (-0.1,)}, "thresholds must be at least 0"),
        ({"whites": ()}, "whites must have at least one value"),
        ({"seeds": 0}, "seeds must be at least 1"),
    ],
    "experiments.tradeoff": [
        ({"rows": 1}, "rows must be at least 2"),
        ({"patterns": 3}, "patterns must be rows or more"),
        ({"noise": 0.0}, "noise must be more than 0"),
        ({"forget": (1.0,)}, "forget must be at least 0 and less than 1"),
        ({"spikes": ()}, "spikes must have at least one value"),
        ({"precision": (-1.0,)}, "precision must be more than 0"),
    ],
    "experiments.winner_take_all": [
        ({"labelled": 0}, "labelled must be at least"),
        ({"neurons": 0}, "neurons must be at least"),
        ({"epochs": 0}, "epochs must be at least"),
        ({"seeds": 0}, "seeds must be at least"),
    ],
    "theory.regimes.adex": [
        ({"settle": 1600.0}, "settle must lie in 0 ... t1 = 1600.0"),
        ({"dt": 0.3}, "dt must be more than 0 and at most 0.2"),
    ],
    "theory.regimes.balanced_network": [
        ({"neurons": 10}, "neurons must be at least 50, got 10"),
        ({"drives": 1}, "drives must be at least 2"),
        ({"t1": inf}, "t1 must be at least 50"),
        ({"settle": -1.0}, "settle must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"dt": 0.5}, "dt must be more than 0 and at most 0.2"),
    ],
    "theory.regimes.firing_rates": [
        ({"points": 2}, "points must be at least 3, got 2"),
        ({"neurons": 1}, "neurons must be at least 2"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"dt": nan}, "dt must be more than 0"),
        ({"t1": inf}, "t1 must be finite"),
        ({"t1": 0.5}, "at least ten steps"),
    ],
    "theory.regimes.hodgkin_huxley": [
        ({"currents": 1}, "currents must be at least 2"),
        ({"settle": 0.0}, "settle must be more than 0"),
        ({"cycles": 1}, "cycles must be at least 2"),
    ],
    "theory.regimes.izhikevich": [
        ({"lines": 1}, "lines must be at least 2"),
        ({"settle": 1600.0}, "settle must lie in 0 ... t1 = 1600.0"),
    ],
    "theory.regimes.mean_field_memory": [
        ({"rates": 1}, "rates must be at least 2"),
        ({"paths": 0}, "paths must be at least 1"),
        ({"copies": 1}, "copies must be at least 2"),
        ({"step": 0.0}, "step must be more than 0 and at most 0.2"),
        ({"dt": 1.0}, "dt must be more than 0 and at most 0.5"),
        ({"temperatures": (0.05,)}, "temperatures must be two or more"),
        ({"temperatures": (0.05, 0.2)}, "temperatures must be at least 0.02 and less than"),
    ],
    "theory.regimes.modern_memory": [
        ({"patterns": 3}, "patterns must be at least 4 and at most 8"),
        ({"betas": 1}, "betas must be at least 2"),
        ({"guesses": 0}, "guesses must be at least 1"),
        ({"loop": 2}, "loop must be at least 10"),
        ({"paths": 0}, "paths must be at least 1"),
        ({"step": 0.0}, "step must be more than 0"),
        ({"settle": 0}, "settle must be more than 0"),
    ],
}
CASES = [(name, *case) for name, cases in BAD.items() for case in cases]


def studies() -> dict[str, Study]:
    """Every module that is a study, by its name."""
    modules = {}
    for package in (experiments, theory.regimes):
        for entry in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(entry.name)
            if isinstance(getattr(module, "STUDY", None), Study):
                modules[entry.name] = module.STUDY
    return modules


STUDIES = studies()


@pytest.mark.parametrize(("name", "settings", "message"), CASES)
def test_bad_settings_are_refused_by_name(name, settings, message):
    kind = STUDIES[name].config
    with pytest.raises(InputError, match=re.escape(message)):
        prepared(kind(**settings))


def test_every_study_is_in_the_table():
    assert set(BAD) == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_by_its_name_and_has_its_figure(name):
    study = STUDIES[name]
    assert study.module == name and name.rpartition(".")[2] == study.name
    assert (study.folder, study.name) in figures.names()
    assert study.command(study.config()) == f"python -m {name} --gallery"


@pytest.mark.parametrize("name", STUDIES)
def test_quick_settings_are_within_their_bounds(name):
    quick = prepared(STUDIES[name].config(quick=True))
    for field in dataclasses.fields(quick):
        value = getattr(quick, field.name)
        if "bounds" in field.metadata and value is not None:
            field.metadata["bounds"].check(field.name, value)
