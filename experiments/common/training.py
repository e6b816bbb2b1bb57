"""Learning by gradients, of whatever model: epochs with progress, checkpoints, and every batch's
loss and accuracy. `fit` is what classifiers, autoencoders and their twins are trained by."""

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from . import InputError
from .results import fingerprint, keep

BLOCKS = 40  # the most parts of an epoch between which progress is shown
FAR = 10.0  # times the first loss: learning that is led there has diverged

Loss = Callable[[Any, Any, Any, Any], tuple[Any, dict[str, Any]]]  # model, x, y, key


@dataclasses.dataclass(frozen=True)
class Fitting:
    """How a model is trained.

    **Raises:** `InputError` for epochs or batches below one, and rates that are not positive.
    """

    epochs: int = 10
    batch: int = 128
    rate: float = 2e-3
    """Of Adam's steps at their largest; it falls to nothing along half a cosine."""
    warm: int = 100
    """Steps until the rate is that large."""
    decay: float = 0.0
    """Of weights, as in AdamW."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least one, got {getattr(self, name)}.")
        if not 0 < self.rate < np.inf:
            raise InputError(f"rate must be positive and finite, got {self.rate}.")


class Fitted(NamedTuple):
    """The model, and of each epoch its `batches`: metric -> [epochs, batches]; what was asked
    `after` each epoch: name -> [epochs, ...]; `seconds` of wall time, compilation included."""

    model: Any
    batches: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    seconds: float


def _divisor(batches: int) -> int:
    """Into how many equal parts an epoch of so many batches is cut: `BLOCKS` at most."""
    return max(k for k in range(1, BLOCKS + 1) if batches % k == 0)


def _finite(tree: Any) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


def _refuse_nan(weights: Any, epoch: int) -> None:
    """Raise `InputError` with the name of the first weights that are no numbers."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        if not bool(jnp.isfinite(leaf).all()):
            name = jax.tree_util.keystr(path).lstrip(".")
            raise InputError(
                f"epoch {epoch}: {name} is no longer finite. Pass a smaller rate of learning."
            )


def furthest(weights: Any, start: Any) -> str:
    """The name of the weights of which one went farthest from where all started."""
    pairs = zip(jax.tree_util.tree_leaves_with_path(weights), jax.tree.leaves(start), strict=True)
    gone = {jax.tree_util.keystr(p).lstrip("."): float(jnp.abs(a - b).max()) for (p, a), b in pairs}
    return max(gone, key=lambda name: gone[name] if np.isfinite(gone[name]) else np.inf)


def _refuse_far(loss: float, first: float, weights: Any, start: Any, epoch: int) -> None:
    """Raise `InputError`, with the name of the weights that went farthest, where the loss is `FAR`
    times what it was before learning."""
    if loss > FAR * first:
        raise InputError(
            f"epoch {epoch}: the loss is {loss:.3g}, {first:.3g} before learning, and "
            f"{furthest(weights, start)} went farthest. Pass a smaller rate of learning."
        )


def _program(loss: Loss, *given: Any) -> tuple[Any, str, list[Any]]:
    """Shapes of what the loss gives; its program, and the arrays in it, which tell it from the
    loss of other settings."""
    program, shapes = jax.make_jaxpr(loss, return_shape=True)(*given)
    return shapes, re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)), program.consts


def moved(x: jax.Array, pixels: int, key: Any) -> jax.Array:
    """Images [n, ..., rows, columns], each moved by up to so many pixels at random, up and down,
    left and right, around the edge."""
    steps = jax.random.randint(key, (len(x), 2), -pixels, pixels + 1)
    return jax.vmap(lambda image, step: jnp.roll(image, step, (-2, -1)))(x, steps)


