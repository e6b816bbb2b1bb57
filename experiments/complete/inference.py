"""Inference of missing pixels in the trained network: in rates, in spikes, and its labels."""

import dataclasses
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from bpcjax.energies import Partial, PredictiveCoding, Rectified
from bpcjax.models.predictive.bidirectional import (
    accelerate,
    ascending,
    lateral,
    step_sizes,
    with_terms,
)

from ..common.precision import single
from .training import moments

BATCH = 250  # images at a time


@dataclasses.dataclass(frozen=True)
class Precisions:
    """What is not learned of the network that is tested."""

    up: float = 10.0
    """Strength of the arrows up between values."""
    label: float = 1.0
    """Strength of the arrow to the label."""
    class_: float = 0.1
    """Strength of the arrow from the label."""
    ridge: float = 0.02
    """Of lateral inhibition, in units of the mean variance."""


def precise(
    net: PredictiveCoding, x: Array, y: Float[Array, "n classes"], chosen: Precisions
) -> PredictiveCoding:
    """The network with the precisions that it learned from images `x` and labels `y`: pixels by
    their mean square misfit, hidden layers by lateral inhibition."""
    pixel, second = moments(net, x, y)
    losses = {name: lateral(c, chosen.ridge) for name, c in second.items()}
    top = net.depth - 1
    strengths = {f"{k}->{k + 1}": chosen.up for k in range(top - 1)}
    strengths |= {f"{top - 1}->{top}": chosen.label, f"{top}->{top - 1}": chosen.class_}
    return single(with_terms(net, losses | {"1->0": Rectified(1 / pixel)}, strengths))


def in_batches(run, *arrays: Array) -> list[np.ndarray]:
    """Leaves of a compiled function of a batch, over all of it."""
    parts = [
        jax.device_get(run(*(a[k : k + BATCH] for a in arrays)))
        for k in range(0, len(arrays[0]), BATCH)
    ]
    return [np.concatenate(leaves) for leaves in zip(*map(jax.tree.leaves, parts), strict=True)]


def clamp(energy: PredictiveCoding, x: Array, seen: Array, y: Array | None = None) -> tuple:
    """What is clamped: pixels that are seen, and a label if there is one."""
    return (Partial(x, seen), *(None,) * (energy.depth - 2), y)


class Answers(NamedTuple):
    """Answers of the network for images: completed pixels [n, pixels], label read from one up sweep
    over them and from F at rest, as logits [n, classes], and F before and after."""

    pixels: np.ndarray
    sweep: np.ndarray
    rest: np.ndarray
    first: np.ndarray
    last: np.ndarray


def up_sweep(energy: PredictiveCoding, x: Float[Array, " pixels"]) -> Float[Array, " classes"]:
    """Label's potentials after one up sweep over all pixels."""
    top = energy.depth - 1
    args = (x, *(None,) * top)
    hidden = energy.forward(args)[1:top]
    return energy.predictions(None, (x, *hidden, None))[f"{top - 1}->{top}"]


def by_label(energy: PredictiveCoding, z: PyTree, x: Array, seen: Array) -> Array:
    """Minus F of values `z` under each label."""

    def of(y):
        return -energy(z, clamp(energy, x, seen, y))

    return jax.vmap(of)(jnp.eye(energy.predictions(z, clamp(energy, x, seen))[
        f"{energy.depth - 2}->{energy.depth - 1}"].size, dtype=x.dtype))  # fmt: skip


@eqx.filter_jit
def _answers(energy: PredictiveCoding, sizes: tuple, steps: int, x: Array, seen: Array):
    def one(x, seen):
        args = clamp(energy, x, seen)
        z0 = energy.start(args)
        z = accelerate(energy, z0, args, sizes=sizes, steps=steps)
        pixels = energy.full(z, args)[0]
        rest = by_label(energy, z, x, seen)
        return pixels, up_sweep(energy, pixels), rest, energy(z0, args), energy(z, args)

    return jax.vmap(one)(x, seen)


def answers(
    energy: PredictiveCoding, x: Float[Array, "n pixels"], seen: Bool[Array, "n pixels"], steps: int
) -> Answers:
    """Answers in rates: F descended from the up sweep over `x`, whose missing pixels hold a first
    guess."""
    return Answers(*in_batches(partial(_answers, energy, step_sizes(energy), steps), x, seen))


@eqx.filter_jit
def _sweeps(energy: PredictiveCoding, x: Array) -> Array:
    return jax.vmap(lambda x: up_sweep(energy, x))(x)


def sweeps(energy: PredictiveCoding, x: Float[Array, "n pixels"]) -> np.ndarray:
    """Logits of up sweeps over images as they are."""
    return in_batches(partial(_sweeps, ascending(energy)), x)[0]


def given(energy: PredictiveCoding, x: Array, seen: Array, classes: int, steps: int) -> np.ndarray:
    """Pixels [classes, pixels] of one image completed with each of the labels clamped."""
    top = energy.depth - 1
    energy = with_terms(energy, strengths={f"{top}->{top - 1}": 1.0})
    sizes = step_sizes(energy)

    @eqx.filter_jit
    def run(y):
        args = clamp(energy, x, seen, y)
        z = accelerate(energy, energy.start(args), args, sizes=sizes, steps=steps)
        return energy.full(z, args)[0]

    return np.asarray(jax.vmap(run)(jnp.eye(classes, dtype=x.dtype)))
