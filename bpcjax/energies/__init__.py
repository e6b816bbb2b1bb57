"""Energies of attractor memories and of predictive coding."""

from . import lagrangians as lagrangians
from .bayesian import (
    BayesianArrow as BayesianArrow,
    BayesianPredictiveCoding as BayesianPredictiveCoding,
)
from .bcpnn import BCPNN as BCPNN
from .classical import ClassicalHopfield as ClassicalHopfield
from .delay import DelayHopfield as DelayHopfield
from .dense import DenseHopfield as DenseHopfield
from .graded import GradedHopfield as GradedHopfield
from .maps import Constant as Constant, Convolution as Convolution, Dense as Dense
from .mismatch import Categorical as Categorical, Gaussian as Gaussian, Rectified as Rectified
from .modern import ModernHopfield as ModernHopfield
from .noise import Gammas as Gammas, Wishart as Wishart
from .phasor import PhasorHopfield as PhasorHopfield, ThresholdPhasor as ThresholdPhasor
from .posterior import MatrixNormal as MatrixNormal, SynapticNormal as SynapticNormal
from .predictive import Arrow as Arrow, PredictiveCoding as PredictiveCoding
from .sequence import CycleHopfield as CycleHopfield, SequenceMemory as SequenceMemory
from .sparse import SparseHopfield as SparseHopfield
