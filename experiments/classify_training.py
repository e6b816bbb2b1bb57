"""Classifiers trained by surrogate derivatives, and what they do on a test set."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import bpcjax as bpc
from bpcjax import cost
from bpcjax.models import Classifier, CurrentCode, EventCode
from bpcjax.stepping.wrapped import AbstractSpikes

from . import InputError
from .classify_networks import learned, single
from .data import Split
from .gradient_training import Fitted, Fitting, fit
from .learn_measure import ledger, scores

STEEP = 2.0  # of the surrogate: per unit of threshold


@dataclasses.dataclass(frozen=True)
class Lessons(Fitting):
    """How a classifier is trained."""

    shift: int = 0
    """By up to so many pixels images are moved at random, up and down, left and right."""
    silent: float = 0.0
    """The share of inputs that fail, at random."""
    anytime: bool = False
    """The loss is the mean over all steps, so that the answer may be taken at any of them."""


def surrogate() -> AbstractSpikes:
    """The solver that learning takes: Euler steps, and the fast sigmoid's slope for a spike's."""
    return single(bpc.GridSpikes(spike=bpc.Surrogate(slope=STEEP)))


def check(train: Split, test: Split) -> None:
    """Raise `InputError` if two sets are not what a classifier can learn from and be asked of."""
    if train.x.shape[1:] != test.x.shape[1:]:
        raise InputError(
            f"data: images to learn from are {train.x.shape[1:]}, those to test on "
            f"{test.x.shape[1:]}. Give them one size."
        )
    for what, split in (("train", train), ("test", test)):
        if not np.isfinite(split.x).all():
            bad = int(np.argwhere(~np.isfinite(split.x))[0, 0])
            raise InputError(f"data: {what} image {bad} has pixels that are not numbers.")
        outside = (split.labels < 0) | (split.labels >= split.classes)
        if outside.any():
            raise InputError(
                f"data: {what} label {split.labels[outside][0]} is out of 0..{split.classes - 1}."
            )
    missing = set(range(split.classes)) - set(np.unique(train.labels).tolist())
    if missing:
        raise InputError(f"data: no image of class {min(missing)} to learn from.")


def flat(x: Any, events: bool) -> jax.Array:
    """Images [n, ...] as rows of inputs; events [n, bins, ...] as rows in bins."""
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
    return x.reshape(*x.shape[: 2 if events else 1], -1)


def _altered(x, lessons: Lessons, key):
    moves, fails = jax.random.split(key)
    if lessons.shift:
        steps = jax.random.randint(moves, (len(x), 2), -lessons.shift, lessons.shift + 1)
        x = jax.vmap(lambda image, step: jnp.roll(image, step, (-2, -1)))(x, steps)
    if lessons.silent:
        kept = jax.random.uniform(fails, x.shape, x.dtype) >= lessons.silent
        x = jnp.where(kept, x / (1 - lessons.silent), 0)
    return x


def train(
    model: Classifier,
    split: Split,
    lessons: Lessons,
    *,
    asked: Split | None = None,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Fitted:
    """`model` after `lessons.epochs` epochs on `split`; after each its accuracy on `asked`."""
    solver, events = surrogate(), isinstance(model.code, EventCode)

    def loss(model, x, y, key):
        alter, draw = jax.random.split(key)
        found = model(flat(_altered(x, lessons, alter), events), key=draw, solver=solver)
        taken = found.scores if lessons.anytime else found.scores[-1:]
        value = optax.softmax_cross_entropy_with_integer_labels(taken, y[None]).mean()
        return value, {"accuracy": (found.scores[-1].argmax(-1) == y).mean()}

    def ask(model):
        assert asked is not None
        found = _answers(model, asked, events)
        return {"test": (found.argmax(-1) == jnp.asarray(asked.labels)).mean()}

    with jax.default_matmul_precision("float32"):
        return fit(
            model, learned(model), loss, np.asarray(split.x, np.float32), split.labels, lessons,
            ask=None if asked is None else ask, folder=folder, label=label,
            stop_after=stop_after,
        )  # fmt: skip


def _batched(run, x, size: int = 500):
    """A function of a batch over more than one, and the rest by itself; leaves [n, ...]."""
    whole = len(x) // size * size
    parts = []
    if whole:
        found = jax.lax.map(run, x[:whole].reshape(-1, size, *x.shape[1:]))
        parts.append(jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), found))
    if whole < len(x):
        parts.append(run(x[whole:]))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _answers(model: Classifier, asked: Split, events: bool):
    x = flat(np.asarray(asked.x, np.float32), events)
    key = jax.random.key(7)
    return _batched(lambda x: model(x, key=key, solver=surrogate()).scores[-1], x)


def examine(model: Classifier, asked: Split) -> dict[str, np.ndarray]:
    """On a test set: `accuracy`, `nll`, `ece`; accuracy by number of steps; the `confusion`
    [label, answer]; spikes an image, of inputs and of neurons; operations and their energy."""
    events = isinstance(model.code, EventCode)
    x = flat(np.asarray(asked.x, np.float32), events)

    def run(x):
        found = model(x, key=jax.random.key(8), solver=surrogate())
        inputs = jnp.zeros(x.shape[:1]) if found.inputs is None else found.inputs
        return jnp.moveaxis(found.scores, 0, 1), found.spikes, inputs

    found, spikes, inputs = jax.device_get(eqx.filter_jit(lambda x: _batched(run, x))(x))
    labels = np.asarray(asked.labels)
    confusion = np.zeros((asked.classes, asked.classes), int)
    np.add.at(confusion, (labels, found[:, -1].argmax(1)), 1)
    layers = model.layers.layers
    drive = isinstance(model.code, CurrentCode)
    sources = [x.shape[-1], *(layer.size for layer in layers)]
    products = [_products(layer, n) for layer, n in zip(layers, sources, strict=False)]
    sent = [float(inputs.mean()), *(float(s.mean()) for s in spikes)]
    arriving = sum(s * p / n for s, p, n in zip(sent, products, sources, strict=False))
    counts = cost.Counts(
        synaptic=arriving,
        macs=float(products[0]) if drive else 0.0,
        updates=float(model.steps * sum(layer.size for layer in layers)),
    )
    return {name: np.asarray(value) for name, value in scores(found[:, -1], labels).items()} | {
        "by_step": (found.argmax(-1) == labels[:, None]).mean(0),
        "confusion": confusion,
        "input_spikes": np.asarray(sent[0]),
        "spikes": np.asarray(sum(sent[1:])),
        "synaptic": np.asarray(arriving),
        "macs": np.asarray(counts.macs),
        "updates": np.asarray(counts.updates),
        "picojoules": np.asarray(ledger().energy(counts)),
        "parameters": np.asarray(
            sum(a.size for a in jax.tree.leaves(eqx.filter(model, learned(model))))
        ),
    }


def _products(layer: bpc.Layer, sources: int) -> int:
    """Synapses of a layer: those of a convolution each time that its kernel is used."""
    weights = layer.weights
    if isinstance(weights, bpc.connect.Convolution):
        return layer.size * int(np.prod(weights.kernel.shape[1:]))
    return layer.size * sources
