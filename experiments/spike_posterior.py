"""Are spikes of the memory draws from the posterior, and how good is what they say?

Patterns are random on a sphere; a query is one of them with Gaussian noise of variance 1 / beta,
so that the posterior over memories is Bayes' own. The shares of the first S spikes are taken for
probabilities, and compared with it:

- `frozen`: the visible units keep the query (tau much longer than the run). Exact draws: the mean
  square error of the shares is `(1 - sum p^2) / S`, drawn over the measurement: a check of the
  sampler;
- `hold`, at several R tau: the state follows its own draws, so that later spikes are surer than
  the evidence allows, and more answers are wrong: spikes are draws from the posterior at the state
  that the earlier ones have made, not from that of the query;
- `visible`: units send Poisson spikes, and the memories see only those of the last time constant
  (a few queries of each set);
- `attention`: the exact posterior itself, and what it says with beta four times too large.

Measured: mean square error, Kullback-Leibler divergence from the exact posterior (shares with
half a spike added to each memory), expected calibration error of the most frequent memory's share,
and the regret: how much rarer the answer is right than Bayes' answer.

The last panel measures how far a circuit of leaky neurons with a spiking inhibitory unit
(`LIFMemory`) is from exact draws, over its membrane time constant and the drop after a spike.

    python -m experiments.spike_posterior             # results/spike_posterior.zarr, a picture
    python -m experiments.spike_posterior --quick
"""

import dataclasses

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.energies import ModernHopfield
from bpcjax.models import Hold, LIFMemory, SpikingHopfield, VisibleSpikes, event_path, retrieve

from .common import InputError, study
from .common.memories import on_sphere, with_flat_prior
from .common.statistics import standard_error
from .common.study import Parts, setting

BINS = 10


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Posteriors of spikes."""

    patterns: int = setting(32, least=2)
    """How many to store."""
    size: int = setting(16, least=2)
    """Dimensions."""
    length: float = setting(2.0, above=0)
    """Length of the patterns."""
    beta: float = setting(2.0, above=0)
    """One over the variance of a query's noise."""
    queries: int = setting(400, least=1, quick=150)
    """Queries of each seed."""
    seeds: int = setting(12, least=2, quick=4)
    """Sets of patterns."""
    spikes: int = setting(256, least=4, quick=64)
    """Spikes of the memory layer, of one query."""
    per_tau: tuple[float, ...] = setting((100.0, 10.0), above=0)
    """R tau of the memories in hold mode."""
    visible: float = setting(20.0, above=0)
    """Rate of visible spikes times their time constant."""
    membranes: tuple[float, ...] = setting((0.02, 0.05, 0.15, 0.5), quick=lambda x: x[::2])
    """Membrane time constants of the circuit, whose memories send ten spikes per unit of time."""
    drops: tuple[float, ...] = setting((0.0, 0.3, 1.0, 3.0), quick=lambda x: x[:2])
    """Drops of the circuit's potentials after a spike."""
    copies: int = setting(24, least=1, quick=6)
    """Runs of the circuit."""
    seed: int = 0
    """Of patterns, noise and spikes."""


def counts_at(config: Config) -> np.ndarray:
    """The numbers of spikes after which shares are taken: powers of two."""
    return 2 ** np.arange(int(np.log2(config.spikes)) + 1)


def methods(config: Config) -> list[str]:
    """Names, in order."""
    return ["frozen", *(f"hold, {r:g} a tau" for r in config.per_tau), "visible"]


def winners(config: Config, energy, queries, key) -> tuple[jax.Array, jax.Array]:
    """Winners of each method's spikes [method, query, spike], and of those that see visible
    spikes, for a few queries."""
    keys = jax.random.split(key, 2 + len(config.per_tau))
    out = []
    for tau, own in zip((1e12, *config.per_tau), keys[:-1], strict=True):
        memory = SpikingHopfield(energy, 1.0, tau, Hold())
        out.append(retrieve(memory, queries, own, spikes=config.spikes).winners)
    # some visible time constants pass between spikes of memories: nearly independent draws
    noisy = SpikingHopfield(energy, 0.3, 1e12, VisibleSpikes(config.visible, 1.0))

    def one(query, key):
        return event_path(noisy, query, key, spikes=config.spikes).winners

    few = min(len(queries), 8)  # every one of their spikes is simulated
    visible = jax.vmap(one)(queries[:few], jax.random.split(keys[-1], few))
    return jnp.stack(out), visible


