"""Learning's parallel steps and the exact process, one spike at a time, end at one free energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bpcjax as bpc
from bpcjax.energies import Arrow, DenseMap, Gaussian, PredictiveCoding, Rectified
from bpcjax.jumps import jump_path
from bpcjax.models import NudgedPhases
from bpcjax.models.predictive.nudged import NudgedSpikes

SEEDS = 6


def rounding(quantum, stiff):
    """What rounding each unit by half a quantum costs, to second order: H d^2 / 8 a unit."""
    return quantum**2 / 8 * ravel_pytree(stiff)[0].sum()


def both(sizes, phases, seed):
    """F (nudged) before, after the parallel steps, at the end of single spikes, and at the end of
    greedy spikes of the nudged energy from the same start; the law; whether the label attracts."""
    keys = jax.random.split(jax.random.key(seed), 4)
    energy = PredictiveCoding.mlp(keys[0], sizes)
    x = jax.random.uniform(keys[1], (sizes[0],))
    y = jax.nn.one_hot(seed % sizes[-1], sizes[-1], dtype=x.dtype)
    process, start = NudgedSpikes.of(phases, energy, x, y, keys[2])
    args = (x, *(None for _ in start), y)

    def free_energy(values):
        return process.energy((None, *values, None), args)

    seen, _ = phases.learn(energy, x, y, keys[2])
    path = jump_path(process, start, key=keys[3], jumps=500)
    greedy = bpc.SpikeDescent(process.energy, phases.quantum)
    descent = bpc.descend(greedy, (None, *start, None), args, key=keys[3], spikes=200)
    ends = [free_energy(v) for v in (start, seen.pre[1:], path.y)]
    ends.append(process.energy(descent.value, args))
    attracts = process.energy.arrows[-1].strength > 0
    return jnp.stack(ends), rounding(phases.quantum, process.stiff), attracts


@pytest.mark.parametrize(
    "sizes, quantum",
    [
        ((8, 10, 9, 4), 0.125),
        pytest.param((8, 10, 4), 0.125, marks=pytest.mark.slow),
        pytest.param((8, 10, 4), 0.0625, marks=pytest.mark.slow),
    ],
)
def test_all_at_once_and_one_at_a_time_end_at_one_F(sizes, quantum):
    phases = NudgedPhases(quantum, quantum / 20, quantum / 20, steps=48)
    run = jax.jit(lambda seed: both(sizes, phases, seed))
    gains = []
    for seed in range(SEEDS):
        (start, parallel, exact, _), law, _ = run(seed)
        assert abs(parallel - exact) < law
        gains.append((start - exact) / law)
    assert np.min(gains) > 0 and np.median(gains) > 3  # far more than the law allows


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(8, 10, 4), (8, 10, 9, 4)], ids=["one", "two"])
def test_at_the_quantum_of_learning_two_steps_end_where_greedy_spikes_do(sizes):
    run = jax.jit(lambda seed: both(sizes, NudgedPhases(), seed))
    attracting = 0
    for seed in range(4 * SEEDS):
        (_, parallel, exact, greedy), law, attracts = run(seed)
        assert abs(parallel - exact) < law
        if attracts:  # where it repels F has no minimum that greedy spikes would find
            attracting += 1
            assert abs(parallel - greedy) < law
    assert attracting > SEEDS


def unit_stiffness(energy, y, args=None):
    return tuple(None if z is None else jnp.ones_like(z) for z in y)


@pytest.mark.parametrize("newton", [True, False])
def test_membranes_aim_at_a_newton_step_from_the_prediction(newton):
    # One unit, F = (z - mu)^2 / 2 + s (y - w z)^2 / 2: its membrane mu + s w (y - w z) / H is at
    # its value where z = (H mu + s w y) / (H + s w^2); F is least there for H = 1 alone.
    w, y, quantum = 1.5, 2.0, 1 / 256
    arrows = (
        Arrow(0, 1, DenseMap(jnp.ones((1, 1))), Rectified()),
        Arrow(1, 2, DenseMap(jnp.full((1, 1), w)), Gaussian()),
    )
    stiffness = PredictiveCoding.stiffness if newton else unit_stiffness
    phases = NudgedPhases(quantum, 1e-6, 1e-6, strength=0.5, steps=1, stiffness=stiffness)
    x, label = jnp.ones(1), jnp.full(1, y)
    process, start = NudgedSpikes.of(phases, PredictiveCoding(arrows), x, label, jax.random.key(0))
    s = float(process.energy.arrows[-1].strength)
    path = jump_path(process, start, key=jax.random.key(1), jumps=300)
    assert path.at_rest and path.count > 20
    h = 1 + abs(s) * w**2 if newton else 1.0
    aim = (h + s * w * y) / (h + s * w**2)
    assert float(path.y[0][0]) == pytest.approx(aim, abs=0.51 * quantum * h / (h + s * w**2))
    greedy = bpc.SpikeDescent(process.energy, quantum)
    descent = bpc.descend(
        greedy, (None, *start, None), (x, None, label), key=jax.random.key(1), spikes=300
    )
    least = (1 + s * w * y) / (1 + s * w**2)
    assert float(descent.value[1][0]) == pytest.approx(least, abs=0.51 * quantum)
    assert (abs(aim - least) > 10 * quantum) == newton
