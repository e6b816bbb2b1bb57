"""Pictures of results: functions (result, ax=None) -> Axes. They need matplotlib."""

from .basin_map import basin_map as basin_map
from .bifurcation import bifurcation as bifurcation
from .fi_curve import fi_curve as fi_curve
from .firing import Trace as Trace, firing as firing, gallery as gallery
from .heat_map import heat_map as heat_map
from .landscape import landscape as landscape, surface as surface
from .lyapunov import lyapunov as lyapunov
from .orbit_diagram import orbit_diagram as orbit_diagram
from .phase_plane import phase_plane as phase_plane
from .phase_response import phase_response as phase_response
from .populations import populations as populations
from .raster import raster as raster
from .return_map import return_map as return_map
from .spectrum import spectrum as spectrum
from .traces import traces as traces
