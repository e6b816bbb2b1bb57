"""What a learner knows at the end: of every task, of its own doubt, of images of another set."""

from typing import Any

import jax
import numpy as np
from scipy.special import softmax

from bpcjax.models import AbstractPhases

from ..common.scores import STATISTICS as STATISTICS, auroc, doubt, scores
from .learners import AbstractLearner, Filtered
from .tasks import Images, Tasks, first
from .training import learn, outputs

READINGS = "point", "tempered", "draws", "draws, tempered"
SCORES = "accuracy", "nll", "ece"
SURE = 0.05, 0.5, 0.95  # quantiles of deviations
TEMPERATURES = tuple(np.geomspace(0.25, 4, 41))
EACH = 500  # images a task, where all tasks are read


def measured(
    learner: AbstractLearner,
    energy,
    phases: AbstractPhases,
    tasks: Tasks,
    images: Images,
    seed: int,
    draws: int,
) -> dict[str, np.ndarray]:
    """Accuracy [after, task] on some test images while tasks come, and at the end: accuracy on all
    of them by task `final`, `scores` [reading, score] over all tasks, areas `out` [first or last
    task, statistic] under the curve of images of the other set against those of the test.

    Draws are averaged where a learner has variances, and its point elsewhere. Temperatures are
    chosen by the NLL of held-out images of all tasks. `out` is of averages without a temperature.
    """  # fmt: skip
    few = first(images.test, EACH)
    state, matrix, costs = learn(
        learner, energy, phases, tasks, images.learned, few, seed, every=True
    )

    def values(x: np.ndarray, order: np.ndarray, weights: list) -> np.ndarray:
        return np.stack([outputs(energy, phases, w, x[:, order]) for w in weights])

    point = [state.weights]
    several = point
    if isinstance(state, Filtered):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), draws)
        several = [learner.draw(state, key) for key in keys]
    final, orders = images.test, tasks.order
    held = first(images.chosen, EACH)
    table = []
    for weights in (point, several):
        validation = np.concatenate([values(held.x, o, weights) for o in orders], axis=1)
        tests = np.concatenate([values(few.x, o, weights) for o in orders], axis=1)
        heat = min(TEMPERATURES, key=lambda t: _score(validation, held.labels, t)["nll"])
        rows = (_score(tests, few.labels, t) for t in (1.0, heat))
        table += [[row[name] for name in SCORES] for row in rows]
    ends = []
    for order in (orders[0], orders[-1]):
        inside, outside = (
            doubt(softmax(values(x, order, several), axis=-1)) for x in (final.x, images.other)
        )
        ends.append([auroc(a, b) for a, b in zip(inside, outside, strict=True)])
    known = [(values(final.x, o, point)[0].argmax(axis=1) == final.labels).mean() for o in orders]
    return {
        "matrix": matrix, "costs": costs, "final": np.array(known), "scores": np.array(table),
        "out": np.array(ends), "deviations": _deviations(state),
    }  # fmt: skip


def _score(values: np.ndarray, labels: np.ndarray, temperature: float) -> dict[str, float]:
    """Scores of outputs [draw, task n, classes] averaged over draws, the labels those of a task."""
    mean = softmax(values / temperature, axis=-1).mean(axis=0)
    return scores(np.log(mean + 1e-30), np.tile(labels, len(mean) // len(labels)))


def _deviations(state: Any) -> np.ndarray:
    """Quantiles [layer, quantile] of the deviations of weights, NaN where there are none."""
    if not isinstance(state, Filtered):
        return np.full((len(state.weights), len(SURE)), np.nan)
    return np.array([np.quantile(m.weights, SURE) for m in state.own.deviation])
