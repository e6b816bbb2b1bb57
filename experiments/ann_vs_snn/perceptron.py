"""The first generation: McCulloch-Pitts units that learn by the perceptron rule.

One unit a class; its synapses change only when it is wrong, by what they see and its error
(Rosenblatt 1958, Psychol. Rev. 65:386). Separable classes are learned after at most
`(R / margin)^2` errors (Novikoff 1962); for others the weights never rest, and their mean along the
way answers (Freund & Schapire 1999, Mach. Learn. 37:277).
"""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bpcjax.neurons import McCullochPitts

from ..common import InputError
from ..common.classifier_training import ClassifierConfig, augmented, flat
from ..common.data import Split
from ..common.precision import single
from ..common.training import Metrics, Trained, checkpoint, epoch_key, run_epochs


def correction(
    pre: Float[Array, " pre"], post: Float[Array, " post"], target: Float[Array, " post"]
) -> Float[Array, "pre post"]:
    """Rosenblatt's change of the synapses of units that gave `post` instead of `target`."""
    return pre[:, None] * (target - post)[None, :]


class Layered(eqx.Module):
    """One unit a class, on an input and a constant 1; before it may be units with random synapses
    that do not learn, each active for a share of the images."""

    random: Float[Array, "pixels hidden"] | None
    hidden: McCullochPitts | None
    weights: Float[Array, "pre classes"]
    total: Float[Array, "pre classes"]  # of the weights after each image
    images: Float[Array, ""]
    unit: McCullochPitts

    def inputs(self, x: Float[Array, "n pixels"]) -> Float[Array, "n pre"]:
        """Inputs of the units that learn."""
        if self.hidden is not None and self.random is not None:
            x = self.hidden.update(x, self.random)
        return jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)

    def sums(self, x: Float[Array, "n pixels"], last: bool = False) -> Float[Array, "n classes"]:
        """What units sum up, of which the largest answers: of the mean weights, or the `last`."""
        return self.inputs(x) @ (self.weights if last else self.total / self.images)


def start(key: Any, x: Float[Array, "n pixels"], classes: int, hidden: int, share: float):
    """Synapses that are all 0, behind so many random units (none for 0) that are active for a
    `share` of the images `x`."""
    random = layer = None
    width = x.shape[1]
    if hidden:
        random = jax.random.normal(key, (width, hidden), jnp.float32) / width**0.5
        layer, width = (
            McCullochPitts(jnp.quantile(x @ random, 1 - share, axis=0, keepdims=True)),
            hidden,
        )
    zeros = jnp.zeros((width + 1, classes), jnp.float32)
    unit = McCullochPitts(jnp.zeros(()))
    return single(Layered(random, layer, zeros, zeros, jnp.ones(()), unit))


@eqx.filter_jit
def sweep(
    model: Layered, x: Float[Array, "n pixels"], targets: Float[Array, "n classes"]
) -> tuple[Layered, Array, Array]:
    """The model after each image in turn; for each, how many units were wrong before it was
    learned, and the class that they answered by their sums."""

    def step(carry, sample):
        weights, total = carry
        pre, target = sample
        sums = pre @ weights
        post = model.unit.update(pre, weights)
        weights = weights + correction(pre, post, target)
        return (weights, total + weights), ((post != target).sum(), sums.argmax())

    first = model.weights, model.total
    (weights, total), (wrong, answers) = jax.lax.scan(step, first, (model.inputs(x), targets))
    after = weights, total, model.images + len(x)
    return (
        eqx.tree_at(lambda m: (m.weights, m.total, m.images), model, after), wrong, answers
    )  # fmt: skip


def teach(
    model: Layered,
    train: Split,
    test: Split,
    config: ClassifierConfig,
    *,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` after `config.epochs` epochs of the rule, image by image. Metrics: `accuracy`
    [epochs, batches] of images before they were learned, `wrong` [epochs] units an image, and the
    accuracy on the `test` set [epochs]; `config.batch` only says over how many images an accuracy
    is noted.

    **Raises:** `InputError` for fewer images than a batch.
    """
    count = len(train.x) // config.batch
    if count < 1:
        raise InputError(f"batch: {len(train.x)} images are less than one of {config.batch}.")
    x, labels = np.asarray(train.x, np.float32), np.asarray(train.labels)
    targets = jax.nn.one_hot(jnp.asarray(labels), train.classes, dtype=jnp.float32)
    test_x = flat(np.asarray(test.x, np.float32))
    answer = eqx.filter_jit(lambda model, x: model.sums(x).argmax(1))

    def update(model: Layered, epoch: int) -> tuple[Layered, Metrics]:
        key = epoch_key(config, epoch)
        order = np.asarray(jax.random.permutation(key, len(x)))
        images = flat(augmented(jnp.asarray(x[order]), config, key))
        model, wrong, answers = sweep(model, images, targets[order])
        right = (np.asarray(answers) == labels[order])[: count * config.batch]
        return model, {
            "accuracy": right.reshape(count, -1).mean(1),
            "wrong": wrong.mean(),
            "test": (np.asarray(answer(model, test_x)) == test.labels).mean(),
        }

    about = ["perceptron", dataclasses.asdict(config), label]
    path = checkpoint(folder, about, x, labels, *jax.tree.leaves(model))
    return run_epochs(update, model, config.epochs, path=path, label=label, stop_after=stop_after)
