"""Public names that take calls: all of the faces but abstract classes and records of results."""

import enum
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpcjax as bpc
from tests.doors import analysis, energies, engine, learning, models, plots, signals
from tests.doors.table import Door

_FACES = Path(__file__).parents[1] / "repo" / "test_faces.py"

# Records: what functions return, and states, as their fields say. Nobody makes them by hand.
RECORDS = """
    AdExState AtRest BroadcastUse Basins Belief Branch Certificate ChangePoints Classified
    Correlogram Cycle DataError Dependency Descent EdgeState Eligible EnergyPath EnergySlice
    EscapeTimes EventPath Events Field FixedPoints GammaPrecision HodgkinHuxleyState IFState
    Images Incremental IncrementalState Izhikevich2007State IzhikevichState JumpPath LIFState
    Landing LayersState Lyapunov McCullochPittsState MessageUse Mixture Moment NetworkState
    NextSpike NormalEvidence Observation Orbit Parallel PhaseResponse Plane Populations RESULTS
    Recordings RecallCertificate RefractoryState Restart Retrieval Rewards RisingState Ritz
    STDPTraces Saltation Search NudgedSpikes SequentialRecall SequentialState SlopeCurvature
    SynapticFilter SynapticState Solution Special SpikeStatistics Spent Stability StepCertificate
    Step StreamRecall SweepError Synapses ThetaState Traces Tracked TwoLayerState Violation
    WarningSigns LinearMemory RandomFeatures Energy Trace
""".split()

DOORS: dict[str, Callable[[], Door]] = (
    analysis.DOORS | energies.DOORS | engine.DOORS | learning.DOORS | models.DOORS | plots.DOORS
    | signals.DOORS
)  # fmt: skip


def faces() -> dict[str, str]:
    """The names of each face, as the test of faces lists them."""
    spec = importlib.util.spec_from_file_location("bpcjax_faces", _FACES)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FACES


def find(name: str) -> Any:
    """The object of a dotted name: a face, a name in it, and what that holds."""
    face, *parts = name.split(".")
    place: Any = bpc if face == "bpcjax" else importlib.import_module(f"bpcjax.{face}")
    for part in parts:
        place = getattr(place, part)
    return place


def takes_calls(name: str) -> bool:
    """Whether a public name is called by users."""
    value, last = find(name), name.split(".")[-1]
    if last in RECORDS or last.startswith("Abstract") or not callable(value):
        return False
    return not (inspect.isclass(value) and issubclass(value, enum.Enum | BaseException))


def without_door() -> list[str]:
    """Public names that take calls and have no entry in the table."""
    known = {id(find(name)) for name in DOORS if name.count(".") == 1}
    every = [f"{face}.{name}" for face, names in faces().items() for name in names.split()]
    return [name for name in every if takes_calls(name) and id(find(name)) not in known]
