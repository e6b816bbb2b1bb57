"""Layers of rectified numbers: what spiking layers of the same sizes are compared with, and what
an image costs in both by every price list there is."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bpcjax import cost


class Relu(eqx.Module):
    """`x -> max(0, x @ w + b)`, layer by layer; the last is not rectified."""

    weights: tuple[Float[Array, "pre post"], ...]
    biases: tuple[Float[Array, " post"], ...]

    def layers(self, x: Float[Array, "batch pre"]) -> list[Float[Array, "batch post"]]:
        """The values of each layer."""
        found = []
        for k, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weights + bias[None]
            x = jax.nn.relu(x) if k + 1 < len(self.weights) else x
            found.append(x)
        return found

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
        """The values of the last layer."""
        return self.layers(x)[-1]


def relu(key: Any, sizes: Sequence[int]) -> Relu:
    """Weights of He et al. (2015), ICCV, 1026-1034; no biases yet."""
    keys = jax.random.split(key, len(sizes))
    weights = tuple(
        math.sqrt(2 / n) * jax.random.normal(k, (n, m), jnp.float32)
        for k, n, m in zip(keys, sizes, sizes[1:], strict=False)
    )
    return Relu(weights, tuple(jnp.zeros(m, jnp.float32) for m in sizes[1:]))


def operations(sizes: Sequence[int], seen: float = 1.0, active: Sequence[float] = ()):
    """Of an input through layers of these sizes: a multiply-accumulate a synapse, a comparison a
    rectified number. Where zeros are spared, `seen` is the share of the inputs that are not zero,
    and `active` how many numbers of each hidden layer are not."""
    hidden = sizes[1:-1]
    sources = [seen * sizes[0], *(active or hidden)]
    macs = float(sum(n * m for n, m in zip(sources, sizes[1:], strict=True)))
    # A weight each, and of the numbers each is read once and, but for the inputs, written.
    words = macs + sizes[0] + 2.0 * sum(hidden) + sizes[-1]
    return cost.Counts(macs=macs, adds=float(sum(hidden)), words=words)


def price_lists(parameters: int) -> dict[str, cost.Ledger]:
    """Every technology by name; those without a price of memory in them also with the smallest
    memory that holds so many parameters."""
    found = {}
    for technology in cost.TECHNOLOGIES.values():
        found[technology.name] = cost.Ledger(technology)
        if technology.macs is not None:
            memory = cost.smallest_memory(parameters * technology.word)
            found[f"{technology.name}+memory"] = cost.Ledger(technology, memory)
    return found


def energies(counts: cost.Counts, parameters: int) -> np.ndarray:
    """The energy of an input (pJ) by each price list; NaN where it has no price for an operation
    that is needed."""

    def one(ledger: cost.Ledger) -> float:
        lacking = [
            name
            for name in cost.OPERATIONS
            if getattr(ledger.technology, name) is None and getattr(counts, name) > 0
        ]
        return math.nan if lacking else float(ledger.energy(counts))

    return np.array([one(ledger) for ledger in price_lists(parameters).values()])


def clock(run: Callable[[Any], Any], x: Any, repeats: int = 5) -> float:
    """Seconds of the compiled `run(x)`, the least of some; the first call does not count."""
    found = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        jax.block_until_ready(run(x))
        found.append(time.perf_counter() - began)
    return min(found[1:])
