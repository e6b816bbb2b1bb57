"""Models composed of the engine's parts."""

from .spiking_hopfield import Hold as Hold, Shot as Shot, SpikingHopfield as SpikingHopfield
from .winner_take_all import SoftWinnerTakeAll as SoftWinnerTakeAll, WinnerTakeAll as WinnerTakeAll
