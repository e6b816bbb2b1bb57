"""Figures of results: functions (result, ax=None) -> Axes. They need matplotlib."""

from .basin_map import basin_map as basin_map
from .bifurcation import bifurcation as bifurcation
from .curves import (
    fi_curve as fi_curve,
    lyapunov as lyapunov,
    orbit_diagram as orbit_diagram,
    phase_response as phase_response,
    return_map as return_map,
)
from .heat_map import heat_map as heat_map
from .landscape import landscape as landscape, surface as surface
from .phase_plane import phase_plane as phase_plane
from .spectrum import spectrum as spectrum
from .spikes import populations as populations, raster as raster
from .traces import Trace as Trace, firing as firing, gallery as gallery, traces as traces
