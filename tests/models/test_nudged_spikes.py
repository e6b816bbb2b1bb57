"""Learning's parallel steps and the exact process, one spike at a time, end at one free energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import optimize
from scipy.special import expit

import bpcjax as bpc
from bpcjax.energies import Arrow, Categorical, DenseMap, PredictiveCoding, Rectified
from bpcjax.energies.predictive.losses import AbstractMismatch
from bpcjax.jumps import jump_path
from bpcjax.models import (
    NudgedPhases,
    NudgedSpikes,
    PredictiveCodingNetwork,
    SpikingPredictiveCoding,
    settle,
)
from bpcjax.models.predictive.bidirectional import with_terms

SEEDS = 6


def rounding(quantum, stiff):
    """What rounding each unit by half a quantum costs, to second order: H d^2 / 8 a unit."""
    return quantum**2 / 8 * ravel_pytree(stiff)[0].sum()


def nudged(sizes, phases, seed):
    """A network nudged by its label: the exact process, its start, F, and the values at which
    learning's parallel steps and single spikes end; whether those rest."""
    keys = jax.random.split(jax.random.key(seed), 4)
    energy = PredictiveCoding.mlp(keys[0], sizes)
    x = jax.random.uniform(keys[1], (sizes[0],))
    y = jax.nn.one_hot(seed % sizes[-1], sizes[-1], dtype=x.dtype)
    process, start = NudgedSpikes.of(phases, energy, x, y, keys[2])
    args = (x, *(None for _ in start), y)
    parallel = phases.learn(energy, x, y, keys[2])[0].pre[1:]
    path = jump_path(process, start, key=keys[3], jumps=300)

    def free_energy(values):
        return process.energy((None, *values, None), args)

    return process, args, free_energy, (start, parallel, path.y), path.at_rest


@pytest.mark.parametrize(
    "sizes, quantum, steps",
    [
        ((8, 10, 4), 0.125, 16),
        pytest.param((8, 10, 4), 0.0625, 32, marks=pytest.mark.slow),
        pytest.param((8, 10, 9, 4), 0.125, 16, marks=pytest.mark.slow),
    ],
)
def test_all_at_once_and_one_at_a_time_end_at_one_F(sizes, quantum, steps):
    phases = NudgedPhases(quantum, quantum / 20, quantum / 20, steps=steps)

    @jax.jit
    def run(seed):
        process, _, free_energy, ends, rests = nudged(sizes, phases, seed)
        law = rounding(quantum, process.stiff)
        return [free_energy(values) for values in ends], law, rests

    gains = []
    for seed in range(SEEDS):
        (start, parallel, exact), law, rests = run(seed)
        if rests:  # a spike moves its own membrane, too: where no values are within half a quantum
            # of their membranes both forms chatter
            assert abs(parallel - exact) < law
            gains.append((start - exact) / law)
    # nearly all rest, and gain far more than the law allows
    assert len(gains) >= SEEDS - 1 and np.min(gains) > 0 and np.median(gains) > 3


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(8, 10, 4), (8, 10, 9, 4)], ids=["one", "two"])
def test_at_the_quantum_of_learning_two_steps_end_where_greedy_spikes_do(sizes):
    phases = NudgedPhases()

    @jax.jit
    def run(seed):
        process, args, free_energy, (start, *ends), _ = nudged(sizes, phases, seed)
        greedy = bpc.SpikeDescent(process.energy, phases.quantum)
        descent = bpc.descend(
            greedy, (None, *start, None), args, key=jax.random.key(seed), spikes=100
        )
        ends = [*map(free_energy, ends), process.energy(descent.value, args)]
        return ends, rounding(phases.quantum, process.stiff), process.energy.arrows[-1].strength

    attracting = 0
    for seed in range(4 * SEEDS):
        (parallel, exact, greedy), law, strength = run(seed)
        assert abs(parallel - exact) < law
        if strength > 0:  # where it repels, F has no minimum that greedy spikes would find
            attracting += 1
            assert abs(parallel - greedy) < law
    assert attracting > SEEDS


