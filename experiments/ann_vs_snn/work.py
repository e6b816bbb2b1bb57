"""The networks of three generations: each learns, is asked, and its operations are counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from bpcjax import cost
from bpcjax.models import Classifier

from ..common.classifier_training import (
    Lessons,
    altered,
    counts_by_step,
    examine,
    flat,
    operations as spiking_operations,
    surrogate,
    train,
)
from ..common.classifiers import dense
from ..common.data import Split
from ..common.relu_networks import Relu, clock, energies, operations, relu
from ..common.scores import in_batches
from ..common.training import fit
from .perceptron import start, teach

BATCH = 500  # images that are answered at once
COUNTED = "spikes", "synaptic", "macs", "adds", "updates", "words"


class Task(NamedTuple):
    """What is learned, what is asked, how, and where checkpoints are kept."""

    learn: Split
    asked: Split
    lessons: Lessons
    folder: Path | None

    @property
    def x(self) -> jax.Array:
        """The images of the test as rows."""
        return flat(np.asarray(self.asked.x, np.float32), False)

    @property
    def seen(self) -> float:
        """The share of their pixels that are not black."""
        return float((np.asarray(self.asked.x) != 0).mean())


def _told(
    task: Task, run: Callable[[Any], Any], counts: cost.Counts, spared: cost.Counts, size: int
) -> dict[str, Any]:
    """What a table says of any network: `run(x)` are its scores."""
    run = eqx.filter_jit(run)
    right = in_batches(run, np.asarray(task.x))[0].argmax(1) == task.asked.labels
    found = {"accuracy": right.mean(), "parameters": size}
    found |= {name: float(getattr(counts, name)) for name in COUNTED}
    found |= {"picojoules": energies(counts, size), "spared": energies(spared, size)}
    if task.lessons.seed == 0:
        found["batch_seconds"] = clock(run, task.x[:BATCH]) / len(task.x[:BATCH])
        found["one_seconds"] = clock(run, task.x[:1], repeats=50)
    return {name: np.asarray(value) for name, value in found.items()}


def perceptron(task: Task, hidden: int, share: float, label: str) -> dict[str, Any]:
    """The perceptron rule on pixels, or on so many random units."""
    learn, lessons = task.learn, task.lessons
    x = flat(np.asarray(learn.x[:2000], np.float32), False)
    model = start(jax.random.key(lessons.seed), x, learn.classes, hidden, share)
    done = teach(model, learn, task.asked, lessons, label=label)
    model, (pixels, classes) = done.model, (x.shape[1], learn.classes)

    def count(seen: float) -> cost.Counts:
        if not hidden:
            macs, extra = seen * pixels * classes, cost.Counts()
        else:  # units that are active select weights
            active = float(model.seen(task.x)[:, :-1].sum(1).mean())
            macs = seen * pixels * hidden
            extra = cost.Counts(synaptic=active * classes, spikes=active, adds=1.0 * hidden)
            extra += cost.Counts(words=3 * active * classes + 2 * hidden)
        return extra + cost.Counts(macs=macs, adds=1.0 * classes, words=macs + pixels + classes)

    size = model.weights.size + (hidden * (pixels + 1))
    found = _told(task, model.sums, count(1.0), count(task.seen), size)
    last = in_batches(eqx.filter_jit(lambda x: model.sums(x, True)), np.asarray(task.x))[0]
    return found | {
        "steps": np.asarray(1),
        "seconds": np.asarray(done.seconds),
        "batch_accuracy": done.accuracy,
        "test": done.test,
        "wrong": done.wrong,
        "last": np.asarray((last.argmax(1) == task.asked.labels).mean()),
    }


def rectified(task: Task, hidden: int, label: str) -> dict[str, Any]:
    """The second generation: rectified numbers, the same optimiser, epochs and batches."""
    learn, lessons, asked = task.learn, task.lessons, task.x
    sizes = asked.shape[1], hidden, learn.classes
    model = relu(jax.random.key(lessons.seed), sizes)

    def loss(model: Relu, x: Any, y: Any, key: Any):
        found = model(flat(altered(x, lessons, jax.random.split(key)[0]), False))
        value = optax.softmax_cross_entropy_with_integer_labels(found, y).mean()
        return value, {"accuracy": (found.argmax(-1) == y).mean()}

    def ask(model: Relu):
        return {"test": (model(asked).argmax(-1) == jnp.asarray(task.asked.labels)).mean()}

    done = fit(
        model, jax.tree.map(lambda leaf: True, model), loss, np.asarray(learn.x, np.float32),
        learn.labels, lessons, ask=ask, folder=task.folder, label=label,
    )  # fmt: skip
    model = done.model
    active = float((model.layers(asked)[0] > 0).sum(1).mean())
    spared = operations(sizes, task.seen, [active])
    size = sum(leaf.size for leaf in jax.tree.leaves(model))
    return _told(task, model, operations(sizes), spared, size) | _curves(done) | {
        "steps": np.asarray(1), "active": np.asarray(active),
    }  # fmt: skip


def _curves(done: Any) -> dict[str, np.ndarray]:
    return {
        "batch_loss": done.batches["loss"],
        "batch_accuracy": done.batches["accuracy"],
        "test": done.after["test"],
        "seconds": np.asarray(done.seconds),
    }


def spiking(task: Task, model: Classifier, label: str) -> dict[str, Any]:
    """The third generation: spikes, by surrogate derivatives."""
    done = train(model, task.learn, task.lessons, asked=task.asked, folder=task.folder, label=label)
    model, pixels = done.model, task.x.shape[1]
    found = examine(model, task.asked)
    sent = [float(found["input_spikes"]), float(found["spikes"])]

    def count(seen: float) -> cost.Counts:
        return spiking_operations(model, pixels, sent, model.steps, seen)

    def run(x):
        return model(x, key=jax.random.key(8), solver=surrogate()).scores[-1]

    size = int(found["parameters"])
    told = _told(task, run, count(1.0), count(task.seen), size) | _curves(done) | {
        "steps": np.asarray(model.steps),
        "input_spikes": found["input_spikes"],
        "by_step": found["by_step"],
    }  # fmt: skip
    if not sent[0]:
        sums = eqx.filter_jit(lambda x: counts_by_step(model, x, lambda counts: counts[0].sum(-1)))
        told["spikes_by_step"] = in_batches(sums, np.asarray(task.x))[0].mean(axis=0)
    return told


def with_spikes(sizes: tuple[int, int, int], steps: int) -> Callable[[float], cost.Counts]:
    """The operations of a spiking network of these sizes whose hidden neurons send S spikes."""
    model = dense(jax.random.key(0), sizes, steps=steps)
    return lambda spikes: spiking_operations(model, sizes[0], [0.0, spikes], steps)
