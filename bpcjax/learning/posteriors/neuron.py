"""Bayesian neuron: a spiking neuron with a posterior over its synapses."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ..._require import floating, instance, key as one_key, number
from ...system import Module, parameter


class Belief(NamedTuple):
    """Normal posterior over the weights of a neuron: `mean` [n], and `covariance` [n, n], or, of
    independent synapses, variances [n]."""

    mean: Float[Array, " n"]
    covariance: Float[Array, "..."]


class BayesianNeuron(Module):
    """Bayesian neuron with escape noise, `rho = rate exp((w . x - threshold) / width)`, of which
    its synapses infer the weights w from the spikes that it fires.

    `x` are the postsynaptic potentials: input spikes filtered with `tau`. A spike train has the
    log likelihood `sum log rho(t_f) - integral rho dt`, which is local: it needs what the synapse
    sees and its neuron's spikes. `update` is the filter that keeps the posterior normal: a synapse
    moves by its own variance, times its potential, times the surprise `spikes - E[rho] dt`.

    Bins of `dt` must be short, so that more than one spike in one is rare and none is lost in the
    change of x. Sources: Pfister, Toyoizumi, Barber & Gerstner (2006, Neural Comput. 18:1318);
    Jegminat, Surace & Pfister (2022, PLoS Comput. Biol. 18:e1009721).
    """

    rate: Float[Array, ""] = parameter(0.02, positive=True)  # 1/ms, at the threshold
    threshold: Float[Array, ""] = parameter(0.0)  # in the unit of w . x
    width: Float[Array, ""] = parameter(1.0, positive=True)  # in the unit of w . x
    tau: Float[Array, ""] = parameter(20.0, positive=True)  # ms

    def log_rate(self, weights: Float[Array, " n"], x: Float[Array, " n"]) -> Float[Array, ""]:
        """Log firing rate `log rho` (per ms) for given weights [n]."""
        return jnp.log(self.rate) + (weights @ x - self.threshold) / self.width

    def potentials(self, inputs: Float[Array, "T n"], dt: float) -> Float[Array, "T n"]:
        """Postsynaptic potentials [T, n] in each bin, of `inputs`, spikes a bin: each spike adds 1,
        from the next bin on, and decays."""
        inputs = floating("inputs", inputs, ("T", "n"))
        keep = jnp.exp(-number("dt", dt, above=0) / self.tau)

        def step(x, spikes):
            return keep * (x + spikes), x

        return jax.lax.scan(step, jnp.zeros(inputs.shape[1]), inputs)[1]

    def fire(
        self, weights: Float[Array, " n"], x: Float[Array, "T n"], dt: float, key: Key[Array, ""]
    ) -> Float[Array, " T"]:
        """Sample of the spike counts [T] in bins of `dt`."""
        x = floating("x", x, ("T", "n"))
        weights = floating("weights", weights, x.shape[1:], like="x")
        dt, key = number("dt", dt, above=0), one_key("key", key)
        mean = dt * jnp.exp(jax.vmap(lambda x: self.log_rate(weights, x))(x))
        spikes = jax.random.poisson(key, mean).astype(x.dtype)
        return jnp.where(jnp.isnan(mean), jnp.nan, spikes)

    def log_likelihood(
        self, weights: Float[Array, " n"], x: Float[Array, "T n"], spikes: Float[Array, " T"],
        dt: float,
    ) -> Float[Array, ""]:  # fmt: skip
        """Log likelihood of a train of spikes, a count a bin, the potentials constant in a bin."""
        log_rate = jax.vmap(lambda x: self.log_rate(weights, x))(x)
        return jnp.sum(spikes * log_rate - dt * jnp.exp(log_rate))

    def expected_rate(self, belief: Belief, x: Float[Array, " n"]) -> Float[Array, ""]:
        """Expected rate `E[rho]`: the mean of a log-normal. What is not known raises it."""
        variance = x @ _reach(belief, x) / self.width**2
        return jnp.exp(self.log_rate(belief.mean, x) + 0.5 * variance)

    def update(
        self, belief: Belief, x: Float[Array, " n"], spikes: Float[Array, ""], dt: float
    ) -> Belief:
        """Bayesian filter: the belief after a bin, `dm = V x (spikes - E[rho] dt) / width`, and the
        precision grows by `E[rho] dt x x^T / width^2` (its diagonal, of independent synapses)."""
        belief, x = _checked(belief, x)
        dt, spikes = number("dt", dt, above=0), number("spikes", spikes, least=0)
        expected = dt * self.expected_rate(belief, x)
        reach = _reach(belief, x)
        gain = expected / self.width**2
        if belief.covariance.ndim == 2:  # Sherman-Morrison: never negative, at any step
            shrunk = 1 + gain * (x @ reach)
            covariance = belief.covariance - gain / shrunk * jnp.outer(reach, reach)
            direction = reach / shrunk
        else:
            shrunk = 1 + gain * x * reach
            covariance, direction = belief.covariance / shrunk, reach / shrunk
        return Belief(belief.mean + direction * (spikes - expected) / self.width, covariance)

    def learn(
        self, belief: Belief, x: Float[Array, "T n"], spikes: Float[Array, " T"], dt: float
    ) -> tuple[Belief, Float[Array, " T"]]:
        """Filter all bins: the belief after them, and the surprise [T] of each spike count: minus
        its log probability under `E[rho]`, up to what no belief changes."""

        def step(belief, sample):
            x, spikes = sample
            expected = dt * self.expected_rate(belief, x)
            surprise = expected - spikes * jnp.log(expected)
            return self.update(belief, x, spikes, dt), surprise

        return jax.lax.scan(step, belief, (x, spikes))


def _checked(belief: Belief, x: Any) -> tuple[Belief, Array]:
    """A belief and potentials of floating arrays that fit together."""
    instance("belief", belief, Belief)
    mean = floating("belief: mean", belief.mean, ("n",))
    covariance = floating("belief: covariance", belief.covariance)
    if covariance.shape not in (mean.shape, mean.shape * 2):
        raise ValueError(f"belief: covariance must be [n] or [n, n], got {covariance.shape}.")
    return Belief(mean, covariance), floating("x", x, mean.shape, like="belief")


def _reach(belief: Belief, x: Float[Array, " n"]) -> Float[Array, " n"]:
    wide = belief.covariance.ndim == 2
    return belief.covariance @ x if wide else belief.covariance * x
