"""Conjugate posteriors, and natural-gradient steps."""

from .memories import (
    Dirichlet as Dirichlet,
    Normal as Normal,
    NormalEvidence as NormalEvidence,
    NormalGamma as NormalGamma,
)
from .natural import (
    conjugate as conjugate,
    natural_gradient as natural_gradient,
    robbins_monro as robbins_monro,
)
from .neuron import BayesianNeuron as BayesianNeuron, Belief as Belief
from .precision import (
    GammaPrecision as GammaPrecision,
    conjugate_precision as conjugate_precision,
    precision_slope as precision_slope,
)
from .synapses import (
    SlopeCurvature as SlopeCurvature,
    SynapticFilter as SynapticFilter,
    SynapticState as SynapticState,
    coins as coins,
    draw_synapses as draw_synapses,
    squared_products as squared_products,
    synaptic_filter as synaptic_filter,
)