def measures(shares, posterior, target, spikes: int, count: int) -> dict[str, jax.Array]:
    """Measures of shares [Q, P] against posteriors [Q, P]: square error, divergence, regret, and
    queries by the most frequent memory's share [bins], with how many are right."""
    smooth = (shares * spikes + 0.5) / (spikes + 0.5 * count)
    own = jnp.where(posterior > 0, posterior * (jnp.log(posterior) - jnp.log(smooth)), 0.0)
    answer = shares.argmax(axis=1)
    right, sure = answer == target, shares.max(axis=1)
    place = jnp.clip(jnp.floor(sure * BINS).astype(int), 0, BINS - 1)
    number = jnp.zeros(BINS).at[place].add(1.0)
    return dict(
        square=jnp.mean(jnp.sum((shares - posterior) ** 2, axis=1)),
        divergence=jnp.mean(own.sum(axis=1)),
        regret=jnp.mean(posterior.argmax(axis=1) == target) - jnp.mean(right),
        bin_count=number,
        bin_right=jnp.zeros(BINS).at[place].add(right),
        bin_sure=jnp.zeros(BINS).at[place].add(sure),
    )


def one_seed(config: Config, seed: int) -> dict[str, jax.Array]:
    """All measures of one set of patterns, [method, count, ...]."""
    rng = np.random.default_rng([config.seed, seed])
    patterns = on_sphere(rng, config.patterns, config.size, length=config.length)
    target = rng.integers(config.patterns, size=config.queries)
    noise = rng.normal(size=(config.queries, config.size)) / np.sqrt(config.beta)
    queries = jnp.asarray(patterns[target] + noise)
    energy = with_flat_prior(patterns, config.beta)
    return _measured(config, energy, queries, jnp.asarray(target), jax.random.key(seed))


@eqx.filter_jit
def _measured(config: Config, energy, queries, target, key) -> dict[str, jax.Array]:
    posterior = jax.vmap(energy.posterior)(queries)
    sharp = ModernHopfield(energy.patterns, 4 * energy.beta, energy.bias)
    drawn, visible = winners(config, energy, queries, key)
    rows, count = [], config.patterns
    for own in (*drawn, visible):
        q = len(own)
        hits = jax.nn.one_hot(own, count).cumsum(axis=1)
        each = [
            measures(hits[:, s - 1] / s, posterior[:q], target[:q], int(s), count)
            for s in counts_at(config)
        ]
        rows.append(jax.tree.map(lambda *x: jnp.stack(x), *each))
    result = jax.tree.map(lambda *x: jnp.stack(x), *rows)
    exact = measures(posterior, posterior, target, 10**9, count)
    wrong = measures(jax.vmap(sharp.posterior)(queries), posterior, target, 10**9, count)
    plain = jax.tree.map(lambda *x: jnp.stack(x), exact, wrong)
    result |= {f"attention_{name}": values for name, values in plain.items()}
    result["law"] = jnp.mean(1 - jnp.sum(posterior**2, axis=1))
    return result


