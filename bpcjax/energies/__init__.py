"""Energies of attractor memories."""

from .classical import ClassicalHopfield as ClassicalHopfield
from .dense import DenseHopfield as DenseHopfield
from .modern import ModernHopfield as ModernHopfield
from .sparse import SparseHopfield as SparseHopfield
