"""Networks of leaky neurons with exponential synapses, by `simulate` and by the oracle."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from theory.closed_forms import lif_events

TAU, TAU_S, HOLD = 20.0, 5.0, 2.0
LOCAL, GRID = bpc.LocalSpikes(), bpc.GridSpikes(dfx.Heun())
PERIOD = TAU * np.log(3.0)  # of a neuron of threshold 1 and reset 0 at drive 1.5


def close(actual, desired, atol=1e-9):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


def arrays(*values):
    return tuple(jnp.asarray(value, float) for value in values)


def order(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


# --- problems ---------------------------------------------------------------------------------


def signed(random, size, spread):
    """Random signed weights from each neuron to each other one."""
    return random.normal(0.0, spread, (size, size)) * (1 - np.eye(size))


def started(random, size, least=1.5, most=2.6):
    """Drives, and initial potentials below the threshold."""
    return random.uniform(least, most, size), random.uniform(0.0, 0.9, size)


def problem(size, seed):
    """Weights, drives above threshold, initial potentials."""
    random = np.random.default_rng([size, seed])
    return signed(random, size, 3.0 / np.sqrt(size)), *started(random, size)


def oracle(weights, drive, v0, t1, **options):
    """Every spike, and the state at the end, in closed form from event to event."""
    options = dict(tau=TAU, tau_s=TAU_S, refractory=HOLD) | options
    return lif_events.simulate(weights, drive, v0, t1=t1, **options)


# --- solves -----------------------------------------------------------------------------------


def neuron():
    return bpc.neurons.LIF(c=TAU, g_l=1.0, e_l=0.0, v_th=1.0, v_reset=0.0)


def network(weights):
    """The neurons of `oracle`, all coupled by `weights`."""
    projection = bpc.Projection(weights, bpc.synapses.Exponential(TAU_S))
    return bpc.Network(bpc.Refractory(neuron(), HOLD), [projection])


def start(system, v0):
    """The state of a network of refractory neurons at rest but for its potentials."""
    return eqx.tree_at(lambda y: y.neurons.neuron.v, system.rest(v0.size), v0)


@eqx.filter_jit
def run(system, y0, drive, t1, dt, solver, **options):
    options = dict(max_spikes=256, max_steps=8192, throw=False) | options
    return bpc.simulate(system, y0, drive, t1=t1, dt=dt, solver=solver, **options)


def solve_network(weights, drive, v0, t1, dt, solver, **options):
    """The solve of `network`, from potentials `v0`."""
    weights, drive, v0, dt = arrays(weights, drive, v0, dt)
    system = network(weights)
    return run(system, start(system, v0), drive, t1, dt, solver, **options)


def recorded(solution):
    """Times and neurons of the spikes, without the padding."""
    count = int(solution.spikes.count)
    return np.asarray(solution.spikes.times)[:count], np.asarray(solution.spikes.neurons)[:count]


def misses(solution, exact, size):
    """How far the spike times of each neuron are off, as many as both have."""
    times, neurons = recorded(solution)
    pairs = ((times[neurons == k], exact.times[exact.neurons == k]) for k in range(size))
    return np.concatenate([np.abs(a[: len(b)] - b[: len(a)]) for a, b in pairs])


def spike_time_gradient():
    """The gradient of the sum of 20 spike times in the weights of 20 neurons, and such weights."""
    size = 20
    random = np.random.default_rng(0)
    drive = jnp.asarray(random.uniform(110.0, 160.0, size))

    def time(weights):
        net = bpc.Network(
            bpc.Refractory(bpc.neurons.LIF(), 2.0),
            [bpc.Projection(weights, bpc.synapses.Exponential(5.0))],
        )
        solution = bpc.simulate(
            net, net.rest(size), drive, t1=40.0, dt=0.1, max_spikes=64, throw=False
        )
        return solution.spikes.times[:20].sum()

    return jax.jit(jax.grad(time)), jnp.asarray(60 * random.normal(size=(size, size)) / size**0.5)
