"""How many stored patterns a memory keeps, counted; binary and phasor memories by products of
matrices, a thousand queries at once.

Each is a second version of `update` of its energy (tests hold them equal), in the order of
operations that many queries of many patterns need: `DenseHopfield.update` holds an array of
patterns and units for one query.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import ModernHopfield, SparseHopfield

from ..common.memories import Separation, on_sphere, power, spins

CHUNK = 128  # queries at a time
BATCH, EACH = 32, 4  # memories on the sphere at a time, and queries of each


def exponential(size: int) -> Separation:
    """`F(u) = exp(u - size)`."""
    return lambda u: np.exp(u - size)


def fields(patterns: np.ndarray, states: np.ndarray, separation: Separation) -> np.ndarray:
    """Fields of a dense memory [M, N]: `F(u + 1) - F(u - 1)` with signs, `u` the overlaps without
    the unit. `DenseHopfield.update` takes their signs: this is its second version, for speed.

    For patterns [P, N] and states [M, N] of spins. With `h(u) = F(u + 1) - F(u - 1)`, `m` an
    overlap, a unit has `x h(m - x s)`; as `x s` is 1 or -1, this is linear in `x` and `s`.
    """
    overlap = patterns @ states.T
    after, before = (separation(overlap + d) - separation(overlap - 2 + d) for d in (2, 0))
    even, odd = 0.5 * (before + after), 0.5 * (before - after)
    return even.T @ patterns + odd.sum(axis=0)[:, None] * states


def errors(patterns: np.ndarray, queries: int, separation: Separation) -> np.ndarray:
    """Wrong units after one step from each of the first `queries` patterns; a tie is none."""
    wrong = []
    for start in range(0, queries, CHUNK):
        states = patterns[start : min(start + CHUNK, queries)]
        wrong.append((fields(patterns, states, separation) * states < 0).sum(axis=1))
    return np.concatenate(wrong)


def one_pattern(
    rng: np.random.Generator, count: int, size: int, order: int, queries: int, memories: int
) -> tuple[int, int]:
    """Of how many patterns every unit stays after one step, and of how many."""
    successes, trials = 0, 0
    each = min(count, -(-queries // memories))
    while trials < queries:
        wrong = errors(spins(rng, count, size), each, power(order))
        successes, trials = successes + int((wrong == 0).sum()), trials + each
    return successes, trials


def all_patterns(
    rng: np.random.Generator, count: int, size: int, separation: Separation, memories: int
) -> tuple[int, int]:
    """In how many memories no unit of any pattern fails, and of how many."""
    successes = 0
    for _ in range(memories):
        patterns = spins(rng, count, size)
        successes += not any(
            (fields(patterns, part, separation) * part < 0).any()
            for part in np.array_split(patterns, -(-count // CHUNK))
        )
    return successes, memories


def settled_overlaps(
    rng: np.random.Generator, count: int, size: int, queries: int, steps: int, *, phases: bool
) -> np.ndarray:
    """Overlap with its pattern after `steps` synchronous steps from it, of so many patterns.

    Hebb's rule with an empty diagonal, for spins or, with `phases`, for phasors.
    """
    if phases:
        x = np.exp(2j * np.pi * rng.random((count, size))).astype(np.complex64)
    else:
        x = spins(rng, count, size)
    state = before = x[:queries].copy()
    for _ in range(steps):
        field = (state @ x.conj().T) @ x / size - count / size * state
        length = np.abs(field)
        new = np.where(length > 0, field / np.where(length > 0, length, 1), state)
        if min(np.abs(new - old).max() for old in (state, before)) < 1e-3:
            break  # at rest, or in a cycle of two
        state, before = new, state
    return np.abs((x[:queries].conj() * state).mean(axis=1))


@eqx.filter_jit
@eqx.filter_vmap(in_axes=(0, None, None, 0))
def _named(patterns, bias, noise, queries):
    memory = ModernHopfield(patterns, 1 / noise**2, bias)
    return jnp.argmax(jax.vmap(memory.log_posterior)(queries), axis=1)


@eqx.filter_jit
@eqx.filter_vmap(in_axes=(0, None, None, None))
def _exact(patterns, bias, beta, queries):
    memory = SparseHopfield(patterns, beta, 2.0, bias)
    weights = jax.vmap(memory.posterior)(patterns[:EACH])
    return (jnp.diagonal(weights) == 1.0) & (jnp.arange(EACH) < queries)


def _room(rng: np.random.Generator, count: int, size: int, room: int):
    """`BATCH` memories of `count` patterns in `room` places [BATCH, room, N], and biases that
    leave the other places out: sizes of arrays, and so programs, do not depend on the load."""
    patterns = on_sphere(rng, BATCH * room, size).reshape(BATCH, room, size)
    return patterns, np.where(np.arange(room) < count, 0.0, -np.inf)


def modern(
    rng: np.random.Generator, count: int, size: int, noise: float, queries: int, room: int
) -> tuple[int, int]:
    """Of how many noisy queries the likeliest memory is the right one, and of how many.

    Every `BATCH` of memories gets a few queries each: queries of one share its patterns.
    """
    successes, trials = 0, 0
    while trials < queries:
        patterns, bias = _room(rng, count, size, room)
        target = rng.integers(0, count, (BATCH, EACH))
        clean = np.take_along_axis(patterns, target[:, :, None], axis=1)
        named = _named(patterns, bias, noise, clean + noise * rng.normal(size=clean.shape))
        successes += int((np.asarray(named) == target).sum())
        trials += target.size
    return successes, trials


def sparse(
    rng: np.random.Generator, count: int, size: int, beta: float, queries: int, room: int
) -> tuple[int, int]:
    """Of how many stored patterns sparsemax gives a weight of exactly 1, and of how many."""
    successes, trials, each = 0, 0, min(count, EACH)
    while trials < queries:
        patterns, bias = _room(rng, count, size, room)
        successes += int(np.asarray(_exact(patterns, bias, beta, each)).sum())
        trials += BATCH * each
    return successes, trials