def circuit(config: Config) -> dict[str, np.ndarray]:
    """Total variation between shares of a circuit's spikes and the posterior of a frozen query
    [membrane, fall], what sampling alone gives, and the total rate over the nominal one."""
    patterns = on_sphere(np.random.default_rng(config.seed), 6, config.size, length=config.length)
    energy = ModernHopfield(patterns, 1.0)
    query = jnp.asarray(0.4 * patterns[0] + 0.3 * patterns[1])
    posterior = energy.posterior(query)
    rate, t1 = 10.0, 40.0

    def run(membrane, fall, path):
        memory = LIFMemory(energy, rate, 1e9, membrane, 0.2, fall)
        solution = bpc.simulate(
            memory, memory.start(query), t1=t1, dt=0.02, key=path, throw=False, max_spikes=800,
            solver=bpc.OrderedSpikes(dfx.Heun(), per_step=12),
        )  # fmt: skip
        neurons = solution.spikes.neurons
        hits = jnp.zeros(6).at[neurons].add(neurons >= 0)
        return dict(hits=(("memory",), hits), ok=solution.ok)

    axes = {
        "membrane": jnp.asarray(config.membranes),
        "fall": jnp.asarray(config.drops),
        "path": jax.random.split(jax.random.key(config.seed), config.copies),
    }
    table = bpc.sweep(run, axes, progress=False)
    if not table.ok.all():
        raise InputError("membranes: some solves of the circuit failed; take longer ones.")
    hits = table.hits.transpose("membrane", "fall", "path", "memory").values
    total = hits.sum(axis=2)
    shares = total / total.sum(axis=-1, keepdims=True)
    p = np.asarray(posterior)
    sampling = 0.5 * np.sum(
        np.sqrt(2 / np.pi * p * (1 - p) / total.sum(axis=-1)[..., None]), axis=-1
    )
    return {
        "distance": 0.5 * np.abs(shares - p).sum(axis=-1),
        "sampling": sampling,
        "speed": hits.sum(axis=-1).mean(axis=-1) / (rate * t1),
    }


def _dims(name: str) -> tuple[str, ...]:
    """Dimensions of a measure of all seeds."""
    if name == "law":
        return ("seed",)
    dims = ("seed", "attention") if name.startswith("attention") else ("seed", "memory", "spikes")
    return (*dims, "bin") if "bin" in name else dims


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All methods, all seeds, and the circuit."""
    seeds = [
        parts(f"seed {seed}", lambda seed=seed: one_seed(config, seed))
        for seed in range(config.seeds)
    ]
    data = {name: (_dims(name), np.stack([part[name] for part in seeds])) for name in seeds[0]}
    board = parts("circuit", lambda: circuit(config))
    return xr.Dataset(
        data | {name: (("membrane", "fall"), values) for name, values in board.items()},
        coords={
            "memory": methods(config),
            "spikes": counts_at(config),
            "attention": ["posterior", "beta four times too large"],
            "membrane": list(config.membranes),
            "fall": list(config.drops),
        },
        attrs={"beta": config.beta, "patterns": config.patterns, "size": config.size},
    )


def calibration(right, sure, count) -> float:
    """Expected calibration error: the mean gap between share and success, weighted by bins."""
    return float(np.abs(np.sum(right, axis=0) - np.sum(sure, axis=0)).sum() / np.sum(count))


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The square error over its law, and each method's divergence, calibration and regret."""
    result: dict[str, float] = {}
    ratio = dataset.square.sel(memory="frozen") * dataset.spikes / dataset.law
    error = standard_error(ratio, "seed")
    for s in dataset.spikes.values[:: max(1, dataset.sizes["spikes"] // 4)]:
        result[f"square error times S over its law, S = {s}"] = float(ratio.sel(spikes=s).mean())
        result[f"its standard error, S = {s}"] = float(error.sel(spikes=s))
    last = dataset.isel(spikes=-1)
    for name in dataset.memory.values:
        own = last.sel(memory=name)
        result[f"{name}: divergence (nat)"] = float(own.divergence.mean())
        result[f"{name}: regret"] = float(own.regret.mean())
        result[f"{name}: calibration error"] = calibration(
            own.bin_right.values, own.bin_sure.values, own.bin_count.values
        )
    for name in dataset.attention.values:
        own = dataset.sel(attention=name)
        result[f"attention, {name}: calibration error"] = calibration(
            own.attention_bin_right.values, own.attention_bin_sure.values,
            own.attention_bin_count.values,
        )  # fmt: skip
    fast = dataset.isel(membrane=0).sel(fall=0.0)
    result["circuit, fast membrane, no drop: total variation"] = float(fast.distance)
    result["the same, of sampling alone"] = float(fast.sampling)
    result["circuit, slowest, largest drop: total variation"] = float(
        dataset.distance.isel(membrane=-1, fall=-1)
    )
    return result


STUDY = study.Study("spike_posterior", Config, run, summary)

if __name__ == "__main__":
    STUDY.main()
