"""Learning by the derivative of spike times: no surrogate, the plain gradient of a solve.

The loss is a cross-entropy of minus first-spike times. A neuron that stays silent has no such
time, and no derivative: what is done then is written at `Course`.
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
from ..common.data import Split
from ..common.scores import in_batches
from ..common.training import Fitted, Fitting, batched, fit, moved
from .networks import Answer, Batched, Code, FirstSpikes, answers, drawn, one_by_one


@dataclasses.dataclass(frozen=True)
class Course(Fitting):
    """How a network is trained, and what is done about neurons that are silent.

    In the loss a silent output stands at the end of the solve, where its time cannot move. If it
    is the right one, the distance of its potential at the end from threshold is added `silent`
    times; of all hidden neurons that are silent the mean distance is added `hidden` times. These
    have derivatives, and bring a neuron back. An input to which no output fires has no answer: it
    counts as wrong, and as unanswered.
    """

    tau: float = 0.5
    """Times over this (ms) are the scores."""
    silent: float = 1.0
    hidden: float = 1.0
    shift: int = 0
    """By up to so many pixels images are moved at random, up and down, left and right."""


def learned(model: Any) -> Any:
    """Truths for the leaves that are learned: both weights, and the bias."""
    return jax.tree.map(eqx.is_inexact_array, model)


def _moved(x, shift: int, key):
    """Images, flat, moved at random."""
    side = round(x.shape[-1] ** 0.5)
    return moved(x.reshape(-1, side, side), shift, key).reshape(x.shape)


def right(model: FirstSpikes, found: Answer, labels: Any) -> jax.Array:
    """Whether the first output to fire is that of the label; no answer is wrong."""
    times, fired = model.outputs(found.times), model.outputs(found.fired)
    return (times.argmin(-1) == labels) & fired.any(-1)


def loss(course: Course, code: Code, run: Batched | None = None):
    """The loss of a batch, and what is noted of it: shares of right answers, of silent hidden
    neurons, of silent right outputs, of images without answer, of solves that failed. `run` says
    how a batch is answered: by `answers(code)` unless told otherwise."""
    run = answers(code) if run is None else run

    def of(model: FirstSpikes, x, labels, key):
        x = _moved(x, course.shift, key) if course.shift else x
        found = run(model, x)
        times, fired = model.outputs(found.times), model.outputs(found.fired)
        below = jax.nn.relu(1 - found.potential)
        entropy = optax.softmax_cross_entropy_with_integer_labels(-times / course.tau, labels)
        lost = (jnp.arange(times.shape[-1])[None] == labels[:, None]) & ~fired
        quiet = ~found.fired[:, : model.hidden]
        value = (
            entropy.mean()
            + course.silent * jnp.where(lost, model.outputs(below), 0.0).sum(-1).mean()
            + course.hidden * jnp.where(quiet, below[:, : model.hidden], 0.0).mean()
        )
        return value, {
            "accuracy": right(model, found, labels).mean(),
            "silent_hidden": quiet.mean(),
            "silent_right": lost.any(-1).mean(),
            "unanswered": (~fired.any(-1)).mean(),
            "failed": (~found.ok).mean(),
        }

    return of


def train(
    model: FirstSpikes,
    code: Code,
    split: Split,
    course: Course,
    *,
    asked: Split | None = None,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Fitted:
    """`model` after `course.epochs` epochs on `split`; after each its accuracy on `asked`.

    **Raises:** `InputError` if a solve failed, and as `fit` does.
    """

    def ask(model):
        assert asked is not None
        x = jnp.asarray(flat(asked.x))
        found = batched(lambda x: answers(code)(model, x), x)
        return {"test": right(model, found, jnp.asarray(asked.labels)).mean()}

    done = fit(
        model, learned(model), loss(course, code), flat(split.x), split.labels, course,
        ask=None if asked is None else ask, folder=folder, label=label, stop_after=stop_after,
    )  # fmt: skip
    if np.nansum(done.batches["failed"]):
        raise InputError(f"{label}: a solve failed while it learned. Pass a smaller step.")
    return done


def flat(x: np.ndarray) -> np.ndarray:
    """Inputs as rows, in the precision of the run."""
    return np.asarray(x, jnp.result_type(float)).reshape(len(x), -1)


def gradients_apart(
    model: FirstSpikes, code: Code, course: Course, split: Split
) -> dict[str, np.ndarray]:
    """How far the gradient of the loss of a batch lies from that of the true flow, which
    `OrderedSpikes` gives: the length of what is `between`, relative, and the `cosine`."""
    x, labels = jnp.asarray(flat(split.x)), jnp.asarray(split.labels)
    found = []
    for run in (answers(code), one_by_one(code)):
        slope = jax.jit(jax.grad(lambda m, run=run: loss(course, code, run)(m, x, labels, None)[0]))
        found.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(slope(model))]))
    local, exact = found
    size = np.linalg.norm(exact)
    return {
        "between": np.asarray(np.linalg.norm(local - exact) / size),
        "cosine": np.asarray(local @ exact / (size * np.linalg.norm(local))),
    }


@eqx.filter_jit
def _some(model: FirstSpikes, code: Code, x: Any) -> Answer:
    return answers(code)(model, x)


def answered(model: FirstSpikes, code: Code, x: np.ndarray, size: int = 200) -> Answer:
    """What a model does with however many inputs, by one program for all sets: `size` at a time."""
    rows = flat(x)
    padded = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % size, axis=0)])
    leaves = in_batches(lambda x: _some(model, code, x), padded, size)
    return Answer(*(leaf[: len(rows)] for leaf in leaves))


def examine(model: FirstSpikes, code: Code, asked: Split) -> dict[str, Any]:
    """On a test set: `accuracy`; the `confusion` [label, answer], its last column those without
    answer; spikes an input; shares of silent hidden neurons and of neurons silent for all inputs;
    `unanswered` inputs; `first` times of the answers (the end of the solve where there is none);
    all spikes of the first input (`raster`); all hidden and output times, in 64 bins of the
    solve."""
    found = answered(model, code, asked.x)
    if not found.ok.all():
        raise InputError("a solve failed on the test set. Pass a smaller step.")
    times, fired = model.outputs(found.times), model.outputs(found.fired)
    labels, classes = np.asarray(asked.labels), asked.classes
    answer = np.where(fired.any(1), times.argmin(1), classes)
    confusion = np.zeros((classes, classes + 1), int)
    np.add.at(confusion, (labels, answer), 1)
    bins = np.linspace(0, model.t1, 65)
    quiet = ~found.fired[:, : model.hidden]
    return {
        "accuracy": np.asarray((answer == labels).mean()),
        "confusion": confusion,
        "spikes": np.asarray(found.fired.sum(1).mean()),
        "silent_hidden": np.asarray(quiet.mean()),
        "never": np.asarray(quiet.all(0).mean()),
        "silent_outputs": np.asarray((~fired).mean()),
        "unanswered": np.asarray((~fired.any(1)).sum()),
        "first": times.min(1),
        "raster": np.where(found.fired[0], found.times[0], np.nan),
        "hidden_times": np.histogram(found.times[:, : model.hidden][~quiet], bins)[0],
        "output_times": np.histogram(times[fired], bins)[0],
    }


def solve_exclusive_or(course: Course, code: Code, split: Split, seeds: int, hidden: int, **times):
    """Networks of several seeds at once, each learning the four points: the share of them that is
    right after each epoch [epochs, seeds], the mean loss of batches, and the networks."""
    keys = jax.random.split(jax.random.key(11), seeds)
    sizes = split.x.shape[1], hidden, split.classes
    models = jax.vmap(lambda key: drawn(key, sizes, spikes=sizes[0], **times))(keys)
    one = loss(course, code)

    def of(models, x, labels, key):
        value, notes = jax.vmap(lambda model: one(model, x, labels, key))(models)
        return value.sum(), {name: found.mean() for name, found in notes.items()}

    def ask(models):
        x, labels = jnp.asarray(flat(split.x)), jnp.asarray(split.labels)
        return {
            "solved": jax.vmap(lambda model: right(model, answers(code)(model, x), labels).mean())(
                models
            )
        }

    repeated = np.tile(flat(split.x), (100, 1)), np.tile(split.labels, 100)
    return fit(models, learned(models), of, *repeated, course, ask=ask, label="exclusive or")
