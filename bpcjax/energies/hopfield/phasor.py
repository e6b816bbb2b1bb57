"""Phasor memories: units on the complex plane, whose phases are spike times of a rhythm."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float, PyTree

from ..._require import number
from ...system import parameter
from ..base import AbstractEnergy, as_bias, as_couplings, as_patterns, as_state
from .classical import within_range
from .modern import ModernHopfield


def split(z: Complex[Array, "*batch N"]) -> Float[Array, "*batch two_N"]:
    """Split phasors: real parts, then imaginary parts, on the last axis."""
    return jnp.concatenate([jnp.real(z), jnp.imag(z)], axis=-1)


def join(y: Float[Array, "*batch two_N"]) -> Complex[Array, "*batch N"]:
    """Join real and imaginary parts, as `split` made them, to complex numbers."""
    real, imaginary = jnp.split(y, 2, axis=-1)
    return jnp.asarray(real + 1j * imaginary)


class PhasorHopfield(AbstractEnergy):
    """Modern Hopfield energy of phasors `E(z) = |z|^2 / 2 - lse(beta (Re(X^* z) + a)) / beta`,
    complex patterns `X` [P, N].

    It is the modern Hopfield energy of real and imaginary parts: `real`, a `ModernHopfield` over
    2 N units (`split`, `join`), for flows, spikes and analysis. A phase stands for a spike time,
    `t = arg(z) / omega`. `update` is the complex attention `sum_mu posterior_mu x_mu`.
    """

    patterns: Complex[Array, "P N"] = parameter(real=False)
    beta: Float[Array, ""] = parameter(positive=True)
    bias: Float[Array, " P"] = parameter()

    def __init__(self, patterns: ArrayLike, beta: ArrayLike, bias: ArrayLike | None = None):
        self.patterns = as_patterns(patterns, real=False) + 0j
        self.beta = number("beta", beta)
        self.bias = as_bias(bias, self.patterns.shape[0], self.patterns.real.dtype)

    @property
    def real(self) -> ModernHopfield:
        """Equivalent `ModernHopfield` over real and imaginary parts."""
        return ModernHopfield(split(self.patterns), self.beta, self.bias)

    def scores(self, z: Complex[Array, " N"]) -> Float[Array, " P"]:
        """Scores [P]: `beta (Re(X^* z) + a)`.

        **Raises:** `ValueError` if `z` has not the patterns' length.
        """
        z = as_state(z, self.patterns.shape[1:], "z", real=False)
        return self.real.scores(split(z))

    def posterior(self, z: Complex[Array, " N"]) -> Float[Array, " P"]:
        """Posterior [P]: the probability of each memory given `z`."""
        z = as_state(z, self.patterns.shape[1:], "z", real=False)
        return self.real.posterior(split(z))

    def terms(self, y: Complex[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        y = as_state(y, self.patterns.shape[1:], real=False)
        return self.real.terms(split(y), args)

    def update(self, z: Complex[Array, " N"]) -> Complex[Array, " N"]:
        """One step of complex attention `X.T posterior(z)`, the exact descent of `E`."""
        z = as_state(z, self.patterns.shape[1:], "z", real=False)
        return join(self.real.update(split(z)))


class ThresholdPhasor(AbstractEnergy):
    """Threshold phasor network `E(z) = -z^* W z / 2 + threshold |z|_1`, Hermitian `W` [N, N], units
    0 or on the circle.

    `update` sets each unit to the direction of its field `W z` where that is longer than the
    threshold, else to 0: taken one at a time it is the exact minimiser and never raises `E`
    (Noest 1988, Europhys. Lett. 6:469; Frady & Sommer 2019, PNAS 116:18050). Without threshold it
    holds 0.038 N patterns (Cook 1989, J. Phys. A 22:2057).
    """

    weights: Complex[Array, "N N"] = parameter(real=False)
    threshold: Float[Array, ""] = parameter(nonnegative=True)

    def __init__(self, weights: ArrayLike, threshold: ArrayLike = 0.0):
        self.weights = as_couplings(weights, real=False) + 0j
        self.threshold = number("threshold", threshold)

    @classmethod
    def hebb(cls, patterns: ArrayLike, threshold: ArrayLike = 0.0) -> "ThresholdPhasor":
        """Hebb's rule `W = X.T conj(X) / N` with an empty diagonal, for phasors [P, N]."""
        x = as_patterns(patterns, real=False) + 0j
        size = x.shape[-1]
        weights = within_range(x.T @ x.conj() / size)
        return cls(weights * (1 - jnp.eye(size, dtype=weights.dtype)), threshold)

    def terms(self, y: Complex[Array, " N"], args: PyTree = None) -> dict[str, Float[Array, ""]]:
        y = as_state(y, self.weights.shape[:1], real=False)
        coupling = -0.5 * jnp.real(jnp.vdot(y, self.weights @ y))
        return {"coupling": coupling, "threshold": self.threshold * jnp.sum(jnp.abs(y))}

    def update(self, z: Complex[Array, " N"]) -> Complex[Array, " N"]:
        """Synchronous update: all units at once along their fields; 0 where a field is not above
        the threshold."""
        z = as_state(z, self.weights.shape[:1], "z", real=False)
        field = self.weights @ z
        size = jnp.abs(field)
        fires = size > self.threshold
        return jnp.where(fires, field / jnp.where(fires, size, 1), 0)
