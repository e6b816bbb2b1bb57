"""Networks of spikes that say what a recording is: one of the last moments, one of all since its
onset.

The spikes of a recording add to traces, which are the currents of a network that learned by spikes
and local products; its value neurons follow them by spikes, one a millisecond at most.

- `window`: traces that decay, of a stream in which the recording before it may still echo; it names
  the class and the phase, a span of the time since the onset, together.
- `whole`: the counts since the onset, in parts of 105 ms; it names the class.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from bpcjax.energies import PredictiveCoding
from bpcjax.models import NudgedPhases

from ..common import predictive
from ..common.data import Split
from ..common.precision import single
from ..common.predictive import Training
from .recordings import FRAME, Recordings, broken_off, since, traces

CLASSES = 10
PART = 21  # frames of a part of `whole`
EARLY = 10  # frames from the onset on, in which half the moments of `window` lie
EDGES = 0, 2, 4, 7, 10, 20, 31, 41, 52, 66  # frames at which phases begin
CHUNK = 10  # streams at a time


class Recipe(NamedTuple):
    """How a set is learned: time constants of `window` (ms), moments of each recording, updates of
    128 of them, by how many pixels inputs are moved, the share of them that fail."""

    taus: tuple[float, ...]
    moments: int
    shift: int
    silent: float


RECIPES = {
    "digits": Recipe((10.0, 50.0), 4, 0, 0.2),
    "nmnist": Recipe((5.0, 50.0), 10, 1, 0.3),
    "spoken_digits": Recipe((10.0, 50.0), 3, 0, 0.1),
}


class Sample(NamedTuple):
    """What is learned from: `inputs` [n, ...], the labels `of` [n] of them, their `frequency` in
    the sample, and the factor that scales the inputs."""

    inputs: np.ndarray
    of: np.ndarray
    frequency: np.ndarray
    scale: np.float32


def phases_of(longest: int) -> np.ndarray:
    """The phase [frames] of each frame since the onset."""
    return np.searchsorted([e for e in EDGES if e < longest], np.arange(longest), "right") - 1


def parts_of(longest: int) -> int:
    """Parts that `whole` counts in."""
    return -(-longest // PART)


def _sample(inputs: list[np.ndarray], labels: list[int], names: int) -> Sample:
    x, of = np.stack(inputs).astype(np.float32), np.array(labels)
    frequency = np.bincount(of, minlength=names) + 0.5  # no label is impossible
    return Sample(x, of, frequency / frequency.sum(), np.float32(0.5 / np.sqrt((x**2).mean())))


def window_sample(data: Recordings, train: np.ndarray, seed: int) -> Sample:
    """Traces [n, taus, ...] at moments of recordings, each after another one that ends somewhere;
    labels are class and phase."""
    recipe, rng = RECIPES[data.name], np.random.default_rng([seed, 1])
    keep = np.exp(-FRAME / np.array(recipe.taus))
    phase, shape = phases_of(data.longest), data.counts[0].shape[1:]
    gain = 100 / np.minimum(recipe.taus, 100)
    inputs, labels = [], []
    for turn in range(recipe.moments):
        before = rng.permutation(train)
        ends = broken_off(rng, [data.counts[k] for k in before])
        for k, other, end in zip(train, before, ends, strict=True):
            own = data.counts[k]
            now = int(rng.integers(0, EARLY if turn % 2 else len(own)))
            both = np.concatenate([data.counts[other][:end], own[: now + 1]]).reshape(
                end + now + 1, -1
            )
            weight = gain[:, None] * keep[:, None] ** np.arange(len(both))[None, ::-1]
            inputs.append((weight @ both).reshape(len(keep), *shape))
            labels.append(int(data.labels[k]) * (phase[-1] + 1) + phase[now])
    return _sample(inputs, labels, CLASSES * int(phase[-1] + 1))


def whole_sample(data: Recordings, train: np.ndarray, seed: int) -> Sample:
    """Counts [n, parts, ...] of recordings up to moments of them, one in five the end; labels are
    classes."""
    recipe, rng = RECIPES[data.name], np.random.default_rng([seed, 2])
    number, shape = parts_of(data.longest), data.counts[0].shape[1:]
    inputs, labels = [], []
    for turn in range(recipe.moments):
        for k in train:
            own = data.counts[k].reshape(len(data.counts[k]), -1)
            size = int(rng.integers(1, len(own) + 1)) if turn % 5 else len(own)
            parts = [own[j * PART : min((j + 1) * PART, size)].sum(axis=0) for j in range(number)]
            inputs.append(np.stack(parts).reshape(number, *shape))
            labels.append(int(data.labels[k]))
    return _sample(inputs, labels, CLASSES)


def learn(
    data: Recordings, sample: Sample, seed: int, width: int, epochs: int, label: str
) -> PredictiveCoding:
    """Network of one hidden layer that has learned the sample by spikes."""
    recipe = RECIPES[data.name]
    settings = Training(
        hidden=(width,), epochs=epochs, rate=0.5, warm=100, silent=recipe.silent,
        shift=recipe.shift, seed=seed,
    )  # fmt: skip
    split = Split(sample.scale * sample.inputs, sample.of, len(sample.frequency))
    return predictive.train(split, settings, single(NudgedPhases()), label=label).energy


@eqx.filter_jit
def answer(energy, phases: NudgedPhases, x):
    """What is predicted of the classes [frames, n, c] as currents `x` [frames, n, k] change, and
    the spikes of values so far [frames, n]."""

    def frame(z, x):
        def step(carry, _):
            z, count = carry
            z, sent, _ = jax.vmap(lambda x, z: phases.step(energy, x, z))(x, z)
            return (z, count + sum(jnp.abs(s).sum(axis=1) for s in sent)), None

        (z, count), _ = jax.lax.scan(step, (z, jnp.zeros(len(x), x.dtype)), None, length=FRAME)
        output = jax.vmap(lambda x, z: phases.step(energy, x, z)[2])(x, z)
        return z, (output, count)

    start = jax.vmap(lambda x: phases.silence(energy, x))(x[0])
    _, (outputs, counts) = jax.lax.scan(frame, start, x)
    return outputs, counts.cumsum(axis=0)


class Spoken(NamedTuple):
    """What a network says of streams: log probabilities `log` [S, T, names], and the `spikes`
    [S, T] of its values in each frame."""

    log: np.ndarray
    spikes: np.ndarray


def _run(energy: PredictiveCoding, streams: int, currents) -> Spoken:
    outputs, spikes = [], []
    for k in range(0, streams, CHUNK):
        x = jnp.asarray(currents(slice(k, k + CHUNK)).swapaxes(0, 1))
        output, count = jax.device_get(answer(energy, single(NudgedPhases()), x))
        outputs.append(output.swapaxes(0, 1))
        spikes.append(np.diff(count, axis=0, prepend=0).T)
    log = log_softmax(np.concatenate(outputs), axis=2)
    return Spoken(log.astype(np.float32), np.concatenate(spikes))


def run_window(
    energy: PredictiveCoding, sample: Sample, data: Recordings, counts: np.ndarray
) -> Spoken:
    """What `window` says of streams with these counts [S, T, channels]."""
    taus = RECIPES[data.name].taus
    return _run(energy, len(counts), lambda part: sample.scale * traces(counts[part], taus))


def run_whole(
    energy: PredictiveCoding,
    scale: np.ndarray | np.floating,
    counts: np.ndarray,
    onset: np.ndarray,
    number: int,
) -> Spoken:
    """What `whole` says of streams, of all since the `onset` [S, T] that is held at each frame."""

    def currents(part):
        pairs = zip(counts[part], onset[part], strict=True)
        return scale * np.stack([since(c, o, PART, number).reshape(len(c), -1) for c, o in pairs])

    return _run(energy, len(counts), currents)


def leaves_of(energy: PredictiveCoding) -> dict[str, np.ndarray]:
    """Arrays of the network, to be kept."""
    return {f"leaf {k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(energy))}


def from_leaves(arrays: dict[str, np.ndarray], size: int, width: int) -> PredictiveCoding:
    """The network that names classes with these arrays."""
    energy = predictive.network(jax.random.key(0), (size,), CLASSES, Training(hidden=(width,)))
    leaves, tree = jax.tree.flatten(energy)
    return tree.unflatten([jnp.asarray(arrays[f"leaf {k}"]) for k in range(len(leaves))])
