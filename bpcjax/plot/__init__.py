"""Pictures of results: functions (result, ax=None) -> Axes. They need matplotlib."""

from .landscape import Plane as Plane, landscape as landscape, plane as plane
from .raster import raster as raster
from .traces import traces as traces
