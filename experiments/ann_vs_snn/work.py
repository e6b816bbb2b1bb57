"""Networks of three generations: each is trained and tested, and its operations are counted."""

import time
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
    ClassifierConfig,
    augmented,
    counts_by_step,
    examine,
    flat,
    surrogate,
    train,
)
from ..common.classifiers import dense
from ..common.data import Split
from ..common.gradient_training import fit
from ..common.operations import energies, relu_operations, spiking_operations
from ..common.relu_networks import Relu, relu
from ..common.scores import in_batches
from ..common.training import Trained
from .perceptron import start, teach

BATCH = 500  # images that are answered at once
COUNTED = "spikes", "synaptic", "macs", "adds", "updates", "words"


class Task(NamedTuple):
    """Training and test set, hyper-parameters, and where checkpoints are kept."""

    train: Split
    test: Split
    config: ClassifierConfig
    folder: Path | None

    @property
    def x(self) -> jax.Array:
        """The images of the test as rows."""
        return flat(np.asarray(self.test.x, np.float32))

    @property
    def nonzero(self) -> float:
        """The share of their pixels that are not black."""
        return float((np.asarray(self.test.x) != 0).mean())


def clock(run: Callable[[Any], Any], x: Any, repeats: int = 5) -> float:
    """Seconds of the compiled `run(x)`, the least of some; the first call does not count."""
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        jax.block_until_ready(run(x))
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def _metrics(
    task: Task, run: Callable[[Any], Any], counts: cost.Counts, spared: cost.Counts, size: int
) -> dict[str, Any]:
    """What a table has of any network with so many parameters: `run(x)` are its scores."""
    run = eqx.filter_jit(run)
    right = in_batches(run, np.asarray(task.x))[0].argmax(1) == task.test.labels
    metrics = {"accuracy": right.mean(), "parameters": size}
    metrics |= {name: float(getattr(counts, name)) for name in COUNTED}
    metrics |= {"picojoules": energies(counts, size), "spared": energies(spared, size)}
    if task.config.seed == 0:
        metrics["batch_seconds"] = clock(run, task.x[:BATCH]) / len(task.x[:BATCH])
        metrics["one_seconds"] = clock(run, task.x[:1], repeats=50)
    return {name: np.asarray(value) for name, value in metrics.items()}


def perceptron(task: Task, hidden: int, share: float, label: str) -> dict[str, Any]:
    """The perceptron rule on pixels, or on so many random units."""
    train, config = task.train, task.config
    x = flat(np.asarray(train.x[:2000], np.float32))
    model = start(jax.random.key(config.seed), x, train.classes, hidden, share)
    trained = teach(model, train, task.test, config, folder=task.folder, label=label)
    model, (pixels, classes) = trained.model, (x.shape[1], train.classes)

    def count(nonzero: float) -> cost.Counts:
        if not hidden:
            macs, extra = nonzero * pixels * classes, cost.Counts()
        else:  # units that are active select weights
            active = float(model.inputs(task.x)[:, :-1].sum(1).mean())
            macs = nonzero * pixels * hidden
            extra = cost.Counts(synaptic=active * classes, spikes=active, adds=1.0 * hidden)
            extra += cost.Counts(words=3 * active * classes + 2 * hidden)
        return extra + cost.Counts(macs=macs, adds=1.0 * classes, words=macs + pixels + classes)

    size = model.weights.size + (hidden * (pixels + 1))
    metrics = _metrics(task, model.sums, count(1.0), count(task.nonzero), size)
    last = in_batches(eqx.filter_jit(lambda x: model.sums(x, True)), np.asarray(task.x))[0]
    return metrics | _curves(trained) | {
        "steps": np.asarray(1),
        "last": np.asarray((last.argmax(1) == task.test.labels).mean()),
    }  # fmt: skip


def rectified(task: Task, hidden: int, label: str) -> dict[str, Any]:
    """The second generation: rectified numbers, the same optimiser, epochs and batches."""
    train, config, test_x = task.train, task.config, task.x
    sizes = test_x.shape[1], hidden, train.classes
    model = relu(jax.random.key(config.seed), sizes)

    def loss(model: Relu, x: Any, y: Any, key: Any):
        outputs = model(flat(augmented(x, config, jax.random.split(key)[0])))
        value = optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return value, {"accuracy": (outputs.argmax(-1) == y).mean()}

    def evaluate(model: Relu):
        return {"test": (model(test_x).argmax(-1) == jnp.asarray(task.test.labels)).mean()}

    trained = fit(
        model, jax.tree.map(lambda leaf: True, model), loss, np.asarray(train.x, np.float32),
        train.labels, config, evaluate=evaluate, folder=task.folder, label=label,
    )  # fmt: skip
    model = trained.model
    active = float((model.layers(test_x)[0] > 0).sum(1).mean())
    spared = relu_operations(sizes, task.nonzero, [active])
    size = sum(leaf.size for leaf in jax.tree.leaves(model))
    return _metrics(task, model, relu_operations(sizes), spared, size) | _curves(trained) | {
        "steps": np.asarray(1), "active": np.asarray(active),
    }  # fmt: skip


def _curves(trained: Trained) -> dict[str, np.ndarray]:
    names = {"loss": "batch_loss", "accuracy": "batch_accuracy"}
    curves = {names.get(name, name): values for name, values in trained.history.items()}
    return curves | {"seconds": np.asarray(trained.seconds)}


def spiking(task: Task, model: Classifier, label: str) -> dict[str, Any]:
    """The third generation: spikes, by surrogate derivatives."""
    trained = train(model, task.train, task.config, test=task.test, folder=task.folder, label=label)
    model, pixels = trained.model, task.x.shape[1]
    report = examine(model, task.test)
    sent = [float(report["input_spikes"]), float(report["spikes"])]

    def count(nonzero: float) -> cost.Counts:
        return spiking_operations(model, pixels, sent, model.steps, nonzero)

    def run(x):
        return model(x, key=jax.random.key(8), solver=surrogate()).scores[-1]

    size = int(report["parameters"])
    metrics = _metrics(task, run, count(1.0), count(task.nonzero), size) | _curves(trained) | {
        "steps": np.asarray(model.steps),
        "input_spikes": report["input_spikes"],
        "by_step": report["by_step"],
    }  # fmt: skip
    if not sent[0]:
        sums = eqx.filter_jit(lambda x: counts_by_step(model, x, lambda counts: counts[0].sum(-1)))
        metrics["spikes_by_step"] = in_batches(sums, np.asarray(task.x))[0].mean(axis=0)
    return metrics


def with_spikes(sizes: tuple[int, int, int], steps: int) -> Callable[[float], cost.Counts]:
    """The operations of a spiking network of these sizes whose hidden neurons send S spikes."""
    model = dense(jax.random.key(0), sizes, steps=steps)
    return lambda spikes: spiking_operations(model, sizes[0], [0.0, spikes], steps)
