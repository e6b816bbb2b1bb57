"""Doors of plots."""

import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax import analysis as an
from tests.doors.analysis import STATES, double_well, spikes
from tests.doors.table import door

GRID = np.arange(4.0)


def _trace() -> bpc.plot.Trace:
    return bpc.plot.Trace(GRID, np.sin(GRID), np.array([1.0]), None)


def _basins() -> an.Basins:
    share, label = jnp.array([0.5, 0.5]), jnp.array([0, 1, 0, 1])
    return an.Basins(share, jnp.zeros(2), label, jnp.ones(4, bool))


def _lyapunov() -> an.Lyapunov:
    running = jnp.asarray(np.sin(np.arange(8.0)).reshape(4, 2))
    return an.Lyapunov(
        jnp.array([0.1, -1.0]),
        jnp.array([0.01, 0.01]),
        jnp.asarray(1.0),
        jnp.zeros(2, bool),
        jnp.arange(1.0, 5.0),
        running,
        jnp.array(True),
    )


def _response() -> an.PhaseResponse:
    return an.PhaseResponse(jnp.asarray(GRID), jnp.sin(GRID), jnp.cos(GRID), None, jnp.array(True))


def _branch() -> an.Branch:
    p = jnp.asarray(GRID)
    return an.Branch(p, p, -1.0 - p[:, None] + 0j, jnp.ones(4, bool), None, (), an.Ending.COUNT)


def _slice() -> an.EnergySlice:
    return an.energy_slice(double_well, an.plane(*STATES[:3]), count=5)


def _field() -> an.Field:
    return an.field(
        bpc.neurons.AdEx(),
        bpc.neurons.AdEx().rest(),
        500.0,
        grid=4,
        v=(-80.0, -40.0),
        w=(0.0, 100.0),
    )


DOORS = {
    "plot.basin_map": lambda: door(
        dict(basins=_basins(), starts=STATES, attractors=STATES[:2], names=["a", "b"]),
        nan="attractors",
        infinite="attractors",
    ),
    "plot.bifurcation": lambda: door(dict(branches=_branch(), labels=["a"]), object="ax"),
    "plot.fi_curve": lambda: door(
        dict(drives=GRID, rates=GRID + 1, labels=["a"]),
        nonnegative="rates",
        nan="rates",
        infinite="rates",
    ),
    "plot.firing": lambda: door(
        dict(trace=_trace(), peak=2.0), nan="trace", frozen="trace", integer="trace"
    ),
    "plot.gallery": lambda: door(
        dict(traces={"a": _trace()}, columns=2),
        counted="columns",
        nan="traces",
        frozen="traces",
        integer="traces",
        scalar="columns",
    ),
    "plot.heat_map": lambda: door(dict(array=_labelled())),
    "plot.landscape": lambda: door(
        dict(slice_=_slice(), paths=STATES, ts=GRID, levels=5),
        counted="levels",
        empty="paths",
        nan="ts",
    ),
    "plot.lyapunov": lambda: door(dict(result=_lyapunov())),
    "plot.orbit_diagram": lambda: door(
        dict(parameter=GRID, values=np.outer(GRID, GRID)),
        nan="values",
        infinite="values",
        shape="values",
    ),
    "plot.phase_plane": lambda: door(dict(field=_field(), arrows=3), counted="arrows"),
    "plot.phase_response": lambda: door(dict(result=_response())),
    "plot.populations": lambda: door(
        dict(spikes=spikes(), groups={"a": 1, "b": 1}, t1=4.0, window=1.0), positive="window t1"
    ),
    "plot.raster": lambda: door(dict(spikes=spikes(), t1=4.0), positive="t1"),
    "plot.return_map": lambda: door(
        dict(values=np.sin(GRID)), nan="values", infinite="values", wide="values"
    ),
    "plot.spectrum": lambda: door(
        dict(eigenvalues=np.outer(GRID, GRID[:2]), p=GRID, tol=1e-6),
        complex="eigenvalues",
        wide="eigenvalues",
        nan="eigenvalues",
        nonnegative="tol",
    ),
    "plot.surface": lambda: door(
        dict(slice_=_slice(), paths=STATES, ts=GRID, top=5.0), empty="paths", nan="ts"
    ),
    "plot.traces": lambda: door(
        dict(ts=GRID, values=np.outer(GRID, GRID[:2]), labels=["a", "b"]),
        nan="values",
        infinite="values ts",
    ),
}


def _labelled():
    import xarray as xr

    coords = {"a": GRID, "b": GRID[:2]}
    return xr.DataArray(np.outer(GRID, GRID[:2]), dims=("a", "b"), coords=coords)
