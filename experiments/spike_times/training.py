"""Training by the derivative of spike times: no surrogate, the plain gradient of a solve.

The loss is a cross-entropy of minus first-spike times. A neuron that stays silent has no such
time, and no derivative: what is done then is written at `SpikeTimesConfig`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..common import InputError
from ..common.augmentation import shift
from ..common.classifier_training import confusion_matrix
from ..common.data import Split
from ..common.gradient_training import FitConfig, batched, fit
from ..common.scores import in_batches
from ..common.training import Trained
from .networks import Answer, Batched, Code, FirstSpikes, answers, exact_answers, init_network


@dataclasses.dataclass(frozen=True)
class SpikeTimesConfig(FitConfig):
    """Hyper-parameters of training, and what is done about neurons that are silent.

    In the loss a silent output stands at the end of the solve, where its time cannot move. If it
    is the right one, the distance of its potential at the end from threshold is added
    `silent_output` times; of all hidden neurons that are silent the mean distance is added
    `silent_hidden` times. These have derivatives, and bring a neuron back. An input to which no
    output fires has no answer: it counts as wrong, and as unanswered.
    """

    tau: float = 0.5
    """Times over this (ms) are the scores."""
    silent_output: float = 1.0
    silent_hidden: float = 1.0
    shift: int = 0
    """By up to so many pixels images are shifted at random, up and down, left and right."""


def _trainable(model: Any) -> Any:
    """Mask of trainable leaves: both weights, and the bias."""
    return jax.tree.map(eqx.is_inexact_array, model)


def _shifted(x, pixels: int, key):
    """Images, flat, shifted at random."""
    side = round(x.shape[-1] ** 0.5)
    return shift(x.reshape(-1, side, side), pixels, key).reshape(x.shape)


def right(model: FirstSpikes, answer: Answer, labels: Any) -> jax.Array:
    """Whether the first output to fire is that of the label; no answer is wrong."""
    times, fired = model.outputs(answer.times), model.outputs(answer.fired)
    return (times.argmin(-1) == labels) & fired.any(-1)


def loss(config: SpikeTimesConfig, code: Code, run: Batched | None = None):
    """The loss of a batch, and further metrics: shares of right answers, of silent hidden neurons,
    of silent right outputs, of images without answer, of solves that failed. `run` is what answers
    a batch, `answers(code)` by default."""
    run = answers(code) if run is None else run

    def batch_loss(model: FirstSpikes, x, labels, key):
        x = _shifted(x, config.shift, key) if config.shift else x
        answer = run(model, x)
        times, fired = model.outputs(answer.times), model.outputs(answer.fired)
        below = jax.nn.relu(1 - answer.potential)
        entropy = optax.softmax_cross_entropy_with_integer_labels(-times / config.tau, labels)
        lost = (jnp.arange(times.shape[-1])[None] == labels[:, None]) & ~fired
        quiet = ~answer.fired[:, : model.hidden]
        value = (
            entropy.mean()
            + config.silent_output * jnp.where(lost, model.outputs(below), 0.0).sum(-1).mean()
            + config.silent_hidden * jnp.where(quiet, below[:, : model.hidden], 0.0).mean()
        )
        return value, {
            "accuracy": right(model, answer, labels).mean(),
            "silent_hidden": quiet.mean(),
            "silent_right": lost.any(-1).mean(),
            "unanswered": (~fired.any(-1)).mean(),
            "failed": (~answer.ok).mean(),
        }

    return batch_loss


def train(
    model: FirstSpikes,
    code: Code,
    train: Split,
    config: SpikeTimesConfig,
    *,
    test: Split | None = None,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` after `config.epochs` epochs on `train`; after each its accuracy on `test`.

    **Raises:** `InputError` if a solve failed, and as `fit` does.
    """

    def evaluate(model):
        if test is None:
            return {}
        answer = batched(lambda x: answers(code)(model, x), jnp.asarray(flat(test.x)))
        return {"test": right(model, answer, jnp.asarray(test.labels)).mean()}

    trained = fit(
        model, _trainable(model), loss(config, code), flat(train.x), train.labels, config,
        evaluate=evaluate, folder=folder, label=label, stop_after=stop_after,
    )  # fmt: skip
    if np.nansum(trained.history["failed"]):
        raise InputError(f"{label}: a solve failed in training. Pass a smaller step.")
    return trained


