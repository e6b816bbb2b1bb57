"""Rivals: feed-forward networks, the nearest image, a conditional Gaussian."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg
from jaxtyping import Array, Bool, Float

from ..common.training import TrainConfig, checkpoint, epoch_key, run_epochs

LEAST, MOST = 0.0, 0.95  # shares of pixels that are missing in training with masks


@dataclasses.dataclass(frozen=True)
class Settings(TrainConfig):
    """Settings of a feed-forward network."""

    hidden: tuple[int, ...] = (512, 256)
    epochs: int = 6
    batch: int = 100
    rate: float = 1e-3
    masks: bool = False
    """Pixels are missing at random, and a channel says which are seen."""


class State(NamedTuple):
    """Weights [m, n] and biases of each layer, and what Adam keeps."""

    layers: Any
    optimiser: Any


def init(key, sizes: tuple[int, ...]) -> list[tuple[Array, Array]]:
    """He's initial weights."""
    layers = []
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = jax.random.normal(jax.random.fold_in(key, k), (m, n), jnp.float32)
        layers.append((np.sqrt(2 / n) * weights, jnp.zeros(m, jnp.float32)))
    return layers


def logits(layers: Any, x: Float[Array, "n pixels"]) -> Float[Array, "n classes"]:
    """Outputs of a rectified network."""
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights.T + bias[None])
    weights, bias = layers[-1]
    return x @ weights.T + bias[None]


def masked(x: Float[Array, "n pixels"], seen: Bool[Array, "n pixels"]) -> Array:
    """Pixels, 0 where they are missing, and the channel of masks."""
    return jnp.concatenate([jnp.where(seen, x, 0.0), seen.astype(x.dtype)], axis=1)


@eqx.filter_jit
def _epoch(rule, state: State, x, labels, settings: Settings, key):
    order, key = jax.random.split(key)
    count = len(x) // settings.batch
    order = jax.random.permutation(order, len(x))[: count * settings.batch]

    def step(state: State, drawn):
        chosen, key = drawn
        batch = x[chosen]
        if settings.masks:
            share, pixels = jax.random.split(key)
            missing = jax.random.uniform(share, (len(batch), 1), x.dtype, LEAST, MOST)
            seen = jax.random.uniform(pixels, batch.shape, x.dtype) >= missing
            batch = masked(batch, seen)

        def loss(layers):
            each = optax.softmax_cross_entropy_with_integer_labels(
                logits(layers, batch), labels[chosen]
            )
            return each.mean()

        value, slope = jax.value_and_grad(loss)(state.layers)
        change, optimiser = rule.update(slope, state.optimiser, state.layers)
        return State(optax.apply_updates(state.layers, change), optimiser), value

    keys = jax.random.split(key, count)
    state, value = jax.lax.scan(step, state, (order.reshape(count, -1), keys))
    return state, value.mean()


def train(x, labels, settings: Settings, folder: Path | None = None, label: str = "") -> Any:
    """Layers of a network that learned from whole images `x` [n, pixels], by Adam."""
    inputs = x.shape[1] * (2 if settings.masks else 1)
    key = jax.random.fold_in(jax.random.key(settings.seed), 7)
    layers = init(key, (inputs, *settings.hidden, 10))
    updates = settings.epochs * (len(x) // settings.batch)
    rule = optax.adam(optax.cosine_decay_schedule(settings.rate, max(updates, 1), 0.02))

    def update(state: State, epoch: int):
        state, loss = _epoch(rule, state, x, labels, settings, epoch_key(settings, epoch))
        return state, {"loss": loss}

    path = checkpoint(folder, ["rival", dataclasses.asdict(settings)], x, labels)
    start = State(layers, rule.init(layers))
    return run_epochs(update, start, settings.epochs, path=path, label=label).model.layers


def nearest(x: np.ndarray, labels: np.ndarray, asked: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Labels of the images [n, pixels] nearest to those asked for, on the pixels seen."""
    seen = seen.astype(np.float32)
    distance = -2 * (seen * asked) @ x.T
    distance += seen @ (x**2).T
    return labels[distance.argmin(1)]


class GaussianModel(NamedTuple):
    """Gaussian of images: the mean and the covariance of pixels, with a ridge."""

    mean: np.ndarray
    covariance: np.ndarray


def gaussian(x: np.ndarray, ridge: float) -> GaussianModel:
    """The Gaussian of images [n, pixels]; `ridge` is the variance added to each pixel."""
    covariance = np.cov(x.T).astype(np.float64)
    return GaussianModel(x.mean(0), covariance + ridge * np.eye(x.shape[1]))


def impute(model: GaussianModel, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Images [n, pixels] with missing pixels at their conditional mean, within 0...1."""
    result, groups = x.astype(np.float32).copy(), {}
    for k, mask in enumerate(seen):
        groups.setdefault(mask.tobytes(), []).append(k)
    for members in groups.values():
        there = seen[members[0]]
        covariance = model.covariance[np.ix_(there, there)]
        away = (x[members][:, there] - model.mean[there]).T
        solved = scipy.linalg.cho_solve(scipy.linalg.cho_factor(covariance), away)
        guess = model.mean[~there] + (model.covariance[np.ix_(~there, there)] @ solved).T
        result[np.ix_(members, ~there)] = np.clip(guess, 0, 1)
    return result
