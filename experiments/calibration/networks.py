"""What networks that learned by spikes know of what they do not know: one split, all readings."""

from typing import NamedTuple

import jax
import numpy as np
from scipy.ndimage import rotate
from scipy.stats import rankdata

from bpcjax.models import NudgedPhases

from ..common.data import Split, splits
from ..common.precision import single
from ..common.predictive import Training, train
from ..common.scores import BINS, scores
from .posterior import Posterior, answers, ask, each, layers, loss, matrix, softmax

READINGS = "point", "tempered", "synapses", "matrices", "both", "ensemble"
ANGLES = 15, 30, 45, 60
NOISES = 0.2, 0.4
CONDITIONS = (
    "plain", *(f"turned by {a}" for a in ANGLES), *(f"noise {s:g}" for s in NOISES)
)  # fmt: skip
SCORES = "accuracy", "nll", "ece", "brier"
STATISTICS = "max probability", "entropy", "epistemic"
PRECISIONS = tuple(float(p) for p in np.round(np.geomspace(10, 30000, 8), 1))
TEMPERATURES = tuple(np.geomspace(0.25, 4, 61))


class Images(NamedTuple):
    """To learn from, to choose settings on, to test, and images that are of none of the classes."""

    learned: Split
    chosen: Split
    asked: Split
    strange: np.ndarray