def flat(x: np.ndarray) -> np.ndarray:
    """Inputs as rows, in the precision of the run."""
    return np.asarray(x, jnp.result_type(float)).reshape(len(x), -1)


def gradients_apart(
    model: FirstSpikes, code: Code, config: SpikeTimesConfig, split: Split
) -> dict[str, np.ndarray]:
    """How far the gradient of the loss of a batch lies from that of the true flow, which
    `OrderedSpikes` gives: the length of what is `between`, relative, and the `cosine`."""
    x, labels = jnp.asarray(flat(split.x)), jnp.asarray(split.labels)
    slopes = []
    for run in (answers(code), exact_answers(code)):
        slope = jax.jit(jax.grad(lambda m, run=run: loss(config, code, run)(m, x, labels, None)[0]))
        slopes.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(slope(model))]))
    local, exact = slopes
    size = np.linalg.norm(exact)
    return {
        "between": np.asarray(np.linalg.norm(local - exact) / size),
        "cosine": np.asarray(local @ exact / (size * np.linalg.norm(local))),
    }


@eqx.filter_jit
def _answer_some(model: FirstSpikes, code: Code, x: Any) -> Answer:
    return answers(code)(model, x)


def answer_all(model: FirstSpikes, code: Code, x: np.ndarray, size: int = 200) -> Answer:
    """Answers to however many inputs, by one program for all sets: `size` at a time."""
    rows = flat(x)
    padded = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % size, axis=0)])
    leaves = in_batches(lambda x: _answer_some(model, code, x), padded, size)
    return Answer(*(leaf[: len(rows)] for leaf in leaves))


def examine(model: FirstSpikes, code: Code, test: Split) -> dict[str, Any]:
    """On a test set: `accuracy`; the `confusion` [label, answer], its last column those without
    answer; spikes an input; shares of silent hidden neurons and of neurons silent for all inputs;
    `unanswered` inputs; `first` times of the answers (the end of the solve where there is none);
    all spikes of the first input (`raster`); all hidden and output times, in 64 bins of the
    solve."""
    answer = answer_all(model, code, test.x)
    if not answer.ok.all():
        raise InputError("a solve failed on the test set. Pass a smaller step.")
    times, fired = model.outputs(answer.times), model.outputs(answer.fired)
    labels, classes = np.asarray(test.labels), test.classes
    first = np.where(fired.any(1), times.argmin(1), classes)
    bins = np.linspace(0, model.t1, 65)
    quiet = ~answer.fired[:, : model.hidden]
    return {
        "accuracy": np.asarray((first == labels).mean()),
        "confusion": confusion_matrix(labels, first, classes + 1)[:classes],
        "spikes": np.asarray(answer.fired.sum(1).mean()),
        "silent_hidden": np.asarray(quiet.mean()),
        "never": np.asarray(quiet.all(0).mean()),
        "silent_outputs": np.asarray((~fired).mean()),
        "unanswered": np.asarray((~fired.any(1)).sum()),
        "first": times.min(1),
        "raster": np.where(answer.fired[0], answer.times[0], np.nan),
        "hidden_times": np.histogram(answer.times[:, : model.hidden][~quiet], bins)[0],
        "output_times": np.histogram(times[fired], bins)[0],
    }


def solve_exclusive_or(
    config: SpikeTimesConfig, code: Code, split: Split, seeds: int, hidden: int, **options
) -> Trained:
    """Networks of several seeds at once, each trained on the four points: metrics are the share of
    them that is right after each epoch, `solved` [epochs, seeds], and the sum over seeds of the
    loss of batches."""
    keys = jax.random.split(jax.random.key(11), seeds)
    sizes = split.x.shape[1], hidden, split.classes
    models = jax.vmap(lambda key: init_network(key, sizes, spikes=sizes[0], **options))(keys)
    one = loss(config, code)

    def batch_loss(models, x, labels, key):
        value, metrics = jax.vmap(lambda model: one(model, x, labels, key))(models)
        return value.sum(), {name: values.mean() for name, values in metrics.items()}

    def evaluate(models):
        x, labels = jnp.asarray(flat(split.x)), jnp.asarray(split.labels)

        def accuracy(model):
            return right(model, answers(code)(model, x), labels).mean()

        return {"solved": jax.vmap(accuracy)(models)}

    repeated = np.tile(flat(split.x), (100, 1)), np.tile(split.labels, 100)
    return fit(
        models, _trainable(models), batch_loss, *repeated, config, evaluate=evaluate,
        label="exclusive or",
    )  # fmt: skip
