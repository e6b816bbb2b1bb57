"""One recall in full: its path, its spikes, and the energy on a plane through it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.analysis import energy_slice, plane
from bpcjax.energies import ModernHopfield

from .corruptions import CORRUPTIONS
from .methods import Presentation

EXAMPLE = "mask 0.5"
MARKS = "query", "recalled", "rival"


def choose(answers: dict[str, np.ndarray], target: np.ndarray) -> tuple[int, int]:
    """The corruption and the query to show: of the half-masked ones that the spiking memory
    recalled, the first whose first spike was for another memory; else the first recalled; else
    the first.
    """
    corruption = [spoil.name for spoil in CORRUPTIONS].index(EXAMPLE)
    recalled = answers["recalled"][corruption, :, 0] == target
    wavered = recalled & (answers["first"][corruption] != target)
    for marked in (wavered, recalled):
        if marked.any():
            return corruption, int(marked.argmax())
    return corruption, 0


@eqx.filter_jit
def _path(present: Presentation, energy: ModernHopfield, query: jax.Array, key: jax.Array):
    """A path, and the visible state at 401 times: between spikes it relaxes in closed form."""
    path = present(energy, query, key, save=lambda y: y.x)
    ts = jnp.linspace(0.0, present.t1, 401)
    before = jnp.searchsorted(path.times, ts, side="right")  # spikes up to each time
    began = jnp.concatenate([jnp.zeros(1), path.times])[before]
    x = jnp.concatenate([query[None], path.saved])[before]
    target = jnp.concatenate([query[None], energy.patterns[path.winners]])[before]
    decay = jnp.exp(-(ts - began) / present.tau)[:, None]
    return path, ts, target + (x - target) * decay


def trace(
    present: Presentation, energy: ModernHopfield, query: jax.Array, key: jax.Array
) -> dict[str, np.ndarray]:
    """Path of one query: states and energies at 401 times, and its spikes."""
    path, ts, states = _path(present, energy, query, key)
    sent = np.asarray(path.winners) >= 0
    return dict(
        time=np.asarray(ts),
        state=np.asarray(states),
        energy=np.asarray(jax.vmap(energy)(states)),
        spike_time=np.asarray(path.times)[sent],
        spike_neuron=np.asarray(path.winners)[sent],
    )


def rival(neurons: np.ndarray, winner: int, patterns: np.ndarray, query: np.ndarray) -> int:
    """The memory, other than `winner`, with most spikes; without any, the nearest to the query."""
    others = neurons[neurons != winner]
    if len(others):
        return int(np.bincount(others).argmax())
    distance = np.sum((patterns - query) ** 2, axis=-1)
    distance[winner] = np.inf
    return int(distance.argmin())


def landscape(
    energy: ModernHopfield, query: jax.Array, winner: int, other: int, states: np.ndarray
) -> dict[str, np.ndarray]:
    """Energy [across, along] on the plane through the query and two memories, with the places of
    these three, MARKS [3, 2], and of the path [time, 2] on it."""
    marks = jnp.stack([query, energy.patterns[winner], energy.patterns[other]])
    through = plane(*marks)
    points = jnp.concatenate([jnp.asarray(states, marks.dtype), marks])
    table = energy_slice(energy, through, points=points)
    return dict(
        along=np.asarray(table.along),
        across=np.asarray(table.across),
        energy=np.asarray(table.energy),
        marks=np.asarray(through.coordinates(marks)),
        path=np.asarray(through.coordinates(states)),
    )
