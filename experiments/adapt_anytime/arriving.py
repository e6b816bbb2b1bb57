"""A network of spikes that says at every moment what it takes a recording for as it arrives.

Spikes of a recording add to traces, which keep all or decay with time constants; the traces are the
currents of a network that learned by spikes, from recordings at random moments. Value neurons
follow them by spikes, one a millisecond at most. The next recording comes without a reset.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.models import NudgedPhases

from ..common import predictive
from ..common.data import Split
from ..common.precision import single
from ..common.predictive import Training
from ..common.recordings import amplitudes, event_counts, load, octaves, peak_normalise
from ..common.scores import calibration_error

FRAME = 5  # ms; steps of the network in a frame, too
FOLDS = 4
FORGETS = {"digits": (30.0,), "nmnist": (50.0,), "spoken_digits": (50.0, 200.0)}  # ms
SILENT = {"digits": 0.2, "nmnist": 0.2, "spoken_digits": 0.0}  # inputs that fail in learning


class Arriving(NamedTuple):
    """Arriving recordings: spikes `counts` [n, frames, channels] of those that start together, and
    `labels` [n]."""

    name: str
    counts: np.ndarray
    labels: np.ndarray


def digits(length: int = 20) -> Arriving:
    """The embedded digits as Poisson spikes: white pixels send 100 a second."""
    images = bpc.data.load("digits", "all")
    assert isinstance(images, bpc.data.Images)
    rate = 0.1 * FRAME * images.pixels.reshape(len(images.labels), 1, -1) / images.pixels.max()
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.broadcast_to(rate, (len(rate), length, rate.shape[2])))
    return Arriving("digits", counts.astype(np.uint8), images.labels)


def camera(folder: str | None, length: int = 62) -> Arriving:
    """N-MNIST: events of squares of 2 x 2 pixels, by sign."""
    events = load("nmnist", "all", folder)
    counts = event_counts(events, length, FRAME, dtype=np.uint8)
    return Arriving("nmnist", counts.reshape(len(counts), length, -1), np.asarray(events.labels))


def spoken(folder: str | None, length: int = 120) -> Arriving:
    """Spoken digits: each band of a cochlea sends a spike whenever its loudness, octaves of
    amplitude above a threshold, has added up to 40 octave-milliseconds."""
    speech = load("spoken_digits", "all", folder)
    size = round(FRAME * length * speech.rate / 1000)
    sounds = [peak_normalise(speech[k], size).astype(np.float32) for k in range(len(speech))]
    loud = np.clip(octaves(amplitudes(sounds, size, speech.rate, frame=float(FRAME))), 0, 8)
    whole = np.floor(np.cumsum(loud * FRAME / 40, axis=1))
    counts = np.diff(whole, axis=1, prepend=0).astype(np.uint8)
    return Arriving("spoken_digits", counts, speech.labels)


SETS = {
    "digits": lambda folder: digits(),
    "nmnist": camera,
    "spoken_digits": spoken,
}  # by name, of the folder of their files


def memories(name: str) -> dict[str, tuple[float, ...]]:
    """Time constants (ms) of each spike's traces, by the kind of memory: all, forgets, both."""
    forgets = FORGETS[name]
    return {"all": (np.inf,), "forgets": forgets, "both": (*forgets, np.inf)}


def traces(counts: np.ndarray, taus: tuple[float, ...]) -> np.ndarray:
    """Traces [n, frames, channels of each constant] of spikes after each frame, that decay with
    `taus` (ms); each is scaled so that a steady rate drives all alike in 100 ms."""
    keep = np.exp(-FRAME / np.array(taus, np.float32))[:, None]
    gain = 100 / np.minimum(taus, 100).astype(np.float32)[:, None]
    now = np.zeros((len(counts), len(taus), counts.shape[2]), np.float32)
    result = np.empty((*counts.shape[:2], len(taus) * counts.shape[2]), np.float32)
    for k in range(counts.shape[1]):
        now = keep * now + gain * counts[:, None, k]
        result[:, k] = now.reshape(len(counts), -1)
    return result


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


def arrive(
    data: Arriving, taus: tuple[float, ...], fold: int, *, width: int, updates: int
) -> dict[str, np.ndarray]:
    """Metrics of one fold of four, at each frame of a test recording and of the next one: `right`
    answers, NLL, calibration error, and spikes so far."""
    order = np.random.default_rng(5).permutation(len(data.labels))
    size = len(order) // FOLDS
    test = order[fold * size : (fold + 1) * size]
    train = np.setdiff1d(order, test)
    length, moments = data.counts.shape[1], 10
    x = traces(data.counts[train], taus)
    rng = np.random.default_rng([6, fold])
    when = rng.integers(1, length, (moments, len(train)))
    x = np.concatenate([x[np.arange(len(train)), w] for w in when])
    scale = np.float32(1 / np.sqrt((x**2).mean()) / 2)
    settings = Training(
        hidden=(width,), epochs=max(round(updates * 128 / len(x)), 1), rate=0.5, warm=100,
        silent=SILENT[data.name], seed=fold,
    )  # fmt: skip
    phases = single(NudgedPhases())
    split = Split(scale * x, np.tile(data.labels[train], moments), 10)
    energy = predictive.train(split, settings, phases, label=f"fold {fold}").energy
    second = test[rng.permutation(len(test))]
    counts = np.concatenate([data.counts[test], data.counts[second]], axis=1)
    labels = np.stack([data.labels[test], data.labels[second]])
    labels = np.repeat(labels, length, axis=0)  # [frames, n]
    outputs, sent = [], []
    for k in range(0, len(test), 125):
        currents = scale * traces(counts[k : k + 125], taus).swapaxes(0, 1)
        output, count = jax.device_get(answer(energy, phases, currents))
        outputs.append(output)
        sent.append(count)
    log = np.concatenate(outputs, axis=1).astype(float)
    log -= log.max(axis=2, keepdims=True)
    log -= np.log(np.exp(log).sum(axis=2, keepdims=True))
    loss = -np.take_along_axis(log, labels[:, :, None], axis=2)[:, :, 0]
    pairs = zip(log, labels, strict=True)
    return {
        "right": (log.argmax(axis=2) == labels).sum(axis=1),
        "test": np.array(len(test)),
        "nll": loss.mean(axis=1),
        "ece": np.array([calibration_error(np.exp(p), label) for p, label in pairs]),
        "value_spikes": np.concatenate(sent, axis=1).mean(axis=1),
        "input_spikes": counts.sum(axis=2).cumsum(axis=1).mean(axis=0),
    }
