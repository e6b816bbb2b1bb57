"""Measures of beliefs in streams: accuracy by the time into a recording, answers, costs."""

import numpy as np

from bpcjax import cost

from .networks import CLASSES, RECIPES
from .recordings import FRAME, LEAST, Recordings, Streams

AGES = 60  # frames into a recording at which accuracy is measured: 300 ms


def accuracy(
    posterior: np.ndarray, streams: Streams, labels: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Accuracy [recordings of the test, AGES + 1] at each frame into a recording that follows
    another and is not broken off, and at its end; NaN where it does not last so long."""
    named = posterior.argmax(axis=2)
    hits, shown = np.zeros((2, len(labels), AGES + 1))
    for s, (which, start, length, whole) in enumerate(
        zip(streams.which, streams.start, streams.length, streams.whole, strict=True)
    ):
        for k in np.flatnonzero(whole[1:]) + 1:
            row = named[s, start[k] : start[k] + length[k]] == labels[which[k]]
            size = min(len(row), AGES)
            hits[which[k], :size] += row[:size]
            hits[which[k], AGES] += row[-1]
            shown[which[k], :size] += 1
            shown[which[k], AGES] += 1
    with np.errstate(invalid="ignore"):
        return (hits / shown)[test]


def decisions(
    given: np.ndarray, streams: Streams, test: np.ndarray, spikes: np.ndarray, energy: np.ndarray
) -> dict[str, np.ndarray]:
    """Answers given [S, T], by recording of the test: how many were `given` while it was there, and
    `right` ones, which are the first; how often it was `shown`, and `answered` at all. Of first
    answers [n]: the `delay` (ms), and spikes and energy (nJ) since the onset."""
    place = {int(k): n for n, k in enumerate(test)}
    totals = {name: np.zeros(len(test)) for name in ("given", "right", "shown", "answered")}
    first: dict[str, list[float]] = {"delay": [], "spikes": [], "energy": []}
    for s, (which, start, length) in enumerate(
        zip(streams.which, streams.start, streams.length, strict=True)
    ):
        for k in range(1, len(which)):
            part = slice(start[k], start[k] + length[k])
            row, n = given[s, part], place[int(which[k])]
            times = np.flatnonzero(row >= 0)
            totals["shown"][n] += 1
            totals["given"][n] += len(times)
            if len(times):
                upto = slice(start[k], start[k] + times[0] + 1)
                totals["answered"][n] += 1
                totals["right"][n] += row[times[0]] == streams.label[s, start[k]]
                first["delay"].append(FRAME * (times[0] + 1))
                first["spikes"].append(spikes[s, upto].sum())
                first["energy"].append(energy[s, upto].sum())
    return totals | {name: np.array(values) for name, values in first.items()}


def told_cost(events: np.ndarray, spikes: np.ndarray, width: int) -> np.ndarray:
    """Energy [S, T] (nJ) of a frame of `whole`, of input events and value spikes [S, T]: a spike
    adds a weight to each neuron it reaches; states of the neurons step once a millisecond."""
    return _energy(
        cost.Counts(
            synaptic=width * events + CLASSES * spikes,
            exps=CLASSES,
            divides=1,
            updates=FRAME * width,
            adds=CLASSES,
        )
    )


def network_cost(
    data: Recordings, events: np.ndarray, window: np.ndarray, whole: np.ndarray, width: int,
    names: int,
) -> np.ndarray:  # fmt: skip
    """Energy [S, T] (nJ) of a frame of both networks and the filter. A trace is a state of its own
    in each neuron; the filter's units take two products each, its evidence an exponential."""
    taus, units = len(RECIPES[data.name].taus), CLASSES * data.longest
    return told_cost(events, whole, width) + _energy(
        cost.Counts(
            synaptic=taus * width * events + names * window,
            macs=2 * units,
            adds=units + names,
            exps=names,
            divides=1,
            updates=(FRAME + taus) * width,
        )
    )


def bayes_cost(data: Recordings, events: np.ndarray, spans: int) -> np.ndarray:
    """Energy [S, T] (nJ) of a frame of naive Bayes with the filter."""
    names, units = CLASSES * spans, CLASSES * data.longest
    return _energy(
        cost.Counts(synaptic=names * events, macs=2 * units, adds=units, exps=names, divides=1)
    )


def linear_cost(data: Recordings, events: np.ndarray, span: int) -> np.ndarray:
    """Energy [S, T] (nJ) of a frame of logistic regression on all since the onset, which naive
    Bayes with the filter finds; its roots are free."""
    own = cost.Counts(macs=CLASSES * events, adds=CLASSES, exps=CLASSES, divides=1)
    return bayes_cost(data, events, -(-data.longest // span)) + _energy(own)


def onset_found(onset: np.ndarray, streams: Streams) -> np.ndarray:
    """Share [AGES] of recordings after another one whose likeliest `onset` [S, T] lies less than
    the shortest recording from the true one, at each frame into it."""
    near = np.abs(onset - streams.onset) < LEAST
    hits, shown = np.zeros((2, AGES))
    for s, (start, length) in enumerate(zip(streams.start, streams.length, strict=True)):
        for first, size in zip(start[1:], np.minimum(length[1:], AGES), strict=True):
            hits[:size] += near[s, first : first + size]
            shown[:size] += 1
    return hits / np.maximum(shown, 1)


def _energy(counts: cost.Counts) -> np.ndarray:
    return np.asarray(cost.Ledger(cost.FP32).energy(counts)) / 1e3
