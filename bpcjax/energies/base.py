"""Base classes of energies and of memories, and checks of their arrays."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Inexact, Int, PyTree

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


def as_patterns(patterns: ArrayLike, axes: str = "P N") -> Inexact[Array, "..."]:
    """`patterns` as a floating (or complex) array of these axes.

    **Raises:** `ValueError` if there is no pattern, or no unit, or if the axes do not fit.
    """
    array = as_parameter(patterns)
    if array.ndim != len(axes.split()):
        raise ValueError(f"patterns must be an array [{axes}], got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"patterns must hold one pattern or more, got shape {array.shape}.")
    return array


def as_number(name: str, value: ArrayLike) -> Float[Array, ""]:
    """`value` as one number.

    **Raises:** `ValueError` naming it if it is an array of numbers.
    """
    number = as_parameter(value)
    if number.ndim != 0:
        raise ValueError(f"{name} must be a number, got an array of shape {number.shape}.")
    return number


def as_bias(
    bias: ArrayLike | None, count: int, dtype: Any, of: str = "pattern"
) -> Float[Array, " P"]:
    """One bias a pattern, or `of` what else, zero where none are given.

    **Raises:** `ValueError` if it has another shape.
    """
    array = jnp.zeros(count, dtype) if bias is None else as_parameter(bias)
    if array.shape != (count,):
        raise ValueError(f"bias must have shape ({count},), one a {of}, got {array.shape}.")
    return array


def as_couplings(weights: ArrayLike) -> Inexact[Array, "N N"]:
    """`weights` between units, as a symmetric (complex: Hermitian) matrix.

    **Raises:** `ValueError` if they are not square, or, where they are known, not symmetric.
    """
    matrix = as_parameter(weights)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"weights must be square [N, N], got shape {matrix.shape}.")
    if not is_traced(matrix) and not jnp.allclose(matrix, matrix.conj().T):
        kind, other = ("Hermitian", "conj().T") if jnp.iscomplexobj(matrix) else ("symmetric", "T")
        raise ValueError(f"weights must be {kind}: pass (weights + weights.{other}) / 2.")
    return matrix


def check_state(y: Any, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` if the state `y` is not of the patterns' shape."""
    if jnp.shape(y) != shape:
        raise ValueError(f"y must have the shape of one pattern, {shape}, got {jnp.shape(y)}.")


def present(y: Float[Array, "..."], seen: Bool[ArrayLike, "..."]) -> Float[Array, "..."]:
    """What is there of `y`: 0 in place of missing entries, also of NaN among them.

    **Raises:** `ValueError` if `seen` is no mask in the shape of `y`.
    """
    mask = jnp.asarray(seen)
    if mask.dtype != bool or mask.shape != jnp.shape(y):
        raise ValueError(
            f"seen must be a mask of booleans in the shape of y, {jnp.shape(y)}, got "
            f"{mask.dtype} of shape {mask.shape}."
        )
    return jnp.where(mask, y, 0)
