"""Recordings of events as counts of spikes, and the plain rivals on the same counts."""

import numpy as np

import bpcjax as bpc

from . import InputError
from .data import Split

QUANTUM = 0.25  # what one spike of the input adds
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the linear readout: smaller is stronger


def _load(name: str, split: str, folder: str | None):
    try:
        return bpc.data.load(name, split, folder)
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error


def camera(folder: str | None, every: int = 1, bins: int = 3) -> tuple[Split, Split]:
    """N-MNIST: events in squares of 2 x 2 pixels, by sign and third of the recording (a saccade
    each); a channel sends at most 8 spikes. One recording of `every`."""

    def split(name: str) -> Split:
        found = _load("nmnist", name, folder)
        rows = []
        for k in range(0, len(found), every):
            times, channels = found[k]
            *_, y, x = np.unravel_index(channels, found.shape)
            sign = np.unravel_index(channels, found.shape)[0] if len(found.shape) == 3 else 0 * x
            when = np.minimum((times / 105.0).astype(int), bins - 1)  # 315 ms in all
            counts = np.zeros((bins, 2, 17, 17), np.float32)
            np.add.at(counts, (when, sign, y // 2, x // 2), 1)
            rows.append(np.minimum(counts, 8) * QUANTUM)
        return Split(np.array(rows, np.float32), np.asarray(found.labels)[::every], 10)

    return split("train"), split("test")


def spoken(
    folder: str | None, every: int = 1, bins: int = 16, bands: int = 32
) -> tuple[Split, Split]:
    """Spoken digits: a cochlea of 32 bands, its loudness in sixteenths of the recording, as a
    number of spikes: one for each half octave of amplitude above the threshold, at most 8. One
    recording of `every`."""

    def split(name: str) -> Split:
        found = _load("spoken_digits", name, folder)
        return Split(
            np.array([
                _loudness(found[k], found.rate, bins, bands) for k in range(0, len(found), every)
            ]),
            np.asarray(found.labels)[::every], 10,
        )  # fmt: skip

    return split("train"), split("test")


def _loudness(sound: np.ndarray, rate: float, bins: int, bands: int) -> np.ndarray:
    """Spikes [bins, bands]; sounds are padded to whole tenths of a second to compile little."""
    from bpcjax.encode import cochlea

    length = int(np.ceil(len(sound) / (0.1 * rate)) * 0.1 * rate)
    whole = np.zeros(length, np.float32)
    whole[: len(sound)] = sound / max(float(np.abs(sound).max()), 1e-6)
    out = np.asarray(cochlea(whole, rate, frame=5.0))[: max(len(sound) // round(rate * 0.005), 1)]
    edges = np.linspace(0, len(out), bins + 1).astype(int)
    mean = [out[a : max(b, a + 1)].mean(axis=0) for a, b in zip(edges, edges[1:], strict=False)]
    spikes = np.clip(2 * np.log2(np.maximum(np.array(mean), 1e-9) / 1e-3), 0, 8).round()
    return (QUANTUM * spikes[:, :bands]).astype(np.float32)


SETS = {"N-MNIST": camera, "spoken digits": spoken}


def rivals(learned: Split, asked: Split) -> tuple[np.ndarray, np.ndarray]:
    """What a linear readout (logistic regression) and the nearest neighbour get right, for each
    recording. The readout's penalty is chosen on a fifth of what is learned."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits

    x, y = learned.x.reshape(len(learned.x), -1), learned.labels
    new = asked.x.reshape(len(asked.x), -1)
    held = np.arange(len(x)) % 5 == 0  # callers have shuffled them

    def readout(penalty: float, x, y):
        return LogisticRegression(C=penalty, max_iter=1000, tol=1e-3).fit(x, y)

    with threadpool_limits(1):  # small products: many threads wait for each other
        chosen = max(
            PENALTIES, key=lambda c: readout(c, x[~held], y[~held]).score(x[held], y[held])
        )
        linear = readout(chosen, x, y).predict(new)
        nearest = KNeighborsClassifier(1).fit(x, y).predict(new)
    return linear == asked.labels, nearest == asked.labels
