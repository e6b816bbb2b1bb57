"""Learners of one task after another: what each keeps of a synapse beside its weight."""

from abc import abstractmethod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from bpcjax.energies import PredictiveCoding
from bpcjax.learning import (
    SlopeCurvature,
    SynapticState,
    coins,
    draw_synapses,
    hebbian,
    squared_products,
    synaptic_filter,
)
from bpcjax.models import AbstractPhases
from bpcjax.system import Module, parameter

from ..common.predictive import with_maps

Maps = Any  # those of a network's arrows, or something of their structure


class Anchored(NamedTuple):
    """State of learners that hold weights to where they were: `weights`, the `importance` and
    `anchor` of each, and what is gathered during a task."""

    weights: Maps
    importance: Maps
    anchor: Maps
    gathered: Maps


class Filtered(NamedTuple):
    """State of a filter: means of weights, and their precisions."""

    weights: Maps
    own: SynapticState


class AbstractLearner(Module):
    """Learner: a state with `weights`, changed batch by batch by products of the phases."""

    @abstractmethod
    def start(self, weights: Maps) -> Any:
        """State before the first task."""

    @abstractmethod
    def step(
        self, energy: PredictiveCoding, phases: AbstractPhases, state: Any, x: Array, y: Array,
        key: Key[Array, ""],
    ) -> tuple[Any, Any]:  # fmt: skip
        """State after a batch `x` [n, ...] with labels `y` [n, classes], and its mean costs."""

    def boundary(self, state: Any) -> Any:
        """Hook: the state after a task that is announced to have ended."""
        return state

    def draw(self, state: Any, key: Key[Array, ""]) -> Maps:
        """Hook: the weights to predict with."""
        return state.weights


def factors(energy, phases: AbstractPhases, weights: Maps, x, y, key) -> tuple[Any, Any]:
    """Factors of each sample's change of weights, and mean costs, of a network with `weights`."""
    now = with_maps(energy, weights)
    keys = jax.random.split(key, len(x))
    found, costs = jax.vmap(lambda x, y, key: phases.learn(now, x, y, key))(x, y, keys)
    return found, jax.tree.map(jnp.mean, costs)


def _each(product: Any, weights: Maps, found: Any) -> Maps:
    return tuple(map(product, weights, found.pre, found.post))


class Plain(AbstractLearner):
    """Plain local rule: a constant `rate` times the mean product of error and activity."""

    rate: Float[Array, ""] = parameter(0.3, positive=True)

    def start(self, weights):
        """State before the first task."""
        return Anchored(weights, None, None, None)

    def step(self, energy, phases, state, x, y, key):
        """State after a batch, and its mean costs."""
        found, costs = factors(energy, phases, state.weights, x, y, key)
        slope = _each(hebbian, state.weights, found)
        return state._replace(weights=_descended(self.rate, 0.0, state, slope)), costs


def _descended(rate: Array, penalty: Array | float, state: Anchored, slope: Maps) -> Maps:
    """Weights after a step of `rate` down `slope` and toward the anchors, these as they are after
    the step: a stiff spring cannot overshoot."""
    if state.importance is None:
        return jax.tree.map(lambda w, g: w - rate * g, state.weights, slope)

    def moved(w, g, importance, anchor):
        stiff = rate * penalty * importance
        return (w - rate * g + stiff * anchor) / (1 + stiff)

    return jax.tree.map(moved, state.weights, slope, state.importance, state.anchor)


