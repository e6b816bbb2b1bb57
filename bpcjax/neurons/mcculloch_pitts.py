"""McCulloch-Pitts neuron, the formal neuron (McCulloch & Pitts 1943)."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._require import floating
from ..system import AbstractSystem, parameter

Values = Float[Array, "*n"]


class Heaviside(eqx.Module):
    """Heaviside step: 1 where `x >= 0`, else 0. Its derivative is zero: to learn, take a smooth
    response."""

    def __call__(self, x: Values) -> Values:
        return jnp.where(x >= 0, 1.0, 0.0).astype(x.dtype)


class McCullochPittsState(NamedTuple):
    """State: the activity `x`, one entry per neuron: 0 or 1 after `Heaviside`."""

    x: Values


class McCullochPitts(AbstractSystem):
    """McCulloch-Pitts neuron `x_j = phi(sum_i w_ij x_i - threshold_j)`: a map, which `update`
    applies once.

    As a flow it relaxes towards its map, `tau dx/dt = -x + phi(x @ weights + drive - threshold)`
    with `args = (weights, drive)`: the limit `tau -> 0` is the map, and what rests under one rests
    under the other. Weights are [pre, post]; `phi` is any function of the summed input. Without
    units, but for `tau`. It does not spike: an integrate-and-fire neuron of vanishing time
    constant, which fires or not, is this neuron with `Heaviside()`.

    Source: McCulloch & Pitts (1943), Bull. Math. Biophys. 5:115.
    """

    threshold: Values = parameter(1.0)
    tau: Values = parameter(1.0, positive=True)  # in the unit of time
    phi: Callable[[Values], Values] = Heaviside()

    def rest(self, shape: tuple[int, ...] = ()) -> McCullochPittsState:
        """The state at rest: zero activity, one entry per neuron."""
        return McCullochPittsState(jnp.zeros(shape, self.threshold.dtype))

    def update(
        self,
        x: Float[ArrayLike, "*batch pre"],
        weights: Float[ArrayLike, "pre post"],
        drive: Float[ArrayLike, "..."] = 0.0,
    ) -> Float[Array, "*batch post"]:
        """The next activity [post] after `x` [pre], with `drive` from outside."""
        weights, drive = floating("weights", weights, ("pre", "post")), floating("drive", drive)
        x = floating("x", x)
        if drive.shape[-1:] not in ((), (1,), weights.shape[1:]):
            raise ValueError(
                f"drive must be a number, or one for each of {weights.shape[1]} neurons, got shape "
                f"{drive.shape}."
            )
        if x.shape[-1:] != weights.shape[:1]:
            raise ValueError(
                f"x must have {weights.shape[0]} neurons on the last axis, as weights have rows, "
                f"got shape {x.shape}."
            )
        return self.phi(x @ weights + drive - self.threshold)

    def vector_field(self, t, y, args):
        weights, drive = args
        return McCullochPittsState((self.update(y.x, weights, drive) - y.x) / self.tau)
