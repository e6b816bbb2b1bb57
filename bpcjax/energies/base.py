"""Base classes of energies and of memories, and checks of their arrays."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Inexact, Int, PyTree

from .._require import floating, mask
from ..system import Module, as_floating, as_parameter, is_traced


class AbstractEnergy(Module):
    """Energy of the state of one sample: the sum of its `terms`."""

    @abstractmethod
    def terms(self, y: PyTree, args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the energy, by name, which sum to it."""

    def __call__(self, y: PyTree, args: PyTree = None) -> Float[Array, ""]:
        return sum(self.terms(y, args).values(), start=jnp.zeros(()))


class AbstractMemory(AbstractEnergy):
    """Modern Hopfield energy `E(y) = |y|^2 / 2 - lse(scores(y)) / beta` of the scores of memories.

    Read as Bayes: `exp(-beta E)` is a mixture of Gaussians of variance `1 / beta`.
    """

    patterns: eqx.AbstractVar[Float[Array, "P ..."]]
    beta: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abstractmethod
    def hypotheses(self) -> int:
        """Number of hypotheses: of the scores, each that of one pattern."""

    @abstractmethod
    def pattern(self, hypothesis: int | Int[Array, ""]) -> Float[Array, "..."]:
        """Pattern of one hypothesis, which is counted along the flat scores."""

    @abstractmethod
    def mixture(self, weights: Float[Array, "..."]) -> Float[Array, "..."]:
        """Sum of the patterns by their weights, flat or in the shape of the scores."""

    @abstractmethod
    def scores(
        self, y: Float[Array, "..."], seen: Bool[ArrayLike, "..."] | None = None
    ) -> Float[Array, "..."]:
        """Scores [P]: the log posterior of each memory, up to normalisation; of the entries of `y`
        that are `seen`, a mask in its shape (`None`: all).

        **Raises:** `ValueError` if `y` or `seen` has not the shape of a pattern.
        """

    def log_posterior(
        self, y: Float[Array, "..."], seen: Bool[ArrayLike, "..."] | None = None
    ) -> Float[Array, "..."]:
        """Log posterior [P]: the log probability of each memory given what is `seen` of `y`."""
        scores = self.scores(y) if seen is None else self.scores(y, seen)
        return jax.nn.log_softmax(scores, axis=tuple(range(scores.ndim)))

    def posterior(
        self, y: Float[Array, "..."], seen: Bool[ArrayLike, "..."] | None = None
    ) -> Float[Array, "..."]:
        """Posterior [P]: the probability of each memory given what is `seen` of `y`, the softmax of
        its scores. Missing entries say nothing, whatever `y` holds there; as zeros they would."""
        return jnp.exp(self.log_posterior(y, seen))

    def terms(self, y, args=None):
        evidence = jax.nn.logsumexp(self.scores(y)) / self.beta
        y = as_floating(y)
        return {"confinement": 0.5 * jnp.sum(y * y), "evidence": -evidence}

    def update(
        self, y: Float[Array, "..."], seen: Bool[ArrayLike, "..."] | None = None
    ) -> Float[Array, "..."]:
        """One step of attention with keys = values = patterns: `y - grad E(y)`, the posterior mean
        of the patterns, given what is `seen` of `y`; so missing entries are filled in."""
        if seen is None:
            y = as_floating(y)
            return y - jax.grad(self)(y)
        return self.mixture(self.posterior(y, seen))


def as_patterns(
    patterns: ArrayLike, axes: str = "P N", *, real: bool = True, name: str = "patterns"
) -> Inexact[Array, "..."]:
    """`patterns` as a floating (or complex) array of these axes.

    **Raises:** `ValueError` if there is no pattern, or no unit, or if the axes do not fit.
    """
    array = as_parameter(floating(name, patterns, real=real, finite=True), name, real=real)
    if array.ndim != len(axes.split()):
        raise ValueError(f"{name} must be an array [{axes}], got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} must hold one pattern or more, got shape {array.shape}.")
    return array


def as_bias(
    bias: ArrayLike | None, count: int, dtype: Any, of: str = "pattern"
) -> Float[Array, " P"]:
    """One bias a pattern, or `of` what else, zero where none are given.

    **Raises:** `ValueError` if it has another shape.
    """
    array = jnp.zeros(count, dtype) if bias is None else as_parameter(bias, "bias")
    if array.shape != (count,):
        raise ValueError(f"bias must have shape ({count},), one a {of}, got {array.shape}.")
    return array


def as_couplings(weights: ArrayLike, *, real: bool = True) -> Inexact[Array, "N N"]:
    """`weights` between units, as a symmetric (complex: Hermitian) matrix.

    **Raises:** `ValueError` if they are not square, or, where they are known, not symmetric.
    """
    matrix = as_parameter(weights, "weights", real=real)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"weights must be square [N, N], got shape {matrix.shape}.")
    if is_traced(matrix):
        return matrix
    known = np.asarray(matrix)
    if not np.allclose(known, known.conj().T, equal_nan=True):
        kind, other = ("Hermitian", "conj().T") if jnp.iscomplexobj(matrix) else ("symmetric", "T")
        raise ValueError(f"weights must be {kind}: pass (weights + weights.{other}) / 2.")
    return matrix


def as_state(
    y: Any, shape: tuple[int, ...], name: str = "y", *, real: bool = True
) -> Inexact[Array, "..."]:
    """The state `y` as a floating array.

    **Raises:** `ValueError` with the name if it is not of the patterns' shape.
    """
    array = floating(name, y, real=real)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape of one pattern, {shape}, got {array.shape}.")
    return array


def present(y: Float[Array, "..."], seen: Bool[ArrayLike, "..."]) -> Float[Array, "..."]:
    """What is there of `y`: 0 in place of missing entries, also of NaN among them.

    **Raises:** `ValueError` if `seen` is no mask in the shape of `y`.
    """
    return jnp.where(mask("seen", seen, jnp.shape(y)), y, 0)
