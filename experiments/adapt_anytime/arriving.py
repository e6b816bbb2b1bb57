"""Recordings that arrive one after another: a fold's networks and rivals, and what they are worth.

Networks learn in `taught`, rivals in `rivalled`, which score candidate settings on the fold's own
test; in `measured` a fold takes the settings with the best scores of the *other* folds, the
official test (the fold 5) those of all five.
"""

import itertools
from collections.abc import Callable

import numpy as np
from scipy.special import log_softmax, logsumexp

from . import beliefs, measures, networks, rivals
from .networks import CHUNK, CLASSES
from .recordings import FOLDS, Recordings, Streams, draw

METHODS = (
    "network, onset told", "network", "network, windows added up", "network, windows alone",
    "logistic regression, change points", "logistic regression, leak",
    "naive Bayes, change points", "naive Bayes, leak",
)  # fmt: skip
DECIDING = "network", "network, onset told", "logistic regression, change points"
ALPHAS = 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001
TEMPERATURES = 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0
GAINS = 0.01, 0.03, 0.1, 0.3, 1.0  # of evidence that frames one after another tell again
CHOICES: dict[str, list[tuple[float, ...]]] = {
    "window": list(itertools.product((0.5, 1.0), (0.03, 0.1, 0.3))),
    "whole": [(t,) for t in TEMPERATURES],
    "linear": [(t,) for t in TEMPERATURES],
    "leak": list(itertools.product(rivals.LEAKS, GAINS)),
    "bayes": list(itertools.product((0.1, 0.3, 1.0), (0.01, 0.03, 0.1))),
    "linear leak": [(tau,) for tau in rivals.LINEAR_LEAKS],
}
SPAN = 2  # frames of a span of naive Bayes
FEW = 5  # streams by which its gains are chosen


def _loss(posterior: np.ndarray, label: np.ndarray) -> float:
    """Mean negative log posterior (nats) of the label, over all frames."""
    share = np.take_along_axis(posterior, np.maximum(label, 0)[:, :, None], axis=2)[:, :, 0]
    return float(-np.log(np.maximum(share[label >= 0], 1e-9)).mean())


def _softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(log_softmax(scores, axis=-1))


class Fold:
    """A fold: its recordings and streams, of the same numbers wherever it is made."""

    def __init__(self, data: Recordings, number: int, streams: int, each: int):
        self.data, self.number = data, number
        self.train, self.test = data.split(number)
        self.streams: Streams = draw(data, self.test, streams, each, number)
        self.hazard = beliefs.hazard_of(data, self.train)
        self.phase = networks.phases_of(data.longest)
        self.parts = networks.parts_of(data.longest)

    def bayes(
        self, of_phase: float, of_class: float, streams: slice = slice(None)
    ) -> beliefs.Belief:
        """Belief of naive Bayes with change points, with gains as those of `window`."""
        rate = rivals.rates(self.data, self.train, SPAN)
        counts = self.streams.counts[streams]

        def evidence(part):
            rows = [rivals.poisson_evidence(rate, one) for one in counts[part]]
            log = np.stack(rows).astype(np.float32)
            phase = logsumexp(log, axis=2, keepdims=True) - np.log(CLASSES)
            return (of_phase * phase + of_class * (log - phase)).astype(np.float32)

        phase = np.arange(self.data.longest) // SPAN
        return beliefs.filtered(evidence, phase, self.hazard, len(counts))


