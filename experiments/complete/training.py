"""Training of the bidirectional network on whole images, by local products."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from bpcjax.energies import PredictiveCoding
from bpcjax.learning import hebbian
from bpcjax.models.predictive.bidirectional import ClampedPhase, bidirectional, misfits

from ..common.data import Split
from ..common.precision import single
from ..common.predictive import with_maps
from ..common.training import TrainConfig, checkpoint, epoch_key, run_epochs


@dataclasses.dataclass(frozen=True)
class Settings(TrainConfig):
    """Settings of training."""

    hidden: tuple[int, ...] = (256, 128)
    epochs: int = 5
    batch: int = 100
    rate: float = 1.5e-3
    decay: float = 1e-4
    precisions: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Of pixels and hidden layers under their predictions from above, while learning."""


class State(NamedTuple):
    """Maps of all arrows, and what the rule keeps."""

    maps: Any
    optimiser: Any


def flat(x: np.ndarray) -> jnp.ndarray:
    """Images [n, rows, columns] as rows of pixels, in single precision."""
    return jnp.asarray(x.reshape(len(x), -1), jnp.float32)


@eqx.filter_jit
def _epoch(energy, rule, phase, state: State, x, labels, classes: int, batch: int, key):
    count = len(x) // batch
    order = jax.random.permutation(key, len(x))[: count * batch].reshape(count, batch)

    def step(state: State, chosen):
        now = with_maps(energy, state.maps)
        y = jax.nn.one_hot(labels[chosen], classes, dtype=x.dtype)
        seen, free = jax.vmap(lambda x, y: phase.learn(now, x, y))(x[chosen], y)
        products = tuple(map(hebbian, state.maps, seen.pre, seen.post))
        change, optimiser = rule.update(products, state.optimiser, state.maps)
        return State(optax.apply_updates(state.maps, change), optimiser), free.mean()

    state, free = jax.lax.scan(step, state, order)
    return state, free.mean()


def train(
    split: Split, settings: Settings, folder: Path | None = None, label: str = ""
) -> PredictiveCoding:
    """The network after learning from whole images; its state is kept in `folder` by epoch."""
    x, labels = flat(split.x), jnp.asarray(split.labels)
    key = jax.random.fold_in(jax.random.key(settings.seed), 1)
    sizes = (x.shape[1], *settings.hidden, split.classes)
    energy = single(bidirectional(key, sizes, mean=x.mean(0), precisions=settings.precisions))
    phase = single(ClampedPhase())
    updates = settings.epochs * (len(x) // settings.batch)
    rule = optax.adamw(
        optax.cosine_decay_schedule(settings.rate, max(updates, 1), 0.02),
        weight_decay=settings.decay,
    )
    maps = tuple(a.predict for a in energy.arrows)
    start = State(maps, rule.init(maps))  # pyright: ignore

    def update(state: State, epoch: int):
        key = epoch_key(settings, epoch)
        state, free = _epoch(
            energy, rule, phase, state, x, labels, split.classes, settings.batch, key
        )
        return state, {"free energy": free}

    path = checkpoint(folder, [dataclasses.asdict(settings)], split.x, split.labels)
    trained = run_epochs(update, start, settings.epochs, path=path, label=label)
    return with_maps(energy, trained.model.maps)


@eqx.filter_jit
def moments(energy: PredictiveCoding, x, y) -> tuple[jnp.ndarray, dict[str, jnp.ndarray]]:
    """Second moments of what is left unpredicted, label clamped, at the values after learning's
    steps: each is the mean of the product of two errors, that a lateral synapse between them
    sees."""
    phase = single(ClampedPhase())

    def one(x, y):
        args = (x, *(None,) * (energy.depth - 2), y)
        return misfits(energy, phase.relax(energy, args), args)

    left = jax.vmap(one)(x, y)
    pixel = (left.pop("1->0") ** 2).mean()
    return pixel, {name: e.T @ e / len(e) for name, e in left.items()}
