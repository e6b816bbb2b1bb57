"""Three learners in one grid world: a table, a spiking network by surrogate derivatives, and
place cells whose synapses learn by spike timing and reward."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bpcjax import cost

from ..common.classifier_training import operations
from ..common.scores import ledger
from . import stdp as spikes
from .episodes import answer
from .values import Lessons, network, train, worth
from .worlds import Grid, best, lakes, optimal, tabular, walk

GAMMA = 0.9
MOMENTS = 20  # at which policies are looked at


def judged(world: Grid, policies: np.ndarray, values: np.ndarray, at: np.ndarray, **more: Any):
    """What is noted of a learner: whether its policies [moments, cells] are best, and the last."""
    worths = best(world, GAMMA)
    right = np.array([optimal(world, policy, worths)[world.open].mean() for policy in policies])
    start = int(np.flatnonzero((world.letters == "S").ravel())[0])
    total, length = walk(world, policies[-1], start)
    return {
        "right": right, "at": at, "policy": policies[-1], "value": values, "length": length,
        "reached": total, **{"spikes": np.nan, "picojoules": np.nan, "seconds": np.nan, **more},
    }  # fmt: skip


def by_table(name: str, world: Grid, steps: int, seed: int) -> dict[str, Any]:
    """Q-learning in a table."""
    count = 4
    worths = tabular(lakes(name, world, count), world, GAMMA, steps // count, seed, MOMENTS)
    at = np.linspace(0, steps, MOMENTS + 1)[1:]
    return judged(world, worths.argmax(-1), worths[-1].max(-1), at)


def by_network(name: str, world: Grid, lessons: Lessons, hidden: int, folder: Path | None):
    """Q-learning by a spiking network that sees which cell it is in, judged after each epoch."""
    cells = len(world.open)
    eye = np.eye(cells, dtype=np.float32)

    def policy(model) -> np.ndarray:
        return np.asarray(answer(model, eye)[0])

    model = network(jax.random.key(lessons.seed), cells, hidden, spikes.ACTIONS, 8)
    envs = lakes(name, world, lessons.envs)
    done = train(
        model, envs, lambda seen: eye[seen], lessons, ask=policy, enough=None, folder=folder,
        label=f"{name} surrogate {lessons.seed}",
    )  # fmt: skip
    each = float(np.asarray(answer(done.model, eye)[1])[world.open].mean())
    counts = operations(done.model, cells, [0.0, each], done.model.steps, seen=1 / cells)
    return judged(
        world, done.asked.astype(int), np.asarray(worth(done.model, jnp.asarray(eye))).max(-1),
        np.cumsum(done.real.reshape(lessons.epochs, -1).sum(1)), spikes=each,
        picojoules=ledger().energy(counts), seconds=done.seconds,
    )  # fmt: skip


def by_timing(
    name: str, world: Grid, habits: spikes.Habits, steps: int, seeds: int
) -> list[dict[str, Any]]:
    """Reward-modulated STDP: one agent a seed, each in a world of its own, in lockstep."""
    places = jnp.asarray(spikes.fields(world.letters, habits.field))
    base, envs = spikes.idle(habits), lakes(name, world, seeds)
    newborn = spikes.newborn(len(places), habits)
    agents = jax.tree.map(lambda a: jnp.broadcast_to(a, (seeds, *a.shape)), newborn)

    @jax.jit
    def live(agents, cell, reward, ended, first, k):
        keys = jax.vmap(lambda s: jax.random.fold_in(jax.random.key(s), k))(jnp.arange(seeds))

        def one(agent, cell, reward, ended, first, key):
            agent, told, error = spikes.live(
                agent, places[cell], reward, ended, first, habits, base, key
            )
            return agent, told.action, error

        return jax.vmap(one)(agents, cell, reward, ended, first, keys)

    look = jax.jit(jax.vmap(lambda w: spikes.policy(w, places, habits, base)))
    cell, reward, ended = envs.reset(0), np.zeros(seeds, np.float32), np.zeros(seeds, bool)
    first, kept = np.ones(seeds, bool), []
    ends = np.linspace(0, steps, MOMENTS + 1).astype(int)[1:]
    worths = best(world, GAMMA)
    with tqdm(total=steps, desc=f"{name} timing", mininterval=1.0, leave=False) as bar:
        for k in range(steps):
            agents, actions, error = live(agents, cell, reward, ended, first, k)
            got = envs.step(np.asarray(actions))
            cell, reward, ended = got.seen, got.reward.astype(np.float32), got.ended
            first = ~got.real
            if k + 1 in ends:
                kept.append(jax.device_get(look(agents.weights)))
                right = [optimal(world, p, worths)[world.open].mean() for p in kept[-1][0]]
                bar.set_postfix(best=f"{np.mean(right):.3f}", error=f"{np.abs(error).mean():.3f}")
            bar.update()
    policies, values, sent = (np.array(a) for a in zip(*kept, strict=True))
    each = sent[-1][..., world.open].mean(-1)  # [seeds, of place cells and of the others]
    return [
        judged(
            world, policies[:, s], values[-1, s], ends.astype(float),
            spikes=each[s].sum(), picojoules=_energy(habits, *each[s]),
        )
        for s in range(seeds)
    ]  # fmt: skip


def _energy(habits: spikes.Habits, places: float, neurons: float) -> float:
    """Of a decision: each place cell's spike reaches all neurons, each of theirs at most three."""
    count = spikes.ACTIONS + habits.critics
    noise = habits.noise * habits.duration * spikes.ACTIONS
    counts = cost.Counts(
        synaptic=places * count + noise + neurons * (spikes.ACTIONS - 1),
        updates=habits.duration * count,
        spikes=places + neurons,
    )
    return float(ledger().energy(counts))
