"""Models of spiking networks: classifiers, associative memories, predictive coding, winner-take-all
circuits."""

from .._moved import renamed
from .classifier import (
    AbstractCode as AbstractCode,
    AbstractReadout as AbstractReadout,
    Classified as Classified,
    Classifier as Classifier,
    CurrentCode as CurrentCode,
    DeltaCode as DeltaCode,
    EventCode as EventCode,
    FirstSpikeReadout as FirstSpikeReadout,
    LatencyCode as LatencyCode,
    MembraneReadout as MembraneReadout,
    RateCode as RateCode,
    RateReadout as RateReadout,
)
from .memory import (
    AbstractLikelihood as AbstractLikelihood,
    EventPath as EventPath,
    FlipLikelihood as FlipLikelihood,
    GaussianLikelihood as GaussianLikelihood,
    Hold as Hold,
    LIFMemory as LIFMemory,
    LinearMemory as LinearMemory,
    PoissonLikelihood as PoissonLikelihood,
    RandomFeatures as RandomFeatures,
    RecallCertificate as RecallCertificate,
    Retrieval as Retrieval,
    SequentialRecall as SequentialRecall,
    SequentialStore as SequentialStore,
    Shot as Shot,
    SpikingHopfield as SpikingHopfield,
    StreamRecall as StreamRecall,
    StudentLikelihood as StudentLikelihood,
    Synapses as Synapses,
    Thermal as Thermal,
    TwoLayerHopfield as TwoLayerHopfield,
    TwoLayerState as TwoLayerState,
    VisibleSpikes as VisibleSpikes,
    attention as attention,
    by_information as by_information,
    by_variance as by_variance,
    certify as certify,
    elu_features as elu_features,
    event_path as event_path,
    gram as gram,
    hard_attention as hard_attention,
    linear_attention as linear_attention,
    log_mean_latency as log_mean_latency,
    retrieve as retrieve,
    sample_first_spike as sample_first_spike,
    sequential_recall as sequential_recall,
    smallest_beta as smallest_beta,
    sparse_attention as sparse_attention,
    stream_recall as stream_recall,
    surprise_bound as surprise_bound,
)
from .predictive import (
    AbstractPhases as AbstractPhases,
    AtRest as AtRest,
    Backpropagation as Backpropagation,
    NudgedPhases as NudgedPhases,
    Populations as Populations,
    PredictiveCodingNetwork as PredictiveCodingNetwork,
    RatePhases as RatePhases,
    Spent as Spent,
    SpikingPredictiveCoding as SpikingPredictiveCoding,
    settle as settle,
)
from .winner_take_all import (
    DiehlCook as DiehlCook,
    SoftWinnerTakeAll as SoftWinnerTakeAll,
    WinnerTakeAll as WinnerTakeAll,
)

__getattr__ = renamed(
    __name__,
    {
        "Certificate": "bpcjax.models.RecallCertificate",
        "first_spike": "bpcjax.models.sample_first_spike",
    },
)
