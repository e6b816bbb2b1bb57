"""Old places of modules: each import of one warns once, and gives what is at the new place."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = {
    "network": "networks.network",
    "layers": "networks.layers",
    "projection": "networks.projection",
    "wrappers": "networks.wrappers",
    "descent": "jumps.lattice",
    "thinned": "jumps.parallel",
    "models.pc_phases": "models.predictive.phases",
    "models.predictive_coding": "models.predictive.networks",
    "models.attention": "models.memory.attention",
    "models.diehl_cook": "models.winner_take_all.diehl_cook",
    "models.codes": "models.classifier.codes",
    "models.readouts": "models.classifier.readouts",
    "learning.certificate": "learning.locality.certificate",
    "learning.stdp": "learning.plasticity.stdp",
    "learning.replay": "learning.plasticity.replay",
    "learning.surrogate": "stepping.surrogate",
    "learning.conjugate": "learning.posteriors.memories",
    "energies.maps": "energies.predictive.maps",
    "energies.mismatch": "energies.predictive.losses",
    "energies.posterior": "energies.predictive.weight_posteriors",
    "energies.noise": "energies.predictive.precision_posteriors",
    "energies.modern": "energies.hopfield.modern",
    "stepping.wrapped": "stepping.base",
    "inputs.late": "inputs.delayed",
    "analysis.path": "analysis.energy_path",
    "analysis.phase": "analysis.phase_response",
    "analysis.spikes": "analysis.spike_statistics",
}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_old_place_is_in_the_table():
    files = (ROOT / "bpcjax").rglob("*.py")
    old = {path.relative_to(ROOT / "bpcjax") for path in files if "\nmoved(" in path.read_text()}
    assert {".".join(path.with_suffix("").parts) for path in old} == set(PLACES)


def test_old_places_warn_once_and_hold_what_is_at_the_new_ones():
    run(f"""
import importlib, warnings
for old, new in {PLACES!r}.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            before = importlib.import_module("bpcjax." + old)
    assert [str(w.message) for w in caught] == [f"bpcjax.{{old}} is now bpcjax.{{new}}"], caught
    assert caught[0].category is DeprecationWarning
    now = importlib.import_module("bpcjax." + new)
    names = [name for name in vars(now) if not name.startswith("__")]
    assert names and all(getattr(before, name) is getattr(now, name) for name in names), old
    assert before is not now and before.__name__ == "bpcjax." + old
""")


def test_the_warning_points_at_who_imports():
    code = "import warnings; warnings.simplefilter('always'); import bpcjax.models.codes"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "<string>:1: DeprecationWarning: bpcjax.models.codes is now" in done.stderr


@pytest.mark.parametrize("first", ["face", "place"])
def test_functions_of_a_face_stay_functions_after_an_import_of_an_old_module_of_that_name(first):
    places = [
        f"bpcjax.{place}" for place in PLACES if place.split(".")[0] in ("models", "learning")
    ]
    load = "import bpcjax.models, bpcjax.learning" if first == "face" else ""
    run(f"""
import importlib, warnings
{load}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    for place in {places!r}:
        importlib.import_module(place)
    import bpcjax as bpc
    from bpcjax.learning.stdp import TraceSTDP
    from bpcjax.models.attention import LinearMemory
    assert bpc.learning.stdp is bpc.learning.spike_em
assert TraceSTDP is bpc.learning.TraceSTDP and LinearMemory is bpc.models.LinearMemory
for function in (bpc.models.attention, bpc.learning.certificate, bpc.learning.replay,
                 bpc.learning.conjugate):
    assert callable(function) and not hasattr(function, "__path__"), function
    assert type(function).__name__ != "module"
assert bpc.learning.surrogate is bpc.stepping.surrogate
""")
