"""A network of spikes that says at every moment what it takes a recording for as it arrives.

Spikes of a recording add to traces, which keep all or decay with time constants; the traces are the
currents of a network that learned by spikes, from recordings at random moments. Value neurons
follow them by spikes, one a millisecond at most. The next recording comes without a reset.
"""

from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.models import NudgedPhases

from ..common import InputError
from ..common.data import Split
from ..common.precision import single
from ..common.predictive import Training, train
from ..common.scores import calibration_error

FRAME = 5  # ms; steps of the network in a frame, too
FOLDS = 4
FORGETS = {"digits": (30.0,), "nmnist": (50.0,), "spoken_digits": (50.0, 200.0)}  # ms
SILENT = {"digits": 0.2, "nmnist": 0.2, "spoken_digits": 0.0}  # inputs that fail in learning


class Arriving(NamedTuple):
    """Spikes `counts` [n, frames, channels] of recordings that start together, and `labels`."""

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
    events = bpc.data.load("nmnist", "all", folder)
    assert isinstance(events, bpc.data.Events) and events.labels is not None
    which = np.repeat(np.arange(len(events.labels)), np.diff(events.offsets))
    sign, row, column = np.unravel_index(events.channels, events.shape)
    frame = np.minimum((events.times / FRAME).astype(int), length - 1)
    counts = np.zeros((len(events.labels), length, 2, 17, 17), np.uint8)
    np.add.at(counts, (which, frame, sign, row // 2, column // 2), 1)
    return Arriving("nmnist", counts.reshape(len(counts), length, -1), np.asarray(events.labels))


def spoken(folder: str | None, length: int = 120) -> Arriving:
    """Spoken digits: each band of a cochlea sends a spike whenever its loudness, octaves of
    amplitude above a threshold, has added up to 40 octave-milliseconds."""
    speech = bpc.data.load("spoken_digits", "all", folder)
    assert isinstance(speech, bpc.data.Recordings)
    size = round(FRAME * length * speech.rate / 1000)
    sounds = [speech[k][:size] / max(float(np.abs(speech[k]).max()), 1e-6)
              for k in range(len(speech))]  # fmt: skip
    padded = np.stack([np.pad(s, (0, size - len(s))) for s in sounds]).astype(np.float32)
    hear = jax.jit(jax.vmap(lambda s: bpc.encode.cochlea(s, speech.rate, frame=float(FRAME))))
    heard = np.concatenate([hear(padded[k : k + 100]) for k in range(0, len(padded), 100)])
    loud = np.clip(np.log2(np.maximum(heard, 1e-9) / 1e-3), 0, 8)
    whole = np.floor(np.cumsum(loud * FRAME / 40, axis=1))
    counts = np.diff(whole, axis=1, prepend=0).astype(np.uint8)
    return Arriving("spoken_digits", counts, speech.labels)


def load(name: str, folder: Path | str | None) -> Arriving:
    """The recordings of a set: digits, nmnist, spoken_digits.

    **Raises:** `InputError` for an unknown name, and for missing or damaged files.
    """
    folder = None if folder is None else str(folder)
    makers = {
        "digits": digits, "nmnist": lambda: camera(folder), "spoken_digits": lambda: spoken(folder)
    }  # fmt: skip
    if name not in makers:
        raise InputError(f"events: {name!r} is unknown. Choose of: {', '.join(makers)}.")
    try:
        return makers[name]()
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error


def memories(name: str) -> dict[str, tuple[float, ...]]:
    """Time constants (ms) of the traces of each spike: all is kept, it is forgotten, or both."""
    forgets = FORGETS[name]
    return {"all": (np.inf,), "forgets": forgets, "both": (*forgets, np.inf)}


def traces(counts: np.ndarray, taus: tuple[float, ...]) -> np.ndarray:
    """The traces [n, frames, channels of each constant] of spikes after each frame, that decay with
    `taus` (ms); each is scaled so that a steady rate drives all alike in 100 ms."""
    keep = np.exp(-FRAME / np.array(taus, np.float32))[:, None]
    gain = 100 / np.minimum(taus, 100).astype(np.float32)[:, None]
    now = np.zeros((len(counts), len(taus), counts.shape[2]), np.float32)
    found = np.empty((*counts.shape[:2], len(taus) * counts.shape[2]), np.float32)
    for k in range(counts.shape[1]):
        now = keep * now + gain * counts[:, None, k]
        found[:, k] = now.reshape(len(counts), -1)
    return found


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
    given: Arriving, taus: tuple[float, ...], fold: int, *, width: int, updates: int
) -> dict[str, np.ndarray]:
    """One fold of four, held out: right answers, sums of NLL, probabilities of the answers, and
    spikes so far, at each frame of a recording and of the next one."""
    order = np.random.default_rng(5).permutation(len(given.labels))
    held = len(order) // FOLDS
    test = order[fold * held : (fold + 1) * held]
    known = np.setdiff1d(order, test)
    length, moments = given.counts.shape[1], 10
    x = traces(given.counts[known], taus)
    rng = np.random.default_rng([6, fold])
    when = rng.integers(1, length, (moments, len(known)))
    seen = np.concatenate([x[np.arange(len(known)), w] for w in when])
    scale = np.float32(1 / np.sqrt((seen**2).mean()) / 2)
    labels = np.tile(given.labels[known], moments)
    settings = Training(
        hidden=(width,), epochs=max(round(updates * 128 / len(seen)), 1), rate=0.5, warm=100,
        silent=SILENT[given.name], seed=fold,
    )  # fmt: skip
    phases = single(NudgedPhases())
    learned = Split(scale * seen, labels, 10)
    energy = train(learned, settings, phases, label=f"fold {fold}").energy
    after = rng.permutation(len(test))
    counts = np.concatenate([given.counts[test], given.counts[test[after]]], axis=1)
    told = np.stack([given.labels[test], given.labels[test[after]]])
    told = np.repeat(told, length, axis=0)  # [frames, n]
    outputs, sent = [], []
    for k in range(0, len(test), 125):
        found = traces(counts[k : k + 125], taus).swapaxes(0, 1)
        output, count = jax.device_get(answer(energy, phases, scale * found))
        outputs.append(output)
        sent.append(count)
    log = np.concatenate(outputs, axis=1).astype(float)
    log -= log.max(axis=2, keepdims=True)
    log -= np.log(np.exp(log).sum(axis=2, keepdims=True))
    loss = -np.take_along_axis(log, told[:, :, None], axis=2)[:, :, 0]
    return {
        "right": (log.argmax(axis=2) == told).sum(axis=1),
        "asked": np.array(len(test)),
        "nll": loss.mean(axis=1),
        "ece": np.array([calibration_error(np.exp(p), t) for p, t in zip(log, told, strict=True)]),
        "value_spikes": np.concatenate(sent, axis=1).mean(axis=1),
        "input_spikes": counts.sum(axis=2).cumsum(axis=1).mean(axis=0),
    }