def batched(run, x, size: int = 500):
    """A function of a batch over more than one, and the rest by itself; leaves [n, ...]."""
    whole = len(x) // size * size
    parts = []
    if whole:
        found = jax.lax.map(run, x[:whole].reshape(-1, size, *x.shape[1:]))
        parts.append(jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), found))
    if whole < len(x):
        parts.append(run(x[whole:]))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def rule(settings: Fitting, steps: int) -> optax.GradientTransformation:
    """Adam with a rate that rises to its largest in `settings.warm` steps and falls by a cosine."""
    warm = min(settings.warm, max(steps // 10, 1))
    schedule = optax.warmup_cosine_decay_schedule(0.0, settings.rate, warm, steps)
    return optax.adamw(schedule, weight_decay=settings.decay)


def fit(
    model: Any,
    learned: Any,
    loss: Loss,
    x: Any,
    y: Any,
    settings: Fitting,
    *,
    ask: Callable[[Any], dict[str, Any]] | None = None,
    folder: Path | None = None,
    label: str = "",
    stop_after: int | None = None,
) -> Fitted:
    """`model` with the leaves that `learned` (a tree of truths like it) marks, fitted to inputs
    `x` [n, ...] and what belongs to them, `y` [n, ...].

    `loss(model, x, y, key)` gives the loss of a batch and what else to note of it. `ask(model)` is
    noted after each epoch. With a `folder` the state is kept there after each epoch, and a stopped
    run of the same settings, data and code goes on to the same numbers.

    **Raises:** `InputError` for fewer samples than a batch, and, naming epoch and weights, where a
    loss or weights are no longer numbers or the loss is `FAR` times that of the first batch.
    """
    count = len(x) // settings.batch
    if count < 1:
        raise InputError(f"batch: {len(x)} samples are less than a batch of {settings.batch}.")
    optimiser = rule(settings, settings.epochs * count)
    weights, rest = eqx.partition(model, learned)
    x, y = jnp.asarray(x), jnp.asarray(y)
    blocks = _divisor(count)

    @eqx.filter_jit(donate="none")
    def block(weights, state, rest, x, y, order, keys):
        def step(carry, drawn):
            weights, state = carry
            chosen, key = drawn

            def of(weights):
                value, notes = loss(eqx.combine(weights, rest), x[chosen], y[chosen], key)
                return value, {"loss": value} | notes

            slope, notes = jax.grad(of, has_aux=True)(weights)
            change, state = optimiser.update(slope, state, weights)
            return (optax.apply_updates(weights, change), state), notes

        (weights, state), notes = jax.lax.scan(step, (weights, state), (order, keys))
        return weights, state, notes

    state = optimiser.init(weights)
    start = weights
    (_, noted), program, inside = _program(
        lambda w, *given: loss(eqx.combine(w, rest), *given),
        weights, x[: settings.batch], y[: settings.batch], jax.random.key(0),
    )  # fmt: skip
    batches = {n: np.full((settings.epochs, count), np.nan) for n in ("loss", *noted)}
    asked = {} if ask is None else jax.eval_shape(ask, model)
    after = {n: np.full((settings.epochs, *a.shape), np.nan) for n, a in asked.items()}
    done, seconds = np.zeros((), int), np.zeros(())
    path = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        about = [dataclasses.asdict(settings), label, str(learned), program]
        held = jax.tree.leaves(eqx.filter((weights, rest), eqx.is_array))
        data = (np.asarray(leaf) for leaf in (x, y, *held, *inside))
        path = folder / f"{fingerprint({'about': about}, *data)}.eqx"
        if path.exists():
            kept = weights, state, batches, after, done, seconds
            weights, state, batches, after, done, seconds = eqx.tree_deserialise_leaves(path, kept)
    ask_compiled = None if ask is None else eqx.filter_jit(ask)
    for epoch in range(int(done), settings.epochs if stop_after is None else stop_after):
        began = time.perf_counter()
        order, keys = jax.random.split(
            jax.random.fold_in(jax.random.key(settings.seed), 100 + epoch)
        )
        order = jax.random.permutation(order, len(x))[: count * settings.batch]
        order = order.reshape(blocks, -1, settings.batch)
        keys = jax.random.split(keys, count).reshape(blocks, -1)
        title = f"{label} epoch {epoch + 1}/{settings.epochs}"
        with tqdm(total=count, desc=title, mininterval=1.0, leave=False) as bar:
            for k in range(blocks):
                weights, state, notes = block(weights, state, rest, x, y, order[k], keys[k])
                size = count // blocks
                for name, values in notes.items():
                    batches[name][epoch, k * size : (k + 1) * size] = values
                mean = {n: f"{float(np.mean(v)):.4f}" for n, v in notes.items()}
                bar.set_postfix(mean, refresh=False)
                bar.update(size)
                if not np.isfinite(notes["loss"]).all():
                    _refuse_nan(weights, epoch + 1)
                    raise InputError(
                        f"epoch {epoch + 1}: the loss is not finite. Pass a smaller rate of "
                        "learning, or a smaller step of the solve."
                    )
                _refuse_far(
                    float(np.mean(notes["loss"])), batches["loss"][0, 0], weights, start, epoch + 1
                )
        _refuse_nan(weights, epoch + 1)
        if ask_compiled is not None:
            for name, value in ask_compiled(eqx.combine(weights, rest)).items():
                after[name][epoch] = value
        seconds = seconds + (time.perf_counter() - began)
        if path is not None:
            keep(path, (weights, state, batches, after, np.asarray(epoch + 1), seconds))
        means = {n: f"{v[epoch].mean():.4f}" for n, v in batches.items()}
        ends = {n: f"{float(np.ravel(v[epoch])[-1]):.4f}" for n, v in after.items()}
        told = ", ".join(f"{n} {v}" for n, v in (means | ends).items())
        print(f"  {title}: {told}; {float(seconds):.0f} s", flush=True)
    return Fitted(eqx.combine(weights, rest), batches, after, float(seconds))
