"""One-shot storage: a pattern is a row of the memory, or an outer product in its weights."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from .._require import at_least_single, floating, indices, instance, number
from ..energies import ClassicalHopfield, ModernHopfield
from ..energies.base import as_patterns
from ..energies.hopfield.classical import within_range
from ..system import is_traced


def _row(memory: ModernHopfield, pattern: ArrayLike, log_prior: ArrayLike) -> tuple[Array, Array]:
    instance("memory", memory, ModernHopfield)
    row = floating("pattern", pattern, memory.patterns.shape[1:], finite=True)
    row = row.astype(memory.patterns.dtype)
    prior = number("log_prior", log_prior, below=math.inf)
    return row, prior / memory.beta - 0.5 * row @ row


def append(
    memory: ModernHopfield, pattern: ArrayLike, log_prior: ArrayLike = 0.0
) -> ModernHopfield:
    """Append one pattern [N] to a memory, as `ModernHopfield.from_prior` would hold it.

    Log priors count up to a constant: give it the scale of the other memories'.

    **Raises:** `ValueError` if the pattern does not have the length of the others.
    """
    pattern, bias = _row(memory, pattern, log_prior)
    patterns = jnp.concatenate([memory.patterns, pattern[None]])
    return ModernHopfield(patterns, memory.beta, jnp.append(memory.bias, bias))


def overwrite(
    memory: ModernHopfield,
    row: int | Int[Array, ""],
    pattern: ArrayLike,
    log_prior: ArrayLike = 0.0,
) -> ModernHopfield:
    """Overwrite the pattern in a row of a memory: `append` where room is bounded.

    **Raises:** `ValueError` if the pattern does not have the length of the others, `IndexError`
    for a row that is not there.
    """
    instance("memory", memory, ModernHopfield)
    indices("row", row, shape=())
    count = len(memory.patterns)
    if not is_traced(row) and not 0 <= int(row) < count:
        raise IndexError(f"row must be in 0 ... {count - 1}, got {row}.")
    pattern, bias = _row(memory, pattern, log_prior)
    new = memory.patterns.at[row].set(pattern), memory.bias.at[row].set(bias)
    return eqx.tree_at(lambda memory: (memory.patterns, memory.bias), memory, new)


def hebb(
    weights: Float[Array, "N N"], pattern: Float[Array, " N"], keep: ArrayLike = 1.0
) -> Float[Array, "N N"]:
    """Hebb's rule with decay: weights after one more pattern of +-1, `keep W + (x x.T - 1) / N`.

    With `keep = 1` and from zero they become those of `ClassicalHopfield.hebb`; below 1 the
    memory is a palimpsest, in which a pattern of age `k` has the signal `keep^k` (Mezard, Nadal &
    Toulouse 1986, J. Phys. 47:1457).
    """
    pattern = floating("pattern", pattern, ("N",))
    if not pattern.size:
        raise ValueError("pattern must have one unit or more, got none.")
    size = pattern.shape[0]
    weights = floating("weights", weights, (size, size), like="pattern")
    left = number("keep", keep)
    outer = pattern[:, None] * pattern[None] / size
    return left * weights + outer * (1 - jnp.eye(size, dtype=outer.dtype))


def projection(patterns: ArrayLike) -> ClassicalHopfield:
    """Projection rule: the memory whose weights project on the span of the patterns [P, N], of
    which each is then a fixed point (Personnaz, Guyon & Dreyfus 1985, J. Phys. Lett. 46:359)."""
    patterns = at_least_single(as_patterns(patterns))
    weights = within_range(jnp.linalg.pinv(patterns) @ patterns)
    return ClassicalHopfield(0.5 * (weights + weights.T))
