"""The parts of the study of representations: a network learned, seen with, and dreaming."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import DenseMap

from ..common.data import Split
from ..common.study import Parts
from .code import (
    Settings,
    Synapses,
    explain,
    fall,
    hierarchy,
    imprinted,
    in_batches,
    learn_causes,
    learn_features,
    look,
)
from .dreams import dream, remember
from .rivals import apart, diversity, readout, says

TEMPERATURES = (0.0, 0.25, 0.5, 1.0)


def _packed(synapses: Synapses) -> dict[str, Any]:
    return {
        "weights": synapses.features.weights,
        "base": synapses.features.bias,
        "cause_weights": synapses.causes.weights,
        "cause_base": synapses.causes.bias,
    }


def _unpacked(part: dict[str, Any]) -> Synapses:
    return Synapses(
        DenseMap(part["weights"], part["base"]), DenseMap(part["cause_weights"], part["cause_base"])
    )


def _span(epoch: int, epochs: int) -> tuple[float, float]:
    """Rates fall on a line to a twentieth."""
    return 1 - 0.95 * epoch / epochs, 1 - 0.95 * (epoch + 1) / epochs


class Study:
    """The parts of the study for one set of images."""

    def __init__(self, config: Any, settings: Settings, parts: Parts, learned: Split, asked: Split):
        self.config, self.parts, self.settings = config, parts, settings
        self.split = learned, asked
        self.x, self.asked = (
            s.x.reshape(len(s.x), -1).astype(np.float32) for s in (learned, asked)
        )
        self.labels = learned.labels, asked.labels

    def key(self, seed: int, *path: int):
        """A key for each thing that is drawn."""
        key = jax.random.key(seed)
        for k in path:
            key = jax.random.fold_in(key, k)
        return key

    def features(self, seed: int) -> tuple[Synapses, np.ndarray]:
        """The synapses after learning features, and the curves [3, points]."""
        config, curves = self.config, []
        synapses = imprinted(self.x, self.settings, self.key(seed, 0))
        for epoch in range(config.epochs):

            def make(synapses=synapses, epoch=epoch):
                found = learn_features(
                    synapses, self.x, self.settings,
                    self.key(seed, 1, epoch), _span(epoch, config.epochs),
                )  # fmt: skip
                curve = np.array([found.energy, found.spikes, found.active])
                return _packed(found.synapses) | {"curve": curve}

            part = self.parts(f"seed {seed}: features, epoch {epoch + 1}", make)
            synapses = _unpacked(part)
            curves.append(part["curve"])
        return synapses, np.concatenate(curves, axis=1)

    def code(self, synapses: Synapses, seed: int) -> dict[str, np.ndarray]:
        """Spike counts of all images; of the test also F and spikes."""
        learned, _, _ = in_batches(look, synapses, self.x, self.settings, self.key(seed, 2))
        asked, energy, spikes = in_batches(
            look, synapses, self.asked, self.settings, self.key(seed, 3)
        )
        codes = [np.clip(c, 0, 255).astype(np.uint8) for c in (learned, asked)]
        return {"learned": codes[0], "asked": codes[1], "energy": energy, "spikes": spikes}

    def readout(self, learned: np.ndarray, asked: np.ndarray) -> float:
        """Test accuracy."""
        return readout((learned, asked), self.labels, self.split[0].classes)

    def seen(self, seed: int) -> tuple[Synapses, dict[str, Any]]:
        """All that a network is and does but for dreams."""
        synapses, curve = self.features(seed)
        code = self.parts(f"seed {seed}: spikes of all images", lambda: self.code(synapses, seed))
        accuracy = self.parts(
            f"seed {seed}: readout",
            lambda: {"learned": np.asarray(self.readout(code["learned"], code["asked"]))},
        )
        above = self.parts(
            f"seed {seed}: causes", lambda: self.causes(synapses, code, seed)
        )  # fmt: skip
        synapses = _unpacked(above)
        return synapses, {"curve": curve, **code, "accuracy": accuracy["learned"], "above": above}

    def causes(self, synapses: Synapses, code: dict[str, Any], seed: int) -> dict[str, Any]:
        """Learned from the spike counts of features, with those of all images."""
        epochs, curve = 3 * self.config.epochs, []
        for epoch in range(epochs):
            found = learn_causes(
                synapses, code["learned"], self.settings,
                self.key(seed, 4, epoch), _span(epoch, epochs),
            )  # fmt: skip
            synapses = found.synapses
            curve.append(found.energy)
        counts = [
            in_batches(explain, synapses, code[k], self.settings, self.key(seed, 5, i))
            for i, k in enumerate(("learned", "asked"))
        ]
        result = _packed(synapses) | {"cause_curve": np.concatenate(curve)}
        found = {"learned_causes": counts[0][0], "asked_causes": counts[1][0]}
        score = self.readout(*found.values())
        return result | found | {"score": np.asarray(score), "cause_spikes": counts[1][2].mean()}

    def rebuilt(self, synapses: Synapses, seen: dict[str, Any]) -> dict[str, np.ndarray]:
        """Images of the test from features, and from causes."""
        energy = hierarchy(synapses, self.settings)
        down = jax.jit(jax.vmap(lambda z: energy.forward((None, None, z))[0]))
        causes = seen["above"]["asked_causes"] * np.float32(self.settings.cause_quantum)
        features = seen["asked"] * np.float32(self.settings.quantum)
        return {
            "features": np.asarray(jax.vmap(synapses.features)(jnp.asarray(features))),
            "causes": np.asarray(down(jnp.asarray(causes))),
        }

    def dreams(
        self, synapses: Synapses, seen: dict[str, Any], seed: int, weights: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        """Drawn digits at each temperature: judged right, diversity and novelty, the digits."""
        classes, quantum = self.split[0].classes, np.float32(self.settings.cause_quantum)
        causes = jnp.asarray(seen["above"]["learned_causes"] * quantum)
        memories = remember(
            causes, jnp.asarray(self.labels[0]), classes, self.config.memories, self.key(seed, 6)
        )
        wanted = np.repeat(np.arange(classes), self.config.drawn)
        known = self.x[:20000]
        real = [self.asked[: len(wanted)], self.labels[1][: len(wanted)]]
        scale = diversity(*real), apart(real[0], known).min(1).mean()
        rows, spikes, images = [], [], []
        for k, temperature in enumerate(TEMPERATURES):
            found = dream(
                synapses, self.settings, memories, causes, jnp.asarray(wanted),
                jnp.asarray(temperature), self.key(seed, 7, k),
            )  # fmt: skip
            drawn = np.asarray(found.images)
            rows.append([
                (says(weights, drawn) == wanted).mean(),
                diversity(drawn, wanted) / scale[0],
                apart(drawn, known).min(1).mean() / scale[1],
            ])  # fmt: skip
            spikes.append(np.asarray(found.spikes).mean())
            images.append(drawn.reshape(classes, -1, drawn.shape[1])[:, :8])
        return {"dreams": np.array(rows), "dreamt": np.array(images), "spent": np.array(spikes)}

    def exact(self, synapses: Synapses, count: int = 4, spikes: int = 500) -> dict[str, np.ndarray]:
        """F of images of the test by one spike at a time, in double precision."""
        double = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), synapses)
        x = jnp.asarray(self.asked[:count], jnp.float64)
        keys = jax.random.split(self.key(0, 8), count)
        run = jax.jit(jax.vmap(lambda x, key: fall(double, x, self.settings, key, spikes)))
        found = run(x, keys)
        return {
            "falls": np.asarray(found.energy),
            "rises": np.asarray((jnp.diff(found.energy, axis=1) > 1e-9).sum()),
            "fall_spikes": np.asarray(found.count),
            "at_rest": np.asarray(found.at_rest),
        }
