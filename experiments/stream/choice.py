"""Settings of the methods, chosen on streams of recordings that no test has."""

import itertools
from typing import NamedTuple

import numpy as np

from bpcjax.cost import FP32, Ledger

from .methods import Row, Rules, Task, delta_argmax, held, mean, nearest, recall_each, stream
from .streams import scores_of

THRESHOLDS = 0.0, 0.2, 0.4
THETAS = 4.0, 7.0, 10.0
WIDER = 1.0, 2.0, 3.0  # standard deviations, over that of the residuals
STAYS = 0.5, 0.3  # the mean place is left later: then the filter would lag
ALARM = 0.01
LOST = 0.005  # of the places that may be lost against argmax, at the lower end of 95 %


class Calibration(NamedTuple):
    """Settings of the methods, and of other `levels` of threshold, or of white noise, the squared
    distances beyond which the stream restarts."""

    rules: Rules
    by_threshold: tuple[float, ...]
    by_white: tuple[float, ...]


def surprise(y: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """The squared distance of what is held from its own place that few frames exceed."""
    return float(np.quantile(((held(y, threshold)[0] - truth) ** 2).sum(axis=2), 1 - ALARM))


def choose(task: Task, path: np.ndarray) -> Rules:
    """The cheapest settings (fp32, arithmetic) that surely lose less than `LOST` of the places that
    argmax has right, or else those that lose least."""
    here, y = task.here, task.y
    truth = here.patterns[path]
    spread = float(np.sqrt(((y - truth) ** 2).mean()))
    reference = scores_of(here, path, nearest(here, y))[:, 0]

    def least_lead(decision: np.ndarray) -> float:
        lead = scores_of(here, path, decision)[:, 0] - reference
        error = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
        return float(lead.mean() - 1.96 * error)

    def best(options, row):
        tried = [(option, row(option)) for option in options]
        scored = [
            (o, least_lead(r.decision), float(Ledger(FP32).energy(r.counts))) for o, r in tried
        ]
        good = [entry for entry in scored if entry[1] >= -LOST]
        if good:
            return min(good, key=lambda entry: entry[2])[0]
        return max(scored, key=lambda entry: entry[1])[0]

    delta = best(THRESHOLDS, lambda threshold: delta_argmax(here, y, threshold))
    theta, wider = best(
        itertools.product(THETAS, WIDER), lambda o: recall_each(task, o[0], o[1] * spread)
    )
    far = {threshold: surprise(y, truth, threshold) for threshold in THRESHOLDS}

    def rules(option) -> Rules:
        threshold, own, sigma, stay = option
        return Rules(
            threshold, own, sigma * spread, stay, far[threshold], delta, theta, wider * spread
        )

    def row(option) -> Row:
        end = stream(task, rules(option), threshold=option[0])
        return Row(np.asarray(end.decision), mean(end.operations))

    return rules(best(itertools.product(THRESHOLDS, THETAS, WIDER, STAYS), row))


def calibrate(
    task: Task,
    path: np.ndarray,
    thresholds: tuple[float, ...],
    whites: tuple[float, ...],
    rng: np.random.Generator,
) -> Calibration:
    """Settings from streams whose places [S, T] are known."""
    rules, truth = choose(task, path), task.here.patterns[path]
    noise = rng.standard_normal(task.y.shape)
    return Calibration(
        rules,
        tuple(surprise(task.y, truth, threshold) for threshold in thresholds),
        tuple(surprise(task.y + white * noise, truth, rules.threshold) for white in whites),
    )
