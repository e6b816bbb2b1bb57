"""How many stored patterns a memory keeps, counted; binary and phasor memories by products of
matrices, a thousand queries at once.

Each does what `update` of its energy does (tests compare them), in the order of operations that
many queries of many patterns need: `DenseHopfield.update` holds an array of patterns and units
for one query.
"""

from collections.abc import Callable
from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import ModernHopfield, SparseHopfield

Separation = Callable[[np.ndarray], np.ndarray]
CHUNK = 128  # queries at a time
BATCH, ASKED = 32, 4  # memories on the sphere at a time, and queries of each


def power(order: int) -> Separation:
    """`F(u) = u^order`."""
    return lambda u: reduce(np.multiply, [u] * order)


def exponential(size: int) -> Separation:
    """`F(u) = exp(u - size)`."""
    return lambda u: np.exp(u - size)


def fields(patterns: np.ndarray, spins: np.ndarray, separation: Separation) -> np.ndarray:
    """What aligns each unit: `F(u + 1) - F(u - 1)` with signs, `u` the overlaps without it [M, N].

    For patterns [P, N] and queries [M, N] of spins. With `h(u) = F(u + 1) - F(u - 1)`, `m` an
    overlap, a unit has `x h(m - x s)`; as `x s` is 1 or -1, this is linear in `x` and `s`.
    """
    overlap = patterns @ spins.T
    after, before = (separation(overlap + d) - separation(overlap - 2 + d) for d in (2, 0))
    even, odd = 0.5 * (before + after), 0.5 * (before - after)
    return even.T @ patterns + odd.sum(axis=0)[:, None] * spins


def errors(patterns: np.ndarray, queries: int, separation: Separation) -> np.ndarray:
    """Wrong units after one step from each of the first `queries` patterns; a tie is none."""
    found = []
    for start in range(0, queries, CHUNK):
        spins = patterns[start : min(start + CHUNK, queries)]
        found.append((fields(patterns, spins, separation) * spins < 0).sum(axis=1))
    return np.concatenate(found)


def spins(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Random patterns of +-1, in single precision: overlaps are exact."""
    bits = np.unpackbits(rng.integers(0, 256, (count, -(-size // 8)), np.uint8), axis=1)
    return bits[:, :size].astype(np.float32) * 2 - 1


def one_pattern(
    rng: np.random.Generator, count: int, size: int, order: int, asked: int, memories: int
) -> tuple[int, int]:
    """Of how many patterns every unit stays after one step, and how many were asked."""
    kept, tried = 0, 0
    each = min(count, -(-asked // memories))
    while tried < asked:
        wrong = errors(spins(rng, count, size), each, power(order))
        kept, tried = kept + int((wrong == 0).sum()), tried + each
    return kept, tried


def all_patterns(
    rng: np.random.Generator, count: int, size: int, separation: Separation, memories: int
) -> tuple[int, int]:
    """In how many memories no unit of any pattern fails, and of how many."""
    kept = 0
    for _ in range(memories):
        patterns = spins(rng, count, size)
        kept += not any(
            (fields(patterns, part, separation) * part < 0).any()
            for part in np.array_split(patterns, -(-count // CHUNK))
        )
    return kept, memories


def settled_overlaps(
    rng: np.random.Generator, count: int, size: int, asked: int, steps: int, *, phases: bool
) -> np.ndarray:
    """Overlap with its pattern after `steps` synchronous steps from it, of `asked` patterns.

    Hebb's rule with an empty diagonal, for spins or, with `phases`, for phasors.
    """
    if phases:
        x = np.exp(2j * np.pi * rng.random((count, size))).astype(np.complex64)
    else:
        x = spins(rng, count, size)
    state = before = x[:asked].copy()
    for _ in range(steps):
        field = (state @ x.conj().T) @ x / size - count / size * state
        length = np.abs(field)
        new = np.where(length > 0, field / np.where(length > 0, length, 1), state)
        if min(np.abs(new - old).max() for old in (state, before)) < 1e-3:
            break  # at rest, or in a cycle of two
        state, before = new, state
    return np.abs((x[:asked].conj() * state).mean(axis=1))


def on_sphere(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Random patterns of length `sqrt(size)`."""
    x = rng.normal(size=(count, size))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * np.sqrt(size)


@eqx.filter_jit
@eqx.filter_vmap(in_axes=(0, None, None, 0))
def _named(patterns, bias, noise, queries):
    memory = ModernHopfield(patterns, 1 / noise**2, bias)
    return jnp.argmax(jax.vmap(memory.log_posterior)(queries), axis=1)


@eqx.filter_jit
@eqx.filter_vmap(in_axes=(0, None, None, None))
def _exact(patterns, bias, beta, asked):
    memory = SparseHopfield(patterns, beta, 2.0, bias)
    weights = jax.vmap(memory.posterior)(patterns[:ASKED])
    return (jnp.diagonal(weights) == 1.0) & (jnp.arange(ASKED) < asked)


def _room(rng: np.random.Generator, count: int, size: int, room: int):
    """`BATCH` memories of `count` patterns in `room` places [BATCH, room, N], and biases that
    leave the other places out: sizes of arrays, and so programs, do not depend on the load."""
    patterns = on_sphere(rng, BATCH * room, size).reshape(BATCH, room, size)
    return patterns, np.where(np.arange(room) < count, 0.0, -np.inf)


def modern(
    rng: np.random.Generator, count: int, size: int, noise: float, asked: int, room: int
) -> tuple[int, int]:
    """Of how many noisy queries the likeliest memory is the right one, and of how many.

    Every `BATCH` of memories is asked for a few patterns each: queries of one share its patterns.
    """
    kept, tried = 0, 0
    while tried < asked:
        patterns, bias = _room(rng, count, size, room)
        target = rng.integers(0, count, (BATCH, ASKED))
        clean = np.take_along_axis(patterns, target[:, :, None], axis=1)
        found = _named(patterns, bias, noise, clean + noise * rng.normal(size=clean.shape))
        kept, tried = kept + int((np.asarray(found) == target).sum()), tried + target.size
    return kept, tried


def sparse(
    rng: np.random.Generator, count: int, size: int, beta: float, asked: int, room: int
) -> tuple[int, int]:
    """Of how many stored patterns sparsemax gives a weight of exactly 1, and of how many."""
    kept, tried, each = 0, 0, min(count, ASKED)
    while tried < asked:
        patterns, bias = _room(rng, count, size, room)
        kept += int(np.asarray(_exact(patterns, bias, beta, each)).sum())
        tried += BATCH * each
    return kept, tried
