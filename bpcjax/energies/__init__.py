"""Energies of attractor memories."""

from . import lagrangians as lagrangians
from .bcpnn import BCPNN as BCPNN
from .classical import ClassicalHopfield as ClassicalHopfield
from .delay import DelayHopfield as DelayHopfield
from .dense import DenseHopfield as DenseHopfield
from .graded import GradedHopfield as GradedHopfield
from .modern import ModernHopfield as ModernHopfield
from .phasor import PhasorHopfield as PhasorHopfield, ThresholdPhasor as ThresholdPhasor
from .sequence import CycleHopfield as CycleHopfield, SequenceMemory as SequenceMemory
from .sparse import SparseHopfield as SparseHopfield
