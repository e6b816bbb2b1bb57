"""Training on one task after another, and what is then known of all of them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from bpcjax.energies import PredictiveCoding
from bpcjax.models import AbstractPhases

from ..common.data import Split
from ..common.finite import refuse_nan
from ..common.predictive import with_maps
from ..common.scores import in_batches
from .learners import AbstractLearner
from .tasks import Tasks


@eqx.filter_jit
def _task(learner: AbstractLearner, energy, phases: AbstractPhases, state, x, y, order, index, key):
    def step(state, drawn):
        batch, key = drawn
        return learner.step(energy, phases, state, x[batch][:, order], y[batch], key)

    return jax.lax.scan(step, state, (index, jax.random.split(key, len(index))))


@eqx.filter_jit
def _outputs(energy: PredictiveCoding, phases: AbstractPhases, weights, x: Array) -> Array:
    now = with_maps(energy, weights)
    return jax.vmap(lambda x: phases.values(now, x)[1][-1])(x)


def outputs(energy, phases: AbstractPhases, weights: Any, x: np.ndarray) -> np.ndarray:
    """Outputs [n, classes] of a network at rest, without labels."""
    return in_batches(lambda x: _outputs(energy, phases, weights, x), x)[0].astype(float)


def accuracy(energy, phases: AbstractPhases, weights: Any, split: Split, order) -> float:
    """Accuracy on the images of a split with their pixels in this order."""
    found = outputs(energy, phases, weights, split.x[:, order])
    return float((found.argmax(axis=1) == split.labels).mean())


def learn(
    learner: AbstractLearner,
    energy: PredictiveCoding,
    phases: AbstractPhases,
    tasks: Tasks,
    split: Split,
    test: Split,
    seed: int,
    *,
    every: bool = True,
) -> tuple[Any, np.ndarray, np.ndarray]:
    """State after all tasks, accuracy [task learned, task] on those met so far (NaN on later ones),
    and the costs of each task; with `every` False only what was just learned and, at the end, all.
    """
    x = jnp.asarray(split.x)
    y = jax.nn.one_hot(split.labels, split.classes, dtype=x.dtype)
    state, count = learner.start(tuple(a.predict for a in energy.arrows)), len(tasks.order)
    found, costs = np.full((count, count), np.nan), []
    for k in range(count):
        key = jax.random.fold_in(jax.random.key(seed), 100 + k)
        order, index = jnp.asarray(tasks.order[k]), jnp.asarray(tasks.index[k])
        state, spent = _task(learner, energy, phases, state, x, y, order, index, key)
        refuse_nan(state.weights, k + 1)
        state = learner.boundary(state)
        costs.append([float(values.mean()) for values in spent])
        first = 0 if every or k == count - 1 else k
        for j in range(first, k + 1):
            found[k, j] = accuracy(energy, phases, state.weights, test, tasks.order[j])
    return state, found, np.array(costs)
