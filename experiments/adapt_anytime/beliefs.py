"""What is believed at every moment of a stream: since when, who, and when to say so."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from bpcjax.models import ChangePointFilter, scaled_evidence

from .networks import CHUNK, CLASSES
from .recordings import LEAST, Recordings, broken_off

UNIFORM = np.full(CLASSES, 1 / CLASSES, np.float32)


class Belief(NamedTuple):
    """Belief of streams: the `posterior` [S, T, C] of the class, the `run_length` posterior
    [S, T, R], and the `onset` [S, T] that is likeliest."""

    posterior: np.ndarray
    run_length: np.ndarray
    onset: np.ndarray


def hazard_of(data: Recordings, train: np.ndarray) -> float:
    """The share of frames, from the shortest recording on, at which one ends; by counting."""
    rng, counts = np.random.default_rng(7), [data.counts[k] for k in train]
    mean = np.mean([broken_off(rng, counts).mean() for _ in range(10)])
    return float(1 / (1 + mean - LEAST))


def hazards(rate: float, longest: int) -> np.ndarray:
    """The hazard by run length [R]: none before the shortest recording is over."""
    return np.where(np.arange(longest) < LEAST - 1, 0.0, rate).astype(np.float32)


@eqx.filter_jit
def _filtered(model: ChangePointFilter, evidence):
    seen = jax.vmap(lambda one: model(one))(evidence)
    return seen.joint.sum(axis=3), seen.joint.sum(axis=2)


def filtered(evidence, phase: np.ndarray, hazard: float, streams: int) -> Belief:
    """Belief by the filter of change points, from `evidence(part)` [s, T, C, K] of a slice of the
    streams; the run length has the phases [R]."""
    model = ChangePointFilter(UNIFORM, hazards(hazard, len(phase)), phase)
    parts = [
        jax.device_get(_filtered(model, jnp.asarray(evidence(slice(k, k + CHUNK)))))
        for k in range(0, streams, CHUNK)
    ]
    posterior, run_length = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Belief(posterior, run_length, likeliest_onset(run_length))


def likeliest_onset(run_length: np.ndarray) -> np.ndarray:
    """Onset [S, T] of the likeliest run length; the last one keeps the onset before."""
    best, last = run_length.argmax(axis=2), run_length.shape[2] - 1
    onset = np.arange(best.shape[1])[None] - best
    for t in range(1, best.shape[1]):
        onset[:, t] = np.where(best[:, t] == last, onset[:, t - 1], onset[:, t])
    return np.maximum(onset, 0)


def window_evidence(log: np.ndarray, frequency: np.ndarray, of_phase: float, of_class: float):
    """Evidence [s, T, C, K] of a slice of the streams in what `window` says [S, T, C K]."""
    shape = CLASSES, len(frequency) // CLASSES
    prior = np.log(frequency).astype(np.float32).reshape(shape)

    def evidence(part):
        rows = jnp.asarray(log[part].reshape(*log[part].shape[:2], *shape))
        return scaled_evidence(rows, prior, of_phase=of_phase, of_class=of_class)

    return evidence


def by_class(log: np.ndarray) -> np.ndarray:
    """Class posterior [S, T, C] of what names class and phase [S, T, C K]."""
    return np.exp(log).reshape(*log.shape[:2], CLASSES, -1).sum(axis=3)


def near(run_length: np.ndarray) -> np.ndarray:
    """Which run lengths [S, T, R] are less than the shortest recording from the likeliest one: they
    are of the same recording."""
    best = run_length.argmax(axis=2)
    return np.abs(np.arange(run_length.shape[2]) - best[:, :, None]) < LEAST


def mixed(said: np.ndarray, run_length: np.ndarray, temperature: float) -> np.ndarray:
    """Class posterior [S, T, C] from what is said [S, T, C] of all since the likeliest onset: the
    probability of another onset goes to all classes alike."""
    share = np.exp(log_softmax(said / temperature, axis=2))
    weight = (run_length * near(run_length)).sum(axis=2)[:, :, None]
    return weight * share + (1 - weight) / CLASSES


def answers_of(
    said: np.ndarray, run_length: np.ndarray, temperature: float, alphas: tuple[float, ...]
) -> np.ndarray:
    """Answers [alphas, S, T] by the stopping rule (`bpcjax.models.answers`, of which this is the
    short form), of the belief that `mixed` is the class posterior of."""
    share = np.exp(log_softmax(said / temperature, axis=2))
    level, last = 1 - np.array(alphas)[:, None], run_length.shape[2] - 1
    close = near(run_length)
    own, far = (np.cumsum(run_length * which, axis=2) for which in (close, ~close))
    streams, frames = np.arange(len(share)), share.shape[1]
    elapsed = np.full((len(alphas), len(share)), -1)
    result = np.full((len(alphas), len(share), frames), -1)
    for t in range(frames):
        upto = np.where(elapsed < 0, last, np.minimum(elapsed, last) - 1)
        some = own[streams[None], t, upto][:, :, None] * share[None, :, t]
        sure = some.max(axis=2) + far[streams[None], t, upto] / CLASSES
        answered = (sure >= level) & (upto >= 0)
        result[:, :, t] = np.where(answered, share[:, t].argmax(axis=1)[None], -1)
        elapsed = np.where(answered, 1, np.where(elapsed < 0, -1, elapsed + 1))
    return result


def answers_told(posterior: np.ndarray, onset: np.ndarray, alpha: float) -> np.ndarray:
    """Answers [S, T] where the onset [S, T] is told: the first likely class of each recording."""
    result, done = np.full(onset.shape, -1), np.zeros(len(onset), bool)
    for t in range(onset.shape[1]):
        begins = (onset[:, t] == t) & (onset[:, t] >= 0)
        done = np.where(begins, False, done)
        says = ~done & (posterior[:, t].max(axis=1) >= 1 - alpha) & (onset[:, t] >= 0)
        result[says, t] = posterior[says, t].argmax(axis=1)
        done |= says
    return result
