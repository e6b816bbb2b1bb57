"""Maps by which one layer predicts another: dense, convolutional, residual, constant."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..._arrays import sized
from ..._require import function
from ...system import Module, as_parameter, parameter


def identity(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Identity activation `z`: what a layer sends is linear in its spikes."""
    return z


class AbstractMap(Module):
    """Map from the activity of one layer to the prediction of another."""

    @abstractmethod
    def __call__(self, z: Float[Array, "..."] | None) -> Float[Array, "..."]:
        """The prediction [...] of one sample from the value `z` of the layer before."""

    def moved(
        self, z: Float[Array, "..."], unit: Array, by: Array, mu: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Hook: the prediction after the `unit` of `z.ravel()` moved `by`; `mu` is that before."""
        return self(z.ravel().at[unit].add(by).reshape(z.shape))

    def squared(self, z: Float[Array, "..."], by: Float[Array, "..."]) -> Float[Array, "..."]:
        """Hook: the diagonal of `J^T by J`, for the derivative J at `z`, in the shape of `z`.

        `by` is a weight for each predicted unit [m], or a matrix [m, m].
        """
        slope = jax.jacobian(self)(z).reshape(-1, z.size)
        return _diagonal(slope, by).reshape(z.shape)


def _diagonal(slope: Float[Array, "m n"], by: Float[Array, "..."]) -> Float[Array, " n"]:
    if by.ndim == 2:
        return jnp.einsum("ji,jk,ki->i", slope, by, slope)
    return by @ slope**2


class Constant(AbstractMap):
    """Constant prediction: the mean of a prior."""

    value: Float[Array, "..."] = parameter()

    def __call__(self, z):
        return self.value


class DenseMap(AbstractMap):
    """Dense map `W f(z) + b`, for weights [m, n], a bias [m] (0 by default) and an `activation` f.

    With f the identity, predictions are currents that spikes of z add up to.
    """

    weights: Float[Array, "m n"] = parameter()
    bias: Float[Array, " m"] = parameter()
    activation: Callable = eqx.field(static=True, default=identity)

    def __init__(
        self, weights: ArrayLike, bias: ArrayLike | None = None, activation: Callable = identity
    ):
        self.weights = as_parameter(weights, "weights")
        if self.weights.ndim != 2 or not self.weights.size:
            raise ValueError(f"weights must be [m, n], got shape {self.weights.shape}.")
        rows, dtype = self.weights.shape[0], self.weights.dtype
        self.bias = jnp.zeros(rows, dtype) if bias is None else as_parameter(bias, "bias")
        if self.bias.shape != (rows,):
            raise ValueError(f"bias must have one entry a row, {rows}, got {self.bias.shape}.")
        self.activation = function("activation", activation)

    def __call__(self, z):
        if z is None or z.size != self.weights.shape[1]:
            size = None if z is None else z.size
            raise ValueError(
                f"y, args: weights take {self.weights.shape[1]} units, the layer has {size}."
            )
        return self.weights @ self.activation(z.ravel()) + self.bias

    def moved(self, z, unit, by, mu):
        old = z.ravel()[unit]
        return mu + self.weights[:, unit] * (self.activation(old + by) - self.activation(old))

    def squared(self, z, by):
        flat = z.ravel()
        slope = jax.jvp(self.activation, (flat,), (jnp.ones_like(flat),))[1]
        return (slope**2 * _diagonal(self.weights, by)).reshape(z.shape)


class ConvolutionMap(AbstractMap):
    """Convolution `k * f(z) + b`: a kernel [out, in, height, width] moved over maps [in, rows,
    columns].

    The edge is padded with zeros so that a `stride` of 1 keeps the size of the maps.
    """

    kernel: Float[Array, "o i h w"] = parameter()
    bias: Float[Array, " o"] = parameter()
    stride: int = eqx.field(static=True, converter=sized("stride", 1), default=1)
    activation: Callable = eqx.field(static=True, default=identity)

    def __init__(
        self,
        kernel: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int = 1,
        activation: Callable = identity,
    ):
        self.kernel = as_parameter(kernel, "kernel")
        if self.kernel.ndim != 4 or not self.kernel.size:
            raise ValueError(f"kernel must be [out, in, h, w], got shape {self.kernel.shape}.")
        rows, dtype = self.kernel.shape[0], self.kernel.dtype
        self.bias = jnp.zeros(rows, dtype) if bias is None else as_parameter(bias, "bias")
        if self.bias.shape != (rows,):
            raise ValueError(f"bias must have one entry a map, {rows}, got {self.bias.shape}.")
        self.stride = stride
        self.activation = function("activation", activation)

    def __call__(self, z):
        if z is None or z.ndim != 3 or z.shape[0] != self.kernel.shape[1]:
            shape = None if z is None else z.shape
            raise ValueError(
                f"y, args: kernel takes {self.kernel.shape[1]} maps [in, rows, columns], got "
                f"{shape}."
            )
        output = jax.lax.conv_general_dilated(
            self.activation(z)[None], self.kernel, (self.stride, self.stride), "SAME"
        )
        return output[0] + self.bias[:, None, None]

    def squared(self, z, by):
        if by.ndim == 2:
            return super().squared(z, by)
        slope = jax.jvp(self.activation, (z,), (jnp.ones_like(z),))[1]
        square = ConvolutionMap(self.kernel**2, stride=self.stride)
        return slope**2 * jax.vjp(square, z)[1](by.reshape(square(z).shape))[0]


class ResidualMap(AbstractMap):
    """Residual map `z + g(z)`, for a map g whose prediction has the size of its layer: what a unit
    holds is passed on to the unit of its number (He et al. 2016, CVPR, arXiv:1512.03385).

    The layer before arrives over one synapse a unit that does not learn. With g of a variance of
    1 / depth at the start, predictions neither grow nor fade over the layers.

    **Raises:** `ValueError` if g changes the size.
    """

    inner: AbstractMap

    def __call__(self, z):
        change = self.inner(z)
        if z is None or change.size != z.size:
            size = None if z is None else z.size
            raise ValueError(f"inner gives {change.size} units, its layer has {size}; both equal.")
        return z.reshape(change.shape) + change
