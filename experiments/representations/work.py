"""Stages of the study: a hierarchy is trained, infers codes of all images, and draws images."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax.energies import DenseMap

from ..common.data import Split
from ..common.linear_readouts import readout
from ..common.study import Parts
from .code import (
    Settings,
    Synapses,
    greedy_path,
    hierarchy,
    infer_causes,
    infer_features,
    infer_in_batches,
    init_from_images,
    learn_causes,
    learn_features,
)
from .judge import distances, diversity, judge
from .sampling import sample_images, store_memories

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
    """Rates greedy_path on a line to a twentieth."""
    return 1 - 0.95 * epoch / epochs, 1 - 0.95 * (epoch + 1) / epochs


class Stages:
    """Stages of the study for one set of images, each a part that is kept on disk."""

    def __init__(self, config: Any, settings: Settings, parts: Parts, train: Split, test: Split):
        self.config, self.parts, self.settings = config, parts, settings
        self.split = train, test
        self.train, self.test = (s.x.reshape(len(s.x), -1).astype(np.float32) for s in self.split)
        self.labels = train.labels, test.labels
        self.classes = train.classes

    def key(self, seed: int, *path: int):
        """Random key of each thing that is drawn."""
        key = jax.random.key(seed)
        for k in path:
            key = jax.random.fold_in(key, k)
        return key

    def features(self, seed: int) -> tuple[Synapses, np.ndarray]:
        """Synapses after training features, and the curves [3, points]."""
        config, curves = self.config, []
        synapses = init_from_images(self.train, self.settings, self.key(seed, 0))
        for epoch in range(config.epochs):

            def make(synapses=synapses, epoch=epoch):
                result = learn_features(
                    synapses, self.train, self.settings,
                    self.key(seed, 1, epoch), _span(epoch, config.epochs),
                )  # fmt: skip
                curve = np.array([result.energy, result.spikes, result.active])
                return _packed(result.synapses) | {"curve": curve}

            part = self.parts(f"seed {seed}: features, epoch {epoch + 1}", make)
            synapses = _unpacked(part)
            curves.append(part["curve"])
        return synapses, np.concatenate(curves, axis=1)

    def code(self, synapses: Synapses, seed: int) -> dict[str, np.ndarray]:
        """Codes: spike counts [n, features] of all images; of the test also F and spikes [n]."""
        train, _, _ = infer_in_batches(
            infer_features, synapses, self.train, self.settings, self.key(seed, 2)
        )
        test, energy, spikes = infer_in_batches(
            infer_features, synapses, self.test, self.settings, self.key(seed, 3)
        )
        train, test = (np.clip(c, 0, 255).astype(np.uint8) for c in (train, test))
        return {"train": train, "test": test, "energy": energy, "spikes": spikes}

    def readout(self, train: np.ndarray, test: np.ndarray) -> float:
        """Test accuracy of a linear readout of codes."""
        return readout((train, test), self.labels, self.classes)

    def trained(self, seed: int) -> tuple[Synapses, dict[str, Any]]:
        """All of a network but for drawn images: its synapses, codes, curves, readout, causes."""
        synapses, curve = self.features(seed)
        code = self.parts(f"seed {seed}: spikes of all images", lambda: self.code(synapses, seed))
        accuracy = self.parts(
            f"seed {seed}: readout",
            lambda: {"accuracy": np.asarray(self.readout(code["train"], code["test"]))},
        )
        above = self.parts(f"seed {seed}: causes", lambda: self.causes(synapses, code, seed))
        return _unpacked(above), {"curve": curve, **code, **accuracy, "above": above}

    def causes(self, synapses: Synapses, code: dict[str, Any], seed: int) -> dict[str, Any]:
        """Causes trained on the spike counts of features, with those of all images."""
        epochs, curve = 3 * self.config.epochs, []
        for epoch in range(epochs):
            result = learn_causes(
                synapses, code["train"], self.settings,
                self.key(seed, 4, epoch), _span(epoch, epochs),
            )  # fmt: skip
            synapses = result.synapses
            curve.append(result.energy)
        (train, _, _), (test, _, spikes) = (
            infer_in_batches(infer_causes, synapses, code[k], self.settings, self.key(seed, 5, i))
            for i, k in enumerate(("train", "test"))
        )
        return _packed(synapses) | {
            "cause_curve": np.concatenate(curve),
            "train_causes": train,
            "test_causes": test,
            "score": np.asarray(self.readout(train, test)),
            "cause_spikes": spikes.mean(),
        }

    def reconstructions(self, synapses: Synapses, net: dict[str, Any]) -> dict[str, np.ndarray]:
        """Reconstructions of the test images [n, N] from features, and from causes."""
        energy = hierarchy(synapses, self.settings)
        down = jax.jit(jax.vmap(lambda z: energy.forward((None, None, z))[0]))
        causes = net["above"]["test_causes"] * np.float32(self.settings.cause_quantum)
        features = net["test"] * np.float32(self.settings.quantum)
        return {
            "features": np.asarray(jax.vmap(synapses.features)(jnp.asarray(features))),
            "causes": np.asarray(down(jnp.asarray(causes))),
        }

    def images(
        self, synapses: Synapses, net: dict[str, Any], seed: int, weights: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        """Drawn digits at each temperature: `measures` (right to the judge, diversity, novelty),
        spikes, and the images of each class."""
        classes, quantum = self.classes, np.float32(self.settings.cause_quantum)
        causes = jnp.asarray(net["above"]["train_causes"] * quantum)
        memories = store_memories(
            causes, jnp.asarray(self.labels[0]), classes, self.config.memories, self.key(seed, 6)
        )
        labels = np.repeat(np.arange(classes), self.config.drawn)
        train, count = self.train[:20000], len(labels)
        real = [self.test[:count], self.labels[1][:count]]
        scale = diversity(*real), distances(real[0], train).min(1).mean()
        rows, spikes, images = [], [], []
        for k, temperature in enumerate(TEMPERATURES):
            samples = sample_images(
                synapses, self.settings, memories, causes, jnp.asarray(labels),
                jnp.asarray(temperature), self.key(seed, 7, k),
            )  # fmt: skip
            x = np.asarray(samples.images)
            rows.append([
                (judge(weights, x) == labels).mean(),
                diversity(x, labels) / scale[0],
                distances(x, train).min(1).mean() / scale[1],
            ])  # fmt: skip
            spikes.append(np.asarray(samples.spikes).mean())
            images.append(x.reshape(classes, -1, x.shape[1])[:, :8])
        return {
            "measures": np.array(rows), "images": np.array(images), "spikes": np.array(spikes)
        }  # fmt: skip

    def exact(self, synapses: Synapses, count: int = 4, spikes: int = 500) -> dict[str, np.ndarray]:
        """F [image, spike] of test images by one spike at a time, in double precision."""
        with jax.enable_x64(True):
            double = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), synapses)
            x = jnp.asarray(self.test[:count], jnp.float64)
            keys = jax.random.split(self.key(0, 8), count)
            run = jax.vmap(lambda x, key: greedy_path(double, x, self.settings, key, spikes))
            path = jax.jit(run)(x, keys)
            return {
                "falls": np.asarray(path.energy),
                "rises": np.asarray((jnp.diff(path.energy, axis=1) > 1e-9).sum()),
                "fall_spikes": np.asarray(path.count),
                "at_rest": np.asarray(path.at_rest),
            }
