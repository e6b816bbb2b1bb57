"""Classifiers of images and events: codes in, spiking layers, readouts; change points of a
stream."""

from .change_points import (
    ChangePointFilter as ChangePointFilter,
    ChangePoints as ChangePoints,
    answers as answers,
    scaled_evidence as scaled_evidence,
)
from .classifier import Classified as Classified, Classifier as Classifier
from .codes import (
    AbstractCode as AbstractCode,
    CurrentCode as CurrentCode,
    DeltaCode as DeltaCode,
    EventCode as EventCode,
    LatencyCode as LatencyCode,
    RateCode as RateCode,
)
from .readouts import (
    AbstractReadout as AbstractReadout,
    FirstSpikeReadout as FirstSpikeReadout,
    MembraneReadout as MembraneReadout,
    RateReadout as RateReadout,
)
