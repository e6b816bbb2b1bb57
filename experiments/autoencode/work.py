"""Autoencoders of spikes and of numbers: training, the images they draw, and their codes."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bpcjax.models import Classifier

from ..common.classifier_training import counts_by_step, surrogate
from ..common.classifiers import trainable
from ..common.gradient_training import FitConfig, fit
from ..common.relu_networks import Relu
from ..common.scores import in_batches
from ..common.training import Trained

TESTED = 2000  # images on which the error is measured after each epoch


@dataclasses.dataclass(frozen=True)
class AutoencoderConfig(FitConfig):
    """Hyper-parameters of an autoencoder's training."""

    price: float = 0.0
    """Of each spike of the code, in units of the error."""
    anytime: bool = False
    """The error is the mean over all steps."""
    slope: float = 10.0
    """Of the surrogate, per unit of threshold."""


def pixels(sums: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Sums of an output layer (potentials, or numbers) as brightness in 0..1."""
    return jax.nn.sigmoid(sums)


def reconstruct(
    model: Classifier | Relu, x: Float[Array, "n pixels"]
) -> Float[Array, "steps n pixels"]:
    """Images as a network draws them, after each step (numbers: after their only one)."""
    if isinstance(model, Relu):
        return pixels(model(x))[None]
    return pixels(model(x, solver=surrogate()).scores)


def train(
    model: Any, x: np.ndarray, test: np.ndarray, config: AutoencoderConfig, *,
    folder: Path | None = None, label: str = "", stop_after: int | None = None,
) -> Trained:  # fmt: skip
    """`model` trained to draw the rows of `x`; after each epoch its error on `test`."""
    spiking = isinstance(model, Classifier)

    def loss(model, x, y, key):
        sent = jnp.zeros(())
        if spiking:
            result = model(x, solver=surrogate(config.slope))
            images, sent = pixels(result.scores), sum(s.mean() for s in result.spikes)
        else:
            images = reconstruct(model, x)
        error = jnp.square((images if config.anytime else images[-1:]) - x[None])
        return error.mean() + config.price * sent, {"mse": error[-1].mean(), "spikes": sent}

    def evaluate(model):
        images = jnp.asarray(test[:TESTED])
        return {"test": jnp.square(reconstruct(model, images)[-1] - images).mean()}

    mask = trainable(model) if spiking else jax.tree.map(lambda leaf: True, model)
    with jax.default_matmul_precision("float32"):
        return fit(
            model, mask, loss, x, np.zeros(len(x), np.int8), config, evaluate=evaluate,
            folder=folder, label=label, stop_after=stop_after,
        )  # fmt: skip


def errors(model: Any, x: np.ndarray) -> np.ndarray:
    """The mean squared error [steps] of a pixel of images x after each step."""
    return in_batches(lambda x: _errors(model, x), x)[0].mean(axis=0)


@eqx.filter_jit
def _errors(model: Any, x: Any) -> Any:
    return jnp.square(reconstruct(model, jnp.asarray(x)) - x[None]).mean(-1).T


def spikes_of_code(model: Classifier, x: np.ndarray, layer: int) -> np.ndarray:
    """The spikes [n, steps, code] of each neuron of a layer so far, after each step."""
    return in_batches(lambda x: _counts(model, x, layer), x)[0]


@eqx.filter_jit
def _counts(model: Classifier, x: Any, layer: int) -> Any:
    return counts_by_step(model, x, lambda counts: counts[layer])


def numbers_of_code(model: Relu, x: np.ndarray, layer: int) -> np.ndarray:
    """The numbers [n, code] of a layer."""
    return in_batches(eqx.filter_jit(lambda x: model.layers(x)[layer]), x)[0]


def axes(x: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the rows of x, and so many of their principal axes [width, number]."""
    return x.mean(0), np.linalg.eigh(np.cov(x.T))[1][:, ::-1][:, :number]
