"""How the cost grows with the memories and their width; queries that a processor answers."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.models import SequentialStore, by_variance

from ..common.memories import nearest, on_sphere, with_flat_prior
from .tasks import Source, stored

THETA = 7.0
NOISE = 1.0  # on the sphere
BLOCK = 4
REPEATS = 15  # of a timing; the least counts


def exponents(
    points: tuple[tuple[int, int], ...], queries: int, seed: int
) -> dict[str, np.ndarray]:
    """Multiply-accumulates of a query for memories on the sphere, [points] of P and N, and the
    exponents of both with their standard errors."""
    macs = []
    for k, (count, width) in enumerate(points):
        rng = np.random.default_rng([seed, 55, k])
        x = on_sphere(rng, count, width).astype(np.float32)
        normal = rng.standard_normal((queries, width)).astype(np.float32)
        y = x[rng.integers(0, count, queries)] + np.float32(NOISE) * normal
        store = SequentialStore(with_flat_prior(x, 1 / NOISE**2), sigma=NOISE, block=BLOCK)
        macs.append(float(store.recall(y, theta=THETA).operations.macs.mean()))
    logs = np.log(np.array(points, float))
    design = np.column_stack([np.ones(len(points)), logs])
    fitted, *_ = np.linalg.lstsq(design, np.log(macs), rcond=None)
    left = np.log(macs) - design @ fitted
    spread = left @ left / max(len(points) - 3, 1)
    errors = np.sqrt(spread * np.diag(np.linalg.inv(design.T @ design)))
    return {
        "points": np.array(points), "macs": np.array(macs),
        "exponents": fitted[1:], "exponent_errors": errors[1:],
    }  # fmt: skip


def _seconds(call: Callable[[], object]) -> float:
    """Least time of a call that has run before."""
    jax.block_until_ready(call())
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return min(times)


def speed(
    data: str, count: int, noise: float, batches: tuple[int, ...], blocks: tuple[int, ...],
    seed: int, images: Source | None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Seconds a call on this processor, of [batches, blocks], and of argmax as a product of
    matrices [batches]."""
    rng = np.random.default_rng([seed, 66])
    x = stored(data, count, rng, images)
    target = rng.integers(0, count, max(batches))
    normal = rng.standard_normal((max(batches), x.shape[1])).astype(np.float32)
    y = jnp.asarray(x[target] + np.float32(noise) * normal)
    product = jax.jit(nearest)
    x_there = jnp.asarray(x)
    taken = np.zeros((len(batches), len(blocks)))
    for j, block in enumerate(blocks):
        energy = with_flat_prior(x, 1 / noise**2)
        store = SequentialStore(energy, sigma=noise, order=by_variance, block=block)
        for i, batch in enumerate(batches):
            own = y[:batch]
            taken[i, j] = _seconds(lambda s=store, q=own: s.recall(q, theta=THETA).decision)
    plain = [_seconds(lambda q=y[:batch]: product(x_there, q)) for batch in batches]
    return {
        "batch": np.array(batches), "block": np.array(blocks), "seconds": taken,
        "plain_seconds": np.array(plain), "width": np.array(x.shape[1]),
    }  # fmt: skip
