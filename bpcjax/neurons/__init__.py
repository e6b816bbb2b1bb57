"""Neurons: one file a model."""

from .adex import AdEx as AdEx, AdExState as AdExState
from .lif import LIF as LIF, LIFState as LIFState
