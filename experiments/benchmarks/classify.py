"""Training beside snnTorch: `python -m experiments.benchmarks.classify --python PEER_PYTHON`.

`PEER_PYTHON` is the Python of an environment of its own (`pip install torch snntorch numpy`). The
same images, first weights, batches, steps, Adam and schedule go to both, and an epoch of each is
trained in turn. An image is constant, so that its product with the first layer can be taken once
(hoisted) or at each step (unhoisted): both ways in both.
"""

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from bpcjax.models import Classifier, EventCode

from ..common.classifier_training import STEEP, surrogate
from ..common.classifiers import TAU, dense, trainable
from ..common.data import splits
from ..common.results import write_json

PEER = Path(__file__).parent / "peers" / "snntorch_classify.py"
DT, DRIVE, GAIN = 1.0, 4.0, 3.0  # ms; of the current code; of the readout


@dataclass(frozen=True)
class Config:
    """What to train, and which peer."""

    python: Path
    """Of the peer's own environment."""
    data_dir: str | None = None
    """The folder of MNIST's files."""
    steps: int = 25
    epochs: int = 3
    hidden: int = 512
    batch: int = 128
    rate: float = 2e-3
    out: str | None = None
    """A file for the table, in JSON."""


class Ours:
    """Our network, trained an epoch at a time by one compiled program."""

    def __init__(self, config: Config, x, labels, hoisted: bool):
        self.config, self.hoisted = config, hoisted
        self.x, self.labels = jnp.asarray(x), jnp.asarray(labels)
        self.count = len(x) // config.batch
        sizes = x.shape[1], config.hidden, 10
        model = dense(jax.random.key(0), sizes, steps=config.steps)
        if not hoisted:  # an image arrives in each bin, and what a current adds in a step is added
            model = Classifier(model.layers, EventCode(), model.readout, config.steps)
        self.weights, self.rest = eqx.partition(model, trainable(model))
        schedule = optax.cosine_decay_schedule(config.rate, config.epochs * self.count)
        self.rule = optax.adam(schedule)
        self.state = self.rule.init(self.weights)
        self.solver = surrogate()
        self.compiled = eqx.filter_jit(self._epoch)

    def scores(self, weights: Any, x):
        """Of a batch."""
        model = eqx.combine(weights, self.rest)
        if not self.hoisted:
            x = DT / TAU * DRIVE * x
            x = jnp.broadcast_to(x[:, None], (len(x), self.config.steps, x.shape[1]))
        return model(x, solver=self.solver).scores[-1]

    def _epoch(self, weights, state, x, labels, order):
        def step(carry, chosen):
            weights, state = carry

            def loss(weights):
                scores = self.scores(weights, x[chosen])
                each = optax.softmax_cross_entropy_with_integer_labels(scores, labels[chosen])
                return each.mean()

            value, slope = jax.value_and_grad(loss)(weights)
            change, state = self.rule.update(slope, state)
            return (optax.apply_updates(weights, change), state), value

        return jax.lax.scan(step, (weights, state), order)

    def epoch(self, seed: int) -> tuple[float, float]:
        """Seconds and mean loss."""
        began = time.perf_counter()
        order = np.random.default_rng(seed).permutation(len(self.x))
        order = order[: self.count * self.config.batch].reshape(self.count, -1)
        arguments = self.weights, self.state, self.x, self.labels, jnp.asarray(order)
        (self.weights, self.state), losses = self.compiled(*arguments)
        mean = float(losses.mean())
        return time.perf_counter() - began, mean

    def accuracy(self, x, labels) -> float:
        """On a test set."""
        ask = eqx.filter_jit(lambda w, x: self.scores(w, x).argmax(-1))
        parts = [ask(self.weights, jnp.asarray(part)) for part in np.split(x, len(x) // 500)]
        return float((np.concatenate(parts) == labels).mean())


class Peer:
    """The other process, which answers line by line."""

    def __init__(self, python: Path, folder: str):
        command = [str(python), str(PEER), folder]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.versions = self._line()

    def _line(self) -> dict:
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{PEER.name} failed:\n{self.process.stderr.read()[-2000:]}")
        return json.loads(line)

    def __call__(self, line: str) -> dict:
        """What it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._line()


def main(config: Config) -> None:
    """Print a row for each way: seconds an epoch of both, their ratio, accuracies."""
    train, test = splits("mnist", config.data_dir)
    x, test_x = (np.asarray(s.x, np.float32).reshape(len(s.x), -1) for s in (train, test))
    names = "hoisted", "unhoisted"
    ours = {name: Ours(config, x, train.labels, name == "hoisted") for name in names}
    first = [np.asarray(layer.weights.weights) for layer in ours["hoisted"].weights.layers.layers]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder, "inputs.npz"), x=x, labels=train.labels, test_x=test_x,
            test_labels=test.labels, into=first[0], out=first[1],
        )  # fmt: skip
        settings = {"dt": DT, "tau": TAU, "slope": STEEP, "drive": DRIVE, "gain": GAIN}
        settings |= {k: getattr(config, k) for k in ("steps", "epochs", "batch", "rate")}
        write_json(Path(folder, "settings.json"), settings)
        peer = Peer(config.python, folder)
        seconds = {(who, name): [] for who in ("ours", "theirs") for name in names}
        for epoch in range(config.epochs):
            for name in names:
                taken, loss = ours[name].epoch(epoch)
                other = peer(f"{name} {epoch}")
                seconds["ours", name].append(taken)
                seconds["theirs", name].append(other["seconds"])
                print(
                    f"epoch {epoch + 1} {name}: ours {taken:.2f} s, loss {loss:.4f}; "
                    f"snnTorch {other['seconds']:.2f} s, loss {other['loss']:.4f}", flush=True,
                )  # fmt: skip
        rows = {}
        for name in names:
            # Ours compiles in its first epoch; the others are compared.
            a, b = (np.median(seconds[who, name][1:]) for who in ("ours", "theirs"))
            rows[name] = {
                "seconds_ours": a,
                "seconds_theirs": b,
                "ratio": b / a,
                "compile_seconds": seconds["ours", name][0] - a,
                "accuracy_ours": ours[name].accuracy(test_x, test.labels),
                "accuracy_theirs": peer(f"ask {name}")["accuracy"],
            }
    print(f"{config.steps} steps, {config.hidden} hidden, batches of {config.batch}; ", end="")
    print(f"{peer.versions}")
    for name, row in rows.items():
        print(name + ": " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
    if config.out is not None:
        write_json(Path(config.out), {"settings": settings, "peer": peer.versions, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Config))
