"""Learners of the study, and the settings that each learner's are chosen out of: as many for
each."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from bpcjax.models import AbstractPhases, NudgedPhases, RatePhases

from ..common.precision import single
from .learners import AbstractLearner, ElasticWeights, Filter, Plain, SynapticIntelligence

PLAIN, SMALL, EWC, SI = "plain", "smaller step", "on-line EWC", "SI"
FILTER, RATES = "synaptic filter", "synaptic filter, rates"
ARMS = PLAIN, SMALL, EWC, SI, FILTER, RATES
TOLD = EWC, SI  # learners that are told where a task ends
UNSURE = FILTER, RATES
SHARED = {SMALL: PLAIN, RATES: FILTER}  # learners that take the trials of others
COUNT = 4  # settings of each


FIELDS = {
    PLAIN: ("rate",), SMALL: ("rate",), EWC: ("rate", "penalty"), SI: ("rate", "penalty"),
    FILTER: ("count", "rate"), RATES: ("count", "rate"),
}  # fmt: skip
DEVIATION, WINDOW = 0.06, 5e4  # of the prior, and in batches: given, not chosen


class Arm(NamedTuple):
    """A learner of the study: the phases that it learns in, and the settings it is offered."""

    phases: AbstractPhases
    learners: tuple[AbstractLearner, ...]


def values(name: str, learner: AbstractLearner) -> list[float]:
    """Values of a learner's settings, NaN where there is no second."""
    own = [float(getattr(learner, field)) for field in FIELDS[name]]
    return own + [float("nan")] * (2 - len(own))


def of_filter(step: Array, gain: Array) -> Filter:
    """Synaptic filter whose step at the width of the prior is `step`, and that trusts each sample
    `gain` times what one step of the mean makes of it (`rate` is its inverse)."""
    count = gain * step / DEVIATION**2
    return Filter(*map(jnp.asarray, (DEVIATION, WINDOW, count, 1 / gain)))


def arm(name: str, quantum: float) -> Arm:
    """Learner of that name, with values in spikes of this `quantum`."""
    phases = RatePhases() if name == RATES else NudgedPhases(jnp.asarray(quantum))
    if name in (PLAIN, SMALL):
        made = [Plain(jnp.asarray(rate)) for rate in (0.01, 0.03, 0.1, 1.0)]
    elif name == EWC:
        made = _pairs(ElasticWeights, (1.0, 2.0), (8.0, 20.0))
    elif name == SI:
        made = _pairs(SynapticIntelligence, (0.6, 1.2), (0.5, 1.5))
    else:
        made = _pairs(of_filter, (8.0, 16.0), (12.0, 24.0))
    return Arm(single(phases), tuple(map(single, made)))


def _pairs(make: Callable[..., AbstractLearner], one: tuple, other: tuple) -> list[AbstractLearner]:
    return [make(jnp.asarray(a), jnp.asarray(b)) for a, b in itertools.product(one, other)]
