"""Energies of attractor memories."""

from .bcpnn import BCPNN as BCPNN
from .classical import ClassicalHopfield as ClassicalHopfield
from .dense import DenseHopfield as DenseHopfield
from .graded import GradedHopfield as GradedHopfield
from .modern import ModernHopfield as ModernHopfield
from .sparse import SparseHopfield as SparseHopfield
