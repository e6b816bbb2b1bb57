"""What to do next? Spiking networks learn from rewards, in environments of gymnasium.

CartPole by Q-learning: a spiking network values actions and learns by surrogate derivatives
through the engine's own solve; tested is the best of its epochs by 100 other episodes. Grid worlds
(the lake that is not slippery) by the same, by a table, and by reward-modulated STDP, whose changes
of weights are local but for one number common to all synapses; all three are tested as they are at
their last step, against what is best by value iteration. Episodes in grids begin anywhere.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..common import study
from ..common.classifier_training import counts_by_step
from ..common.operations import spiking_operations
from ..common.scores import ledger
from ..common.study import setting
from .episodes import play, returns_of
from .grids import GAMMA, MOMENTS, by_network, by_table, by_timing
from .stdp import AgentConfig
from .values import QConfig, network, train
from .worlds import GRIDS, cartpole, frozen_lake, gymnasium, optimal_values, scaled

RULES = "table", "surrogate", "spike timing"
SOLVED = 195.0  # mean return over 100 episodes (Brockman et al. 2016, arXiv:1606.01540, v0)


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Settings of the run."""

    seeds: int = setting(5, least=1, quick=lambda _: 2)
    epochs: int = setting(40, least=1, quick=lambda _: 8)
    """Of CartPole, at most: 200 steps in 16 environments each."""
    hidden: int = setting(128, least=1)
    steps: int = setting(8, least=1)
    """Of the solve of a decision, in ms."""
    rate: float = setting(1e-3, above=0.0)
    """Of the network that learns CartPole."""
    trials: int = setting(100, least=1, quick=lambda _: 20)
    """Episodes that test a network."""
    enough: float = 499.0
    """The mean return of as many other episodes at which learning stops."""
    grids: tuple[str, ...] = setting(("4x4", "8x8"), among=tuple(GRIDS), quick=("4x4",))
    """Maps of the lake, 4x4 or 8x8."""
    table_steps: int = setting(30_000, least=1, quick=lambda _: 8000)
    """Transitions in the smaller grid; the larger has three times as many."""
    timing_steps: int = setting(12_000, least=1, quick=lambda _: 5000)
    """Decisions by spike timing in the smaller grid; three times as many in the larger."""


def raster(model: Any, x: np.ndarray) -> np.ndarray:
    """The spikes of its hidden neurons in each of some decisions: [decisions, steps, neurons]."""
    counts = counts_by_step(model, jnp.asarray(x), lambda counts: counts[0])
    return np.diff(counts, axis=1, prepend=0)