def taught(fold: Fold, width: int, epochs: int, label: str) -> dict[str, np.ndarray]:
    """What the networks of a fold say of its streams, `whole` where it is told the onset, and the
    loss of each of their candidate settings."""
    data, streams, seed = fold.data, fold.streams, fold.number
    window = networks.window_sample(data, fold.train, seed)
    energy = networks.learn(data, window, seed, width, epochs, f"{label}, window,")
    said = networks.run_window(energy, window, data, streams.counts)
    whole = networks.whole_sample(data, fold.train, seed)
    energy = networks.learn(data, whole, seed, width, epochs, f"{label}, whole,")
    told = networks.run_whole(energy, whole.scale, streams.counts, streams.onset, fold.parts)
    part, label_ = slice(0, CHUNK), streams.label

    def window_loss(of_phase: float, of_class: float) -> float:
        rows = beliefs.window_evidence(said.log[part], window.frequency, of_phase, of_class)
        belief = beliefs.filtered(rows, fold.phase, fold.hazard, len(said.log[part]))
        return _loss(belief.posterior, label_[part])

    return {
        "window": said.log, "window spikes": said.spikes, "frequency": window.frequency,
        "told": told.log, "told spikes": told.spikes, "scale": np.asarray(whole.scale),
    } | networks.leaves_of(energy) | _losses({
        "window": window_loss, "whole": lambda t: _loss(_softmax(told.log / t), label_),
    })  # fmt: skip


def rivalled(fold: Fold) -> dict[str, np.ndarray]:
    """What the rivals of a fold say of its streams, and the loss of each candidate setting."""
    data, streams, label = fold.data, fold.streams, fold.streams.label
    linear = rivals.Linear.learn(networks.whole_sample(data, fold.train, fold.number))
    told = linear.since(streams.counts, streams.onset, fold.parts)
    alone = np.stack([rivals.leaky_linear(data, fold.train, streams.counts, tau)
                      for tau in rivals.LINEAR_LEAKS])  # fmt: skip
    rate = rivals.rates(data, fold.train, data.longest)
    scores = rivals.leaky_scores(rate, streams.counts).astype(np.float32)
    part = slice(0, FEW)
    return {
        "linear alone": alone, "leaky": scores,
        "linear weights": linear.weights, "linear bias": linear.bias,
    } | _losses({
        "linear": lambda t: _loss(_softmax(told / t), label),
        "linear leak": lambda tau: _loss(np.exp(alone[rivals.LINEAR_LEAKS.index(tau)]), label),
        "leak": lambda tau, gain: _loss(_softmax(gain * scores[rivals.LEAKS.index(tau)]), label),
        "bayes": lambda of_phase, of_class: _loss(
            fold.bayes(of_phase, of_class, part).posterior, label[part]
        ),
    })  # fmt: skip


def _losses(losses: dict[str, Callable[..., float]]) -> dict[str, np.ndarray]:
    return {
        f"loss, {name}": np.array([loss(*choice) for choice in CHOICES[name]])
        for name, loss in losses.items()
    }


def chosen(name: str, others: list[dict[str, np.ndarray]]) -> tuple[float, ...]:
    """The setting with the least loss on other folds."""
    total = np.sum([other[f"loss, {name}"] for other in others], axis=0)
    return CHOICES[name][int(total.argmin())]