class ElasticWeights(AbstractLearner):
    """Elastic weight consolidation, on line: importance is the Fisher information at the end of
    each task, summed, and the anchor the weights there.

    Of squared products, averaged over the last `1 / (1 - keep)` batches before a boundary, which is
    told. Sources: Kirkpatrick et al. (2017, PNAS 114:3521); Schwarz et al. (2018, ICML).
    """

    rate: Float[Array, ""] = parameter(0.3, positive=True)
    penalty: Float[Array, ""] = parameter(30.0, nonnegative=True)
    keep: Float[Array, ""] = parameter(0.98, nonnegative=True)

    def start(self, weights):
        """State before the first task."""
        nothing = jax.tree.map(jnp.zeros_like, weights)
        return Anchored(weights, nothing, weights, nothing)

    def step(self, energy, phases, state, x, y, key):
        """State after a batch, and its mean costs."""
        found, costs = factors(energy, phases, state.weights, x, y, key)
        slope = _each(hebbian, state.weights, found)
        square = _each(squared_products, state.weights, found)
        gathered = jax.tree.map(
            lambda past, now: self.keep * past + (1 - self.keep) * now, state.gathered, square
        )
        weights = _descended(self.rate, self.penalty, state, slope)
        return state._replace(weights=weights, gathered=gathered), costs

    def boundary(self, state):
        """State after a task that is announced to have ended."""
        importance = jax.tree.map(jnp.add, state.importance, state.gathered)
        return state._replace(importance=importance, anchor=state.weights)


class SynapticIntelligence(AbstractLearner):
    """Synaptic intelligence: importance is a weight's share in the fall of the loss during a task,
    over the square of its way (Zenke, Poole & Ganguli 2017, ICML). Boundaries are told."""

    rate: Float[Array, ""] = parameter(0.3, positive=True)
    penalty: Float[Array, ""] = parameter(0.3, nonnegative=True)
    damping: Float[Array, ""] = parameter(0.1, positive=True)

    def start(self, weights):
        """State before the first task."""
        nothing = jax.tree.map(jnp.zeros_like, weights)
        return Anchored(weights, nothing, weights, nothing)

    def step(self, energy, phases, state, x, y, key):
        """State after a batch, and its mean costs."""
        found, costs = factors(energy, phases, state.weights, x, y, key)
        slope = _each(hebbian, state.weights, found)
        weights = _descended(self.rate, self.penalty, state, slope)
        gathered = jax.tree.map(
            lambda work, g, new, old: work - g * (new - old),
            state.gathered, slope, weights, state.weights,
        )  # fmt: skip
        return state._replace(weights=weights, gathered=gathered), costs

    def boundary(self, state):
        """State after a task that is announced to have ended."""
        importance = jax.tree.map(
            lambda sum_, work, w, a: sum_ + jnp.maximum(work, 0) / ((w - a) ** 2 + self.damping),
            state.importance, state.gathered, state.weights, state.anchor,
        )  # fmt: skip
        nothing = jax.tree.map(jnp.zeros_like, state.gathered)
        return Anchored(state.weights, importance, state.weights, nothing)


class Filter(AbstractLearner):
    """Synaptic filter (`bpcjax.learning.synaptic_filter`): each batch meets weights that are drawn,
    both phases the same ones; nothing is told of tasks."""

    deviation: Float[Array, ""] = parameter(0.03, positive=True)
    window: Float[Array, ""] = parameter(1e5, positive=True)
    count: Float[Array, ""] = parameter(1e4, positive=True)
    rate: Float[Array, ""] = parameter(0.1, positive=True)

    def _rule(self):
        values = self.deviation, self.window, self.count, self.rate
        deviation, window, count, rate = values
        return synaptic_filter(deviation, window=window, count=count, rate=rate)

    def start(self, weights):
        """State before the first task."""
        return Filtered(weights, self._rule().init(weights))

    def step(self, energy, phases, state, x, y, key):
        """State after a batch, and its mean costs."""
        drawing, key = jax.random.split(key)
        weights = draw_synapses(drawing, state.weights, state.own, coins)
        found, costs = factors(energy, phases, weights, x, y, key)
        seen = SlopeCurvature(
            _each(hebbian, weights, found), _each(squared_products, weights, found)
        )
        change, own = self._rule().update(seen, state.own, state.weights)
        return Filtered(jax.tree.map(jnp.add, state.weights, change), own), costs

    def draw(self, state, key):
        """Weights that are drawn, to predict with."""
        return draw_synapses(key, state.weights, state.own)
