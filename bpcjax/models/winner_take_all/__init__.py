"""Winner-take-all circuits."""

from .circuits import SoftWinnerTakeAll as SoftWinnerTakeAll, WinnerTakeAll as WinnerTakeAll
from .diehl_cook import DiehlCook as DiehlCook
