"""One pattern of spikes recognised and replayed, by detectors and by the spiking memory."""

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import DelayHopfield
from bpcjax.models import SpikingHopfield, event_path

from . import coincidences as events

PATTERNS, UNITS, STEPS, SPREAD = 5, 14, 40, 0.03
SPIKES, RATE, BETA = 80, 20.0, 0.6
SHOWN, SHIFT = 2, 0.3  # which, and how late, in windows


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
    memory = SpikingHopfield(lifted, rate=RATE)
    path = event_path(
        memory, query, jax.random.key(seed), spikes=SPIKES, save=lambda y: lifted(y.x)
    )
    spiked = lifted.hypothesis(path.winners)
    match = lifted.match(jnp.asarray(query))
    return {
        "stored": stored, "input": spikes, "at": at, "counts": counts,
        "spike_times": np.asarray(path.times), "spike_memory": np.asarray(spiked.memory),
        "spike_shift": np.asarray(spiked.shift) / STEPS,
        "energy": np.asarray(path.saved), "query": query,
        "recalled": np.asarray(path.x),
        "match": np.array([match.memory, match.shift, match.probability], float),
    }  # fmt: skip
