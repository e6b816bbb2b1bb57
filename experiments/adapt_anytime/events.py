"""Recordings as counts of spikes, how they drift, and a readout that goes on learning."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax import energies as en, learning

from ..common import InputError

BATCH = 10
CLASSES = 10


class Task(NamedTuple):
    """Features [n, k] before and after the drift, of the same recordings, and their `labels`."""

    name: str
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray


def camera(folder: Path | str | None) -> list[Task]:
    """N-MNIST, spikes counted on a grid of 17 x 17: turned by 60 degrees, or with one spike in
    four."""
    events = bpc.data.load("nmnist", "all", folder)
    assert isinstance(events, bpc.data.Events) and events.labels is not None
    _, row, column = np.unravel_index(events.channels, events.shape)
    which = np.repeat(np.arange(len(events.labels)), np.diff(events.offsets))

    def counted(row, column, keep):
        grid = np.zeros((len(events.labels), 17, 17))
        inside = keep & (row >= 0) & (row < 34) & (column >= 0) & (column < 34)
        cells = row[inside].astype(int) // 2, column[inside].astype(int) // 2
        np.add.at(grid, (which[inside], *cells), 1.0)
        return np.sqrt(grid.reshape(len(grid), -1))

    angle = np.deg2rad(60)
    y, x = row - 16.5, column - 16.5
    turned = (
        np.round(16.5 + np.cos(angle) * y - np.sin(angle) * x),
        np.round(16.5 + np.sin(angle) * y + np.cos(angle) * x),
    )
    every = np.ones(len(row), bool)
    rare = np.random.default_rng(0).random(len(row)) < 0.25
    plain = counted(row, column, every)
    return [
        Task("N-MNIST, rotation", plain, counted(*turned, every), events.labels),
        Task("N-MNIST, gain", plain, counted(row, column, rare), events.labels),
    ]


def sound(folder: Path | str | None) -> list[Task]:
    """Spoken digits, Poisson spikes of 18 bands in eight parts of each recording: moved by two
    bands, or at an eighth of the rate."""
    speech = bpc.data.load("spoken_digits", "all", folder)
    assert isinstance(speech, bpc.data.Recordings)
    longest, parts = 8000, 8
    padded = np.stack([np.pad(speech[k][:longest], (0, max(0, longest - len(speech[k]))))
                       for k in range(len(speech))])  # fmt: skip
    lengths = np.minimum(np.diff(speech.offsets), longest)
    centres = jnp.asarray(bpc.encode.erb_centres(100.0, 3600.0, 18))
    hear = jax.jit(jax.vmap(lambda s: bpc.encode.cochlea(s, 8000.0, centres, frame=10.0)))
    heard = np.concatenate([hear(padded[k : k + 100]) for k in range(0, len(padded), 100)])
    rate = np.zeros((len(heard), parts, heard.shape[2]))
    for k, (bands, length) in enumerate(zip(heard, lengths, strict=True)):
        ends = np.linspace(0, max(length // 80, parts), parts + 1).astype(int)
        rate[k] = np.add.reduceat(bands, ends[:-1], axis=0) if ends[-1] == len(bands) else (
            np.add.reduceat(bands[: ends[-1]], ends[:-1], axis=0)
        )  # fmt: skip
    rate *= 1500 / rate.sum(axis=(1, 2)).mean()  # spikes a recording
    rng = np.random.default_rng(0)

    def counted(rate):
        return np.sqrt(rng.poisson(rate).reshape(len(rate), -1).astype(float))

    plain = counted(rate[:, :, :16])
    return [
        Task("spoken digits, pitch", plain, counted(rate[:, :, 2:]), speech.labels),
        Task("spoken digits, gain", plain, counted(rate[:, :, :16] / 8), speech.labels),
    ]


def tasks(folder: Path | str | None, names: tuple[str, ...]) -> list[Task]:
    """The tasks of these sets.

    **Raises:** `InputError` for an unknown name, and for missing or damaged files.
    """
    makers = {"nmnist": camera, "spoken_digits": sound}
    for name in names:
        if name not in makers:
            raise InputError(f"events: {name!r} is unknown. Choose of: {', '.join(makers)}.")
    try:
        return [task for name in names for task in makers[name](folder)]
    except (bpc.data.DataError, ImportError) as error:
        raise InputError(str(error)) from error


def readout(features: int) -> en.BayesianPredictiveCoding:
    """One arrow from features to the classes, one-hot."""
    prior = en.MatrixNormal.gammas(CLASSES, features + 1, weight_std=0.05, noise_std=0.3)
    return en.BayesianPredictiveCoding([en.BayesianArrow(0, 1, prior, prior)])


@partial(jax.jit, static_argnums=2)
def learn(
    x: Float[Array, "T b n"], labels: Float[Array, "T b c"], keep: float, tests: Array, every: Array
) -> Array:
    """A readout through batches in their order: its answers [T, q] to `tests` [P, q, n] after those
    batches that `every` [T] marks, to the set of that number (-1: to none, and -1 is the answer).
    """
    net = readout(x.shape[2])
    rule = learning.conjugate(net.prior(), keep)

    def step(eta, seen):
        x, labels, which = seen
        moved, _ = rule.update(net.statistics((None, None), (x, labels)), optax.EmptyState(), eta)
        eta = optax.apply_updates(eta, moved)

        def ask(eta):
            mean = net.at(eta).arrows[0].posterior.mean
            return (tests[which] @ mean[:, :-1].T + mean[:, -1][None]).argmax(axis=1)

        def none(eta):
            return jnp.full(tests.shape[1], -1)

        return eta, jax.lax.cond(which >= 0, ask, none, eta)

    return jax.lax.scan(step, net.natural(), (x, labels, every))[1]


@jax.jit
def gradient(
    x: Float[Array, "T b n"], labels: Float[Array, "T b c"], tests: Float[Array, "q n"], rate: float
) -> Array:
    """The answers after each batch of the same readout, learned by steps of the gradient of its
    squared error, each divided by the mean square of the features."""

    def step(weights, seen):
        x, labels = seen
        error = labels - x @ weights.T
        weights = weights + rate * error.T @ x / jnp.sum(x**2)
        return weights, (tests @ weights.T).argmax(axis=1)

    return jax.lax.scan(step, jnp.zeros((labels.shape[2], x.shape[2])), (x, labels))[1]


def nearest(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The label of the nearest row of `known` for each that is asked."""
    square = (known**2).sum(axis=1) - 2 * asked @ known.T
    return labels[square.argmin(axis=1)]