def images(name: str, folder: str | None, count: int, asked: int, seed: int) -> Images:
    """Images of a split. Strange are those of the other of MNIST and Fashion-MNIST; of the digits,
    the same with their pixels shuffled."""
    rng = np.random.default_rng([seed, count])
    known, test = splits(name, folder)
    order = rng.permutation(len(known.x))
    held = max(count // 5, min(500, len(known.x) - count))
    parts = order[:count], order[count : count + held]
    learned, chosen = (Split(known.x[p], known.labels[p], known.classes) for p in parts)
    some = rng.permutation(len(test.x))[:asked]
    test = Split(test.x[some], test.labels[some], test.classes)
    if name == "digits":
        mixed = rng.permuted(test.x.reshape(len(test.x), -1), axis=1)
        return Images(learned, chosen, test, mixed.reshape(test.x.shape))
    other = splits({"mnist": "fashion_mnist", "fashion_mnist": "mnist"}[name], folder)[1].x
    return Images(learned, chosen, test, other[rng.permutation(len(other))[:asked]])


def shifted(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The images under each of the conditions."""
    top = x.max()
    turned = [rotate(x, a, axes=(1, 2), reshape=False, order=1) for a in ANGLES]
    noisy = [np.clip(x + s * top * rng.normal(size=x.shape), 0, top) for s in NOISES]
    return dict(zip(CONDITIONS, [x, *turned, *noisy], strict=True))


def reliability(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sums [3, bins] of samples, of confidence and of right answers, by confidence."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == labels
    which = np.minimum((sure * BINS).astype(int), BINS - 1)
    return np.stack([np.bincount(which, w, BINS) for w in (np.ones(len(p)), sure, right)])


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """How often what is strange has the larger value, ties by half."""
    rank = rankdata(np.concatenate([known, strange]))[len(known) :].sum()
    n, m = len(known), len(strange)
    return float((rank - m * (m + 1) / 2) / (n * m))


def doubt(p: np.ndarray) -> np.ndarray:
    """Less the greatest probability, total entropy, and its epistemic part: [3, n] of [k, n, c]."""
    mean = p.mean(axis=0)
    total = -(mean * np.log(mean + 1e-30)).sum(axis=-1)
    noise = -(p * np.log(p + 1e-30)).sum(axis=-1).mean(axis=0)
    return np.stack([-mean.max(axis=-1), total, total - noise])


def measure(
    given: Images, *, width: int, updates: int, draws: int, members: int, seed: int
) -> dict[str, np.ndarray]:
    """All readings of the networks of one split, under all conditions.

    The temperature and the precision of each prior are chosen by the NLL of `given.chosen`. An
    ensemble has `members` points that learned from other first weights.
    """
    phases = single(NudgedPhases())
    learned, (x, labels, _) = given.learned, given.chosen
    x, labels = x[:1000], labels[:1000]
    small = learned.x[0].size < 100
    networks = []
    for k in range(members):
        settings = Training(
            hidden=(width,), epochs=max(round(updates * 128 / len(learned.x)), 1),
            rate=1.0 if small else 0.75, warm=50, seed=100 * seed + k,
        )  # fmt: skip
        networks.append(train(learned, settings, phases, label=f"member {k + 1}").energy)
    point, count = networks[0], len(learned.x)
    outputs = answers(point, phases, x)[None]
    heat = min(TEMPERATURES, key=lambda t: loss(softmax(outputs / t), labels))
    some = learned.x[:4000]
    halves = [
        layers(point, phases, part, jax.random.key(k), min(len(part), 100))
        for k, part in enumerate((some[0::2], some[1::2]))
    ]
    both = [type(a)(*(np.mean(pair, axis=0) for pair in zip(a, b, strict=True)))
            for a, b in zip(*halves, strict=True)]  # fmt: skip
    kinds = {"synapses": each(both, count), "matrices": matrix(both, count)}
    asked = {"point": ([point], 1.0), "tempered": ([point], heat), "ensemble": (networks, 1.0)}
    precision, evidence = [], []
    for name, posterior in kinds.items():
        chosen, pair = choose(posterior, point, phases, x, labels)
        asked[name] = posterior.draw(point, chosen, draws, seed), 1.0
        if name == "matrices":
            asked["both"] = posterior.draw(point, pair[0], draws, seed), pair[1]
        precision.append(chosen)
        evidence.append(posterior.evidence())
    rng = np.random.default_rng(seed)
    seen = shifted(given.asked.x, rng) | {"strange": given.strange}
    table, unsure, bins, doubts = [], [], [], {}
    for condition, images in seen.items():
        each_of = {name: ask(nets, phases, images, t) for name, (nets, t) in asked.items()}
        doubts[condition] = {name: doubt(each_of[name]) for name in READINGS}
        rows = [doubts[condition][name] for name in READINGS]
        unsure.append([[row[2].mean(), (row[1] - row[2]).mean()] for row in rows])
        if condition == "strange":
            continue
        means = [each_of[name].mean(axis=0) for name in READINGS]
        table.append([_scores(p, given.asked.labels) for p in means])
        bins.append([reliability(p, given.asked.labels) for p in means])
    plain, strange = doubts["plain"], doubts["strange"]
    rows = zip(*((layer.square.ravel() for layer in half) for half in halves), strict=True)
    return {
        "net_scores": np.array(table),
        "net_unsure": np.array(unsure),
        "reliability": np.array(bins),
        "auroc": np.array(
            [[auroc(plain[r][k], strange[r][k]) for k in range(3)] for r in READINGS]
        ),
        "temperature": np.array(heat),
        "precision": np.array(precision),
        "evidence": np.array(evidence),
        "halves": np.array(min(float(np.corrcoef(a, b)[0, 1]) for a, b in rows)),
    }


def choose(
    posterior: Posterior, point, phases: NudgedPhases, x: np.ndarray, labels: np.ndarray
) -> tuple[float, tuple[float, float]]:
    """The precision of the prior of least NLL, and that with a temperature."""
    alone, pairs = {}, {}
    for precision in PRECISIONS:
        drawn = posterior.draw(point, precision, 8, 0)
        outputs = np.stack([answers(net, phases, x) for net in drawn])
        alone[precision] = loss(softmax(outputs), labels)
        for t in TEMPERATURES[::2]:
            pairs[precision, t] = loss(softmax(outputs / t), labels)
    return min(alone, key=alone.__getitem__), min(pairs, key=pairs.__getitem__)


def _scores(p: np.ndarray, labels: np.ndarray) -> list[float]:
    found = scores(np.log(p + 1e-30), labels)
    found["brier"] = float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean())
    return [found[name] for name in SCORES]
