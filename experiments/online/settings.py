"""Settings that each learner's are chosen out of: as many for each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .learners import AbstractLearner, Adam, LeastSquares, Network
from .phases import Clamped, NoInference

RATES, SPIKES, NONE = "inference, rates", "inference, spikes", "no inference"
ADAM, SQUARES, NEIGHBOUR = "Adam", "least squares", "nearest neighbour"
ARMS = RATES, SPIKES, NONE, ADAM, SQUARES, NEIGHBOUR
FIELDS = {
    RATES: ("rate", "strength"), SPIKES: ("rate", "strength"), NONE: ("rate",),
    ADAM: ("rate", "first moment"), SQUARES: ("keep", "ridge"), NEIGHBOUR: ("window",),
}  # fmt: skip
COUNT = 24
STRENGTHS = 1.0, 4.0, 16.0


class Candidates(NamedTuple):
    """Learners stacked along the first axis of their arrays (none where it is a window of the
    nearest neighbour), and their settings `values` [setting, 2], NaN where there is no second."""

    learners: Any
    values: np.ndarray


def _single(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def _stack(learners: Sequence[AbstractLearner]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *learners)


def candidates(arm: str, steps: int, quantum: float, length: int) -> Candidates:
    """The settings of a learner, for streams of this `length`."""
    if arm == NEIGHBOUR:
        windows = np.geomspace(min(30, length), length, COUNT).round()
        return Candidates(None, np.stack([windows, np.full(COUNT, np.nan)], axis=1))
    if arm == NONE:
        pairs = [(rate, np.nan) for rate in np.geomspace(0.3, 30, COUNT)]
        made = [Network(NoInference(), _single(rate)) for rate, _ in pairs]
    elif arm == ADAM:
        rates = np.geomspace(1e-4, 1e-2, COUNT // 2)
        pairs = [(rate, first) for first in (0.0, 0.9) for rate in rates]
        made = [Adam(_single(rate), _single(first), _single(0.999)) for rate, first in pairs]
    elif arm == SQUARES:
        keeps, ridges = (0.99, 0.995, 0.999, 1.0), (3.0, 6.0, 10.0, 20.0, 40.0, 100.0)
        pairs = [(keep, ridge) for keep in keeps for ridge in ridges]
        made = [LeastSquares(_single(keep), _single(ridge)) for keep, ridge in pairs]
    else:
        sent = _single(quantum) if arm == SPIKES else None
        rates = np.geomspace(0.5, 40, COUNT // len(STRENGTHS))
        pairs = [(rate, strength) for strength in STRENGTHS for rate in rates]
        made = [
            Network(Clamped(_single(strength), sent, _single(0.05), steps), _single(rate))
            for rate, strength in pairs
        ]
    return Candidates(_stack(made), np.array(pairs, float))
