"""Event inputs of a system: spike trains from outside, and its own spikes after a delay."""

from .base import (
    AbstractInput as AbstractInput,
    AbstractTrain as AbstractTrain,
    Landing as Landing,
    Step as Step,
)
from .bins import Bins as Bins
from .delayed import Late as Late
from .poisson import PoissonTrain as PoissonTrain
from .train import SpikeTrain as SpikeTrain
