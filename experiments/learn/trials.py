"""Random search of a network's settings on images held out of its training set."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from bpcjax.models import AbstractPhases

from ..common import predictive
from ..common.data import Split
from ..common.predictive import Training
from ..common.scores import measure


def candidates(base: Training, count: int) -> list[Training]:
    """Settings to try: `base`, then draws of step size, dropout, decay and smoothed labels around
    it; the same draws whatever is trained with them."""
    draws = np.random.default_rng(0)
    settings = [base]
    for _ in range(count - 1):
        rate, silent, decay, smooth = (
            float(draws.choice(values))
            for values in (
                (0.5, math.sqrt(0.5), 1.0, math.sqrt(2), 2.0),
                (0.0, 0.05, 0.1, 0.2),
                (3e-5, 1e-4, 3e-4),
                (0.0, 0.02, 0.1),
            )
        )
        change = {"rate": base.rate * rate, "silent": silent, "decay": decay, "smooth": smooth}
        settings.append(dataclasses.replace(base, **change))
    return settings


def held_out(train: Split) -> tuple[Split, Split]:
    """A training set without a sixth, drawn at random, and that sixth."""
    order = np.random.default_rng(1).permutation(len(train.x))
    count = len(order) // 6
    x, labels = train.x[order], train.labels[order]
    rest, part = slice(count, None), slice(count)
    rest, part = (Split(x[k], labels[k], train.classes) for k in (rest, part))
    return rest, part


def accuracy(
    train: Split,
    settings: Training,
    phases: AbstractPhases,
    *,
    steps: int,
    folder: Path,
    label: str,
) -> float:
    """Accuracy on the held-out images after a third of the epochs; 0 where it does not stay
    finite."""
    rest, part = held_out(train)
    settings = dataclasses.replace(settings, epochs=max(settings.epochs // 3, 1))
    try:
        model = predictive.train(rest, settings, phases, folder=folder, label=label)
    except predictive.InputError:
        return 0.0
    return float(measure(model.energy, part, settings, phases, steps=steps)["accuracy"])
