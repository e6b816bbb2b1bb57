"""What to do next? Spiking networks learn from rewards, in environments of gymnasium.

CartPole by Q-learning: a spiking network values actions and learns by surrogate derivatives
through the engine's own solve; tested is the best of its epochs by 100 other episodes. Grid worlds
(the lake that is not slippery) by the same, by a table, and by reward-modulated STDP, whose changes
of weights are local but for one number common to all synapses; all three are judged as they are at
their last step, by what value iteration tells is best. Episodes in grids begin anywhere.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import InputError, study
from ..common.classifier_training import counts_by_step, operations
from ..common.scores import ledger
from .episodes import episodes, play
from .grids import GAMMA, MOMENTS, by_network, by_table, by_timing
from .stdp import Habits
from .values import Lessons, network, train
from .worlds import best, cartpole, frozen_lake, gymnasium, scaled

RULES = "table", "surrogate", "spike timing"
SOLVED = 195.0  # mean return over 100 episodes (Brockman et al. 2016, arXiv:1606.01540, v0)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    DOUBLE = False

    seeds: int = 5
    epochs: int = 40
    """Of CartPole, at most: 200 steps in 16 environments each."""
    hidden: int = 128
    steps: int = 8
    """Of the solve of a decision, in ms."""
    rate: float = 1e-3
    """Of the network that learns CartPole."""
    trials: int = 100
    """Episodes that test a network."""
    enough: float = 499.0
    """The mean return of as many other episodes at which learning stops."""
    grids: tuple[str, ...] = ("4x4", "8x8")
    """Maps of the lake, 4x4 or 8x8."""
    table_steps: int = 30_000
    """Transitions in the smaller grid; the larger has three times as many."""
    timing_steps: int = 12_000
    """Decisions by spike timing in the smaller grid; three times as many in the larger."""


def smaller(config: Config) -> Config:
    """The quick run, refused if it cannot be."""
    study.at_least(
        1, config, "seeds", "epochs", "hidden", "steps", "trials", "table_steps", "timing_steps"
    )
    if not config.rate > 0:
        raise InputError(f"rate must be positive, got {config.rate}.")
    if not config.grids:
        raise InputError("grids: pass at least one map.")
    if not config.quick:
        return config
    return dataclasses.replace(
        config, seeds=2, epochs=8, trials=20, grids=("4x4",), table_steps=8000, timing_steps=5000
    )


def raster(model, x: np.ndarray) -> np.ndarray:
    """The spikes of its hidden neurons in each of some decisions: [decisions, steps, neurons]."""
    counts = counts_by_step(model, jnp.asarray(x), lambda counts: counts[0])
    return np.diff(counts, axis=1, prepend=0)


def balance(config: Config, seed: int, folder: Path) -> dict:
    """CartPole: a network learns, and is tested in episodes that it was never asked about."""
    lessons = Lessons(config.epochs, rate=config.rate, seed=seed)
    model = network(jax.random.key(seed), 4, config.hidden, 2, config.steps)
    others = cartpole(config.trials)

    def ask(model) -> float:
        return float(play(model, others, scaled, 10_000 + seed).returns.mean())

    done = train(
        model, cartpole(lessons.envs), scaled, lessons, ask=ask, enough=config.enough,
        folder=folder, label=f"CartPole {seed}",
    )  # fmt: skip
    found = play(done.model, others, scaled, 20_000 + seed)
    counts = operations(done.model, 4, [0.0, found.spikes], config.steps)
    returns, at = episodes(done.rewards, done.over, done.real)
    return {
        "loss": done.loss, "asked": done.asked, "returns": returns, "at": at,
        "test": found.returns, "spikes": found.spikes, "seconds": done.seconds,
        "picojoules": ledger().energy(counts), "decisions": done.real.sum(),
        "raster": raster(done.model, found.seen[: 4 * 5 : 5]),
    }  # fmt: skip


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of different lengths as one array, filled with NaN."""
    found = np.full((len(rows), max(map(len, rows))), np.nan)
    for k, row in enumerate(rows):
        found[k, : len(row)] = row
    return found


