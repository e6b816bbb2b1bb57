"""The jump loop has the law of independent simulations, in which every unit has its own clock."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from bpcjax.energies import ModernHopfield
from bpcjax.jumps import jump_path
from bpcjax.jumps.lattice import DescentState
from bpcjax.models import SpikingHopfield, VisibleSpikes, event_path
from theory.closed_forms import jump_events

HESSIAN = np.array([[2.0, 0.7, 0.0], [0.7, 1.0, -0.4], [0.0, -0.4, 1.5]])
BEST = np.array([0.31, -0.13, 0.7])
CHANCE = 5e-4  # of each test below to fail by chance


def bowl(y, args=None):
    return 0.5 * (y - BEST) @ HESSIAN @ (y - BEST)


def same_law(one, other):
    """Two-sample Kolmogorov-Smirnov test; ties make it conservative."""
    assert stats.ks_2samp(np.asarray(one, float), np.asarray(other, float)).pvalue > CHANCE


@pytest.mark.parametrize(
    "temperature, cost", [(0.5, 0.1), pytest.param(0.0, 0.02, marks=pytest.mark.slow)]
)
def test_spikes_on_a_lattice(temperature, cost):
    copies, t1, start = 500, 2.5, np.array([1.5, -1.0, 0.0])
    system = bpc.SpikeDescent(bowl, 0.5, temperature, cost)

    @jax.jit
    @jax.vmap
    def run(key):
        state = DescentState(jnp.asarray(start), jnp.zeros(3))
        path = jump_path(system.jumps, state, key=key, jumps=40, t1=t1)
        return system.value(path.y), path.count, path.ok

    value, count, ok = run(jax.random.split(jax.random.key(0), 2 * copies))
    assert ok.all()
    rng = np.random.default_rng(1)
    other, other_count = zip(
        *(
            jump_events.lattice(bowl, start, 0.5, rng, t1=t1, temperature=temperature, cost=cost)
            for _ in range(copies)
        ),
        strict=True,
    )
    same_law(count, other_count)
    for unit in range(3):
        same_law(value[:, unit], np.array(other)[:, unit])
    same_law(jax.vmap(bowl)(value), [bowl(y) for y in other])


@pytest.mark.slow
def test_where_greedy_spikes_rest():
    copies, start = 400, np.array([1.5, -1.0, 0.0])
    system = bpc.SpikeDescent(bowl, 0.25)
    keys = jax.random.split(jax.random.key(0), copies)
    paths = jax.jit(jax.vmap(lambda key: bpc.descend(system, start, key=key, spikes=40)))(keys)
    assert paths.at_rest.all()
    rng = np.random.default_rng(1)
    ends = [jump_events.lattice(bowl, start, 0.25, rng) for _ in range(copies)]
    same_law(paths.count, [count for _, count in ends])
    same_law(jax.vmap(bowl)(paths.value), [bowl(y) for y, _ in ends])


CASES = {
    "at once": {},
    "late": dict(delay=0.3),
    "refractory": dict(refractory=0.25),
    "late and refractory": dict(delay=0.15, refractory=0.25),
    "visible": dict(visible=(10.0, 0.4)),
}


SLOW = tuple(name for name in CASES if name != "refractory")


@pytest.mark.parametrize(
    "name", ["refractory", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_spikes_of_memories(name):
    case = CASES[name]
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(5, 6))
    patterns *= 2 / np.linalg.norm(patterns, axis=1, keepdims=True)
    bias = np.array([0.1, -0.2, 0.0, 0.3, 0.0])
    query = 0.5 * (patterns[0] + patterns[1]) + 0.3 * rng.normal(size=6)
    rate, t1, beta, copies = 8.0, 1.5, 1.5, 500
    mode = dict(mode=VisibleSpikes(*case["visible"])) if "visible" in case else {}
    others = {name: value for name, value in case.items() if name != "visible"}
    memory = SpikingHopfield(ModernHopfield(patterns, beta, bias), rate, 1.0, **mode, **others)

    @jax.jit
    @jax.vmap
    def run(key):
        return event_path(memory, query, key, spikes=48, t1=t1)

    path = run(jax.random.split(jax.random.key(0), 2 * copies))
    assert path.ok.all()
    other = [
        jump_events.memory(patterns, beta, bias, query, rng, rate=rate, t1=t1, **case)
        for _ in range(copies)
    ]
    same_law(path.count, [len(p.times) for p in other])
    same_law(path.heard, [p.heard for p in other])
    same_law(
        np.where(path.winners == 0, path.times, np.inf).min(axis=1),
        [min((t for t, w in zip(p.times, p.winners, strict=True) if w == 0), default=np.inf)
         for p in other],
    )  # fmt: skip
    for direction in (patterns[0], patterns[2]):
        same_law(path.x @ direction, [p.x @ direction for p in other])
    wins = [(np.asarray(path.winners) == k).sum(axis=1) for k in range(5)]
    for k in range(5):
        same_law(wins[k], [p.winners.count(k) for p in other])
