"""Energies of attractor memories and of predictive coding."""

from .._moved import renamed
from .base import AbstractEnergy as AbstractEnergy, AbstractMemory as AbstractMemory
from .hopfield import (
    BCPNN as BCPNN,
    ClassicalHopfield as ClassicalHopfield,
    CycleHopfield as CycleHopfield,
    DelayHopfield as DelayHopfield,
    DenseHopfield as DenseHopfield,
    GradedHopfield as GradedHopfield,
    ModernHopfield as ModernHopfield,
    PhasorHopfield as PhasorHopfield,
    SequenceMemory as SequenceMemory,
    SparseHopfield as SparseHopfield,
    ThresholdPhasor as ThresholdPhasor,
    lagrangians as lagrangians,
)
from .predictive import (
    Arrow as Arrow,
    BayesianArrow as BayesianArrow,
    BayesianPredictiveCoding as BayesianPredictiveCoding,
    Categorical as Categorical,
    Constant as Constant,
    ConvolutionMap as ConvolutionMap,
    DenseMap as DenseMap,
    Gammas as Gammas,
    Gaussian as Gaussian,
    MatrixNormal as MatrixNormal,
    Partial as Partial,
    PredictiveCoding as PredictiveCoding,
    Rectified as Rectified,
    ResidualMap as ResidualMap,
    SynapticNormal as SynapticNormal,
    Wishart as Wishart,
)

__getattr__ = renamed(
    __name__,
    {
        "Dense": "bpcjax.energies.DenseMap",
        "Convolution": "bpcjax.energies.ConvolutionMap",
    },
)
