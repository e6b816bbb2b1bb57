"""One test image: who spikes when, and the corrections that a label would send down."""

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.models import NudgedPhases

from ..common.data import Split
from ..common.precision import single
from ..common.predictive import Trained

EXAMPLE = {
    "digit": ("row", "column"),
    "raster": ("moment", "neuron"),
    "beliefs": ("moment", "class"),
    "corrections": ("label", "class"),
}  # variables of one test image, with their dimensions


def raster(model: Trained, test: Split) -> dict[str, np.ndarray]:
    """Spikes of one test image: those of the hidden layer by step, what is predicted of the
    classes, and the corrections that its label and a wrong one would send down."""
    phases, energy = single(NudgedPhases()), model.energy
    x = jnp.asarray(test.x[0].reshape(-1), jnp.float32)
    active = np.argsort(-np.asarray(phases.values(energy, x)[0][1]))[:60]
    z, sent, outputs = phases.silence(energy, x), [], []
    for _ in range(10):
        z, spikes, output = phases.step(energy, x, z)
        outputs.append(np.asarray(jax.nn.softmax(output)))
        sent.append(np.asarray(spikes[0])[active])
    label = int(test.labels[0])
    corrections = [np.eye(test.classes)[k] - outputs[-1] for k in (label, (label + 1) % 10)]
    return {
        "digit": test.x[0],
        "raster": np.array(sent),
        "beliefs": np.array(outputs),
        "corrections": np.round(np.array(corrections) / 0.05),
    }
