"""Dynamical systems analysis: fixed points, bifurcations, basins of attraction, Lyapunov exponents,
spike statistics, for any system.

Functions take a system and arrays, and return modules of arrays. They know no model.
"""

from .basins import Basins as Basins, basin_fractions as basin_fractions
from .continuation import (
    Bifurcation as Bifurcation,
    Branch as Branch,
    Cycles as Cycles,
    Ending as Ending,
    Equilibria as Equilibria,
    Special as Special,
    SpikeMap as SpikeMap,
    follow as follow,
    switch as switch,
)
from .correlation import Correlogram as Correlogram, cross_correlation as cross_correlation
from .cycles import Cycle as Cycle, find_cycle as find_cycle
from .edge import EdgeState as EdgeState, edge_state as edge_state
from .energy_path import EnergyPath as EnergyPath, energy_path as energy_path
from .escape import EscapeTimes as EscapeTimes, escape_times as escape_times
from .field import Field as Field, field as field
from .fixed_points import FixedPoints as FixedPoints, fixed_points as fixed_points, unique as unique
from .kramers import kramers_rate as kramers_rate
from .lanczos import Ritz as Ritz, hessian_spectrum as hessian_spectrum, lanczos as lanczos
from .landscape import (
    EnergySlice as EnergySlice,
    Plane as Plane,
    energy_slice as energy_slice,
    hessian_path as hessian_path,
    plane as plane,
    principal_plane as principal_plane,
)
from .lyapunov import Lyapunov as Lyapunov, lyapunov as lyapunov
from .phase_response import PhaseResponse as PhaseResponse, phase_response as phase_response
from .saltation import Saltation as Saltation, saltation as saltation
from .spectrum import (
    Stability as Stability,
    classify as classify,
    hessian as hessian,
    jacobian as jacobian,
    spectrum as spectrum,
)
from .spike_map import (
    NextSpike as NextSpike,
    Orbit as Orbit,
    next_spike as next_spike,
    orbit as orbit,
)
from .spike_statistics import (
    SpikeStatistics as SpikeStatistics,
    spike_statistics as spike_statistics,
)
from .warning import (
    WarningSigns as WarningSigns,
    recovery_rate as recovery_rate,
    stationary_covariance as stationary_covariance,
    warning_signs as warning_signs,
)
