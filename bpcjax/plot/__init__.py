"""Pictures of results: functions (result, ax=None) -> Axes. They need matplotlib."""

from .fi_curve import fi_curve as fi_curve
from .firing import Trace as Trace, firing as firing, gallery as gallery
from .heat_map import heat_map as heat_map
from .landscape import Plane as Plane, landscape as landscape, plane as plane
from .phase_plane import phase_plane as phase_plane
from .populations import populations as populations
from .raster import raster as raster
from .traces import traces as traces
