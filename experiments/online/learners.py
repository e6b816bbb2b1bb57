"""Learners of a stream: each names a sample, then learns it, once."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from bpcjax.energies import PredictiveCoding
from bpcjax.learning import hebbian
from bpcjax.system import Module, parameter

from ..common.drifts import CLASSES
from ..common.predictive import with_maps
from .phases import AbstractLearning, Account, NoInference


class Told(NamedTuple):
    """What is told of a sample: whether it was named right before it was learned, its loss then
    (NaN where there are no probabilities), and its account, if any."""

    right: Array
    loss: Array
    account: Account | None


class AbstractLearner(Module):
    """A learner: a state, named and changed sample by sample."""

    @abstractmethod
    def start(self, energy: PredictiveCoding) -> Any:
        """State before the first sample, from a network before learning."""

    @abstractmethod
    def step(self, energy: PredictiveCoding, state: Any, x: Array, y: Array) -> tuple[Any, Told]:
        """State after a sample with its label `y` (one-hot), and what is told of it."""


class Network(AbstractLearner):
    """Network that changes its weights by `rate` times the product of the factors of each sample,
    over the number of inputs: no momentum, nothing that is kept from sample to sample but
    weights."""

    learning: AbstractLearning
    rate: Float[Array, ""] = parameter(1.0, positive=True)

    def start(self, energy):
        """State before the first sample."""
        return tuple(a.predict for a in energy.arrows)

    def step(self, energy, state, x, y):
        """State after a sample, and what is told of it."""
        energy = with_maps(energy, state)
        factors, account = self.learning.learn(energy, x, y)
        right, loss = named(energy, self.learning.hidden(energy, x), y)
        change = _products(state, factors)
        state = jax.tree.map(lambda w, g: w - self.rate / x.size * g, state, change)
        return state, Told(right, loss, account)


class Adam(AbstractLearner):
    """The network without inference under Adam (Kingma & Ba 2015, arXiv:1412.6980)."""

    rate: Float[Array, ""] = parameter(1e-3, positive=True)
    first: Float[Array, ""] = parameter(0.9, nonnegative=True)
    second: Float[Array, ""] = parameter(0.999, nonnegative=True)

    def _rule(self):
        return optax.scale_by_adam(self.first, self.second)

    def start(self, energy):
        """State before the first sample."""
        maps: Any = tuple(a.predict for a in energy.arrows)
        return maps, self._rule().init(maps)

    def step(self, energy, state, x, y):
        """State after a sample, and what is told of it."""
        maps, memory = state
        energy = with_maps(energy, maps)
        factors, _ = NoInference().learn(energy, x, y)
        right, loss = named(energy, factors.pre[1], y)
        change, memory = self._rule().update(_products(maps, factors), memory)
        maps = jax.tree.map(lambda w, g: w - self.rate * g, maps, change)
        return (maps, memory), Told(right, loss, None)


class LeastSquares(AbstractLearner):
    """Recursive least squares on random features, those of the hidden layer before learning, and a
    constant; `keep` is the forgetting factor, `ridge` the precision of the weights at first
    (Haykin, Adaptive Filter Theory, 2002, chapter 9).

    Forgetting stops where it would let the inverse grow beyond that of the start, which a factor
    alone does without end in directions that no sample excites.
    """

    keep: Float[Array, ""] = parameter(0.999, positive=True)
    ridge: Float[Array, ""] = parameter(1.0, positive=True)

    def start(self, energy):
        """State before the first sample."""
        first: Any = tuple(energy.arrows)[0].predict
        size = len(first.weights) + 1
        inverse = jnp.eye(size, dtype=jnp.float32) / self.ridge
        return jnp.zeros((CLASSES, size), jnp.float32), inverse

    def step(self, energy, state, x, y):
        """State after a sample, and what is told of it."""
        weights, inverse = state
        first = tuple(energy.arrows)[0]
        z = jnp.append(first.mismatch.mode(first.predict(x)), jnp.ones((), x.dtype))
        out = weights @ z
        right = out.argmax() == y.argmax()
        gain = inverse @ z
        gain = gain / (self.keep + z @ gain)
        weights = weights + jnp.outer(y - out, gain)
        inverse = inverse - jnp.outer(gain, inverse @ z)
        room = jnp.trace(inverse) / self.keep <= len(z) / self.ridge
        inverse = jnp.where(room, inverse / self.keep, inverse)
        inverse = 0.5 * (inverse + inverse.T)
        return (weights, inverse), Told(right, jnp.full((), jnp.nan, x.dtype), None)


def _products(maps: Any, factors: Any) -> Any:
    """Minus the products of the factors, as changes of the maps."""
    rows = zip(maps, factors.pre, factors.post, strict=True)
    return tuple(hebbian(m, pre[None], post[None]) for m, pre, post in rows)


def named(energy: PredictiveCoding, z: Array, y: Array) -> tuple[Array, Array]:
    """Whether the label is the likeliest given hidden values `z`, and its loss."""
    last = tuple(energy.arrows)[1]
    out = last.predict(z)
    return out.argmax() == y.argmax(), last.mismatch(y, out)


@eqx.filter_jit
def prequential(
    learner: AbstractLearner, energies: PredictiveCoding, x: Array, labels: Array
) -> Told:
    """What is told of streams `x` [stream, T, n] with `labels` [stream, T], each met by a network
    of its own before learning; each array is [stream, T]."""

    def one(energy: PredictiveCoding, x: Array, labels: Array) -> Told:
        y = jax.nn.one_hot(labels, CLASSES, dtype=x.dtype)

        def step(state, sample):
            return learner.step(energy, state, *sample)

        return jax.lax.scan(step, learner.start(energy), (x, y))[1]

    return eqx.filter_vmap(one)(energies, x, labels)


@eqx.filter_jit
def errors_of(
    learners: AbstractLearner, energies: PredictiveCoding, x: Array, labels: Array
) -> Array:
    """Share of errors [setting, stream] of learners, stacked along the first axis of their
    arrays."""

    def one(learner: AbstractLearner) -> Array:
        return 1 - prequential(learner, energies, x, labels).right.mean(axis=1)

    return eqx.filter_vmap(one)(learners)


def neighbours(x: np.ndarray, labels: np.ndarray, windows: tuple[int, ...]) -> np.ndarray:
    """Nearest neighbour: whether each sample [window, stream, T] has the label of the nearest of
    the last `windows` samples; the first has none and is wrong."""
    right = np.zeros((len(windows), *labels.shape), bool)
    count = labels.shape[1]
    age = np.arange(count)[:, None] - np.arange(count)[None, :]
    for s, (rows, names) in enumerate(zip(x, labels, strict=True)):
        square = (rows**2).sum(1)
        far = square[:, None] + square[None, :] - 2 * rows @ rows.T
        for w, window in enumerate(windows):
            inside = np.where((age > 0) & (age <= window), far, np.inf)
            right[w, s, 1:] = names[inside.argmin(1)][1:] == names[1:]
    return right
