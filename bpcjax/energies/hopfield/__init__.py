"""Hopfield energies: modern, classical, dense, phasor, and memories of sequences."""

from . import lagrangians as lagrangians
from .bcpnn import BCPNN as BCPNN, randomised as randomised
from .classical import ClassicalHopfield as ClassicalHopfield
from .delay import DelayHopfield as DelayHopfield
from .dense import DenseHopfield as DenseHopfield
from .entmax import entmax as entmax
from .graded import GradedHopfield as GradedHopfield
from .modern import ModernHopfield as ModernHopfield
from .phasor import PhasorHopfield as PhasorHopfield, ThresholdPhasor as ThresholdPhasor
from .sequence import CycleHopfield as CycleHopfield, SequenceMemory as SequenceMemory
from .sparse import SparseHopfield as SparseHopfield
