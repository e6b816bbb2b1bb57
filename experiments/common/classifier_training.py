"""Classifiers trained by surrogate derivatives, and what they do on a test set."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import bpcjax as bpc
from bpcjax import cost
from bpcjax.models import Classifier, CurrentCode, EventCode
from bpcjax.stepping import AbstractSpikes

from . import InputError
from .classifiers import learned, single
from .data import Split
from .scores import ledger, scores
from .training import Fitted, Fitting, batched, fit, moved

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


def surrogate(slope: float = STEEP) -> AbstractSpikes:
    """The solver that learning takes: Euler steps, and the fast sigmoid's slope for a spike's."""
    return single(bpc.GridSpikes(spike=bpc.Surrogate(slope=slope)))


def flat(x: Any, events: bool) -> jax.Array:
    """Images [n, ...] as rows of inputs; events [n, bins, ...] as rows in bins."""
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
    return x.reshape(*x.shape[: 2 if events else 1], -1)


def altered(x: jax.Array, lessons: Lessons, key: Any) -> jax.Array:
    """Images as they are shown while they are learned: moved, and with inputs that fail."""
    moves, fails = jax.random.split(key)
    if lessons.shift:
        x = moved(x, lessons.shift, moves)
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
        found = model(flat(altered(x, lessons, alter), events), key=draw, solver=solver)
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


def _answers(model: Classifier, asked: Split, events: bool):
    x = flat(np.asarray(asked.x, np.float32), events)
    key = jax.random.key(7)
    return batched(lambda x: model(x, key=key, solver=surrogate()).scores[-1], x)


def examine(model: Classifier, asked: Split) -> dict[str, np.ndarray]:
    """On a test set: `accuracy`, `nll`, `ece`; accuracy by number of steps; the `confusion`
    [label, answer]; spikes an image, of inputs and of neurons; operations and their energy."""
    events = isinstance(model.code, EventCode)
    x = flat(np.asarray(asked.x, np.float32), events)

    def run(x):
        found = model(x, key=jax.random.key(8), solver=surrogate())
        inputs = jnp.zeros(x.shape[:1]) if found.inputs is None else found.inputs
        return jnp.moveaxis(found.scores, 0, 1), found.spikes, inputs

    found, spikes, inputs = jax.device_get(eqx.filter_jit(lambda x: batched(run, x))(x))
    if not np.isfinite(found).all():
        raise InputError("a solve failed on the test set. Pass a smaller step.")
    labels = np.asarray(asked.labels)
    confusion = np.zeros((asked.classes, asked.classes), int)
    np.add.at(confusion, (labels, found[:, -1].argmax(1)), 1)
    sent = [float(inputs.mean()), *(float(s.mean()) for s in spikes)]
    counts = operations(model, x.shape[-1], sent, model.steps)
    return {name: np.asarray(value) for name, value in scores(found[:, -1], labels).items()} | {
        "by_step": (found.argmax(-1) == labels[:, None]).mean(0),
        "confusion": confusion,
        "input_spikes": np.asarray(sent[0]),
        "spikes": np.asarray(sum(sent[1:])),
        "synaptic": np.asarray(counts.synaptic),
        "macs": np.asarray(counts.macs),
        "updates": np.asarray(counts.updates),
        "picojoules": np.asarray(ledger().energy(counts)),
        "parameters": np.asarray(parameters(model)),
    }


def counts_by_step(model: Classifier, x: Any, look: Callable[[Any], jax.Array]) -> jax.Array:
    """What `look` makes of the layers' numbers of spikes so far, after each step: [n, steps, ...]
    for images x [n, pixels] that are currents."""
    layers, drive = model.layers, model.code.drive(x)
    assert drive is not None
    found = bpc.simulate(
        layers, single(layers.rest(x.shape[:1])), layers.weighted(drive),
        t1=model.steps * model.dt, dt=model.dt, solver=surrogate(), max_steps=model.steps + 1,
        saveat=dfx.SaveAt(steps=True, fn=lambda t, y, args: look(y.counts)),
    )  # fmt: skip
    assert found.ys is not None
    return jnp.moveaxis(found.ys[: model.steps], 0, 1)


def parameters(model: Classifier) -> int:
    """How many numbers of a network are learned."""
    return sum(a.size for a in jax.tree.leaves(eqx.filter(model, learned(model))))


def operations(
    model: Classifier, pixels: int, sent: Sequence[Any], steps: Any, seen: float = 1.0
) -> cost.Counts:
    """Of an image of so many pixels in so many steps: `sent` are the spikes of the inputs (0 where
    they are a current, whose products with weights are taken once) and of each layer. `seen` is the
    share of currents that are not spared, as those of black pixels may be.

    Moved between memory and unit are a weight for each product or addition, pixels, and a state
    both ways for each addition and update.
    """
    layers = model.layers.layers
    sources = [pixels, *(layer.size for layer in layers)]
    each = [_products(layer, n) for layer, n in zip(layers, sources, strict=False)]
    synaptic = sum(s * p / n for s, p, n in zip(sent, each, sources, strict=False))
    drive = isinstance(model.code, CurrentCode)
    macs = seen * each[0] if drive else 0.0
    updates = 1.0 * steps * sum(layer.size for layer in layers)
    return cost.Counts(
        synaptic=synaptic,
        macs=macs,
        updates=updates,
        spikes=sum(sent),
        words=macs + (pixels if drive else 0) + 3 * synaptic + 2 * updates,
    )


def _products(layer: bpc.Layer, sources: int) -> int:
    """Synapses of a layer: those of a convolution each time that its kernel is used."""
    weights = layer.weights
    if isinstance(weights, bpc.connect.Convolution):
        return layer.size * int(np.prod(weights.kernel.shape[1:]))
    return layer.size * sources
