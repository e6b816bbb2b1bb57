"""Spiking associative memories: the spiking Hopfield network, its retrieval, attention."""

from .attention import (
    LinearMemory as LinearMemory,
    RandomFeatures as RandomFeatures,
    attention as attention,
    elu_features as elu_features,
    hard_attention as hard_attention,
    linear_attention as linear_attention,
    sparse_attention as sparse_attention,
)
from .certify import (
    RecallCertificate as RecallCertificate,
    certify as certify,
    smallest_beta as smallest_beta,
)
from .event_path import EventPath as EventPath, event_path as event_path
from .first_spike import (
    log_mean_latency as log_mean_latency,
    sample_first_spike as sample_first_spike,
)
from .lif_memory import LIFMemory as LIFMemory
from .likelihoods import (
    AbstractLikelihood as AbstractLikelihood,
    FlipLikelihood as FlipLikelihood,
    GaussianLikelihood as GaussianLikelihood,
    PoissonLikelihood as PoissonLikelihood,
    StudentLikelihood as StudentLikelihood,
    Synapses as Synapses,
)
from .modes import Hold as Hold, Shot as Shot, Thermal as Thermal, VisibleSpikes as VisibleSpikes
from .orders import by_information as by_information, by_variance as by_variance
from .retrieve import Retrieval as Retrieval, gram as gram, retrieve as retrieve
from .search import (
    Search as Search,
    bandit_search as bandit_search,
    partial_distance_search as partial_distance_search,
)
from .sequential import (
    SequentialRecall as SequentialRecall,
    SequentialStore as SequentialStore,
    sequential_recall as sequential_recall,
)
from .sequential_memory import (
    SequentialMemory as SequentialMemory,
    SequentialState as SequentialState,
)
from .spiking_hopfield import SpikingHopfield as SpikingHopfield
from .stream import (
    StreamRecall as StreamRecall,
    stream_recall as stream_recall,
    surprise_bound as surprise_bound,
)
from .two_layer import TwoLayerHopfield as TwoLayerHopfield, TwoLayerState as TwoLayerState
