"""Three learners in one grid world: a table, a spiking network by surrogate derivatives, and
place cells whose synapses learn by spike timing and reward."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax import cost

from ..common.operations import spiking_operations
from ..common.scores import ledger
from ..common.training import progress
from . import stdp
from .episodes import answer
from .values import QConfig, action_values, network, train
from .worlds import Grid, frozen_lakes, is_optimal, optimal_values, tabular, walk

GAMMA = 0.9
MOMENTS = 20  # at which policies are tested


def _metrics(
    world: Grid, policies: np.ndarray, values: np.ndarray, at: np.ndarray, **more: Any
) -> dict[str, Any]:
    """Metrics of a learner: the share of cells where its policies [moments, cells] are best, and
    the last of them."""
    best = optimal_values(world, GAMMA)
    right = np.array([is_optimal(world, policy, best)[world.open].mean() for policy in policies])
    start = int(np.flatnonzero((world.letters == "S").ravel())[0])
    total, length = walk(world, policies[-1], start)
    return {
        "right": right, "at": at, "policy": policies[-1], "value": values, "length": length,
        "reached": total, **{"spikes": np.nan, "picojoules": np.nan, "seconds": np.nan, **more},
    }  # fmt: skip


def by_table(name: str, world: Grid, steps: int, seed: int) -> dict[str, Any]:
    """Q-learning in a table."""
    count = 4
    envs = frozen_lakes(name, world, count)
    values = tabular(envs, world, GAMMA, steps // count, seed, MOMENTS)
    at = np.linspace(0, steps, MOMENTS + 1)[1:]
    return _metrics(world, values.argmax(-1), values[-1].max(-1), at)


def by_network(
    name: str, world: Grid, config: QConfig, hidden: int, folder: Path | None
) -> dict[str, Any]:
    """Q-learning by a spiking network that sees which cell it is in, tested after each epoch."""
    cells = len(world.open)
    eye = np.eye(cells, dtype=np.float32)

    def evaluate(model) -> dict[str, np.ndarray]:
        return {"policy": np.asarray(answer(model, eye)[0])}

    model = network(jax.random.key(config.seed), cells, hidden, stdp.ACTIONS, 8)
    trained = train(
        model, frozen_lakes(name, world, config.envs), lambda seen: eye[seen], config,
        evaluate=evaluate, enough=None, folder=folder, label=f"{name} surrogate {config.seed}",
    )  # fmt: skip
    model, history = trained.model, trained.history
    spikes = float(np.asarray(answer(model, eye)[1])[world.open].mean())
    counts = spiking_operations(model, cells, [0.0, spikes], model.steps, nonzero=1 / cells)
    return _metrics(
        world, history["policy"], np.asarray(action_values(model, jnp.asarray(eye))).max(-1),
        np.cumsum(history["real"].sum((1, 2))), spikes=spikes,
        picojoules=ledger().energy(counts), seconds=trained.seconds,
    )  # fmt: skip


def by_timing(
    name: str, world: Grid, config: stdp.AgentConfig, steps: int, seeds: int
) -> list[dict[str, Any]]:
    """Reward-modulated STDP: one agent a seed, each in a world of its own, in lockstep."""
    places = jnp.asarray(stdp.fields(world.letters, config.field))
    base, envs = stdp.baseline(config), frozen_lakes(name, world, seeds)
    start = stdp.init_agent(len(places), config)
    agents = jax.tree.map(lambda a: jnp.broadcast_to(a, (seeds, *a.shape)), start)

    @jax.jit
    def act(agents, cell, reward, ended, first, k):
        keys = jax.vmap(lambda s: jax.random.fold_in(jax.random.key(s), k))(jnp.arange(seeds))

        def one(agent, cell, reward, ended, first, key):
            agent, decision, error = stdp.act(
                agent, places[cell], reward, ended, first, config, base, key
            )
            return agent, decision.action, error

        return jax.vmap(one)(agents, cell, reward, ended, first, keys)

    policy = jax.jit(jax.vmap(lambda w: stdp.policy(w, places, config, base)))
    cell, reward, ended = envs.reset(0), np.zeros(seeds, np.float32), np.zeros(seeds, bool)
    first, history = np.ones(seeds, bool), []
    ends = np.linspace(0, steps, MOMENTS + 1).astype(int)[1:]
    with progress(steps, f"{name} timing") as bar:
        for k in range(steps):
            agents, actions, error = act(agents, cell, reward, ended, first, k)
            after = envs.step(np.asarray(actions))
            cell, reward, ended = after.seen, after.reward.astype(np.float32), after.ended
            first = ~after.real
            if k + 1 in ends:
                history.append(jax.device_get(policy(agents.weights)))
                bar.set_postfix(error=f"{np.abs(error).mean():.3f}")
            bar.update()
    policies, values, spikes = (np.array(a) for a in zip(*history, strict=True))
    spikes = spikes[-1][..., world.open].mean(-1)  # [seeds, of place cells and of the others]
    return [
        _metrics(
            world, policies[:, s], values[-1, s], ends.astype(float),
            spikes=spikes[s].sum(), picojoules=_energy(config, *spikes[s]),
        )
        for s in range(seeds)
    ]  # fmt: skip


def _energy(config: stdp.AgentConfig, places: float, neurons: float) -> float:
    """Of a decision: each place cell's spike reaches all neurons, each of theirs at most three."""
    count = stdp.ACTIONS + config.critics
    noise = config.noise * config.duration * stdp.ACTIONS
    counts = cost.Counts(
        synaptic=places * count + noise + neurons * (stdp.ACTIONS - 1),
        updates=config.duration * count,
        spikes=places + neurons,
    )
    return float(ledger().energy(counts))
