"""Recall of a value by a key: the mean over memories, its square error against its energy."""

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax import cost

from .methods import Choice, Prices, ask, certain, scores, store
from .tasks import Case, Noise, Source

SAMPLES = (1, 2, 4, 8, 16, 32, 64)
THETAS = (2.0, 3.0, 4.0, 5.0, 7.0, 9.0)  # and the certified one
SAMPLED = 7.0  # theta of the memory whose survivors are sampled
BLOCK = 16
METHODS = (
    "attention",
    "argmax",
    *(f"SANTA, {s}" for s in SAMPLES),
    *(f"survivors, theta {theta:g}" for theta in THETAS),
    "survivors, certified",
    *(f"survivors, {s} samples" for s in SAMPLES),
)


@jax.jit
def _stratified(weights, values, key):
    """Means [samples, Q, M] of S rows of values, drawn from the weights [Q, P] one a stratum."""
    cumulated = jnp.cumsum(weights, axis=1)

    def mean(spikes):
        noise = jax.random.uniform(jax.random.fold_in(key, spikes), (len(weights), spikes))
        at = (jnp.arange(spikes)[None] + noise) / spikes * cumulated[:, -1:]
        rows = jax.vmap(jnp.searchsorted)(cumulated, at)
        return values[jnp.minimum(rows, weights.shape[1] - 1)].mean(axis=1)

    return jnp.stack([mean(spikes) for spikes in SAMPLES])


def _mixture(alive, out: int) -> cost.Counts:
    """Softmax over those alive, and the mixture of their values, as attention's."""
    products = alive * out
    return cost.Counts(
        macs=products, adds=alive, exps=alive, divides=alive, words=products + out + 2 * alive
    )


def _samples(alive, spikes: int, out: int) -> cost.Counts:
    """Draws from the softmax over those alive, as `cost.sampled_attention_counts` of them; one of
    the only survivor."""
    spikes = np.where(alive > 1, spikes, 1)
    whole = cost.sampled_attention_counts(0, 1, spikes, out)
    search = np.ceil(np.log2(np.maximum(alive, 2)))
    own = cost.Counts(adds=2 * (alive - 1) + spikes * (search - 1), exps=alive - 1)
    return whole + own + cost.Counts(words=2 * alive)


def measure(
    data: str, patterns: int, noises: tuple[float, ...], seeds: int, queries: int, seed: int,
    images: Source | None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Of each noise, method and seed: the mean `error` per entry to the true value, `apart` to the
    exact posterior mean, and the `energy` (nJ) by price list."""
    shape = (len(noises), len(METHODS), seeds)
    error, apart, energy = np.zeros(shape), np.zeros(shape), np.zeros((*shape, 4))
    for i, noise in enumerate(noises):
        case = Case(data, patterns, Noise(noise), (BLOCK,))
        for k in range(seeds):
            problem = case.draw(np.random.default_rng([seed, 77, k]), queries, images)
            values = jnp.asarray(np.roll(problem.patterns, 1, axis=0))  # of a key, the one before
            key = jax.random.fold_in(jax.random.key(seed), 100 * i + k)
            rows = _answers(problem, values, key)
            exact, true = rows["attention"][0], values[problem.target]
            prices = Prices(*problem.patterns.shape[::-1])
            for m, name in enumerate(METHODS):
                mean, counts = rows[name]
                error[i, m, k] = float(jnp.mean((mean - true) ** 2))
                apart[i, m, k] = float(jnp.mean((mean - exact) ** 2))
                energy[i, m, k] = prices(counts)
    return {"error": error, "apart": apart, "energy": energy}


def _answers(problem, values, key) -> dict[str, tuple]:
    """Means [Q, M] and operations of each method."""
    memories, width = problem.patterns.shape
    out = values.shape[1]
    log_posterior = scores(problem)
    weights = jax.nn.softmax(log_posterior, axis=1)
    rows = {
        "attention": (weights @ values, cost.attention_counts(width, memories)),
        "argmax": (
            values[log_posterior.argmax(axis=1)], cost.hard_attention_counts(width, memories)
        ),
    }  # fmt: skip
    for spikes, mean in zip(SAMPLES, _stratified(weights, values, key), strict=True):
        counts = cost.sampled_attention_counts(width, memories, spikes, out)
        rows[f"SANTA, {spikes}"] = mean, counts
    kept = store(problem, Choice(SAMPLED, BLOCK))
    named = {f"survivors, theta {theta:g}": theta for theta in THETAS}
    for name, theta in (named | {"survivors, certified": certain(problem)}).items():
        end = ask(kept, problem, theta, np.inf)
        alive = np.asarray(end.alive.sum(axis=1)).astype(float)
        # one survivor needs no softmax: its value is read
        operations = jax.device_get(end.operations)
        own = _mixture(np.where(alive > 1, alive, 0.0), out)
        rows[name] = end.posterior @ values, operations + own
        if theta == SAMPLED:
            drawn = _stratified(end.posterior, values, key)
            for spikes, mean in zip(SAMPLES, drawn, strict=True):
                counts = operations + _samples(alive, spikes, out)
                rows[f"survivors, {spikes} samples"] = mean, counts
    return rows
