"""How networks and memories learn: local rules in the shape of optax, spike timing, posteriors,
storage in one shot, surrogate derivatives."""

from . import surrogate as surrogate
from .bcpnn import SpikeTraces as SpikeTraces, Traces as Traces
from .certificate import (
    Certificate as Certificate,
    Dependency as Dependency,
    Elsewhere as Elsewhere,
    Post as Post,
    Pre as Pre,
    Shared as Shared,
    Synapse as Synapse,
    certificate as certificate,
)
from .conjugate import (
    Dirichlet as Dirichlet,
    Normal as Normal,
    NormalEvidence as NormalEvidence,
    NormalGamma as NormalGamma,
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
)
from .natural import (
    conjugate as conjugate,
    natural_gradient as natural_gradient,
    robbins_monro as robbins_monro,
)
from .precision import (
    GammaPrecision as GammaPrecision,
    conjugate_precision as conjugate_precision,
    precision_slope as precision_slope,
)
from .predictive import (
    Incremental as Incremental,
    IncrementalState as IncrementalState,
    growing_step as growing_step,
    hebbian as hebbian,
    incremental as incremental,
    kolen_pollack as kolen_pollack,
    momentum as momentum,
)
from .replay import Rewards as Rewards, Train as Train, pair_sum as pair_sum, replay as replay
from .stdp import (
    AbstractBounds as AbstractBounds,
    AbstractSTDP as AbstractSTDP,
    Eligible as Eligible,
    Free as Free,
    Hard as Hard,
    Moment as Moment,
    RewardSTDP as RewardSTDP,
    Soft as Soft,
    TraceSTDP as TraceSTDP,
    TriggeredSTDP as TriggeredSTDP,
    Window as Window,
)
from .storage import (
    append as append,
    hebb as hebb,
    overwrite as overwrite,
    pseudo_inverse as pseudo_inverse,
)

# isort: split
# The rule of mixtures bears the name of a module, which the imports above have set.
from .mixture import stdp as stdp
