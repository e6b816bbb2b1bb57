"""Does inference help a network that learns on line, one sample at a time, in one pass?

Recordings of events (N-MNIST, spoken digits; roots of their counts) come one after another; each is
named, its error counted, and then learned, once. The law changes three times: two pairs of classes
swap their names, the features move (a rotation, another pitch), a third of the sensors fall
silent; in another order in each stream. A network of one hidden layer learns by predictive coding:
its label is clamped, hidden values infer for some steps, then each weight changes by the product of
its two activities. It is compared with the same network without inference, which is
backpropagation, from the same initial weights: nothing else differs. Rivals: Adam, recursive least
squares on the random features of the hidden layer before learning, the nearest neighbour in a
window. Each has its settings chosen out of as many on streams of other recordings.

A set of recordings that is shorter than a stream comes again, under another law.

    python -m experiments.online --data-dir FOLDER     # with nmnist_small and fsdd in it
    python -m experiments.online --quick
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import predictive, study
from ..common.stacking import stack
from ..common.study import Parts, setting
from . import streams
from .learners import errors_of, neighbours, prequential
from .phases import Account
from .report import summary
from .settings import ARMS, NEIGHBOUR, Candidates, candidates
from .streams import LAWS, TASKS


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning on line."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    recordings: tuple[str, ...] = setting(tuple(TASKS), among=tuple(TASKS), quick=("N-MNIST",))
    """N-MNIST, spoken digits."""
    streams: int = setting(10, least=2, quick=2)
    """Streams of the test."""
    tuned: int = setting(3, least=1, quick=1)
    """Streams of other recordings, to choose settings by."""
    each: int = setting(500, least=20, quick=60)
    """Samples of each of the four laws of a stream."""
    hidden: int = setting(256, least=2, quick=64)
    """Units of the hidden layer."""
    steps: int = setting(16, least=1)
    """Of inference."""
    quantum: float = setting(0.25, above=0)
    """Of values, where they are spikes."""


def networks(config: Config, count: int, size: int, seed: int):
    """So many networks before learning, stacked."""
    shape = predictive.Training(hidden=(config.hidden,))
    made = [predictive.network(jax.random.key(seed + k), (size,), 10, shape) for k in range(count)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)


def choose(config: Config, choice: Candidates, part: streams.Features, seed: int) -> np.ndarray:
    """Share of errors [setting] on streams to choose by."""
    drawn = streams.draw(part, config.each, config.tuned, seed)
    if choice.learners is None:
        windows = tuple(int(value) for value in choice.values[:, 0])
        return 1 - neighbours(drawn.x, drawn.labels, windows).mean(axis=(1, 2))
    energies = networks(config, config.tuned, drawn.x.shape[2], 1000)
    x, labels = jnp.asarray(drawn.x), jnp.asarray(drawn.labels)
    errors = np.asarray(errors_of(choice.learners, energies, x, labels)).mean(axis=1)
    return np.where(np.isfinite(errors), errors, 1.0)


def measured(config: Config, name: str, arm: str, parts: tuple) -> dict[str, np.ndarray]:
    """What a learner's choice was, what it got `right` [stream, T] with it, its account by law."""
    choice = candidates(arm, config.steps, config.quantum, len(LAWS) * config.each)
    tuning = choose(config, choice, parts[0], 1)
    best = int(tuning.argmin())
    drawn = streams.draw(parts[1], config.each, config.streams, 2)
    accounts = np.full((len(Account._fields), len(LAWS)), np.nan)
    if choice.learners is None:
        window = (int(choice.values[best, 0]),)
        right = neighbours(drawn.x, drawn.labels, window)[0]
    else:
        learner = jax.tree.map(lambda values: values[best], choice.learners)
        energies = networks(config, config.streams, drawn.x.shape[2], 0)
        told = prequential(learner, energies, jnp.asarray(drawn.x), jnp.asarray(drawn.labels))
        right = np.asarray(told.right)
        if told.account is not None:
            accounts = np.array(
                [
                    [np.asarray(values)[drawn.law == law].mean() for law in range(len(LAWS))]
                    for values in told.account
                ]
            )
    return {
        "right": right.astype(np.float32), "law": drawn.law, "tuning": tuning, "account": accounts,
        "values": choice.values, "chosen": np.asarray(best),
    }  # fmt: skip


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Which samples each learner named right, in every stream."""

    @functools.cache
    def both(name: str) -> tuple[streams.Features, streams.Features]:
        return streams.halves(streams.load(config.data_dir, name))

    results = {
        (s, a): parts(f"{name}, {arm}", lambda name=name, arm=arm: measured(
            config, name, arm, both(name)))
        for s, name in enumerate(config.recordings)
        for a, arm in enumerate(ARMS)
    }  # fmt: skip
    dims = {
        "right": ("stream", "sample"), "law": ("stream", "sample"), "tuning": ("setting",),
        "account": ("measure", "kind"), "values": ("setting", "field"), "chosen": (),
    }  # fmt: skip
    data = {
        key: (("recordings", "arm", *dims[key]), values)
        for key, values in stack(results, (len(config.recordings), len(ARMS))).items()
    }
    coords = {
        "recordings": list(config.recordings), "arm": list(ARMS), "kind": list(LAWS),
        "measure": list(Account._fields),
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs={"each": config.each, "neighbour": NEIGHBOUR})


STUDY = study.Study("online", Config, run, summary, double=False)
