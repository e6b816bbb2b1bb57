"""Predictive-coding learning rules: local products, and steps in optax's shape.

A rule takes, for each synapse, the mean over samples of the error after it times the activity
before it (`hebbian`), and what it keeps itself. Steps are optax's own pieces where it has them.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from .._require import count, floating, function, instance, scalar
from ..energies.predictive.free_energy import PredictiveCoding
from ..energies.predictive.maps import AbstractMap


def hebbian(
    predict: AbstractMap, pre: Float[Array, "batch ..."], post: Float[Array, "batch ..."]
) -> AbstractMap:
    """Hebbian gradient, to be descended: minus the mean over a batch of error times activity, as a
    map.

    For `DenseMap` it is `-post_i f(pre_j)` for a weight and `-post_i` for a bias; a kernel sums
    over its places.
    """

    instance("predict", predict, AbstractMap)
    pre, post = floating("pre", pre), floating("post", post)
    if pre.ndim < 2 or not len(pre):
        raise ValueError(f"pre must be a batch of samples, got shape {pre.shape}.")
    try:
        like = (len(pre), *jax.eval_shape(predict, pre[0]).shape)
    except ValueError as error:
        raise ValueError(f"pre does not fit predict: {error}") from error
    if post.shape != like:
        raise ValueError(
            f"post must have shape {like}, as predict gives it of pre, got {post.shape}."
        )

    def agreement(predict):
        return -jnp.vdot(jax.vmap(predict)(pre), post) / len(pre)

    return jax.grad(agreement)(predict)


def growing_step(
    rate: float, total: int, *, growth: float = 8.2, warm: int = 500, least: float = 0.02
) -> optax.Schedule:
    """Step-size schedule that grows by `growth` over the `total` updates, under half a cosine down
    to `least` of itself, after a linear rise over the first `warm` updates.

    Late steps of a shrinking size have a growing gain: what the decay of a curvature's start does
    in online Newton methods, kept as a schedule.
    """
    rate, growth = scalar("rate", rate, above=0), scalar("growth", growth, above=0)
    total, warm, least = (
        count("total", total, 1),
        count("warm", warm),
        scalar("least", least, least=0),
    )
    down = optax.cosine_decay_schedule(1.0, total, least)

    def schedule(step):
        t = step + 1
        return rate * growth ** (t / total) * jnp.minimum(1.0, t / max(warm, 1)) * down(t)

    return schedule


def momentum(
    schedule: optax.Schedule, *, trace: float = 0.9, decay: float = 1e-4
) -> optax.GradientTransformation:
    """Momentum: a running mean of the local products, weights that decay, and a step of
    `schedule`."""
    function("schedule", schedule)
    trace, decay = scalar("trace", trace, least=0, below=1), scalar("decay", decay, least=0)
    return optax.chain(
        optax.ema(trace, debias=True),
        optax.add_decayed_weights(decay),
        optax.scale_by_learning_rate(schedule),
    )


def kolen_pollack(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """Kolen-Pollack feedback learning: `rule` for forward and feedback synapses at once; its
    parameters are a pair of both, and each product of error and activity changes the synapse up and
    the synapse down alike.

    With decay in the rule the difference of forward and backward weights dies out, so that errors
    come back through the transposed weights, which nobody carried there (Kolen & Pollack 1994,
    ICNN 3:1375).
    """

    instance("rule", rule, optax.GradientTransformation)

    def update(updates, state, params=None):
        return rule.update((updates, updates), state, params)

    return optax.GradientTransformation(rule.init, update)


def feedback_alignment(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """Feedback alignment: `rule` for the forward synapses of a pair of forward and feedback ones;
    the feedback stays as random as it began (Lillicrap et al. 2016, Nat. Commun. 7:13276)."""
    instance("rule", rule, optax.GradientTransformation)

    def update(updates, state, params=None):
        change: Any
        change, state = rule.update((updates, updates), state, params)
        forward, back = change
        return (forward, jax.tree.map(jnp.zeros_like, back)), state

    return optax.GradientTransformation(rule.init, update)


class IncrementalState(NamedTuple):
    """State of `incremental`: those of its two rules, for values and weights."""

    values: Any
    weights: Any


class Incremental(NamedTuple):
    """Learning algorithm: `init(energy, y)` and `update(energy, y, args, state)`, which gives the
    energy of the new weights, the new values and the new state."""

    init: Any
    update: Any


def incremental(
    values: optax.GradientTransformation, weights: optax.GradientTransformation
) -> Incremental:
    """Incremental predictive coding (Salvatori et al. 2024, ICLR, arXiv:2212.00720): one step of
    the values, then one of the weights, again and again; neither waits for the other.

    `y` and `args` are of a batch, [n, ...] a layer, as `PredictiveCoding` takes them of a sample;
    values are kept for the samples from step to step, weights see the mean over samples. Values
    move against `-membrane`, so that learned feedback is used where there is one, and stay
    possible (`project`). It rests only where both gradients of F are 0, as it does where values
    settle before each step.
    """

    for name, rule in (("values", values), ("weights", weights)):
        instance(name, rule, optax.GradientTransformation)

    def init(energy: PredictiveCoding, y: PyTree) -> IncrementalState:
        maps: Any = tuple(a.predict for a in energy.arrows)
        return IncrementalState(values.init(y), weights.init(maps))

    def update(energy: PredictiveCoding, y: PyTree, args: PyTree, state: IncrementalState):
        drive = jax.vmap(energy.membrane)(y, args)
        steps, value_state = values.update(jax.tree.map(jnp.negative, drive), state.values, y)
        y = jax.vmap(energy.project)(optax.apply_updates(y, steps))
        z, errors = jax.vmap(energy.full)(y, args), jax.vmap(energy.errors)(y, args)
        maps: Any = tuple(a.predict for a in energy.arrows)
        before = [z[a.post if a.pre is None else a.pre] for a in energy.arrows]  # a prior has none
        products: Any = tuple(
            hebbian(a.predict, pre, errors[a.name])
            for a, pre in zip(energy.arrows, before, strict=True)
        )
        changes, own = weights.update(products, state.weights, maps)
        after = optax.apply_updates(maps, changes)
        energy = eqx.tree_at(lambda e: tuple(a.predict for a in e.arrows), energy, after)
        return energy, y, IncrementalState(value_state, own)

    return Incremental(init, update)
