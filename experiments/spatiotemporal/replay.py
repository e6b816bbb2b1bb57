"""One pattern of spikes recognised and replayed, by detectors and by the spiking memory."""

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import DelayHopfield, ModernHopfield
from bpcjax.models import SpikingHopfield, event_path

from . import coincidences as events

PATTERNS, UNITS, STEPS, SPREAD = 5, 14, 40, 0.03
SPIKES, RATE, BETA = 80, 20.0, 0.6
SHOWN, SHIFT = 2, 0.3  # which, and how late, in windows


def with_all_shifts(memory: DelayHopfield) -> ModernHopfield:
    """The same energy over flat states, each pattern stored at each shift [P D, N D]."""
    x = np.asarray(memory.patterns)
    steps = x.shape[-1]
    shifted = np.stack([np.roll(x, s, axis=-1) for s in range(steps)], axis=1)
    stored = shifted.reshape(-1, x[0].size)
    return ModernHopfield(stored, memory.beta, jnp.repeat(memory.bias, steps))


def replay(seed: int, width: float) -> dict[str, np.ndarray]:
    """Times stored and those of the input, counts of detectors over shifts, spikes of the memory
    layer (which memory, at what shift), the energy before each, the raster before and after."""
    rng = np.random.default_rng([seed, 200])
    stored = rng.random((PATTERNS, UNITS))
    damaged = events.spoil(rng, stored[SHOWN], jitter=0.015, deletion=0.4, shift=SHIFT)
    extra = events.inserted(rng, (UNITS,), 0.4)
    spikes = np.concatenate([damaged[:, None], extra], axis=-1)
    at = np.linspace(0, 1, 201)
    counts = events.trace(spikes, stored, width, at)
    lifted = DelayHopfield(events.raster(stored[..., None], STEPS, SPREAD), BETA)
    query = events.raster(spikes, STEPS, SPREAD)
    energy = with_all_shifts(lifted)
    memory = SpikingHopfield(energy, rate=RATE)
    path = event_path(
        memory, query.ravel(), jax.random.key(seed), spikes=SPIKES, save=lambda y: energy(y.x)
    )
    match = lifted.match(jnp.asarray(query))
    return {
        "stored": stored, "input": spikes, "at": at, "counts": counts,
        "spike_times": np.asarray(path.times), "spike_memory": np.asarray(path.winners) // STEPS,
        "spike_shift": np.asarray(path.winners) % STEPS / STEPS,
        "energy": np.asarray(path.saved), "query": query,
        "recalled": np.asarray(path.x).reshape(UNITS, STEPS),
        "match": np.array([match.memory, match.shift, match.probability], float),
    }  # fmt: skip
