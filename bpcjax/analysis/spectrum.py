"""Jacobians and Hessians at a state, their eigenvalues, and linear stability."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int, PyTree

from .._require import at_least_single, floating, function, mask, scalar
from ..flows import Energy, GradientFlow, Langevin
from ..system import AbstractSystem
from ._flow import Layout, Matrix, as_floats, flow_of, known, ravel


def jacobian(system: AbstractSystem, y: PyTree, args: PyTree = None, *, t: Any = 0.0) -> Matrix:
    """Jacobian [n, n] of the vector field at `y`, in the order of `ravel_pytree`.

    **Raises:** `ValueError` if state, drive and vector field do not fit together.
    """
    return flow_of(system, y, args, t).jacobian(ravel(y))


def hessian(energy: Energy | GradientFlow | Langevin, y: PyTree, args: PyTree = None) -> Matrix:
    """Hessian [n, n] of an energy, or of a flow's energy, at `y`, in the order of
    `ravel_pytree`."""
    of = energy.energy if isinstance(energy, GradientFlow | Langevin) else energy
    function("energy", of)
    y = as_floats(y)
    layout = Layout.of(y)
    return jax.hessian(lambda x: of(layout.unravel(x), args))(layout.ravel(y))


def spectrum(
    matrix: Float[Array, "..."], structural: Bool[Array, " n"] | None = None
) -> Complex[Array, "..."]:
    """Eigenvalues [..., m] of each matrix [..., n, n], by falling real part.

    `structural` marks coordinates that the flow never moves (`FixedPoints.structural`): their
    zeros are left out, `m` is the number of the others. Outside of `jit` eigenvalues are computed
    on the host, so on any device; and those that rounding of a singular matrix splits from a
    multiple zero (at a Bogdanov-Takens point) are zero. A matrix with NaN has NaN for eigenvalues.

    **Raises:** `ValueError` if the matrices are not square, or if `structural` is traced.
    """
    matrix = floating("matrix", matrix)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}.")
    if structural is not None:
        if not known(structural):
            raise ValueError("structural is traced, so how many are left is not known. Leave out.")
        structural = mask("structural", structural, matrix.shape[-1:], like="matrix")
        free = np.flatnonzero(~np.asarray(structural))
        matrix = matrix[..., free[:, None], free]
    matrix = at_least_single(matrix)
    finite = jnp.isfinite(matrix).all(axis=(-1, -2))
    safe = jnp.where(finite[..., None, None], matrix, 0.0)
    values = _on_host(np.asarray(safe)) if known(matrix) else jnp.linalg.eigvals(safe)
    values = jnp.asarray(values, jnp.result_type(safe.dtype, jnp.complex64))
    values = jnp.where(finite[..., None], values, jnp.nan)
    order = jnp.lexsort((-values.imag, -values.real), axis=-1)
    return jnp.take_along_axis(values, order, axis=-1)


def _on_host(matrices: np.ndarray) -> np.ndarray:
    values = np.linalg.eigvals(matrices).astype(np.result_type(matrices.dtype, np.complex64))
    eps = float(np.finfo(matrices.dtype).eps)
    for k in np.ndindex(matrices.shape[:-2]):
        values[k] = _unsplit(matrices[k], values[k], eps)
    return values


def _unsplit(matrix: np.ndarray, values: np.ndarray, eps: float) -> np.ndarray:
    """Eigenvalues, with zero for those that rounding has split from a multiple zero."""
    size = np.linalg.norm(matrix)
    least = np.abs(values).min(initial=np.inf)
    # A double zero is split by the root of what rounding changes.
    if not 10 * eps * size < least <= 10 * eps**0.5 * size:
        return values
    if np.linalg.svd(matrix, compute_uv=False)[-1] > 10 * eps * size:
        return values
    own, vectors = np.linalg.eig(matrix)
    lengths = np.linalg.norm(np.linalg.pinv(vectors, rcond=0.0), axis=1)  # of left eigenvectors
    split = (np.abs(own) <= 10 * eps**0.5 * size) & (np.abs(own) <= 10 * eps * size * lengths)
    return np.where(split, 0.0, own)


class Stability(eqx.Module):
    """Linear stability: how many directions grow, how many are marginal, and whether any rotates.

    Where the eigenvalues are not known (NaN) both numbers are -1.
    """

    unstable: Int[Array, "*rows"]
    marginal: Int[Array, "*rows"]
    oscillatory: Bool[Array, "*rows"]

    @property
    def stable(self) -> Bool[Array, "*rows"]:
        """Whether every direction shrinks."""
        return (self.unstable == 0) & (self.marginal == 0)


def classify(
    eigenvalues: Complex[Array, "*rows n"] | Float[Array, "*rows n"], tol: float = 1e-8
) -> Stability:
    """Linear stability of a fixed point, from the eigenvalues [..., n] of its Jacobian, for any n.

    A real part is marginal within `tol`, or within the precision of the eigenvalues' dtype, in
    units of one plus the largest eigenvalue. For a map or a cycle pass the logarithms of its
    multipliers.

    **Raises:** `ValueError` if `tol` is negative.
    """
    tol = scalar("tol", tol, least=0)
    values = floating("eigenvalues", eigenvalues, real=False)
    if values.ndim < 1 or not values.shape[-1]:
        raise ValueError(f"eigenvalues must be [..., n], got shape {values.shape}.")
    tol = max(tol, 10 * float(jnp.finfo(jnp.result_type(values, float)).eps))
    values = jnp.asarray(values, complex)
    valid = ~jnp.isnan(values).any(axis=-1)
    near = tol * (1 + jnp.where(jnp.isfinite(values), jnp.abs(values), 0.0).max(axis=-1))
    near = near[..., None]
    unstable = (values.real > near).sum(axis=-1)
    marginal = (jnp.abs(values.real) <= near).sum(axis=-1)
    oscillatory = (jnp.abs(values.imag) > near).any(axis=-1)
    return Stability(
        jnp.where(valid, unstable, -1), jnp.where(valid, marginal, -1), valid & oscillatory
    )
