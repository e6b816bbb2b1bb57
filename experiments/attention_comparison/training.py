"""One trained layer: three poolings of the same small classifier, for the comparison.

A bag of digit images is positive if it holds a nine. Every image becomes a token
`h = tanh(W x + b)`, a trained query pools the tokens of a bag by the energy of a memory that
holds them, and a linear readout decides. Parameters, seeds, bags and steps are the same for

- attention: one update;
- Hopfield: three updates;
- spiking: the mean of S tokens drawn from the posterior at the query. It is trained with the
  score function, which is unbiased: each draw's log probability is weighted by the loss less that
  of the other draws of the same bag. Attention's own gradient is its mean-field adjoint (S to
  infinity), so the layer trained as attention is read with spikes too.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from bpcjax.models import attention

from ..common.data import load, standardise

WIDTH = 16  # of a token
TOKENS = 10  # images in a bag
NEEDLE = 9
DRAWS = 8  # spikes of a bag in training
UPDATES = 3
BUDGETS = (1, 2, 4, 8, 16, 32, 64)  # spikes, where the layer is read
POOLINGS = (
    "attention",
    f"Hopfield x{UPDATES}",
    "spiking, score function",
    "attention, read by spikes",
)


class Layer(NamedTuple):
    """Parameters of the layer: 64 x 16 + 16 + 16 + 1 + 16 + 1 = 1,074 numbers."""

    weights: Float[Array, "pixels width"]
    shift: Float[Array, " width"]
    query: Float[Array, " width"]
    log_beta: Float[Array, ""]
    readout: Float[Array, " width"]
    bias: Float[Array, ""]


def start(key: Key[Array, ""], pixels: int) -> Layer:
    """Small random weights."""
    one, two, three = jax.random.split(key, 3)
    return Layer(
        jax.random.normal(one, (pixels, WIDTH)) / np.sqrt(pixels),
        jnp.zeros(WIDTH),
        jax.random.normal(two, (WIDTH,)) / np.sqrt(WIDTH),
        jnp.zeros(()),
        jax.random.normal(three, (WIDTH,)) / np.sqrt(WIDTH),
        jnp.zeros(()),
    )


class Bags(NamedTuple):
    """Images [n, pixels] of a split, and bags as rows of them [m, TOKENS] with labels [m]."""

    images: np.ndarray
    members: np.ndarray
    labels: np.ndarray


def make_bags(seed: int, count: int, *, test: bool) -> Bags:
    """Bags of the embedded digits: half of them with one nine or two; a third of images to test."""
    rng = np.random.default_rng([seed, test])
    digits = load("digits")
    pixels = standardise(digits.pixels.reshape(len(digits.pixels), -1)).values
    own = np.flatnonzero((np.arange(len(pixels)) % 3 == 0) == test)
    needles, hay = own[digits.labels[own] == NEEDLE], own[digits.labels[own] != NEEDLE]
    members = rng.choice(hay, (count, TOKENS))
    labels = np.arange(count) % 2
    for row in np.flatnonzero(labels):
        some = rng.integers(1, 3)
        members[row, :some] = rng.choice(needles, some)
    return Bags(pixels.astype(float), rng.permuted(members, axis=1), labels)


def _tokens(layer: Layer, images):
    return jnp.tanh(images @ layer.weights + layer.shift[None])


def _loss(logit, label):
    return optax.sigmoid_binary_cross_entropy(logit, label)


def _pooled(layer: Layer, tokens, updates: int):
    beta = jnp.exp(layer.log_beta)
    return attention(layer.query, tokens, tokens, beta, steps=updates)


def _scores(layer: Layer, tokens):
    return jnp.exp(layer.log_beta) * (tokens @ layer.query)


def smooth_loss(layer: Layer, images, label, key, updates: int):
    """The loss of a bag [TOKENS, pixels] with one update, or several."""
    tokens = _tokens(layer, images)
    return _loss(_pooled(layer, tokens, updates) @ layer.readout + layer.bias, label)


def sampled_loss(layer: Layer, images, label, key):
    """A function with the gradient of the expected loss over draws, on average.

    Two independent sets of draws: the loss of one is the other's baseline.
    """
    tokens = _tokens(layer, images)
    log_p = jax.nn.log_softmax(_scores(layer, tokens))
    drawn = jax.random.categorical(key, jax.lax.stop_gradient(log_p), shape=(2, DRAWS))
    logits = tokens[drawn].mean(axis=1) @ layer.readout + layer.bias
    losses = _loss(logits, jnp.broadcast_to(label, (2,)))
    advantage = jax.lax.stop_gradient(losses - losses[::-1])
    return (losses + advantage * log_p[drawn].sum(axis=1)).mean()


def _trainer(loss, steps: int, batch: int, rate: float):
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def run(layer: Layer, images, members, labels, key):
        def batch_loss(layer, rows, key):
            keys = jax.random.split(key, batch)
            each = jax.vmap(loss, (None, 0, 0, 0))
            return each(layer, images[members[rows]], labels[rows], keys).mean()

        def step(carry, key):
            layer, state = carry
            pick, draw = jax.random.split(key)
            rows = jax.random.randint(pick, (batch,), 0, len(labels))
            grads = jax.grad(batch_loss)(layer, rows, draw)
            change, state = optimiser.update(grads, state)
            return (optax.apply_updates(layer, change), state), None

        keys = jax.random.split(key, steps)
        (layer, _), _ = jax.lax.scan(step, (layer, optimiser.init(layer)), keys)
        return layer

    return jax.jit(run)


@partial(jax.jit, static_argnums=2)
def _pools(layer: Layer, images, updates: int):
    return jax.vmap(lambda bag: _pooled(layer, _tokens(layer, bag), updates))(images)


@jax.jit
def _drawn_pools(layer: Layer, images, key) -> Float[Array, "budgets bags width"]:
    """Means of the first S draws, for each S of BUDGETS."""

    def one(bag, key):
        tokens = _tokens(layer, bag)
        drawn = jax.random.categorical(key, _scores(layer, tokens), shape=(max(BUDGETS),))
        sums = jnp.cumsum(tokens[drawn], axis=0)
        return jnp.stack([sums[s - 1] / s for s in BUDGETS])

    return jax.vmap(one)(images, jax.random.split(key, len(images))).swapaxes(0, 1)


def right(layer: Layer, pooled, labels) -> np.ndarray:
    """The share of bags on whose label the readout of `pooled` [..., bags, width] is right."""
    said = np.asarray(pooled @ layer.readout + layer.bias) > 0
    return (said == (labels > 0)).mean(axis=-1)


def train(seeds: int, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Accuracy `trained` [POOLINGS, seeds, BUDGETS] on test bags (equal along BUDGETS where there
    are no spikes), and `spread` [seeds], the mean of tr Cov_p of the layer trained as attention.
    """
    rate, batch = 0.01, 64
    runs = (
        _trainer(lambda *a: smooth_loss(*a, updates=1), steps, batch, rate),
        _trainer(lambda *a: smooth_loss(*a, updates=UPDATES), steps, batch, rate),
        _trainer(sampled_loss, steps, batch, rate),
    )
    accuracy = np.zeros((len(POOLINGS), seeds, len(BUDGETS)))
    spread = np.zeros(seeds)
    for k in range(seeds):
        bags, test = (make_bags(seed + k, n, test=t) for n, t in ((4000, False), (2000, True)))
        images = jnp.asarray(bags.images)
        key, first, draws = jax.random.split(jax.random.key(seed + k), 3)
        begin = start(first, images.shape[1])
        train_bags = images, jnp.asarray(bags.members), jnp.asarray(bags.labels, float)
        layers = [run(begin, *train_bags, key) for run in runs]
        test_bags, labels = images[test.members], test.labels
        for row, updates in ((0, 1), (1, UPDATES)):
            accuracy[row, k] = right(layers[row], _pools(layers[row], test_bags, updates), labels)
        for row, layer in ((2, layers[2]), (3, layers[0])):
            accuracy[row, k] = right(layer, _drawn_pools(layer, test_bags, draws), labels)
        spread[k] = float(_variances(layers[0], test_bags).mean())
    return {"trained": accuracy, "spread": spread}


@jax.jit
def _variances(layer: Layer, images) -> Float[Array, " bags"]:
    """tr Cov_p of the tokens of each bag, at the trained query."""

    def one(bag):
        tokens = _tokens(layer, bag)
        p = jax.nn.softmax(_scores(layer, tokens))
        return p @ jnp.sum((tokens - (p @ tokens)[None]) ** 2, axis=1)

    return jax.vmap(one)(images)
