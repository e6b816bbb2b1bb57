"""Lagrangians of neuron layers: convex functions whose gradients are activations.

A layer of internal states `x` with Lagrangian `L` has activations `g = grad L(x)` and the energy
`x . g - L(x)`, the Legendre transform of `L` (Krotov & Hopfield 2021, arXiv:2008.06996; the pairs
as in Hoover et al. 2022, HAMUX). The Hessian of `L` is the metric in which a layer descends.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._arrays import sized
from ..._require import floating
from ...system import Module, Scalar, parameter

Lagrangian = Callable[[Float[Array, " n"]], Scalar]


def activation(lagrangian: Lagrangian, x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Activation of a layer: `g = grad L(x)`, in the shape of `x`."""
    return jax.grad(lagrangian)(x)


def layer_energy(lagrangian: Lagrangian, x: Float[Array, " n"]) -> Scalar:
    """Energy of a layer: `x . g - L(x)`; for log-sum-exp, minus the entropy of the softmax over
    beta."""
    return jnp.vdot(x, activation(lagrangian, x)) - lagrangian(x)


class Quadratic(eqx.Module):
    """Quadratic Lagrangian `|x|^2 / 2`: the activation is the identity."""

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return 0.5 * jnp.sum(x * x)


class RectifiedPower(Module):
    """Rectified power Lagrangian `sum max(x, 0)^n / n`: the activation `max(x, 0)^(n - 1)`, a
    rectifier for `n = 2`."""

    power: int = eqx.field(static=True, converter=sized("power", 2))

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return jnp.sum(jnp.maximum(x, 0) ** self.power) / self.power


class Exponential(Module):
    """Exponential Lagrangian `sum exp(beta x) / beta`: the activation `exp(beta x)`."""

    beta: Float[Array, ""] = parameter(1.0, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return jnp.sum(jnp.exp(self.beta * x)) / self.beta


class LogCosh(Module):
    """Log-cosh Lagrangian `sum log(cosh(beta x)) / beta`: the activation `tanh(beta x)`."""

    beta: Float[Array, ""] = parameter(1.0, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        u = self.beta * x
        return jnp.sum(jnp.logaddexp(u, -u) - jnp.log(2.0)) / self.beta


class Softplus(Module):
    """Softplus Lagrangian `sum log(1 + exp(beta x)) / beta`: the activation is the logistic
    function."""

    beta: Float[Array, ""] = parameter(1.0, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return jnp.sum(jax.nn.softplus(self.beta * x)) / self.beta


class LogSumExp(Module):
    """Log-sum-exp Lagrangian `log(sum exp(beta x)) / beta`: the activation is softmax."""

    beta: Float[Array, ""] = parameter(1.0, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return jax.nn.logsumexp(self.beta * x) / self.beta


class Spherical(Module):
    """Spherical Lagrangian `gain sqrt(|x|^2 + eps)`: divisive normalisation to that length."""

    gain: Float[Array, ""] = parameter(1.0, positive=True)
    eps: Float[Array, ""] = parameter(1e-6, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return self.gain * jnp.sqrt(jnp.sum(x * x) + self.eps)


class LayerNorm(Module):
    """Layer-norm Lagrangian `n gain sqrt(var(x) + eps)`: the normalisation of transformers, `gain
    (x - mean) / std`."""

    gain: Float[Array, ""] = parameter(1.0, positive=True)
    eps: Float[Array, ""] = parameter(1e-6, positive=True)

    def __call__(self, x: Float[Array, " n"]) -> Scalar:
        x = floating("x", x)
        return x.size * self.gain * jnp.sqrt(jnp.var(x) + self.eps)
