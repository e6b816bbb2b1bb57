"""Bayesian predictive coding: posteriors over weights and precisions of linear arrows."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from ..._arrays import sized
from ..._require import sequence
from ...system import Module
from ..base import AbstractEnergy
from .free_energy import Arrow, PredictiveCoding
from .losses import AbstractMismatch
from .maps import DenseMap, identity
from .weight_posteriors import AbstractPosterior


class BayesianArrow(Module):
    """Bayesian linear map: the layer `pre` predicts `post` as `W [f(z); 1]`, with a `posterior`
    over W and a `prior`.

    Weights stand outside the `activation` f, and the last column of W is the bias (none, where
    `bias` is false, and then the features are `f(z)`).
    """

    pre: int = eqx.field(static=True, converter=sized("pre"))
    post: int = eqx.field(static=True, converter=sized("post"))
    posterior: AbstractPosterior
    prior: AbstractPosterior
    activation: Callable = eqx.field(static=True, default=identity)
    bias: bool = eqx.field(static=True, default=True)

    @property
    def name(self) -> str:
        """Name of the arrow, from the layers that it joins."""
        return f"{self.pre}->{self.post}"

    def features(self, z: Float[Array, "..."]) -> Float[Array, " n"]:
        """Features [n] on which the weights act: the activity of the layer, and 1 for the bias."""
        rates = self.activation(z.ravel())
        return jnp.append(rates, jnp.ones((), rates.dtype)) if self.bias else rates

    def arrow(self, weights: Float[Array, "m n"], mismatch: AbstractMismatch) -> Arrow:
        """Arrow of given weights, without their uncertainty."""
        weights, bias = (weights[:, :-1], weights[:, -1]) if self.bias else (weights, None)
        return Arrow(self.pre, self.post, DenseMap(weights, bias, self.activation), mismatch)


class BayesianPredictiveCoding(AbstractEnergy):
    """Bayesian predictive coding: `F = sum over arrows of E_q[-log p(z_post | z_pre, W)]`, of one
    sample; with `kl` once for all samples it is the variational free energy, a bound of minus the
    log evidence.

    State and `args` are those of `PredictiveCoding`, and so are the averages: an energy is the sum
    over units, of one sample. `free_energy` is the sum over samples, and the divergence. Of known
    values everywhere and posteriors that are exact it is minus the log evidence. Fenchel-Young
    terms have no normalisation: with those F is an energy, not a bound.
    """

    arrows: tuple[BayesianArrow, ...]

    def __init__(self, arrows: Any):
        self.arrows = sequence("arrows", arrows, BayesianArrow)

    def point(self) -> PredictiveCoding:
        """Point estimate: the network of the mean weights and the mean precisions."""
        return PredictiveCoding(a.arrow(*a.posterior.point()) for a in self.arrows)

    def sample(self, key: Key[Array, ""]) -> PredictiveCoding:
        """Posterior sample of the network: averages over several are its predictions."""
        return PredictiveCoding(
            a.arrow(*a.posterior.sample(jax.random.fold_in(key, k)))
            for k, a in enumerate(self.arrows)
        )

    def full(self, y: PyTree, args: PyTree = None) -> tuple[Any, ...]:
        """The values of all layers, `None` of those left out."""
        return self.point().full(y, args)

    def _joined(self, z: tuple[Any, ...]) -> list[BayesianArrow]:
        return [a for a in self.arrows if z[a.pre] is not None and z[a.post] is not None]

    def terms(self, y: PyTree, args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """The expected energy of each arrow, which sum to it."""
        z = self.full(y, args)
        return {
            a.name: a.posterior.expected_energy(z[a.post].ravel(), a.features(z[a.pre]))
            for a in self._joined(z)
        }

    def kl(self) -> Float[Array, ""]:
        """Kullback-Leibler divergence of all posteriors from their priors."""
        return sum((a.posterior.kl(a.prior) for a in self.arrows), start=jnp.zeros(()))

    def free_energy(self, y: PyTree, args: PyTree = None) -> Float[Array, ""]:
        """Variational free energy of a batch, samples on the first axis: the sum of their energies,
        and the divergence."""
        return jax.vmap(self.__call__)(y, args).sum() + self.kl()

    def natural(self) -> tuple[Any, ...]:
        """Natural parameters of each arrow's posterior, which a rule of learning changes."""
        return tuple(a.posterior.natural() for a in self.arrows)

    def prior(self) -> tuple[Any, ...]:
        """Natural parameters of each arrow's prior."""
        return tuple(a.prior.natural() for a in self.arrows)

    def at(self, natural: tuple[Any, ...]) -> "BayesianPredictiveCoding":
        """The network whose posteriors have these natural parameters."""
        return BayesianPredictiveCoding(
            eqx.tree_at(lambda a: a.posterior, a, a.posterior.at(parameters))
            for a, parameters in zip(self.arrows, natural, strict=True)
        )

    def statistics(self, y: PyTree, args: PyTree = None) -> tuple[Any, ...]:
        """Sufficient statistics of a batch: what it adds to the natural parameters of each arrow,
        summed over samples."""
        z = jax.vmap(self.full)(y, args)
        for a in self.arrows:
            if z[a.pre] is None or z[a.post] is None:
                raise ValueError(f"{a.name}: to learn it, both of its layers must be there.")

        def of(a: BayesianArrow):
            post = z[a.post].reshape(len(z[a.post]), -1)
            return a.posterior.statistics(post, jax.vmap(a.features)(z[a.pre]))

        return tuple(of(a) for a in self.arrows)