def unit_stiffness(energy, y, args=None):
    return tuple(None if z is None else jnp.ones_like(z) for z in y)


@pytest.mark.slow
@pytest.mark.parametrize("newton", [True, False])
def test_membranes_aim_at_a_newton_step_from_the_prediction(newton):
    # One unit, a logistic label: -dF/dz = mu - z + s w (y - sigma(w z)), and its membrane aims at
    # mu + s w (y - sigma(w z)) / H. Both roots by bisection: they are one for H = 1.
    w, strength, quantum = 3.0, 2.0, 1 / 256
    arrows = (
        Arrow(0, 1, DenseMap(jnp.ones((1, 1))), Rectified()),
        Arrow(1, 2, DenseMap(jnp.array([[w], [0.0]])), Categorical()),
    )
    stiffness = PredictiveCoding.stiffness if newton else unit_stiffness
    phases = NudgedPhases(quantum, 1e-6, 1e-6, strength, steps=1, stiffness=stiffness)
    x, label = jnp.full(1, 0.5), jnp.array([1.0, 0.0])
    process, start = NudgedSpikes.of(phases, PredictiveCoding(arrows), x, label, jax.random.key(2))
    assert process.energy.arrows[-1].strength == strength  # it attracts
    path = jump_path(process, start, key=jax.random.key(1), jumps=200)
    assert path.ok and path.count > 20

    def root(h):
        return optimize.brentq(lambda z: 0.5 - z + strength * w * expit(-w * z) / h, 0.0, 5.0)

    h = 1 + strength * 0.5 * w**2 if newton else 1.0
    assert float(path.y[0][0]) == pytest.approx(root(h), abs=quantum)
    greedy = bpc.SpikeDescent(process.energy, quantum)
    descent = bpc.descend(
        greedy, (None, *start, None), (x, None, label), key=jax.random.key(1), spikes=200
    )
    assert float(descent.value[1][0]) == pytest.approx(root(1.0), abs=0.51 * quantum)
    assert (abs(root(h) - root(1.0)) > 10 * quantum) == newton


CALLS = []


class Counted(AbstractMismatch):
    """A loss that counts its calls."""

    loss: AbstractMismatch

    def __call__(self, z, mu):
        CALLS.append(1)
        return self.loss(z, mu)

    def mode(self, mu):
        return self.loss.mode(mu)

    def curvature(self, mu):
        return self.loss.curvature(mu)

    @property
    def nonnegative(self):
        return self.loss.nonnegative


@pytest.mark.slow
def test_learning_spikes_flow_and_analysis_call_one_energy():
    losses = {"0->1": Counted(Rectified())}
    energy = with_terms(PredictiveCoding.mlp(jax.random.key(0), (5, 6, 3)), losses)
    x, y, key = jnp.linspace(0.1, 1.0, 5), jax.nn.one_hot(1, 3, dtype=float), jax.random.key(1)
    args = (x, None, y)
    z = energy.start(args)
    flow, exact = PredictiveCodingNetwork(energy), bpc.SpikeDescent(energy, 0.125)
    pair, phases = SpikingPredictiveCoding(energy, 0.125, 0.125), NudgedPhases()
    process, start = NudgedSpikes.of(phases, energy, x, y, key)
    some = jax.tree.map(lambda leaf: leaf[None], z)
    runs = {
        "flow": lambda: flow.vector_field(0.0, z, args),
        "settle": lambda: settle(flow, z, args, tol=1.0),
        "spikes": lambda: bpc.descend(exact, z, args, key=key, spikes=1),
        "in parallel": lambda: bpc.descend_in_parallel(exact, z, args, key=key, steps=1),
        "two populations": lambda: bpc.descend(pair, pair.at(z, args), args, key=key, spikes=1),
        "learning": lambda: phases.learn(energy, x, y, key),
        "learning, one at a time": lambda: jump_path(process, start, key=key, jumps=1),
        "fixed points": lambda: bpc.analysis.fixed_points(flow, some, args),
        "Hessian": lambda: bpc.analysis.hessian(energy, z, args),
    }
    for name, run in runs.items():
        CALLS.clear()
        run()
        assert CALLS, name
