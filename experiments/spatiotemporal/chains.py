"""Transitions of sequences of spin patterns, counted; cycles with delays, over time."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import CycleHopfield
from theory.closed_forms import capacity, crosstalk

from ..common.memories import power, spins

ORDERS = {1: (100, 300, 1000), 2: (50, 100, 200)}  # of the separation: units
LENGTH, UNITS, CYCLES, STARTS, STEPS = 6, 60, 3, 20, 40  # of the cycles with delays
EACH = 16  # transitions of each sequence
UNSYMMETRIC = np.array([2.0, 0.1, 0.1, 1.5, 0.1, 0.0])


@dataclasses.dataclass(frozen=True)
class Chain:
    """Sequences of `size` units with `f(m) = m^order`."""

    order: int
    size: int
    whole: bool = False  # all transitions of a sequence, or each of them

    @property
    def name(self) -> str:
        """What it is called."""
        return f"power {self.order}, {self.size} units" + (", whole" if self.whole else "")

    @property
    def law(self) -> float:
        """Patterns whose transitions are right, `N^d / (2 (2 d - 1)!! log N)`, or, for whole
        sequences, `d + 1` times fewer (Chaudhry et al. 2023)."""
        # The crosstalk is that of the dense memory with a power one above.
        each = float(capacity.dense_capacity(self.size, self.order + 1))
        return each / (self.order + 1) if self.whole else each

    @property
    def level(self) -> float:
        """How often that is right there, by the normal law."""
        error = capacity.dense_error(self.law, self.size, self.order + 1)
        units = self.size * (self.law if self.whole else 1)
        return float(np.exp(-units * error))

    def loads(self, number: int) -> np.ndarray:
        """Lengths of sequences to measure."""
        span = (0.6, 1.8) if self.whole else (0.6, 2.5)
        return np.round(self.law * np.geomspace(*span, number)).astype(int)


def fields(patterns: np.ndarray, rows: np.ndarray, order: int) -> np.ndarray:
    """Fields of a sequence memory at the patterns `rows` [M, N], up to a factor.

    `SequenceMemory.update` takes their signs: this is its second version (tests hold them equal),
    for speed. `x' (m - x s)^d` is linear in `x s`, 1 or -1.
    """
    following, state = np.roll(patterns, -1, axis=0), patterns[rows]
    overlap = patterns @ state.T
    separation = power(order)
    same, other = separation(overlap - 1), separation(overlap + 1)
    even, odd = 0.5 * (same + other), 0.5 * (same - other)
    return even.T @ following + state * (odd.T @ (following * patterns))


def transitions(
    rng: np.random.Generator, chain: Chain, count: int, bits: int
) -> tuple[float, float, int, int]:
    """The share of wrong units and its standard error; right transitions, of how many.

    Units of one sequence share its crosstalk: the error is that of means of sequences.
    """
    each = min(count, EACH)
    shares, right = [], 0
    while len(shares) * each * chain.size < bits or len(shares) < 8:
        patterns = spins(rng, count, chain.size)
        rows = rng.permutation(count)[:each]
        expected = patterns[(rows + 1) % count]
        bad = (fields(patterns, rows, chain.order) * expected < 0).sum(axis=1)
        shares.append(bad.mean() / chain.size)
        right += int((bad == 0).sum())
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    return float(np.mean(shares)), float(error), right, each * len(shares)


def whole_sequences(
    rng: np.random.Generator, chain: Chain, count: int, number: int
) -> tuple[int, int]:
    """Of how many sequences every transition is right, and of how many."""
    right = 0
    for _ in range(number):
        patterns = spins(rng, count, chain.size)
        field = fields(patterns, np.arange(count), chain.order)
        right += not (field * np.roll(patterns, -1, axis=0) < 0).any()
    return right, number


def laws(chain: Chain, count: int) -> tuple[float, float]:
    """The chance that a unit is wrong: exact, and by the normal law."""
    normal = capacity.dense_error(count - 1, chain.size - 1, chain.order + 1)
    return crosstalk.transition_error(count, chain.size, chain.order), float(normal)


def functional(seed: int) -> dict[str, np.ndarray]:
    """Functional of cycles over time from random histories [start, step], with delays that are
    symmetric and with delays that are not."""
    rng = np.random.default_rng([seed, 300])
    cycles = rng.choice([-1.0, 1.0], (CYCLES, LENGTH, UNITS))
    starts = jnp.asarray(rng.choice([-1.0, 1.0], (STARTS, LENGTH, UNITS)))

    @eqx.filter_jit
    def run(memory):
        def step(history, _):
            new = memory.update(history)
            return new, memory(new)

        def path(history):
            later = jax.lax.scan(step, history, None, length=STEPS)[1]
            return jnp.concatenate([memory(history)[None], later])

        return jax.vmap(path)(starts)

    energies = {}
    for name, efficacy in (("symmetric", None), ("unsymmetric", UNSYMMETRIC)):
        energies[name] = np.asarray(run(CycleHopfield(cycles, efficacy)))
    return energies