def measured(
    fold: Fold, own: dict[str, np.ndarray], others: list[dict[str, np.ndarray]], width: int
) -> dict[str, np.ndarray]:
    """Accuracies [method, recording, age], decisions of each rule, spikes and energies, of the
    fold with the settings of the others."""
    data, streams = fold.data, fold.streams
    settings = {name: chosen(name, others) for name in CHOICES}
    events = streams.counts.sum(axis=2, dtype=float)
    rows = beliefs.window_evidence(own["window"], own["frequency"], *settings["window"])
    belief = beliefs.filtered(rows, fold.phase, fold.hazard, len(events))
    size = fold.parts * streams.counts.shape[2]
    energy = networks.from_leaves(own, size, width)
    said = networks.run_whole(energy, own["scale"], streams.counts, belief.onset, fold.parts)
    of_phase, of_class = settings["bayes"]
    bayes = fold.bayes(of_phase, of_class)
    linear = rivals.Linear(own["linear weights"], own["linear bias"])
    linear_said = linear.since(streams.counts, bayes.onset, fold.parts)
    told = _softmax(own["told"] / settings["whole"][0])
    leak, gain = settings["leak"]
    posteriors = {
        "network, onset told": told,
        "network": beliefs.mixed(said.log, belief.run_length, *settings["whole"]),
        "network, windows added up": belief.posterior,
        "network, windows alone": beliefs.by_class(own["window"]),
        "logistic regression, change points": beliefs.mixed(
            linear_said, bayes.run_length, *settings["linear"]
        ),
        "logistic regression, leak": np.exp(
            own["linear alone"][rivals.LINEAR_LEAKS.index(settings["linear leak"][0])]
        ),
        "naive Bayes, change points": bayes.posterior,
        "naive Bayes, leak": _softmax(gain * own["leaky"][rivals.LEAKS.index(leak)]),
    }
    right = [measures.accuracy(posteriors[m], streams, data.labels, fold.test) for m in METHODS]
    costs = {
        "network": measures.network_cost(
            data, events, own["window spikes"], said.spikes, width, own["window"].shape[2]
        ),
        "network, onset told": measures.told_cost(events, own["told spikes"], width),
        "logistic regression, change points": measures.linear_cost(data, events, SPAN),
    }
    spikes = {
        "network": events + own["window spikes"] + said.spikes,
        "network, onset told": events + own["told spikes"],
        "logistic regression, change points": events,
    }
    given = {
        "network": beliefs.answers_of(said.log, belief.run_length, settings["whole"][0], ALPHAS),
        "network, onset told": [beliefs.answers_told(told, streams.onset, a) for a in ALPHAS],
        "logistic regression, change points": beliefs.answers_of(
            linear_said, bayes.run_length, settings["linear"][0], ALPHAS
        ),
    }
    result = {
        "right": np.stack(right).astype(np.float32),
        "onset found": measures.onset_found(belief.onset, streams),
        "hazard": np.array(fold.hazard),
        "nll": np.array([_loss(posteriors[m], streams.label) for m in METHODS]),
        "frame energy": np.array([costs[m][streams.label >= 0].mean() for m in DECIDING]),
    } | {f"chosen, {name}": np.array(choice) for name, choice in settings.items()}
    tables = [
        [measures.decisions(one, streams, fold.test, spikes[m], costs[m]) for one in given[m]]
        for m in DECIDING
    ]
    for name in ("given", "right", "shown", "answered"):
        result[f"decisions, {name}"] = np.array([[one[name] for one in row] for row in tables])
    for name in ("delay", "spikes", "energy"):
        result[f"median, {name}"] = np.array(
            [[np.median(one[name]) if len(one[name]) else np.nan for one in row] for row in tables]
        )
    result["example"] = _example(posteriors, streams, belief)
    return result


def _example(posteriors, streams: Streams, belief: beliefs.Belief, frames: int = 300):
    """What a picture shows of the first stream: rows of the label, the onset, the likeliest onset,
    and the class posterior of the network."""
    part = slice(0, frames)
    rows = [streams.label[0, part], streams.onset[0, part], belief.onset[0, part]]
    return np.concatenate([np.stack(rows), posteriors["network"][0, part].T]).astype(np.float32)


def arrive(
    data: Callable[[], Recordings], parts, *, name: str, folds: tuple[int, ...], streams: int,
    each: int, width: int, epochs: int,
) -> dict[int, dict[str, np.ndarray]]:  # fmt: skip
    """Measures of each fold, by its number; each is kept on disk as a part."""
    made: dict[int, Fold] = {}

    def fold(number: int) -> Fold:
        if number not in made:
            made[number] = Fold(data(), number, streams, each)
        return made[number]

    def teach(number: int) -> dict[str, np.ndarray]:
        print()
        return taught(fold(number), width, epochs, f"fold {number}")

    kept = {k: parts(f"{name}, fold {k}", lambda k=k: teach(k)) for k in folds}
    said = {
        k: kept[k] | parts(f"{name}, fold {k}, rivals", lambda k=k: rivalled(fold(k)))
        for k in folds
    }

    def measure(number: int) -> dict[str, np.ndarray]:
        others = [said[k] for k in folds if k not in (number, FOLDS)]
        return measured(fold(number), said[number], others or [said[number]], width)

    return {k: parts(f"{name}, fold {k}, measures", lambda k=k: measure(k)) for k in folds}
