"""Learning rules: local rules in the shape of optax, spike-timing-dependent plasticity, posteriors,
storage in one shot, surrogate derivatives."""

from .._moved import renamed
from ..stepping import surrogate as surrogate
from .bcpnn import SpikeTraces as SpikeTraces, Traces as Traces
from .locality import (
    BroadcastUse as BroadcastUse,
    Certificate as Certificate,
    Dependency as Dependency,
    Elsewhere as Elsewhere,
    MessageUse as MessageUse,
    Neurons as Neurons,
    Post as Post,
    Pre as Pre,
    Shared as Shared,
    StepCertificate as StepCertificate,
    Synapse as Synapse,
    Violation as Violation,
    Weights as Weights,
    Wiring as Wiring,
    certificate as certificate,
    certify_step as certify_step,
)
from .mixture import (
    Mixture as Mixture,
    Observation as Observation,
    averages as averages,
    categorical as categorical,
    delta_rule as delta_rule,
    gaussian as gaussian,
    learn as learn,
    log_evidence as log_evidence,
    spike_em as spike_em,
)
from .plasticity import (
    AbstractBounds as AbstractBounds,
    AbstractSTDP as AbstractSTDP,
    Eligible as Eligible,
    Free as Free,
    Hard as Hard,
    Moment as Moment,
    Rewards as Rewards,
    RewardSTDP as RewardSTDP,
    Soft as Soft,
    STDPTraces as STDPTraces,
    TraceSTDP as TraceSTDP,
    TriggeredSTDP as TriggeredSTDP,
    Window as Window,
    pair_sum as pair_sum,
    replay as replay,
)
from .posteriors import (
    BayesianNeuron as BayesianNeuron,
    Belief as Belief,
    Dirichlet as Dirichlet,
    GammaPrecision as GammaPrecision,
    Normal as Normal,
    NormalEvidence as NormalEvidence,
    NormalGamma as NormalGamma,
    SlopeCurvature as SlopeCurvature,
    SynapticFilter as SynapticFilter,
    SynapticState as SynapticState,
    coins as coins,
    conjugate as conjugate,
    conjugate_precision as conjugate_precision,
    draw_synapses as draw_synapses,
    natural_gradient as natural_gradient,
    precision_slope as precision_slope,
    robbins_monro as robbins_monro,
    squared_products as squared_products,
    synaptic_filter as synaptic_filter,
)
from .predictive import (
    Incremental as Incremental,
    IncrementalState as IncrementalState,
    feedback_alignment as feedback_alignment,
    growing_step as growing_step,
    hebbian as hebbian,
    incremental as incremental,
    kolen_pollack as kolen_pollack,
    momentum as momentum,
)
from .storage import (
    append as append,
    hebb as hebb,
    overwrite as overwrite,
    projection as projection,
)

__getattr__ = renamed(
    __name__,
    {
        "stdp": "bpcjax.learning.spike_em",
        "Train": "bpcjax.Spikes",
        "pseudo_inverse": "bpcjax.learning.projection",
    },
)
