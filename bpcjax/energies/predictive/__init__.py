"""Free energies of predictive coding: maps, losses, posteriors of weights and precisions."""

from .bayesian import (
    BayesianArrow as BayesianArrow,
    BayesianPredictiveCoding as BayesianPredictiveCoding,
)
from .free_energy import Arrow as Arrow, Partial as Partial, PredictiveCoding as PredictiveCoding
from .losses import Categorical as Categorical, Gaussian as Gaussian, Rectified as Rectified
from .maps import (
    Constant as Constant,
    ConvolutionMap as ConvolutionMap,
    DenseMap as DenseMap,
    ResidualMap as ResidualMap,
)
from .precision_posteriors import Gammas as Gammas, Wishart as Wishart
from .weight_posteriors import MatrixNormal as MatrixNormal, SynapticNormal as SynapticNormal
