"""`LocalSpikes` works on all neurons, or on those few that have an event: the same comes out."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from tests.support.lif_networks import HOLD, TAU, TAU_S, arrays, close, neuron, problem, run, start

SIZE = 12


class Waves(eqx.Module):
    """A drive of each neuron's own strength that changes in time."""

    strength: jax.Array

    def __call__(self, t):
        return self.strength * (1 + 0.1 * jnp.sin(t / 3))


def cells(seed, alike=False):
    """Weights, drives, starts, time constants, thresholds; or neurons that all do the same."""
    weights, drive, v0 = problem(SIZE, seed)
    random = np.random.default_rng([seed, 2])
    tau, threshold = random.uniform(15.0, 25.0, SIZE), random.uniform(0.9, 1.1, SIZE)
    if alike:
        weights = -0.1 * (1 - np.eye(SIZE))
        drive, v0, tau, threshold = (np.full(SIZE, x[0]) for x in (drive, v0, tau, threshold))
    return arrays(weights, drive, v0, tau, threshold)


BATCH = jax.tree.map(lambda *x: jnp.stack(x), cells(0), cells(1), cells(0, alike=True))
ALONG = jax.tree.map(
    lambda x: jnp.asarray(0.1 * np.random.default_rng(3).normal(size=x.shape)), BATCH
)
FEW, WHOLE = bpc.LocalSpikes(gather=4), bpc.LocalSpikes(gather=6)  # 2 * 6 is the population


def outcome(given, solver, adjoint=None):
    """Spike times (0 where there is none) and the state at the end, as one vector; and who."""
    weights, drive, v0, tau, threshold = given
    cell = bpc.neurons.LIF(c=tau, g_l=1.0, e_l=0.0, v_th=threshold, v_reset=0.0)
    synapse = bpc.synapses.Exponential(TAU_S)
    system = bpc.Network(bpc.Refractory(cell, HOLD), [bpc.Projection(weights, synapse)])
    solution = bpc.simulate(
        system, start(system, v0), Waves(drive), t1=30.0, dt=0.1, solver=solver, max_spikes=64,
        adjoint=adjoint, throw=False,
    )  # fmt: skip
    times = jnp.where(solution.spikes.neurons >= 0, solution.spikes.times, 0.0)
    y = solution.ys.neurons.neuron.v[-1], solution.ys.synapses[0][-1]
    return jnp.concatenate([times, *y]), (solution.spikes.neurons, solution.ok)


@eqx.filter_jit
def tangents(given, along, solver, batch):
    def one(given, along):
        def fn(given):
            return outcome(given, solver, dfx.ForwardMode())

        return jax.jvp(fn, (given,), (along,), has_aux=True)

    return (jax.vmap(one) if batch else one)(given, along)


@pytest.mark.slow
def test_the_few_that_fire_are_worked_on_as_the_whole_population():
    ends, slopes, (neurons, ok) = tangents(BATCH, ALONG, FEW, True)
    assert ok.all() and ((neurons >= 0).sum(1) > 10).all()
    # In the last row all fire together, more than are gathered.
    assert (np.asarray(neurons)[2, :SIZE] == np.arange(SIZE)).all()
    assert np.ptp(np.asarray(ends)[2, :SIZE]) < 1e-12
    for row in range(3):  # each alone
        given, along = jax.tree.map(lambda x, row=row: x[row], (BATCH, ALONG))
        whole = tangents(given, along, WHOLE, False)
        np.testing.assert_array_equal(neurons[row], whole[2][0])
        close(ends[row], whole[0], 1e-10)
        close(slopes[row], whole[1], 1e-9)


@pytest.mark.slow
def test_reverse_derivatives_are_the_forward_ones():
    weighting = jnp.asarray(np.random.default_rng(0).normal(size=64 + 2 * SIZE))

    @jax.jit
    def reverse(given):
        return jax.vmap(jax.grad(lambda given: weighting @ outcome(given, FEW)[0]))(given)

    _, slopes, _ = tangents(BATCH, ALONG, FEW, True)
    pairs = zip(reverse(BATCH), ALONG, strict=True)
    result = sum((g * u).reshape(3, -1).sum(1) for g, u in pairs)
    np.testing.assert_allclose(result, slopes @ weighting, rtol=1e-8)


# A neuron's draws follow from its index: it must be its own, also among a few.
@pytest.mark.slow
def test_stochastic_spikes_of_the_few_are_their_own():
    def spikes(solver):
        cell = bpc.EscapeRate(neuron(), lambda d: 0.3 * jnp.exp(d / 0.2), jax.random.key(0))
        drive = jnp.linspace(0.5, 1.5, 20)
        return run(cell, cell.rest((20,)), drive, *arrays(60.0, 0.1), solver).spikes

    few, whole = spikes(bpc.LocalSpikes(gather=4)), spikes(bpc.LocalSpikes())
    assert int(few.count) > 30
    np.testing.assert_array_equal(few.neurons, whole.neurons)
    np.testing.assert_allclose(few.times, whole.times, rtol=1e-12)


@pytest.mark.slow
# More neurons than a record takes all at once: it is written for those alone that spiked.
def test_records_of_a_large_population():
    drive = jnp.linspace(1.2, 3.0, 300)

    def times(drive):
        cell = neuron()
        solution = bpc.simulate(
            cell, cell.rest((300,)), drive, t1=30.0, dt=0.1, solver=bpc.LocalSpikes(gather=16),
            max_spikes=1024, adjoint=dfx.ForwardMode(),
        ).spikes  # fmt: skip
        return solution.times, solution

    solution, slopes, spikes = jax.jit(
        lambda d: jax.jvp(times, (d,), (jnp.ones(300),), has_aux=True)
    )(drive)
    own = np.asarray(drive)
    period = TAU * np.log(own / (own - 1))
    count = (30.0 / period).astype(int)
    every = [(k * period[n], n, k) for n in range(300) for k in range(1, count[n] + 1)]
    exact, who, number = map(np.array, zip(*sorted(every), strict=True))
    size = exact.size
    assert size == int(spikes.count) > 300 and (np.diff(spikes.times[:size]) >= 0).all()
    # Heun's error in a period: (dt / TAU)^2 / 6 of it, times up to drive / (drive - 1).
    by_neuron = np.lexsort((number, who)), np.lexsort((spikes.times[:size], spikes.neurons[:size]))
    np.testing.assert_array_equal(spikes.neurons[:size][by_neuron[1]], who[by_neuron[0]])
    close(solution[:size][by_neuron[1]], exact[by_neuron[0]], 1e-3)
    slope = number * TAU * (1 / own - 1 / (own - 1))[who]
    np.testing.assert_allclose(slopes[:size][by_neuron[1]], slope[by_neuron[0]], rtol=1e-3)
