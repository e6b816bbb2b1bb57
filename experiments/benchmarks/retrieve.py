"""How fast does the spiking memory answer? MNIST queries among 1,000 stored digits.

In kernel form a spike costs as many operations as there are memories, and a draw inverts the
cumulated probabilities in two levels. Beside it, in turns: one step of attention on the same
matrix, and the same memory from event to event with its visible units (`event_path`), whose draw
perturbs every score.

    python -m experiments.benchmarks.retrieve
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import bpcjax as bpc

from ..common.data import load, standardise
from .timing import interleaved


@dataclasses.dataclass(frozen=True)
class Config:
    """The benchmark."""

    data: str = "mnist"
    """The images: mnist, fashion_mnist or digits."""
    data_dir: str | None = None
    """The folder of the set's files, as for `experiments.recall`."""
    patterns: int = 1000
    """How many to store."""
    queries: int = 1000
    """How many queries at once."""
    spikes: int = 32
    """Spikes of the memory layer, of one query."""
    noise: float = 1.0
    """Standard deviation of the noise of a pixel, in standard deviations of pixels."""
    beta: float = 0.2
    """One over the variance that the memory expects."""


def main() -> None:
    """Print the time of one query and of many, and how many were right."""
    config = tyro.cli(Config, description=__doc__)
    images = load(config.data, config.data_dir)
    rng = np.random.default_rng(0)
    values, _, _ = standardise(images.pixels.reshape(len(images.pixels), -1))
    patterns = values[rng.permutation(len(values))[: config.patterns]].astype(np.float32)
    target = rng.integers(len(patterns), size=config.queries)
    shape = config.queries, patterns.shape[1]
    noisy = patterns[target] + config.noise * rng.standard_normal(shape)
    queries = jnp.asarray(noisy, jnp.float32)
    flat = np.full(len(patterns), -np.log(len(patterns)), np.float32)
    energy = bpc.energies.ModernHopfield.from_prior(patterns, np.float32(config.beta), flat)
    memory = bpc.models.SpikingHopfield(energy, np.float32(10.0), np.float32(1.0))
    kernel, key = bpc.models.gram(memory), jax.random.key(0)

    def kernel_form(rows, keys):
        return bpc.models.retrieve(memory, rows, key, spikes=config.spikes, kernel=kernel).recalled

    def attention(rows, keys):
        return jax.vmap(energy.update)(rows)

    def by_event(rows, keys):
        def one(row, key):
            return bpc.models.event_path(memory, row, key, spikes=config.spikes).winners

        return jax.vmap(one)(rows, keys)

    ways = {
        "spikes, kernel form": kernel_form,
        "attention, one step": attention,
        "spikes, event by event": by_event,
    }
    for count in (1, config.queries):
        rows, keys = queries[:count], jax.random.split(key, count)
        for name, seconds in interleaved(ways, rows, keys).items():
            each = f"{1e3 * seconds:9.3f} ms  {count / seconds:10,.0f} queries a second"
            print(f"{count:5d} at once  {name:24s} {each}")
    right = np.asarray(kernel_form(queries, None)) == target
    exact = np.asarray(jax.vmap(energy.posterior)(queries)).argmax(axis=1) == target
    print(f"right: {right.mean():.3f} by spikes, {exact.mean():.3f} by the largest posterior")


if __name__ == "__main__":
    main()
