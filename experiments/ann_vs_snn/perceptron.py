"""The first generation: McCulloch-Pitts units that learn by the perceptron rule.

One unit a class; its synapses change only when it is wrong, by what they see and its error
(Rosenblatt 1958, Psychol. Rev. 65:386). Separable classes are learned after at most
`(R / margin)^2` errors (Novikoff 1962); for others the weights never rest, and their mean along the
way answers (Freund & Schapire 1999, Mach. Learn. 37:277).
"""

import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from tqdm import tqdm

from bpcjax.neurons import McCullochPitts

from ..common import InputError
from ..common.classifier_training import Lessons, altered, flat
from ..common.classifiers import single
from ..common.data import Split


def correction(
    pre: Float[Array, " pre"], post: Float[Array, " post"], wanted: Float[Array, " post"]
) -> Float[Array, "pre post"]:
    """Rosenblatt's change of the synapses of units that gave `post` and should have `wanted`."""
    return pre[:, None] * (wanted - post)[None, :]


class Layered(eqx.Module):
    """One unit a class, on an input and a constant 1; before it may be units with random synapses
    that do not learn, each active for a share of the images."""

    random: Float[Array, "pixels hidden"] | None
    hidden: McCullochPitts | None
    weights: Float[Array, "pre classes"]
    total: Float[Array, "pre classes"]  # of the weights after each image
    images: Float[Array, ""]
    unit: McCullochPitts

    def seen(self, x: Float[Array, "n pixels"]) -> Float[Array, "n pre"]:
        """What the units that learn see."""
        if self.hidden is not None and self.random is not None:
            x = self.hidden.update(x, self.random)
        return jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)

    def sums(self, x: Float[Array, "n pixels"], last: bool = False) -> Float[Array, "n classes"]:
        """What units sum up, of which the largest answers: of the mean weights, or the `last`."""
        return self.seen(x) @ (self.weights if last else self.total / self.images)


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
    model: Layered, x: Float[Array, "n pixels"], wanted: Float[Array, "n classes"]
) -> tuple[Layered, Array, Array]:
    """The model after each image in turn; for each, how many units were wrong before it was
    learned, and the class that they answered by their sums."""

    def step(carry, sample):
        weights, total = carry
        pre, wanted = sample
        sums = pre @ weights
        post = model.unit.update(pre, weights)
        weights = weights + correction(pre, post, wanted)
        return (weights, total + weights), ((post != wanted).sum(), sums.argmax())

    first = model.weights, model.total
    (weights, total), (wrong, answers) = jax.lax.scan(step, first, (model.seen(x), wanted))
    after = weights, total, model.images + len(x)
    return (
        eqx.tree_at(lambda m: (m.weights, m.total, m.images), model, after), wrong, answers
    )  # fmt: skip


class Taught(NamedTuple):
    """The model; `accuracy` [epochs, batches] of images before they were learned, `wrong`
    [epochs] units an image, `test` [epochs] accuracy; `seconds`."""

    model: Layered
    accuracy: np.ndarray
    wrong: np.ndarray
    test: np.ndarray
    seconds: float


def teach(
    model: Layered, split: Split, asked: Split, lessons: Lessons, *, label: str = ""
) -> Taught:
    """`model` after `lessons.epochs` epochs of the rule, image by image; `lessons.batch` only says
    over how many images an accuracy is noted.

    **Raises:** `InputError` for fewer images than a batch.
    """
    if len(split.x) < lessons.batch:
        raise InputError(f"batch: {len(split.x)} images are less than one of {lessons.batch}.")
    began = time.perf_counter()
    x, labels = np.asarray(split.x, np.float32), np.asarray(split.labels)
    wanted = jax.nn.one_hot(jnp.asarray(labels), split.classes, dtype=jnp.float32)
    told, count = flat(np.asarray(asked.x, np.float32), False), len(x) // lessons.batch
    answer = eqx.filter_jit(lambda model, x: model.sums(x).argmax(1))
    rows, wrongs, tests = [], [], []
    with tqdm(total=lessons.epochs, desc=label, leave=False) as bar:
        for epoch in range(lessons.epochs):
            key = jax.random.fold_in(jax.random.key(lessons.seed), 100 + epoch)
            order = np.asarray(jax.random.permutation(key, len(x)))
            shown = flat(altered(jnp.asarray(x[order]), lessons, key), False)
            model, wrong, answers = sweep(model, shown, wanted[order])
            right = (np.asarray(answers) == labels[order])[: count * lessons.batch]
            rows.append(right.reshape(count, -1).mean(1))
            wrongs.append(float(wrong.mean()))
            tests.append(float((np.asarray(answer(model, told)) == asked.labels).mean()))
            bar.set_postfix(wrong=f"{wrongs[-1]:.3f}", test=f"{tests[-1]:.4f}", refresh=False)
            bar.update()
    print(f"  {label}: wrong units an image {wrongs[-1]:.3f}, test {tests[-1]:.4f}", flush=True)
    seconds = time.perf_counter() - began
    return Taught(model, np.array(rows), np.array(wrongs), np.array(tests), seconds)
