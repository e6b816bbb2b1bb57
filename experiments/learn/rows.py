"""Rows of the table: networks, ablations of the main one, and depths."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from bpcjax.models import (
    AbstractPhases,
    Backpropagation,
    NudgedPhases,
    RatePhases,
    feedback_stiffness,
    unit_stiffness,
)

from ..common import InputError, study
from ..common.data import SPLITS
from ..common.predictive import Training
from ..common.settings import setting

NETWORKS, ABLATION, DEPTH = "networks", "ablation", "depth"
FULL = 2.0**-16  # quantum of errors that are as good as numbers


@dataclasses.dataclass(frozen=True)
class Settings(study.Config):
    """Settings that rows depend on."""

    data: str = setting("mnist", among=tuple(SPLITS), quick="digits")
    """The images: mnist, fashion_mnist, digits."""
    data_dir: str | None = None
    """The folder of the files of the images."""
    seeds: int = setting(3, least=1, quick=1)
    """Of the rows with a deviation, all ablations among them; the others have one."""
    epochs: int = setting(15, least=1, quick=8)
    """Of all networks but convolutions, of which there are a fifth."""
    width: int = setting(1024, least=2, quick=128)
    """Units of a hidden layer; half as many where there are two, and a quarter in the second and
    third of three. Ablations have half as many, networks of any depth a quarter."""
    steps: tuple[int, ...] = setting((0, 1, 8, 16), least=0, quick=(0,), empty=True)
    """Steps of the values, of the ablation."""
    depths: tuple[int, ...] = setting((1, 2, 3, 5, 8, 16), least=1, quick=(1, 3), empty=True)
    """Hidden layers, of the networks with residual layers."""
    trials: int = setting(8, least=1, quick=2)
    """Settings tried on validation images for each of the two tuned rows."""
    full_convolutions: bool = False
    """Convolutions in their full size and epochs: for a GPU."""
    only: tuple[str, ...] = ()
    """Rows of the table to make, by their names; all without."""
    validation: bool = False
    """Hold out a sixth of the training set and test on it."""

    def verify(self) -> None:
        """Each of `only` is a row of the table."""
        names = list(table(self))
        unknown = set(self.only) - set(names)
        if unknown:
            raise InputError(f"only: there are no rows {sorted(unknown)}. Choose of {names}.")


@dataclasses.dataclass(frozen=True)
class Row:
    """Network of the table: how it learns, and by which phases it answers (those by default)."""

    settings: Training
    phases: AbstractPhases
    repeats: bool = False  # for every seed
    answers: AbstractPhases | None = None
    tuned: bool = False  # its settings are the best of the trials
    group: str = NETWORKS

    @property
    def test(self) -> AbstractPhases:
        """Phases by which it answers."""
        return self.phases if self.answers is None else self.answers


def base_settings(config: Settings) -> Training:
    """Settings of the main row, chosen on validation images once."""
    fashion = config.data == "fashion_mnist"
    base = Training(
        hidden=(config.width,),
        epochs=config.epochs,
        rate=0.75 if fashion else 1.5,
        warm=1000 if fashion else 500,
        silent=0.05 if fashion else 0.0,  # Fashion-MNIST: mirrored images did not help
        shift=0 if fashion else 1,
    )
    if config.data == "digits":
        base = dataclasses.replace(base, rate=1.0, warm=20, shift=0)
    return base


def table(config: Settings) -> dict[str, Row]:
    """All rows of the table, the main one first."""
    base, fashion = base_settings(config), config.data == "fashion_mnist"

    def but(**changes: Any) -> Training:
        return dataclasses.replace(base, **changes)

    half, quarter = max(config.width // 2, 1), max(config.width // 4, 1)
    quantum = jnp.asarray(0.7 if fashion else 0.5)
    main, coarse = NudgedPhases(quantum), NudgedPhases(jnp.asarray(1.0))
    by_feedback = NudgedPhases(quantum, stiffness=feedback_stiffness)
    bare = {} if fashion else {"no shifts": Row(but(shift=0, silent=0.2), main, True)}
    return {
        "spiking": Row(base, main, True),
        "spiking, tuned": Row(base, main, True, tuned=True),
        "three layers": Row(but(hidden=(half, quarter, quarter)), coarse, True),
        "three equal layers": Row(but(hidden=(half, half, half)), coarse),
        "two layers": Row(but(hidden=(half, half)), coarse),
        "learned feedback": Row(but(feedback=True), main),
        "local": Row(but(feedback=True), by_feedback, True),
        "rate": Row(base, RatePhases()),
        "backpropagation": Row(base, Backpropagation()),
        "backpropagation, tuned": Row(base, Backpropagation(), True, tuned=True),
        **bare,
        "spiking input": Row(but(input_quantum=0.5), main),
        "convolutions": Row(_convolutions(config, base), main),
        **_ablations(config, base, quantum),
        **_depths(config, base),
    }


def _convolutions(config: Settings, base: Training) -> Training:
    """Small, or the full setting: 3 layers of maps, as long and regularised as needed there."""
    if config.full_convolutions:
        maps, epochs, rate, silent = (32, 64, 128), 50, 0.2, 0.1
    else:
        maps, epochs, rate, silent = (8, 16), max(config.epochs // 5, 1), 0.3, 0.0
    return dataclasses.replace(base, maps=maps, hidden=(), epochs=epochs, rate=rate, silent=silent)


def _ablations(config: Settings, base: Training, quantum: Any) -> dict[str, Row]:
    """What the main row owes to its parts: half the units, a third of the epochs."""
    settings = dataclasses.replace(
        base, hidden=(max(config.width // 2, 1),), epochs=max(config.epochs // 3, 1)
    )
    random = dataclasses.replace(settings, feedback=True, fixed_feedback=True)
    main = NudgedPhases(quantum)
    rows = {"as it is": (settings, main)}
    for steps in config.steps:
        name = "no value moves" if steps == 0 else f"{steps} step{'s' if steps > 1 else ''}"
        rows[name] = settings, dataclasses.replace(main, steps=steps)
    full = dataclasses.replace(
        main, error_quantum=jnp.asarray(FULL), output_quantum=jnp.asarray(FULL)
    )
    rows["errors in full"] = settings, full
    rows["random feedback"] = random, main
    rows["straight through"] = settings, Backpropagation(quantum)
    rows["graded, backpropagation"] = settings, Backpropagation()
    return {
        f"ablation: {name}": Row(
            *row, True, main if name == "straight through" else None, group=ABLATION
        )
        for name, row in rows.items()
    }


def _depths(config: Settings, base: Training) -> dict[str, Row]:
    """Any number of layers of a quarter of the units, half the epochs, each adding to the one
    before; errors go down whole, and no value moves."""
    phases = NudgedPhases(jnp.asarray(0.25), steps=0, stiffness=unit_stiffness)
    width = max(config.width // 4, 1)

    def row(depth: int, **how: Any) -> Row:
        settings = dataclasses.replace(
            base,
            hidden=(width,) * depth,
            epochs=max(config.epochs // 2, 1),
            rate=base.rate / math.sqrt(depth),
            residual=depth > 1,
        )
        return Row(settings, group=DEPTH, **how)

    spiking = {f"depth: {k}": row(k, phases=phases, repeats=k <= 8) for k in config.depths}
    deepest = max(config.depths, default=0)
    rival = {f"depth: {deepest}, backpropagation": row(deepest, phases=Backpropagation())}
    return spiking | (rival if deepest > 1 else {})