def balance(config: Config, seed: int, parts: study.Parts) -> dict[str, Any]:
    """CartPole: a network learns, and is tested in other episodes than those that chose it."""
    hyper = QConfig(config.epochs, rate=config.rate, seed=seed)
    model = network(jax.random.key(seed), 4, config.hidden, 2, config.steps)
    others = cartpole(config.trials)

    def evaluate(model) -> dict[str, float]:
        return {"score": float(play(model, others, scaled, 10_000 + seed).returns.mean())}

    trained = train(
        model, cartpole(hyper.envs), scaled, hyper, evaluate=evaluate, enough=config.enough,
        folder=parts.chunks.folder / "epochs", label=f"CartPole {seed}",
    )  # fmt: skip
    model, history = trained.model, trained.history
    test = play(model, others, scaled, 20_000 + seed)
    counts = spiking_operations(model, 4, [0.0, test.spikes], config.steps)
    steps = (history[name].reshape(-1, hyper.envs) for name in ("rewards", "over", "real"))
    returns, at = returns_of(*steps)
    return {
        "loss": history["loss"], "score": history["score"], "returns": returns, "at": at,
        "test": test.returns, "spikes": test.spikes, "seconds": trained.seconds,
        "picojoules": ledger().energy(counts), "decisions": history["real"].sum(),
        "raster": raster(model, test.seen[: 4 * 5 : 5]),
    }  # fmt: skip


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of different lengths as one array, filled with NaN."""
    values = np.full((len(rows), max(map(len, rows))), np.nan)
    for k, row in enumerate(rows):
        values[k, : len(row)] = row
    return values


def _grid(config: Config, name: str, parts: study.Parts) -> xr.Dataset:
    """All learners in one grid world."""
    world, factor, seeds = frozen_lake(name), 1 if name == "4x4" else 3, range(config.seeds)

    def surrogate(seed: int) -> dict[str, Any]:
        hyper = QConfig(
            MOMENTS, envs=16, steps=100 * factor, gamma=GAMMA, reward_scale=1.0, least=0.3,
            seed=seed,
        )  # fmt: skip
        return by_network(name, world, hyper, config.hidden, parts.chunks.folder / "epochs")

    def timing() -> dict[str, Any]:
        rows = by_timing(name, world, AgentConfig(), factor * config.timing_steps, config.seeds)
        return {key: np.array([row[key] for row in rows]) for key in rows[0]}

    rows: dict[str, list[dict]] = {rule: [] for rule in RULES}
    for seed in seeds:
        steps = factor * config.table_steps
        table = parts(f"{name} table {seed}", lambda s=seed, n=steps: by_table(name, world, n, s))
        rows["table"].append(table)
        rows["surrogate"].append(parts(f"{name} surrogate {seed}", lambda s=seed: surrogate(s)))
    together = parts(f"{name} spike timing", timing)
    rows["spike timing"] = [{k: v[s] for k, v in together.items()} for s in seeds]

    def values(key: str) -> np.ndarray:
        return np.array([[row[key] for row in rows[rule]] for rule in RULES], float)

    cell = f"cell_{name}"
    data: dict[str, Any] = {
        f"{key}_{name}": (("rule", "seed", *dims), values(key))
        for key, dims in (
            ("right", ("moment",)), ("at", ("moment",)), ("policy", (cell,)),
            ("value", (cell,)), ("length", ()), ("reached", ()), ("spikes", ()),
            ("picojoules", ()), ("seconds", ()),
        )
    }  # fmt: skip
    data |= {
        f"best_{name}": ((cell, "action"), optimal_values(world, GAMMA)),
        f"open_{name}": (cell, world.open),
        f"letters_{name}": ((f"row_{name}", f"column_{name}"), world.letters),
    }
    return xr.Dataset(data, {"rule": list(RULES), "seed": np.arange(config.seeds)})


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Learn CartPole, then the grids."""
    gymnasium()
    rows = [
        parts(f"CartPole {seed}", lambda s=seed: balance(config, s, parts))
        for seed in range(config.seeds)
    ]
    dataset = xr.merge([_grid(config, name, parts) for name in config.grids])
    for key, dims in (
        ("loss", ("epoch",)), ("score", ("epoch",)), ("test", ("trial",)), ("spikes", ()),
        ("seconds", ()), ("picojoules", ()), ("decisions", ()),
    ):  # fmt: skip
        dataset[f"cart_{key}"] = ("seed", *dims), np.array([row[key] for row in rows], float)
    for key in ("returns", "at"):
        dataset[f"cart_{key}"] = ("seed", "episode"), _padded([row[key] for row in rows])
    dataset["cart_raster"] = ("decision", "step", "neuron"), rows[0]["raster"]
    dataset.attrs = {"grids": list(config.grids), "hidden": config.hidden, "solved": SOLVED}
    return dataset


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """The table: returns (of CartPole's network the best of its epochs by 100 other episodes),
    shares of cells with a best action after the last step, spikes, energy, seconds."""
    test = dataset.cart_test.mean("trial")
    metrics = {f"CartPole: mean return, seed {s}": float(test[s]) for s in range(len(test))}
    metrics["CartPole: seeds of at least 195"] = int((test >= SOLVED).sum())
    metrics["CartPole: seconds a seed, mean"] = float(dataset.cart_seconds.mean())
    metrics["CartPole: seconds a seed, most"] = float(dataset.cart_seconds.max())
    metrics["CartPole: transitions, mean"] = float(dataset.cart_decisions.mean())
    metrics["CartPole: spikes a decision"] = float(dataset.cart_spikes.mean())
    metrics["CartPole: nJ a decision"] = float(dataset.cart_picojoules.mean()) / 1e3
    for name in dataset.attrs["grids"]:
        for rule in RULES:
            row = dataset.sel(rule=rule)
            last = row[f"right_{name}"].isel(moment=-1)
            label = f"{name}, {rule}"
            metrics[f"{label}: cells with a best action (%)"] = 100 * float(last.mean())
            metrics[f"{label}: seeds with the optimal policy"] = int((last == 1).sum())
            if rule != "table":
                metrics[f"{label}: spikes a decision"] = float(row[f"spikes_{name}"].mean())
                metrics[f"{label}: nJ a decision"] = float(row[f"picojoules_{name}"].mean()) / 1e3
    return metrics


STUDY = study.Study("reinforce", Config, run, summary, double=False)
