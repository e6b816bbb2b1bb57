"""Online EM by spikes: mixtures learned by what the synapses of a memory change when it fires.

A spike of a memory is a draw from the posterior over causes of the input `y`; the rules below are
then online expectation maximisation of the log evidence, from what is at a synapse: its weight, its
input, its neuron's spike (Nessler, Pfeiffer, Buesing & Maass 2013, PLoS Comput. Biol. 9:e1003037).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Key

from .._require import floating, function, instance, key as one_key, number, scalar
from ..energies import ModernHopfield


class Mixture(NamedTuple):
    """Mixture model: `weights` [P, N], and the `log_prior` [P] of the memories."""

    weights: Float[Array, "P N"]
    log_prior: Float[Array, " P"]


class Observation(NamedTuple):
    """Observation: an input `y` [N] and the memories' `share` [P] in it: one-hot for a spike, the
    posterior for the mean of many."""

    y: Float[Array, " N"]
    share: Float[Array, " P"]


def _checked(mixture: Mixture) -> Mixture:
    """A mixture of floating arrays that fit together."""
    instance("mixture", mixture, Mixture)
    weights = floating("mixture: weights", mixture.weights, ("P", "N"), finite=True)
    return Mixture(weights, floating("mixture: log_prior", mixture.log_prior, weights.shape[:1]))


def categorical(mixture: Mixture) -> ModernHopfield:
    """Categorical mixture: the memory whose posterior is Bayes' for inputs coded in columns, one
    unit of each active.

    `weights` are the logarithms of the units' probabilities: `softmax(weights y + log_prior)`.
    """
    weights, log_prior = _checked(mixture)
    return ModernHopfield(weights, 1.0, log_prior)


def gaussian(beta: ArrayLike) -> Callable[[Mixture], ModernHopfield]:
    """Gaussian mixture: the memory whose posterior is Bayes' for Gaussian noise of variance `1 /
    beta` around `weights`: as a function of the mixture, for `learn`."""

    beta = number("beta", beta, above=0)

    def energy(mixture: Mixture) -> ModernHopfield:
        weights, log_prior = _checked(mixture)
        return ModernHopfield.from_prior(weights, beta, log_prior)

    return energy


def log_evidence(energy: ModernHopfield, y: Float[Array, " N"]) -> Float[Array, ""]:
    """Log evidence `lse(beta (X y + a))`: the log probability of `y` up to what no parameter
    changes, `-beta E(y) + beta |y|^2 / 2`."""
    return jax.nn.logsumexp(instance("energy", energy, ModernHopfield).scores(y))


def _stateless(
    update: Callable[[Observation, Mixture], Mixture],
) -> optax.GradientTransformation:
    def apply(updates, state, params=None):
        if params is None:
            raise ValueError("params: the rule needs the mixture, as update(seen, state, mixture).")
        return update(updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), apply)  # pyright: ignore


def _prior_step(observation: Observation, log_prior: Float[Array, " P"]) -> Float[Array, " P"]:
    return observation.share * jnp.exp(-log_prior) - 1


def spike_em() -> optax.GradientTransformation:
    """Spike-based online EM: `dw_i = y_i exp(-w_i) - 1` where the memory spikes, `db = spike
    exp(-b) - 1` for all.

    To be chained with `optax.scale(rate)`. Where the mean change is zero, `w_i` is the log
    probability of input `i` under the memory and `b` that of the memory (Nessler et al. 2013, eqs.
    5 and 6). A rate above `exp(w)` overshoots: `averages` does not.
    """

    def update(observation: Observation, mixture: Mixture) -> Mixture:
        change = observation.y[None] * jnp.exp(-mixture.weights) - 1
        return Mixture(
            observation.share[:, None] * change, _prior_step(observation, mixture.log_prior)
        )

    return _stateless(update)


def averages(rate: float) -> optax.GradientTransformation:
    """Running averages: the flow of `spike_em` for the time `rate`, in closed form: `exp(w)` moves
    towards `y`.

    `exp(w)` becomes the running average of the inputs, weighed by the shares, with a window of
    `1 / rate`, at any rate; `y` must lie in [0, 1].

    **Raises:** `ValueError` for a rate that is not positive.
    """
    rate = scalar("rate", rate, above=0)

    def shift(log_mean, y, time):  # log of exp(-time) exp(log_mean) + (1 - exp(-time)) y
        gain = -jnp.expm1(-time) * y
        return jnp.logaddexp(log_mean - time, jnp.log(gain)) - log_mean

    def update(observation: Observation, mixture: Mixture) -> Mixture:
        time = rate * observation.share[:, None]
        weights = shift(mixture.weights, observation.y[None], time)
        return Mixture(weights, shift(mixture.log_prior, observation.share, jnp.asarray(rate)))

    return _stateless(update)


def delta_rule() -> optax.GradientTransformation:
    """Delta rule `dx = y - x` where the memory spikes, for Gaussian inputs, and the prior as in
    `spike_em`.

    Its mean over spikes is the gradient of `-E` of `ModernHopfield.from_prior` in the patterns. To
    be chained with `optax.scale(rate)`.
    """

    def update(observation: Observation, mixture: Mixture) -> Mixture:
        change = observation.share[:, None] * (observation.y[None] - mixture.weights)
        return Mixture(change, _prior_step(observation, mixture.log_prior))

    return _stateless(update)


def learn(
    rule: optax.GradientTransformation,
    energy: Callable[[Mixture], ModernHopfield],
    mixture: Mixture,
    inputs: Float[Array, "T N"],
    key: Key[Array, ""],
) -> tuple[Mixture, Float[Array, " T"]]:
    """Online learning of a mixture: the mixture after a stream of inputs, one spike each, and the
    log evidence of each input just before it was learned.

    `energy` makes the memory of a mixture (`categorical`, or `gaussian(beta)`); the spike is a
    draw from its posterior, and `rule` changes the mixture.
    """

    instance("rule", rule, optax.GradientTransformation)
    function("energy", energy)
    mixture = _checked(mixture)
    inputs = floating("inputs", inputs, ("T", mixture.weights.shape[1]))
    one_key("key", key)

    def step(carry, event):
        mixture, state = carry
        y, key = event
        memory = energy(mixture)
        winner = jax.random.categorical(key, memory.log_posterior(y))
        share = jax.nn.one_hot(winner, len(mixture.log_prior), dtype=y.dtype)
        # A rule takes an observation where optax takes a gradient.
        updates, state = rule.update(Observation(y, share), state, mixture)  # pyright: ignore
        mixture = jax.tree.map(jnp.add, mixture, updates)
        return (mixture, state), log_evidence(memory, y)

    keys = jax.random.split(key, len(inputs))
    (mixture, _), evidence = jax.lax.scan(step, (mixture, rule.init(mixture)), (inputs, keys))
    return mixture, evidence
