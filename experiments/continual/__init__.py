"""Do synapses that know their variance forget less? Permuted images, one task after another.

A network of one hidden layer learns by predictive coding in spikes (`bpcjax.models.NudgedPhases`):
images of one set, whose pixels each task permutes in an order of its own, each image once. All
learners take the same products of error and activity at a synapse, and as many samples:

- plain: a constant step, the one with which tasks are learned best when they come;
- smaller step: a constant step, the one with which most is known at the end;
- on-line EWC, SI: weights held to where they were at the end of tasks, whose ends are told;
- synaptic filter (`bpcjax.learning.synaptic_filter`): each weight a mean and a variance, which
  is its step and the width from which a weight is drawn for every batch; nothing is told of tasks;
- the same in rates, without spikes, and with the settings that were chosen for spikes.

Each has its settings chosen out of as many, on other permutations and held-out images. At the end:
accuracy on every task, whether another set of images is noticed, and how well probabilities are
calibrated beside a temperature chosen on held-out images.

    python -m experiments.continual --data-dir FOLDER     # with mnist and fashion_mnist in it
    python -m experiments.continual --quick               # the embedded digits
"""

import dataclasses
import functools

import jax
import numpy as np
import xarray as xr

from ..common import InputError, predictive, study
from ..common.data import SPLITS
from ..common.stacking import stack
from ..common.study import Parts, setting
from . import tasks
from .measures import READINGS, SCORES, STATISTICS, SURE, measured
from .report import summary
from .settings import ARMS, PLAIN, SHARED, Arm, arm, values
from .training import learn


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Learning one task after another."""

    data_dir: str | None = None
    """The folder of the sets' files, as for `experiments.recall`."""
    data: str = setting("mnist", among=tuple(SPLITS), quick="digits")
    """digits, mnist, fashion_mnist."""
    tasks: int = setting(20, least=2, quick=4)
    """Permutations, one after another."""
    images: int = setting(15_000, least=1, quick=500)
    """Images of each task, each learned once."""
    batch: int = setting(64, least=1, quick=20)
    hidden: int = setting(512, least=2, quick=64)
    """Units of the hidden layer."""
    quantum: float = setting(0.5, above=0)
    """Of values, which are spikes."""
    draws: int = setting(8, least=2, quick=4)
    """Of weights, to average predictions over."""
    held: int = setting(5_000, least=10, quick=200)
    """Images that are not learned, to choose settings and temperatures by."""
    tests: int = setting(2_000, least=10, quick=200)
    """Images to test on, and of the other set."""
    seeds: int = setting(3, least=1, quick=1)
    """Permutations, orders, and first weights."""


def network(config: Config, images: tasks.Images, seed: int):
    """Network before learning."""
    shape = predictive.Training(hidden=(config.hidden,))
    size, classes = images.learned.x.shape[1], images.learned.classes
    return predictive.network(jax.random.key(seed), (size,), classes, shape)


def choose(config: Config, images: tasks.Images, offered: Arm) -> np.ndarray:
    """Mean accuracy [setting, 2] on tasks just learned, and on all tasks at the end, of held-out
    images under permutations that no test has."""
    drawn = tasks.draw(config.tasks, config.images, config.batch, images.learned, 1000)
    energy, part = network(config, images, 1000), tasks.first(images.chosen, 500)
    found = []
    for learner in offered.learners:
        try:
            _, matrix, _ = learn(
                learner, energy, offered.phases, drawn, images.learned, part, 1000, every=False
            )
            found.append([np.diag(matrix).mean(), matrix[-1].mean()])
        except InputError:  # its weights are no numbers any more
            found.append([0.0, 0.0])
    return np.array(found)


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Every learner's choice, and what it knows after each task, of every seed."""

    @functools.cache
    def images() -> tasks.Images:
        return tasks.load(config.data, config.data_dir, config.held, config.tests)

    choices, results = {}, {}
    for a, name in enumerate(ARMS):
        offered = arm(name, config.quantum)
        if name in SHARED:
            choices[(a,)] = choices[(ARMS.index(SHARED[name]),)]
        else:
            choices[(a,)] = parts(
                f"{name}, settings",
                lambda name=name, offered=offered: {
                    "tuning": choose(config, images(), offered),
                    "values": np.array([values(name, learner) for learner in offered.learners]),
                },
            )
        best = int(choices[(a,)]["tuning"][:, 0 if name == PLAIN else 1].argmax())
        for s in range(config.seeds):

            def one(offered=offered, best=best, s=s):
                drawn = tasks.draw(config.tasks, config.images, config.batch, images().learned, s)
                energy = network(config, images(), s)
                return measured(
                    offered.learners[best], energy, offered.phases, drawn, images(), s,
                    config.draws,
                ) | {"chosen": np.asarray(best)}  # fmt: skip

            results[a, s] = parts(f"{name}, seed {s}", one)
    chosen = stack(choices, (len(ARMS),))
    data = {
        "tuning": (("arm", "setting", "when"), chosen["tuning"]),
        "values": (("arm", "setting", "field"), chosen["values"]),
    }
    dims = {
        "matrix": ("after", "task"), "final": ("task",), "costs": ("task", "cost"),
        "scores": ("reading", "score"), "out": ("which", "statistic"),
        "deviations": ("layer", "quantile"), "chosen": (),
    }  # fmt: skip
    for key, array in stack(results, (len(ARMS), config.seeds)).items():
        data[key] = (("arm", "seed", *dims[key]), array)
    coords = {
        "arm": list(ARMS), "when": ["just learned", "at the end"], "reading": list(READINGS),
        "score": list(SCORES), "statistic": list(STATISTICS), "which": ["first", "last"],
        "quantile": list(SURE), "cost": ["free", "values", "errors", "loss", "energy"],
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs={"images": config.images})


STUDY = study.Study("continual", Config, run, summary, double=False)
"""`python -m experiments.continual`"""
