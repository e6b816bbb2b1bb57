"""Training by gradients (`fit`): classifiers, autoencoders and their rectified twins."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from . import InputError
from .finite import refuse_nan
from .training import Metrics, TrainConfig, Trained, checkpoint, epoch_key, progress, run_epochs

BLOCKS = 40  # the most parts of an epoch between which progress is shown
FAR = 10.0  # times the first loss: training that is led there has diverged

Loss = Callable[[Any, Any, Any, Any], tuple[Any, Metrics]]  # model, x, y, key


@dataclasses.dataclass(frozen=True)
class FitConfig(TrainConfig):
    """Hyper-parameters of `fit`: AdamW, whose rate falls to nothing along half a cosine."""

    warm: int = 100
    """Steps until the rate is at its largest."""
    decay: float = 0.0
    """Of weights, as in AdamW."""


def furthest(weights: Any, start: Any) -> str:
    """The name of the weights of which one went farthest from where all started."""
    pairs = zip(jax.tree_util.tree_leaves_with_path(weights), jax.tree.leaves(start), strict=True)
    moves = {
        jax.tree_util.keystr(p).lstrip("."): float(jnp.abs(a - b).max()) for (p, a), b in pairs
    }
    return max(moves, key=lambda name: moves[name] if np.isfinite(moves[name]) else np.inf)


def batched(run: Callable[[Array], Any], x: Array, size: int = 500) -> Any:
    """A function of a batch over more than one, and the remainder by itself; leaves [n, ...]."""
    whole = len(x) // size * size
    parts = []
    if whole:
        values = jax.lax.map(run, x[:whole].reshape(-1, size, *x.shape[1:]))
        parts.append(jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), values))
    if whole < len(x):
        parts.append(run(x[whole:]))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _adamw(config: FitConfig, steps: int) -> optax.GradientTransformation:
    """AdamW with a rate that rises to its largest in `warm` steps and falls by a cosine."""
    warm = min(config.warm, max(steps // 10, 1))
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.rate, warm, steps)
    return optax.adamw(schedule, weight_decay=config.decay)


class _State(NamedTuple):
    weights: Any
    optimiser: Any
    first: np.ndarray  # the loss of the first batch


def _block(loss: Loss, optimiser: optax.GradientTransformation) -> Callable:
    """A compiled scan over batches, by indices `order` [batches, batch] of samples: weights, state
    of the optimiser, and metrics [batches]."""

    @eqx.filter_jit(donate="none")
    def block(weights, state, static, x, y, order, keys):
        def step(carry, batch):
            weights, state = carry
            rows, key = batch

            def batch_loss(weights):
                value, metrics = loss(eqx.combine(weights, static), x[rows], y[rows], key)
                return value, {"loss": value} | metrics

            slope, metrics = jax.grad(batch_loss, has_aux=True)(weights)
            change, state = optimiser.update(slope, state, weights)
            return (optax.apply_updates(weights, change), state), metrics

        (weights, state), metrics = jax.lax.scan(step, (weights, state), (order, keys))
        return weights, state, metrics

    return block


def _blocks(config: TrainConfig, samples: int, epoch: int) -> tuple[Array, Array]:
    """The batches of an epoch, in equal blocks, `BLOCKS` at most: indices [blocks, batches, batch]
    of samples in a random order, and a key for each batch."""
    count = samples // config.batch
    blocks = max(k for k in range(1, BLOCKS + 1) if count % k == 0)
    order, keys = jax.random.split(epoch_key(config, epoch))
    order = jax.random.permutation(order, samples)[: count * config.batch]
    return (
        order.reshape(blocks, -1, config.batch),
        jax.random.split(keys, count).reshape(blocks, -1),
    )


def _refuse_diverged(losses: np.ndarray, state: _State, start: Any, epoch: int) -> None:
    """Raise `InputError`, with the name of the weights that went farthest, where a loss is no
    number, or the mean is `FAR` times what it was before training."""
    if not np.isfinite(losses).all():
        refuse_nan(state.weights, epoch + 1)
        raise InputError(
            f"epoch {epoch + 1}: the loss is not finite. Pass a smaller rate, or a smaller step "
            "of the solve."
        )
    if losses.mean() > FAR * state.first:
        raise InputError(
            f"epoch {epoch + 1}: the loss is {losses.mean():.3g}, {float(state.first):.3g} before "
            f"training, and {furthest(state.weights, start)} went farthest. Pass a smaller rate."
        )


def fit(
    model: Any,
    trainable: Any,
    loss: Loss,
    x: Any,
    y: Any,
    config: FitConfig,
    *,
    evaluate: Callable[[Any], Metrics] = lambda model: {},
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Trained:
    """`model` with the leaves that `trainable` (a tree of truths like it) marks, fitted to inputs
    `x` [n, ...] and targets `y` [n, ...].

    `loss(model, x, y, key)` gives the loss of a batch and further metrics [epochs, batches].
    `evaluate(model)` gives those of an epoch. With a `folder` the state is kept there after each
    epoch, and a stopped run of the same settings, data and code goes on to the same numbers.

    **Raises:** `InputError` for fewer samples than a batch, and, naming epoch and weights, where a
    loss or weights are no longer numbers or the loss is `FAR` times that of the first batch.
    """
    count = len(x) // config.batch
    if count < 1:
        raise InputError(f"batch: {len(x)} samples are less than a batch of {config.batch}.")
    weights, static = eqx.partition(model, trainable)
    x, y = jnp.asarray(x), jnp.asarray(y)
    optimiser = _adamw(config, config.epochs * count)
    block, metrics_after = _block(loss, optimiser), eqx.filter_jit(evaluate)

    def update(state: _State, epoch: int) -> tuple[_State, Metrics]:
        parts = []
        with progress(count, f"{label} epoch {epoch + 1}/{config.epochs}") as bar:
            for order, keys in zip(*_blocks(config, len(x), epoch), strict=True):
                after = block(state.weights, state.optimiser, static, x, y, order, keys)
                metrics = {name: np.asarray(values, float) for name, values in after[2].items()}
                first = state.first if epoch or parts else metrics["loss"][0]
                state = _State(after[0], after[1], np.asarray(first))
                _refuse_diverged(metrics["loss"], state, weights, epoch)
                parts.append(metrics)
                bar.set_postfix({n: f"{v.mean():.4f}" for n, v in metrics.items()}, refresh=False)
                bar.update(len(order))
        metrics = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return state, metrics | metrics_after(eqx.combine(state.weights, static))

    start = _State(weights, optimiser.init(weights), np.zeros(()))
    path = None
    if folder is not None:
        program, constants = _program(loss, static, weights, x, y, config.batch)
        about = [dataclasses.asdict(config), label, str(trainable), program]
        arrays = jax.tree.leaves(eqx.filter((weights, static), eqx.is_array))
        path = checkpoint(folder, about, x, y, *arrays, *constants)
    trained = run_epochs(
        update, start, config.epochs, path=path, label=label, stop_after=stop_after
    )
    return trained._replace(model=eqx.combine(trained.model.weights, static))


def _program(loss: Loss, static: Any, weights: Any, x: Array, y: Array, batch: int):
    """The program of a loss, and the arrays in it, which tell it from that of other settings."""
    program = jax.make_jaxpr(lambda weights, *args: loss(eqx.combine(weights, static), *args))(
        weights, x[:batch], y[:batch], jax.random.key(0)
    )
    return re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)), program.consts
