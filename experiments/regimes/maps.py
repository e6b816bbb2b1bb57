"""Phase maps of the spiking memory: measures of paths over two of its parameters."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.models import SpikingHopfield

from ..common.memories import on_sphere, room
from .laws import flow_exponent, start_weight
from .measure import equidistant, measures

LOAD_RATE, LOAD_SIZE, LOAD_BETA = 20.0, 24, 0.3  # R tau, dimensions, at length sqrt(24)


@dataclasses.dataclass(frozen=True)
class Paths:
    """How many paths there are at each point, of what length in tau, and from which seed."""

    count: int
    time: float
    seed: int

    def keys(self, index: int) -> jax.Array:
        """A key for each path of the map of that number."""
        return jax.random.split(jax.random.fold_in(jax.random.key(self.seed), index), self.count)


def _swept(run, axes) -> dict[str, np.ndarray]:
    """Each measure [first axis, second axis, path]."""
    table = bpc.sweep(run, axes, progress=False)
    return {str(name): table[name].values for name in table.data_vars}


def over_rate(paths: Paths, count: int, bs, rates, index: int) -> dict[str, np.ndarray]:
    """The map over b and R tau of `count` equidistant memories, from a minimum of the flow."""
    start = jnp.eye(count)[0]
    axis, weights = jnp.asarray(bs), jnp.asarray([start_weight(b, count) for b in bs])
    spikes = room(rates[-1] * paths.time)

    def run(b, rate, path):
        weight = jnp.interp(b, axis, weights)  # at the axis' own points: the table itself
        query = start * weight + (1 - start) * (1 - weight) / (count - 1)
        memory = SpikingHopfield(equidistant(count, b), rate)
        return measures(memory, query, path, spikes, paths.time)

    return _swept(run, {"b": axis, "rate": jnp.asarray(rates), "path": paths.keys(index)})


def over_delay(paths: Paths, count: int, bs, delays, rate: float) -> dict[str, np.ndarray]:
    """The map over b and the delay of spikes."""

    def run(b, delay, path):
        memory = SpikingHopfield(equidistant(count, b), rate, delay=delay)
        return measures(memory, jnp.eye(count)[0], path, room(rate * paths.time), paths.time)

    axes = {"b": jnp.asarray(bs), "delay": jnp.asarray(delays), "path": paths.keys(2)}
    return _swept(run, axes)


def over_load(paths: Paths, counts, silent) -> dict[str, np.ndarray]:
    """The map over the number of patterns and the refractory period; memories beyond the number
    have no prior."""
    most = int(counts[-1])
    rng = np.random.default_rng(paths.seed)
    patterns = jnp.asarray(on_sphere(rng, paths.count, most, LOAD_SIZE))

    def run(count, silent, path):
        own = patterns[path]
        prior = jnp.where(jnp.arange(most) < count, 0.0, -1e6)
        energy = bpc.energies.ModernHopfield(own, LOAD_BETA, prior)
        memory = SpikingHopfield(energy, LOAD_RATE, refractory=silent)
        key = jax.random.fold_in(jax.random.key(paths.seed), path)
        values = measures(memory, own[0], key, room(LOAD_RATE * paths.time), paths.time)
        return values | {"doubt": 1 - energy.posterior(own[0])[0]}

    axes = {
        "count": jnp.asarray(counts),
        "silent": jnp.asarray(silent),
        "path": jnp.arange(paths.count),
    }
    return _swept(run, axes)


def exponents(bs, rate: float, time: float, seed: int) -> dict[str, np.ndarray]:
    """The largest exponent of the spiking pair with its key held, per tau, and of its flow."""
    spectra = []
    for b in bs:
        memory = SpikingHopfield(equidistant(2, b), rate, key=jax.random.key(seed))
        start = memory.start(jnp.eye(2)[0])
        spectra.append(bpc.analysis.lyapunov(memory, start, t1=time, dt=0.5 / rate, count=1))
    columns = {
        "value": [one.exponents[0] for one in spectra],
        "error": [one.error[0] for one in spectra],
        "ok": [one.ok for one in spectra],
        "flow": [flow_exponent(b) for b in bs],
    }
    return {name: np.array(column) for name, column in columns.items()}


def example(b: float, rate: float, time: float, seed: int) -> dict[str, np.ndarray]:
    """m of the pair just before each spike, for the picture of slow draws."""
    memory = SpikingHopfield(equidistant(2, b), rate)
    path = bpc.models.event_path(
        memory, jnp.full(2, 0.5), jax.random.key(seed), spikes=room(rate * time), t1=time,
        save=lambda y: y.x[0] - y.x[1],
    )  # fmt: skip
    sent = np.asarray(path.winners) >= 0
    return {"time": np.asarray(path.times)[sent], "m": np.asarray(path.saved)[sent]}
