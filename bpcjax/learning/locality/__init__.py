"""Locality certificates: which numbers the change of a synapse depends on, in a rule
(`certificate`) and in a whole learning step on a wiring (`certify_step`)."""

from .certificate import (
    Certificate as Certificate,
    Dependency as Dependency,
    certificate as certificate,
)
from .owners import (
    Elsewhere as Elsewhere,
    Post as Post,
    Pre as Pre,
    Shared as Shared,
    Synapse as Synapse,
)
from .report import (
    BroadcastUse as BroadcastUse,
    MessageUse as MessageUse,
    StepCertificate as StepCertificate,
    Violation as Violation,
)
from .step import certify_step as certify_step
from .wiring import Neurons as Neurons, Weights as Weights, Wiring as Wiring
