"""Uncertainty of networks trained by spikes: one split, all readings."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from scipy.ndimage import rotate
from scipy.special import softmax

from bpcjax.models import NudgedPhases

from ..common import predictive
from ..common.data import Split, splits
from ..common.precision import single
from ..common.predictive import Training
from ..common.scores import auroc, doubt, reliability, scores
from .posterior import Posterior, each, layers, loss, matrix, outputs, predict

READINGS = "point", "tempered", "synapses", "matrices", "both", "ensemble"
ANGLES = 15, 30, 45, 60
NOISES = 0.2, 0.4
CONDITIONS = (
    "plain", *(f"rotation by {a}" for a in ANGLES), *(f"noise {s:g}" for s in NOISES)
)  # fmt: skip
OUT = "out of distribution"
SCORES = "accuracy", "nll", "ece", "brier"
PRECISIONS = tuple(float(p) for p in np.round(np.geomspace(10, 30000, 8), 1))
TEMPERATURES = tuple(np.geomspace(0.25, 4, 61))


class Images(NamedTuple):
    """Images: to train on, to choose settings on, to test, and some that are out of distribution,
    of none of the classes."""

    train: Split
    validation: Split
    test: Split
    out: np.ndarray


def images(name: str, folder: str | None, count: int, tests: int, seed: int) -> Images:
    """Images of a split. Out of distribution are those of the other of MNIST and Fashion-MNIST; of
    the digits, the same with their pixels shuffled."""
    rng = np.random.default_rng([seed, count])
    official, test = splits(name, folder)
    order = rng.permutation(len(official.x))
    held = max(count // 5, min(500, len(official.x) - count))
    parts = order[:count], order[count : count + held]
    train, validation = (Split(official.x[p], official.labels[p], official.classes) for p in parts)
    some = rng.permutation(len(test.x))[:tests]
    test = Split(test.x[some], test.labels[some], test.classes)
    if name == "digits":
        mixed = rng.permuted(test.x.reshape(len(test.x), -1), axis=1)
        return Images(train, validation, test, mixed.reshape(test.x.shape))
    other = splits({"mnist": "fashion_mnist", "fashion_mnist": "mnist"}[name], folder)[1].x
    return Images(train, validation, test, other[rng.permutation(len(other))[:tests]])


def shifted(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The images under each of the conditions."""
    top = x.max()
    rotations = [rotate(x, a, axes=(1, 2), reshape=False, order=1) for a in ANGLES]
    noisy = [np.clip(x + s * top * rng.normal(size=x.shape), 0, top) for s in NOISES]
    return dict(zip(CONDITIONS, [x, *rotations, *noisy], strict=True))


def _ensemble(train: Split, phases: NudgedPhases, width: int, updates: int, seeds: range) -> list:
    """Networks trained on one set from different first weights."""
    settings = Training(
        hidden=(width,), epochs=max(round(updates * 128 / len(train.x)), 1),
        rate=1.0 if train.x[0].size < 100 else 0.75, warm=50,
    )  # fmt: skip
    return [
        predictive.train(
            train, dataclasses.replace(settings, seed=seed), phases, label=f"member {k + 1}"
        ).energy
        for k, seed in enumerate(seeds)
    ]


def measure(
    data: Images, *, width: int, updates: int, draws: int, members: int, seed: int
) -> dict[str, np.ndarray]:
    """All readings of the networks of one split, under all conditions.

    The temperature and the precision of each prior are chosen by the NLL of `data.validation`. An
    ensemble has `members` points trained from other first weights.
    """
    phases = single(NudgedPhases())
    seeds = range(100 * seed, 100 * seed + members)
    networks = _ensemble(data.train, phases, width, updates, seeds)
    point, count = networks[0], len(data.train.x)
    x, labels = data.validation.x[:1000], data.validation.labels[:1000]
    values = outputs(point, phases, x)[None]
    heat = min(TEMPERATURES, key=lambda t: loss(softmax(values / t, axis=-1), labels))
    some = data.train.x[:4000]
    halves = [
        layers(point, phases, part, jax.random.key(k), min(len(part), 100))
        for k, part in enumerate((some[0::2], some[1::2]))
    ]
    both = [type(a)(*(np.mean(pair, axis=0) for pair in zip(a, b, strict=True)))
            for a, b in zip(*halves, strict=True)]  # fmt: skip
    kinds = {"synapses": each(both, count), "matrices": matrix(both, count)}
    readings = {"point": ([point], 1.0), "tempered": ([point], heat), "ensemble": (networks, 1.0)}
    precision, evidence = [], []
    for name, posterior in kinds.items():
        best, pair = choose(posterior, point, phases, x, labels)
        readings[name] = posterior.draw(point, best, draws, seed), 1.0
        if name == "matrices":
            readings["both"] = posterior.draw(point, pair[0], draws, seed), pair[1]
        precision.append(best)
        evidence.append(posterior.evidence())
    rows = zip(*((layer.square.ravel() for layer in half) for half in halves), strict=True)
    return _tables(data, readings, phases, np.random.default_rng(seed)) | {
        "temperature": np.array(heat),
        "precision": np.array(precision),
        "evidence": np.array(evidence),
        "halves": np.array(min(float(np.corrcoef(a, b)[0, 1]) for a, b in rows)),
    }


def _tables(data: Images, readings: dict, phases, rng) -> dict[str, np.ndarray]:
    """Scores, uncertainty and reliability of the readings under all conditions."""
    table, unsure, bins, doubts = [], [], [], {}
    for condition, x in (shifted(data.test.x, rng) | {OUT: data.out}).items():
        by_name = {name: predict(nets, phases, x, t) for name, (nets, t) in readings.items()}
        rows = doubts[condition] = [doubt(by_name[name]) for name in READINGS]
        unsure.append([[row[2].mean(), (row[1] - row[2]).mean()] for row in rows])
        if condition == OUT:
            continue
        means = [by_name[name].mean(axis=0) for name in READINGS]
        table.append([_scores(p, data.test.labels) for p in means])
        bins.append([reliability(p, data.test.labels) for p in means])
    pairs = zip(doubts["plain"], doubts[OUT], strict=True)
    return {
        "net_scores": np.array(table),
        "net_unsure": np.array(unsure),
        "reliability": np.array(bins),
        "auroc": np.array([[auroc(a[k], b[k]) for k in range(3)] for a, b in pairs]),
    }


def choose(
    posterior: Posterior, point, phases: NudgedPhases, x: np.ndarray, labels: np.ndarray
) -> tuple[float, tuple[float, float]]:
    """The precision of the prior of least NLL, and that with a temperature."""
    alone, pairs = {}, {}
    for precision in PRECISIONS:
        networks = posterior.draw(point, precision, 8, 0)
        values = np.stack([outputs(net, phases, x) for net in networks])
        alone[precision] = loss(softmax(values, axis=-1), labels)
        for t in TEMPERATURES[::2]:
            pairs[precision, t] = loss(softmax(values / t, axis=-1), labels)
    return min(alone, key=alone.__getitem__), min(pairs, key=pairs.__getitem__)


def _scores(p: np.ndarray, labels: np.ndarray) -> list[float]:
    metrics = scores(np.log(p + 1e-30), labels)
    metrics["brier"] = float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean())
    return [metrics[name] for name in SCORES]
