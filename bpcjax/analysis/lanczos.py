"""Lanczos method: extreme eigenvalues and spectral density of a Hessian too large to write down.

Lanczos' iteration on products of the Hessian with vectors, with full reorthogonalisation (Golub &
Van Loan 2013, Matrix Computations, 10.1-10.3); densities by stochastic quadrature (Ubaru, Chen &
Saad 2017, SIAM J. Matrix Anal. Appl. 38:1075).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Key, PyTree

from .._require import function, key as one_key, sizes
from ..flows import Energy, GradientFlow, Langevin
from ._flow import Layout, as_floats

Product = Callable[[Float[Array, " n"]], Float[Array, " n"]]


class Ritz(eqx.Module):
    """Ritz values: what `steps` products tell of a symmetric matrix, from each of `probes` random
    starts.

    `values` [probes, steps] ascend, NaN past the `used` steps of a probe that had seen all of the
    space it can reach; `weights` are the shares of the start vector in them (the quadrature), and
    `residuals` the norms |A v - value v|: an eigenvalue lies within that distance of each value.
    """

    values: Float[Array, "probes steps"]
    weights: Float[Array, "probes steps"]
    residuals: Float[Array, "probes steps"]
    used: Int[Array, " probes"]

    @property
    def smallest(self) -> Float[Array, ""]:
        """The smallest Ritz value: never below the least eigenvalue, but by rounding."""
        return jnp.nanmin(self.values)

    @property
    def largest(self) -> Float[Array, ""]:
        """The largest Ritz value: never above the greatest eigenvalue, but by rounding."""
        return jnp.nanmax(self.values)

    @property
    def condition(self) -> Float[Array, ""]:
        """Condition number: the ratio of the largest to the smallest value; infinite where that is
        not positive."""
        return jnp.where(self.smallest > 0, self.largest / self.smallest, jnp.inf)

    @property
    def error(self) -> Float[Array, ""]:
        """Error bound: the larger of the residuals at the two ends of the spectrum."""
        low, high = jnp.nanargmin(self.values), jnp.nanargmax(self.values)
        return jnp.maximum(self.residuals.ravel()[low], self.residuals.ravel()[high])

    def relaxation(self, tau: ArrayLike = 1.0) -> Float[Array, ""]:
        """Relaxation time `tau / smallest`: the time in which a gradient flow loses all but 1/e of
        its slowest departure from rest; infinite where the matrix is not positive."""
        return jnp.where(self.smallest > 0, jnp.asarray(tau) / self.smallest, jnp.inf)

    def density(self, at: Float[Array, " m"], width: ArrayLike) -> Float[Array, " m"]:
        """Spectral density at `at`: the eigenvalues, each spread as a Gaussian of standard
        deviation `width`, normalised to 1."""
        values = self.values[..., None]
        bell = jax.scipy.stats.norm.pdf(at[None, None, :], values, width)
        return jnp.nansum(self.weights[..., None] * bell, axis=(0, 1)) / self.values.shape[0]


def lanczos(
    product: Product, size: int, key: Key[Array, ""], *, steps: int, probes: int = 1
) -> Ritz:
    """Lanczos iteration for the symmetric matrix [size, size] whose product with a vector is
    `product`.

    Starts are random signs, drawn from `key`. `steps` (at most `size` count) products for each of
    `probes` starts: a few tens find the ends, for the density take several starts.

    **Raises:** `ValueError` if `steps`, `probes` or `size` is below 1.
    """
    function("product", product)
    one_key("key", key)
    size, steps, probes = sizes(1, size=size, steps=steps, probes=probes)
    steps = min(steps, size)
    starts = jax.random.rademacher(key, (probes, size), jnp.result_type(float))
    ritz = jax.lax.map(lambda start: _one(product, start / jnp.sqrt(size), steps), starts)
    return Ritz(*ritz)


def hessian_spectrum(
    energy: Energy | GradientFlow | Langevin,
    y: PyTree,
    key: Key[Array, ""],
    args: PyTree = None,
    *,
    steps: int = 40,
    probes: int = 1,
) -> Ritz:
    """Spectrum of the Hessian at `y` of an energy, or of a flow's energy, by Lanczos: it is never
    formed, but for one gradient and its tangent for each product.

    **Raises:** `ValueError` as `lanczos`.
    """
    of = energy.energy if isinstance(energy, GradientFlow | Langevin) else energy
    function("energy", of)
    y = as_floats(y)
    layout = Layout.of(y)
    x = layout.ravel(y)
    gradient = jax.grad(lambda x: of(layout.unravel(x), args))
    return lanczos(
        lambda v: jax.jvp(gradient, (x,), (v.astype(x.dtype),))[1],
        x.size, key, steps=steps, probes=probes,
    )  # fmt: skip


def _one(product: Product, start: Float[Array, " n"], steps: int) -> tuple[Array, ...]:
    """The fields of `Ritz` of one start."""
    small = jnp.finfo(start.dtype).eps

    def step(carry, k):
        basis, alive, scale = carry
        v = basis[k]
        w = product(v)
        alpha = v @ w
        # Twice is enough (Parlett 1998): all that is left is orthogonal to rounding.
        for _ in range(2):
            w = w - basis.T @ (basis @ w)
        beta = jnp.linalg.norm(w)
        scale = jnp.maximum(scale, jnp.abs(alpha) + beta)
        going = alive & (beta > 10 * len(start) * small * scale)
        w = jnp.where(going, w / jnp.where(going, beta, 1.0), 0.0)
        basis = basis.at[k + 1].set(w)
        return (basis, going, scale), (alpha, jnp.where(going, beta, 0.0), alive)

    basis = jnp.zeros((steps + 1, len(start)), start.dtype).at[0].set(start)
    begin = basis, jnp.array(True), jnp.zeros((), start.dtype)
    _, (alpha, beta, alive) = jax.lax.scan(step, begin, jnp.arange(steps))
    # Steps after the space is exhausted are cut off: their rows decouple, and go to the end.
    far = 4 * jnp.max(jnp.abs(jnp.where(alive, alpha, 0.0)) + 2 * beta) + 1
    matrix = jnp.diag(jnp.where(alive, alpha, far))
    matrix = matrix + jnp.diag(beta[:-1], 1) + jnp.diag(beta[:-1], -1)
    values, vectors = jnp.linalg.eigh(matrix)
    used = alive.sum()
    last = beta[used - 1]
    there = jnp.arange(steps) < used
    return (
        jnp.where(there, values, jnp.nan),
        jnp.where(there, vectors[0] ** 2, 0.0),
        jnp.where(there, jnp.abs(last * vectors[used - 1]), jnp.nan),
        used,
    )