def _grid(config: Config, name: str, parts: study.Parts, folder: Path) -> xr.Dataset:
    """All learners in one grid world."""
    world = frozen_lake(name)
    factor = 1 if name == "4x4" else 3
    seeds = range(config.seeds)
    worths = best(world, GAMMA)
    rows: dict[str, list[dict]] = {rule: [] for rule in RULES}
    for seed in seeds:
        label = f"{name} table {seed}"
        rows["table"].append(
            parts(label, lambda s=seed: by_table(name, world, factor * config.table_steps, s))
        )
        lessons = Lessons(
            MOMENTS, envs=16, steps=100 * factor, gamma=GAMMA, pay=1.0, least=0.3, seed=seed
        )
        rows["surrogate"].append(
            parts(
                f"{name} surrogate {seed}",
                lambda lessons=lessons: by_network(name, world, lessons, config.hidden, folder),
            )
        )

    def timing() -> dict:
        every = by_timing(name, world, Habits(), factor * config.timing_steps, config.seeds)
        return {key: np.array([row[key] for row in every]) for key in every[0]}

    together = parts(f"{name} spike timing", timing)
    rows["spike timing"] = [{k: v[s] for k, v in together.items()} for s in seeds]

    def table(key: str) -> np.ndarray:
        return np.array([[row[key] for row in rows[rule]] for rule in RULES], float)

    cell = f"cell_{name}"
    found = xr.Dataset(
        {
            f"{key}_{name}": (("rule", "seed", *dims), table(key))
            for key, dims in (
                ("right", ("moment",)), ("at", ("moment",)), ("policy", (cell,)),
                ("value", (cell,)), ("length", ()), ("reached", ()), ("spikes", ()),
                ("picojoules", ()), ("seconds", ()),
            )
        },
        {"rule": list(RULES), "seed": np.arange(config.seeds)},
    )  # fmt: skip
    found[f"best_{name}"] = (cell, "action"), worths
    found[f"open_{name}"] = cell, world.open
    found[f"letters_{name}"] = (f"row_{name}", f"column_{name}"), world.letters
    return found


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Learn CartPole, then the grids."""
    config = smaller(config)
    gymnasium()
    folder = Path(config.out) / "reinforce.work" / "epochs"
    rows = [
        parts(f"CartPole {seed}", lambda s=seed: balance(config, s, folder))
        for seed in range(config.seeds)
    ]
    dataset = xr.merge([_grid(config, name, parts, folder) for name in config.grids])
    for key, dims in (
        ("loss", ("epoch",)), ("asked", ("epoch",)), ("test", ("trial",)), ("spikes", ()),
        ("seconds", ()), ("picojoules", ()), ("decisions", ()),
    ):  # fmt: skip
        dataset[f"cart_{key}"] = ("seed", *dims), np.array([row[key] for row in rows], float)
    for key in ("returns", "at"):
        dataset[f"cart_{key}"] = ("seed", "episode"), _padded([row[key] for row in rows])
    dataset["cart_raster"] = ("decision", "step", "neuron"), rows[0]["raster"]
    dataset.attrs = {"grids": list(config.grids), "hidden": config.hidden}
    return dataset


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table: returns (of CartPole's network the best of its epochs by 100 other episodes),
    shares of cells with a best action after the last step, spikes, energy, seconds."""
    test = dataset.cart_test.mean("trial")
    found = {f"CartPole: mean return, seed {s}": float(test[s]) for s in range(len(test))}
    found["CartPole: seeds of at least 195"] = int((test >= SOLVED).sum())
    found["CartPole: seconds a seed, mean"] = float(dataset.cart_seconds.mean())
    found["CartPole: seconds a seed, most"] = float(dataset.cart_seconds.max())
    found["CartPole: transitions, mean"] = float(dataset.cart_decisions.mean())
    found["CartPole: spikes a decision"] = float(dataset.cart_spikes.mean())
    found["CartPole: nJ a decision"] = float(dataset.cart_picojoules.mean()) / 1e3
    for name in dataset.attrs["grids"]:
        for rule in RULES:
            row = dataset.sel(rule=rule)
            last = row[f"right_{name}"].isel(moment=-1)
            label = f"{name}, {rule}"
            found[f"{label}: cells with a best action (%)"] = 100 * float(last.mean())
            found[f"{label}: seeds with the optimal policy"] = int((last == 1).sum())
            if rule != "table":
                found[f"{label}: spikes a decision"] = float(row[f"spikes_{name}"].mean())
                found[f"{label}: nJ a decision"] = float(row[f"picojoules_{name}"].mean()) / 1e3
    return found


def figure():
    """The module that draws it."""
    from figures import reinforce

    return reinforce


def main():
    study.main("reinforce", Config, run, summary, figure, __doc__)
