"""Weights of projections: Dense, OneToOne, Lateral, Convolution, Sparse."""

from .networks.weights import (
    AbstractWeights as AbstractWeights,
    Convolution as Convolution,
    Dense as Dense,
    Lateral as Lateral,
    OneToOne as OneToOne,
    Sparse as Sparse,
)
