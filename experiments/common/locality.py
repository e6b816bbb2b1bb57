"""Locality of training: the certificate of a learning step of `predictive`, at a small size."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bpcjax.energies import ConvolutionMap
from bpcjax.learning import (
    Elsewhere,
    Neurons,
    Shared,
    StepCertificate,
    Weights,
    Wiring,
    certify_step,
)
from bpcjax.models import AbstractPhases

from .precision import single
from .predictive import State, Training, inputs_of, start, updated

SIZES = 5, 4, 6, 7  # of hidden layers: the program is the same at every size
CLASSES, BATCH = 3, 2


def wiring(settings: Training) -> Wiring:
    """Wiring of a network: an arrow up from each layer to the next, with a learned way back one
    down, and classes that hear the sums of their softmax."""
    maps = [f"maps {k + 1}" for k in range(len(settings.maps))]
    hidden = [f"hidden {k + 1}" for k in range(len(settings.hidden))]
    layers = ["pixels", *maps, *hidden, "classes"]
    pairs = list(zip(layers, layers[1:], strict=False))
    arrows = {f"W{k}": pair for k, pair in enumerate(pairs, 1)}
    if settings.feedback:
        arrows |= {f"B{k}": (post, pre) for k, (pre, post) in enumerate(pairs, 1)}
    return Wiring(arrows, broadcasts=(("classes", "classes"),))


def _owners(state: State, rule, graph: Wiring) -> State:
    """Whose numbers a state holds: those of a kernel, shared by many places, are of nobody."""

    def of_map(layer: int, predict, back: bool):
        if isinstance(predict, ConvolutionMap):
            return jax.tree.map(lambda _: Elsewhere(), predict)
        post = graph.arrows[f"W{layer}"][1]
        weights = Weights(f"B{layer}", post=-1, pre=-2) if back else Weights(f"W{layer}")
        return jax.tree.map(lambda x: weights if x.ndim == 2 else Neurons(post), predict)

    def of_maps(maps, back: bool):
        return tuple(of_map(k, predict, back) for k, predict in enumerate(maps, 1))

    forward = of_maps(state.forward, False)
    backward = None if state.backward is None else of_maps(state.backward, True)
    optimiser = optax.tree_utils.tree_map_params(
        rule,
        lambda _, owner: owner,
        state.optimiser,
        forward if backward is None else (forward, backward),
        transform_non_params=lambda _: Shared(),
    )
    return State(forward, backward, optimiser, forward)


class Step(NamedTuple):
    """Learning step with what `certify_step` asks of it."""

    step: Callable[..., State]
    args: tuple[Any, ...]
    owners: tuple[Any, ...]
    outputs: State
    wiring: Wiring


def certify(settings: Training, phases: AbstractPhases) -> StepCertificate:
    """Certificate of the learning step of `settings` and `phases`."""
    return certify_step(*small_step(settings, phases))


def small_step(settings: Training, phases: AbstractPhases) -> Step:
    """Learning step of `settings` and `phases` in a network of as many layers of a few units (three
    where more are alike): all that a batch does to the state, from inputs to weights.

    What images go through before the network, and the draw of a batch, are outside it.
    """
    depth = len(settings.hidden)
    settings = dataclasses.replace(
        settings,
        hidden=(SIZES[0],) * min(depth, 3) if settings.residual else SIZES[:depth],
        maps=SIZES[: len(settings.maps)],
    )
    shape, graph = (8, 8) if settings.maps else (2, 4), wiring(settings)
    energy, rule, state = start(settings, shape, CLASSES, updates=10)
    x = inputs_of(settings, jnp.ones((BATCH, *shape), jnp.float32))
    y = jnp.ones((BATCH, CLASSES), jnp.float32)
    phases = single(phases)

    def step(state, x, y, keys):
        return updated(energy, rule, phases, state, x, y, keys)[0]

    owners = _owners(state, rule, graph)
    args = state, x, y, jax.random.split(jax.random.key(0), BATCH)
    whose = owners, Neurons("pixels"), Neurons("classes"), Shared()
    return Step(step, args, whose, owners, graph)
