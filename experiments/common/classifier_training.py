"""Training of spiking classifiers by surrogate derivatives, and what they do on a test set."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax.models import Classifier, EventCode
from bpcjax.stepping import AbstractSpikes

from . import InputError
from .augmentation import dropout, shift
from .classifiers import trainable
from .data import Split
from .gradient_training import FitConfig, batched, fit
from .operations import spiking_operations
from .precision import single
from .scores import ledger, scores
from .training import Trained

STEEP = 2.0  # of the surrogate: per unit of threshold


@dataclasses.dataclass(frozen=True)
class ClassifierConfig(FitConfig):
    """Hyper-parameters of a classifier's training."""

    shift: int = 0
    """By up to so many pixels images are shifted at random, up and down, left and right."""
    dropout: float = 0.0
    """The share of inputs that fail, at random."""
    anytime: bool = False
    """The loss is the mean over all steps, so that the answer may be taken at any of them."""


def surrogate(slope: float = STEEP) -> AbstractSpikes:
    """The solver of training: Euler steps, and the fast sigmoid's slope for a spike's."""
    return single(bpc.GridSpikes(spike=bpc.Surrogate(slope=slope)))


def flat(x: Any, events: bool = False) -> jax.Array:
    """Images [n, ...] as rows of inputs; events [n, bins, ...] as rows in bins."""
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
    return x.reshape(*x.shape[: 2 if events else 1], -1)


def augmented(x: Float[Array, "n *shape"], config: ClassifierConfig, key: Any) -> jax.Array:
    """Images as they are shown in training: shifted, and with inputs that fail."""
    first, second = jax.random.split(key)
    return dropout(shift(x, config.shift, first), config.dropout, second)


def train(
    model: Classifier,
    train: Split,
    config: ClassifierConfig,
    *,
    test: Split | None = None,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` after `config.epochs` epochs on `train`; after each its accuracy on `test`."""
    solver, events = surrogate(), isinstance(model.code, EventCode)

    def loss(model, x, y, key):
        first, second = jax.random.split(key)
        result = model(flat(augmented(x, config, first), events), key=second, solver=solver)
        taken = result.scores if config.anytime else result.scores[-1:]
        value = optax.softmax_cross_entropy_with_integer_labels(taken, y[None]).mean()
        return value, {"accuracy": (result.scores[-1].argmax(-1) == y).mean()}

    def evaluate(model):
        if test is None:
            return {}
        x = flat(np.asarray(test.x, np.float32), events)
        key = jax.random.key(7)
        outputs = batched(lambda x: model(x, key=key, solver=surrogate()).scores[-1], x)
        return {"test": (outputs.argmax(-1) == jnp.asarray(test.labels)).mean()}

    with jax.default_matmul_precision("float32"):
        return fit(
            model, trainable(model), loss, np.asarray(train.x, np.float32), train.labels, config,
            evaluate=evaluate, folder=folder, label=label, stop_after=stop_after,
        )  # fmt: skip


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Counts [label, answer]."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, answers), 1)
    return counts


def examine(model: Classifier, test: Split) -> dict[str, np.ndarray]:
    """On a test set: `accuracy`, `nll`, `ece`; accuracy by number of steps; the `confusion`
    [label, answer]; spikes an image, of inputs and of neurons; operations and their energy."""
    events = isinstance(model.code, EventCode)
    x = flat(np.asarray(test.x, np.float32), events)

    def run(x):
        result = model(x, key=jax.random.key(8), solver=surrogate())
        inputs = jnp.zeros(x.shape[:1]) if result.inputs is None else result.inputs
        return jnp.moveaxis(result.scores, 0, 1), result.spikes, inputs

    outputs, spikes, inputs = jax.device_get(eqx.filter_jit(lambda x: batched(run, x))(x))
    if not np.isfinite(outputs).all():
        raise InputError("a solve failed on the test set. Pass a smaller step.")
    labels, answers = np.asarray(test.labels), outputs.argmax(-1)
    sent = [float(inputs.mean()), *(float(s.mean()) for s in spikes)]
    counts = spiking_operations(model, x.shape[-1], sent, model.steps)
    metrics = scores(outputs[:, -1], labels) | {
        "by_step": (answers == labels[:, None]).mean(0),
        "confusion": confusion_matrix(labels, answers[:, -1], test.classes),
        "input_spikes": sent[0],
        "spikes": sum(sent[1:]),
        "synaptic": counts.synaptic,
        "macs": counts.macs,
        "updates": counts.updates,
        "picojoules": ledger().energy(counts),
        "parameters": parameters(model),
    }
    return {name: np.asarray(value) for name, value in metrics.items()}


def solve(model: Classifier, x: Float[Array, "*batch pixels"], **options: Any) -> bpc.Solution:
    """The solve of a classifier for images that are currents, with options of `simulate`."""
    layers, drive = model.layers, model.code.drive(x)
    assert drive is not None
    return bpc.simulate(
        layers, single(layers.rest(x.shape[:-1])), layers.weighted(drive),
        t1=model.steps * model.dt, dt=model.dt, solver=surrogate(), max_steps=model.steps + 1,
        **options,
    )  # fmt: skip


def counts_by_step(
    model: Classifier, x: Float[Array, "n pixels"], look: Callable[[Any], jax.Array]
) -> jax.Array:
    """What `look` makes of the layers' numbers of spikes so far, after each step: [n, steps, ...]
    for images that are currents."""
    saveat = dfx.SaveAt(steps=True, fn=lambda t, y, args: look(y.counts))
    solution = solve(model, x, saveat=saveat)
    assert solution.ys is not None
    return jnp.moveaxis(solution.ys[: model.steps], 0, 1)


def parameters(model: Classifier) -> int:
    """The number of trainable parameters."""
    return sum(a.size for a in jax.tree.leaves(eqx.filter(model, trainable(model))))
