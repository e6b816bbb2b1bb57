"""Two winner-take-all networks that learn images by spikes, without labels.

In both a batch of images is shown at once to copies of the network, whose weights change when the
images are over: by the sum of the changes of all copies. Rates of change fall along the training.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from bpcjax.learning import Mixture, Observation, TriggeredSTDP, averages
from bpcjax.models import DiehlCook
from bpcjax.models.winner_take_all.diehl_cook import Learned, poisson_spikes, traces_at, unit_length

from ..common.precision import single

BATCH = 16
SHOWN = 50  # images at once without learning

Counts = Int[Array, "images n"]


class Network(NamedTuple):
    """A network as functions: `start(key)` gives its state; `learn(state, x, key, share)` the state
    after a batch of images, at that share of the training, and the spikes of each neuron for each;
    `show(state, x, key)` the spikes of inputs and of neurons in each bin."""

    start: Callable[[Any], Any]
    learn: Callable[[Any, Array, Any, Array], tuple[Any, Counts]]
    show: Callable[[Any, Array, Any], tuple[Array, Array]]


@dataclasses.dataclass(frozen=True)
class Circuit:
    """Settings of the network of Diehl & Cook, chosen on a sixth of the training set."""

    bins: int = 50  # of 1 ms, an image
    rate: float = 0.25  # 1/ms, of a white pixel in an image of mean length
    drive: float = 190.0  # mV, of an image that is like the weights
    threshold: float = 15.0  # mV, at the start
    spikes: float = 3.0  # an image, which the thresholds bring about
    homeostasis: tuple[float, float] = (1.0, 0.02)  # mV a spike, at the start and the end
    step: tuple[float, float] = (0.1, 0.005)  # towards the trace, at the start and the end
    target: float = 0.0  # of the trace, below which a synapse is weakened
    tau_trace: float = 10.0  # ms
    length: float = 0.6  # of the weights, in lengths of a mean image


def geometric(ends: tuple[float, float], share: Array) -> Array:
    """Geometric interpolation between two ends."""
    return ends[0] * (ends[1] / ends[0]) ** share


def circuit(x: Float[np.ndarray, "images inputs"], size: int, settings: Circuit) -> Network:
    """The network of Diehl & Cook for images like `x`: thresholds rise with each spike and fall
    steadily, inputs of a neuron keep their length, images have one length too."""
    mean = float(np.sqrt((x.astype(np.float64) ** 2).sum(1)).mean())
    length = settings.length * mean
    gain = settings.drive / (settings.rate * length * mean)
    model = single(DiehlCook(gain=gain))  # pyright: ignore[reportArgumentType]
    scale = settings.rate * settings.tau_trace  # of a trace of a white pixel
    rule = TriggeredSTDP(tau=settings.tau_trace, target=settings.target * scale)  # pyright: ignore
    decay = float(np.exp(-1.0 / settings.tau_trace))

    def start(key: Key[Array, ""]) -> Learned:
        weights = jax.random.uniform(key, (size, x.shape[1]), jnp.float32)
        return Learned(
            unit_length(weights, length), jnp.full(size, settings.threshold, jnp.float32)
        )

    def present(state: Learned, x: Array, key: Any) -> tuple[Array, Array]:
        norm = jnp.sqrt((x**2).sum(axis=1, keepdims=True))
        rates = settings.rate * mean * x / jnp.maximum(norm, 1e-6)
        inputs = poisson_spikes(key, rates, settings.bins)
        return inputs, model.spikes(state.thresholds, model.drive(state.weights, inputs))

    def learn(state: Learned, x: Array, key: Any, share: Array) -> tuple[Learned, Counts]:
        inputs, spikes = present(state, x, key)
        room = round(8 * settings.spikes * len(x)) + 256
        seen = traces_at(inputs, spikes, decay, room)
        total = spikes.sum(axis=(0, 1)).astype(jnp.float32)
        stepped = single(
            eqx.tree_at(lambda r: r.rate, rule, geometric(settings.step, share) / scale)
        )
        weights = state.weights + stepped.change(state.weights, seen, total)
        extra = total - len(x) * settings.spikes / size
        thresholds = state.thresholds + geometric(settings.homeostasis, share) * extra
        return Learned(unit_length(weights, length), thresholds), spikes.sum(axis=0)

    return Network(start, learn, present)


@dataclasses.dataclass(frozen=True)
class Soft:
    """Settings of the soft winner-take-all, chosen on a sixth of the training set."""

    windows: int = 6  # of 10 ms: one spike of the circuit in each
    rate: float = 0.1  # 1/ms, of the input unit of a white pixel, or of the other of a black one
    window: float = 10.0  # ms, in which an input counts
    homeostasis: tuple[float, float] = (5.0, 0.2)  # nats a spike, at the start and the end
    step: tuple[float, float] = (0.05, 0.005)  # of an average over spikes


def soft(x: Float[np.ndarray, "images inputs"], size: int, settings: Soft) -> Network:
    """The soft winner-take-all of Nessler et al. (2013): each pixel drives one unit by its
    brightness and one by its darkness, each spike of the circuit is a draw from the posterior over
    its neurons, and moves that neuron's weights towards the logarithms of what it saw. Excitability
    keeps all neurons equally busy (Habenschuss, Bill & Nessler 2012, NIPS 25)."""

    def start(key: Key[Array, ""]) -> Mixture:
        chance = 1 - np.exp(-settings.rate * settings.window)
        bright = jnp.asarray(0.05 + 0.9 * x.mean(axis=0, dtype=np.float64), jnp.float32)
        noise = jax.random.uniform(key, (size, 2 * x.shape[1]), jnp.float32, 0.8, 1.2)
        weights = jnp.log(chance * jnp.concatenate([bright, 1 - bright])[None] * noise)
        return Mixture(weights, jnp.zeros(size, jnp.float32))

    def present(mixture: Mixture, x: Array, key: Any) -> tuple[Array, Array]:
        first, second = jax.random.split(key)
        rates = settings.rate * jnp.concatenate([x, 1 - x], axis=1)
        seen = poisson_spikes(first, rates, settings.windows, settings.window)
        u = seen @ mixture.weights.T + mixture.log_prior[None, None]
        return seen, jax.random.categorical(second, u)

    def learn(mixture: Mixture, x: Array, key: Any, share: Array) -> tuple[Mixture, Counts]:
        seen, winner = present(mixture, x, key)
        rate = geometric(settings.step, share)

        def spike(weights: Array, event: tuple[Array, Array]) -> tuple[Array, None]:
            y, k = event
            row = Mixture(weights[k][None], jnp.zeros(1, jnp.float32))
            change = averages_at(rate, Observation(y, jnp.ones(1, jnp.float32)), row)
            return weights.at[k].add(change.weights[0]), None

        events = seen.reshape(-1, seen.shape[-1]), winner.ravel()
        weights, _ = jax.lax.scan(spike, mixture.weights, events)
        counts = jax.nn.one_hot(winner, size, dtype=jnp.int32).sum(axis=0)
        excess = counts.sum(axis=0) - counts.sum() / size
        prior = mixture.log_prior - geometric(settings.homeostasis, share) * excess
        return Mixture(jnp.maximum(weights, -8.0), prior), counts

    def show(mixture: Mixture, x: Array, key: Any) -> tuple[Array, Array]:
        seen, winner = present(mixture, x, key)
        return seen, jax.nn.one_hot(winner, size, dtype=jnp.int32)

    return Network(start, learn, show)


def averages_at(rate: Array, seen: Observation, mixture: Mixture) -> Mixture:
    """The rule `averages` at a rate that a program computes: a spike of share `rate`."""
    scaled = seen._replace(share=rate * seen.share)
    change, _ = averages(1.0).update(scaled, optax.EmptyState(), mixture)  # pyright: ignore
    return change  # pyright: ignore[reportReturnType]


@eqx.filter_jit
def learn_images(
    network: Network, state: Any, x: Array, order: Int[Array, " images"], key: Any,
    ends: tuple[Array, Array],
) -> tuple[Any, Counts]:  # fmt: skip
    """The state after the images `x[order]`, and the spikes for each; `ends` are the shares of the
    training before and after them."""
    batches = order.reshape(-1, BATCH)
    steps = len(batches)
    shares = ends[0] + (ends[1] - ends[0]) * jnp.arange(steps, dtype=jnp.float32) / steps

    def batch(state: Any, at: tuple[Array, Array, Array]) -> tuple[Any, Array]:
        index, share, k = at
        state, counts = network.learn(state, x[index], jax.random.fold_in(key, k), share)
        return state, counts.astype(jnp.uint8)

    state, counts = jax.lax.scan(batch, state, (batches, shares, jnp.arange(steps)))
    return state, counts.reshape(len(order), -1)


@eqx.filter_jit
def _shown(network: Network, state: Any, x: Array, key: Any) -> Counts:
    def batch(at: tuple[Array, Array]) -> Array:
        x, k = at
        spikes = network.show(state, x, jax.random.fold_in(key, k))[1]
        return spikes.sum(axis=0).astype(jnp.uint8)

    return jax.lax.map(batch, (x, jnp.arange(len(x))))


def count_spikes(network: Network, state: Any, x: np.ndarray, key: Any) -> np.ndarray:
    """The spikes [images, n] of each neuron for each image, without learning."""
    pad = np.zeros((-len(x) % SHOWN, x.shape[1]), np.float32)
    batches = np.concatenate([x, pad]).astype(np.float32).reshape(-1, SHOWN, x.shape[1])
    counts = _shown(network, state, jnp.asarray(batches), key)
    return np.asarray(counts).reshape(-1, counts.shape[-1])[: len(x)]


def responses(counts: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean number of spikes [classes, n] of each neuron for the images of each class.

    A class without images gets none.
    """
    each = [counts[labels == k] for k in range(classes)]
    return np.array([c.mean(axis=0) if len(c) else np.zeros(counts.shape[1]) for c in each])


def assign_classes(responses: np.ndarray) -> np.ndarray:
    """The class of each neuron [n]: of its highest mean response; -1 for one that is silent."""
    return np.where(responses.max(axis=0) > 0, responses.argmax(axis=0), -1)


def by_label(counts: np.ndarray, neurons: np.ndarray, classes: int) -> np.ndarray:
    """The class of each image [images] whose neurons spike most on average (Diehl & Cook 2015)."""
    each = [counts[:, neurons == k] for k in range(classes)]
    votes = [c.mean(axis=1) if c.shape[1] else np.full(len(counts), -1.0) for c in each]
    return np.argmax(votes, axis=0)


def by_share(counts: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """The class of each image by votes in which each neuron gives the classes their shares of its
    responses (Hazan et al. 2018, IJCNN)."""
    total = responses.sum(axis=0)
    return (counts @ (responses / np.where(total > 0, total, 1.0)).T).argmax(axis=1)
