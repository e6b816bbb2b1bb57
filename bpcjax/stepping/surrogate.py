"""Surrogate derivatives of a spike that is tested on the time grid."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._require import floating
from ..system import Module, parameter

Shape = Callable[[Float[Array, "*n"]], Float[Array, "*n"]]


def fast_sigmoid(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """SuperSpike surrogate `1 / (1 + |x|)^2` (Zenke & Ganguli 2018, Neural Comput. 30:1514)."""
    return 1 / (1 + jnp.abs(floating("x", x))) ** 2


def arctan(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Arctan surrogate `1 / (1 + (pi x / 2)^2)` (Fang et al. 2021, ICCV)."""
    return 1 / (1 + (0.5 * jnp.pi * floating("x", x)) ** 2)


def triangle(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Triangular surrogate `max(0, 1 - |x|)` (Bellec et al. 2018, NeurIPS)."""
    return jnp.maximum(0.0, 1 - jnp.abs(floating("x", x)))


def gaussian_shape(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Gaussian surrogate `exp(-x^2 / 2)`, 1 at threshold."""
    return jnp.exp(-0.5 * floating("x", x) ** 2)


class AbstractSpike(Module):
    """Spike function: a step function of the guard, 0 or 1, with a derivative of choice.

    `through_resets`: whether derivatives pass the reset that a spike makes too.
    """

    through_resets: eqx.AbstractVar[bool]

    @abstractmethod
    def __call__(self, guard: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The spike: 1 where `guard >= 0`, else 0, in the guard's shape."""


class Surrogate(AbstractSpike):
    """Surrogate gradient: a spike whose derivative by the guard is `height * shape(slope * guard)`.

    The derivative of a solve with it is that of no system: it is a direction for learning
    (Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51). `slope` is per unit of the
    guard (1/mV where that is a voltage); `height` is the derivative at threshold.

    The derivative passes what spikes send, not their resets (Zenke & Vogels 2021, Neural Comput.
    33:899): through resets too it is multiplied at every step near threshold by 1 minus `height`
    times the jump, so that it explodes where this is below -1.
    """

    slope: Float[Array, ""] = parameter(1.0, positive=True)
    height: Float[Array, ""] = parameter(1.0, positive=True)
    shape: Shape = fast_sigmoid
    through_resets: bool = eqx.field(default=False, static=True)

    def __call__(self, guard):
        return _step(guard, self)


@eqx.filter_custom_jvp
def _step(guard, surrogate: Surrogate):
    return (guard >= 0).astype(guard.dtype)


@_step.def_jvp
def _step_jvp(primals, tangents):
    (guard, surrogate), (tangent, _) = primals, tangents
    slope, height = (jnp.asarray(p, guard.dtype) for p in (surrogate.slope, surrogate.height))
    rate = height * surrogate.shape(slope * guard)
    return _step(guard, surrogate), jnp.zeros_like(guard) if tangent is None else rate * tangent
